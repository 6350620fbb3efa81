package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func readHTML(in input, b *builder) error {
	return readPage(decode(in.content, in.Type), in.Name, b)
}

// readPage reads a page of HTML into b. The parser refuses elements nested
// deeper than 512, which bounds the recursion here.
func readPage(text, address string, b *builder) error {
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		return refuse("The page is nested too deeply.")
	}
	readHead(root, address, &b.doc)
	body := find(root, func(n *html.Node) bool { return n.DataAtom == atom.Body })
	if body == nil {
		return nil
	}
	main := mainPart(body)
	w := walker{b: b, inMain: main != body}
	w.children(main)
	w.flush()
	return nil
}

// mainPart is the element that holds the page's own content. Pages without one,
// or whose one is nearly empty as scripts fill it, are read whole.
func mainPart(body *html.Node) *html.Node {
	main := find(body, func(n *html.Node) bool { return n.DataAtom == atom.Main || attr(n, "role") == "main" })
	if main == nil {
		articles := 0
		visit(body, func(n *html.Node) bool {
			if n.DataAtom == atom.Article {
				articles, main = articles+1, n
				return false
			}
			return true
		})
		if articles != 1 {
			return body
		}
	}
	if inMain := textBytes(main); inMain < 200 && inMain*4 < textBytes(body) {
		return body
	}
	return main
}

func textBytes(n *html.Node) (total int) {
	visit(n, func(n *html.Node) bool {
		if n.Type == html.TextNode {
			total += len(strings.TrimSpace(n.Data))
		}
		return !neverShown[n.DataAtom]
	})
	return total
}

// walker turns elements into blocks. Text is collected until a block ends.
type walker struct {
	b      *builder
	text   strings.Builder
	inMain bool // inside the page's main part, where headers and asides belong to the text
	lists  int  // nesting of lists
	item   bool // the collected text is an entry's
	level  int  // of the last heading
}

func (w *walker) flush() {
	kind, level := Paragraph, 0
	if w.item {
		kind, level = Item, max(1, w.lists)
	}
	w.b.add(kind, level, w.text.String())
	w.text.Reset()
}

func (w *walker) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

func (w *walker) node(n *html.Node) {
	switch {
	case n.Type == html.TextNode:
		w.text.WriteString(n.Data)
	case n.Type != html.ElementNode || w.skipped(n):
	default:
		w.element(n)
	}
}

func (w *walker) element(n *html.Node) {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.flush()
		w.level = int(n.Data[1] - '0')
		w.b.add(Heading, w.level, inner(n))
	case atom.Summary:
		// The visible line of a folded answer is its title.
		w.flush()
		w.b.add(Heading, min(w.level+1, 6), inner(n))
	case atom.Pre:
		w.flush()
		w.b.add(Code, 0, inner(n))
	case atom.Table:
		w.table(n)
	case atom.Ul, atom.Ol, atom.Menu:
		w.list(n)
	case atom.Li:
		w.entry(n)
	case atom.Br:
		w.text.WriteByte('\n')
	case atom.Article, atom.Main:
		outer := w.inMain
		w.inMain = true
		w.block(n)
		w.inMain = outer
	default:
		if inline[n.DataAtom] {
			w.children(n)
			return
		}
		w.block(n)
	}
}

func (w *walker) block(n *html.Node) {
	w.flush()
	w.children(n)
	w.flush()
}

func (w *walker) list(n *html.Node) {
	w.flush()
	outer := w.item
	w.item, w.lists = false, w.lists+1
	w.children(n)
	w.flush()
	w.item, w.lists = outer, w.lists-1
}

func (w *walker) entry(n *html.Node) {
	w.flush()
	outer := w.item
	w.item = true
	w.children(n)
	w.flush()
	w.item = outer
}

// table writes a table of data as rows. Tables that lay out a page (nested, one
// column, long cells) are read as text.
func (w *walker) table(n *html.Node) {
	w.flush()
	rows, data := tableRows(n)
	if !data {
		w.children(n)
		w.flush()
		return
	}
	if caption := find(n, func(n *html.Node) bool { return n.DataAtom == atom.Caption }); caption != nil {
		w.b.add(Paragraph, 0, inner(caption))
	}
	w.b.table(rows)
}

const cellBytesMax = 1000

func tableRows(table *html.Node) (rows [][]string, data bool) {
	data = true
	columns := 0
	visit(table, func(n *html.Node) bool {
		switch n.DataAtom {
		case atom.Table:
			data = data && n == table
		case atom.Tr:
			rows = append(rows, nil)
		case atom.Td, atom.Th:
			if len(rows) == 0 {
				return true
			}
			cell := inner(n)
			data = data && len(cell) <= cellBytesMax
			last := len(rows) - 1
			rows[last] = append(rows[last], cell)
			columns = max(columns, len(rows[last]))
		}
		return data
	})
	return rows, data && columns > 1
}

// inner is the text of an element; blocks in it are set apart by blanks.
func inner(n *html.Node) string {
	var out strings.Builder
	writeInner(&out, n)
	return out.String()
}

func writeInner(out *strings.Builder, n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			out.WriteString(c.Data)
		case c.Type != html.ElementNode || neverShown[c.DataAtom] || hidden(c):
		case c.DataAtom == atom.Br:
			out.WriteByte('\n')
		case inline[c.DataAtom]:
			writeInner(out, c)
		default:
			out.WriteByte(' ')
			writeInner(out, c)
			out.WriteByte(' ')
		}
	}
}

// visit calls f for n and what is below it, depth first, where f returns true.
func visit(n *html.Node, f func(*html.Node) bool) {
	if !f(n) {
		return
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		visit(c, f)
	}
}

func find(n *html.Node, match func(*html.Node) bool) (found *html.Node) {
	visit(n, func(n *html.Node) bool {
		if found == nil && n.Type == html.ElementNode && match(n) {
			found = n
		}
		return found == nil
	})
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name && a.Namespace == "" {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
