package console

import (
	"unicode/utf8"

	"parley/gen/client/chats"
)

// The distances of a drawn flow.
const (
	nodeWidth, nodeHeight = 184, 56
	nodeGapX, nodeGapY    = 64, 24
	nodeMargin            = 8
	nodeTextMax           = 20
)

// graph is a flow as a picture: nodes in columns, what follows to the right of what it follows.
type graph struct {
	Width, Height int
	Nodes         []node
	Edges         []edge
}

type node struct {
	ID, Name, Short, Type string
	X, Y                  int
}

// TextX and the others are where the words of a node stand.
func (n node) TextX() int { return n.X + 16 }

// NameY is the line of the name.
func (n node) NameY() int { return n.Y + 24 }

// TypeY is the line of the type.
func (n node) TypeY() int { return n.Y + 43 }

// edge leads from the right side of one node to the left side of another.
type edge struct{ X1, Y1, X2, Y2, CX1, CX2 int }

// drawn lays a flow out. Nodes that nothing leads to begin at the left; circles end where they began.
func drawn(f chats.FlowDefinition) graph {
	order := []string{}
	elements := map[string]chats.FlowElement{}
	for _, e := range f.Nodes {
		if id := textOf(e, "id"); id != "" && elements[id] == nil && textOf(e, "type") != "note" {
			order = append(order, id)
			elements[id] = e
		}
	}
	next := map[string][]string{}
	led := map[string]bool{}
	for _, e := range f.Edges {
		from, to := textOf(e, "source"), textOf(e, "target")
		if elements[from] != nil && elements[to] != nil {
			next[from] = append(next[from], to)
			led[to] = true
		}
	}
	columns := columnsOf(order, next, led)
	var g graph
	at, rows := map[string]node{}, map[int]int{}
	for _, id := range order {
		n := placed(id, elements[id], columns[id], rows[columns[id]])
		rows[columns[id]]++
		at[id] = n
		g.Nodes = append(g.Nodes, n)
		g.Width, g.Height = max(g.Width, n.X+nodeWidth+nodeMargin), max(g.Height, n.Y+nodeHeight+nodeMargin)
	}
	for _, id := range order {
		for _, to := range next[id] {
			g.Edges = append(g.Edges, joined(at[id], at[to]))
		}
	}
	return g
}

// columnsOf are how many steps each node is from a beginning.
func columnsOf(order []string, next map[string][]string, led map[string]bool) map[string]int {
	columns := map[string]int{}
	var queue []string
	reach := func(id string, column int) {
		if _, seen := columns[id]; !seen {
			columns[id] = column
			queue = append(queue, id)
		}
	}
	spread := func() {
		for len(queue) > 0 {
			id := queue[0]
			queue = queue[1:]
			for _, to := range next[id] {
				reach(to, columns[id]+1)
			}
		}
	}
	for _, id := range order {
		if !led[id] {
			reach(id, 0)
		}
	}
	spread()
	for _, id := range order { // those in circles that nothing leads into
		reach(id, 0)
		spread()
	}
	return columns
}

func placed(id string, element chats.FlowElement, column, row int) node {
	n := node{ID: id, Name: id, Type: textOf(element, "type"), X: nodeMargin + column*(nodeWidth+nodeGapX), Y: nodeMargin + row*(nodeHeight+nodeGapY)}
	if data, ok := element["data"].(map[string]any); ok && textOf(data, "name") != "" {
		n.Name = textOf(data, "name")
	}
	n.Short = n.Name
	if utf8.RuneCountInString(n.Name) > nodeTextMax {
		n.Short = string([]rune(n.Name)[:nodeTextMax-1]) + "…"
	}
	return n
}

func joined(from, to node) edge {
	e := edge{X1: from.X + nodeWidth, Y1: from.Y + nodeHeight/2, X2: to.X - 2, Y2: to.Y + nodeHeight/2}
	bend := max(nodeGapX/2, (e.X2-e.X1)/2)
	e.CX1, e.CX2 = e.X1+bend, e.X2-bend
	return e
}
