package console

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// each calls f with a node and all below it; nil has none.
func each(n *html.Node, f func(*html.Node)) {
	if n == nil {
		return
	}
	f(n)
	for child := range n.ChildNodes() {
		each(child, f)
	}
}

// find is the first element for which a condition holds; nil without any.
func find(n *html.Node, holds func(*html.Node) bool) *html.Node {
	if n == nil || n.Type == html.ElementNode && holds(n) {
		return n
	}
	for child := range n.ChildNodes() {
		if found := find(child, holds); found != nil {
			return found
		}
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// put gives an element an attribute in place of the one that it may have.
func put(n *html.Node, name, value string) {
	set(n, name, false)
	n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
}

// set gives an element an attribute without a value, or takes one away.
func set(n *html.Node, name string, present bool) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
	if present {
		n.Attr = append(n.Attr, html.Attribute{Key: name})
	}
}

// wordsIn is the text of a node but for that of its fields.
func wordsIn(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for child := range n.ChildNodes() {
			if child.Data != "select" && child.Data != "textarea" {
				walk(child)
			}
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

// optionValue is what a form sends for an option.
func optionValue(n *html.Node) string {
	for _, a := range n.Attr {
		if a.Key == "value" {
			return a.Val
		}
	}
	return wordsIn(n)
}

// around is the nearest element of a kind that a node stands in; nil without any.
func around(n *html.Node, kind string) *html.Node {
	for n = n.Parent; n != nil && n.Data != kind; n = n.Parent {
		continue
	}
	return n
}

// choice tells whether a field is one of several to tick.
func choice(field *html.Node) bool {
	kind := attribute(field, "type")
	return kind == "checkbox" || kind == "radio"
}

// labelOf is how a page calls a field: its label, of a choice the legend of all.
func labelOf(field *html.Node) string {
	if set := around(field, "fieldset"); set != nil && choice(field) {
		if legend := find(set, func(n *html.Node) bool { return n.Data == "legend" }); legend != nil {
			return wordsIn(legend)
		}
	}
	if label := around(field, "label"); label != nil {
		return wordsIn(label)
	}
	return attribute(field, "name")
}

// point puts words beside a field, opens what it is folded into, and lets the first one be where the person goes on.
func point(field *html.Node, id, words string, first bool) {
	put(field, "aria-invalid", "true")
	put(field, "aria-describedby", strings.TrimSpace(attribute(field, "aria-describedby")+" "+id))
	set(field, "autofocus", first)
	for up := field.Parent; up != nil; up = up.Parent {
		if up.Data == "details" {
			set(up, "open", true)
		}
	}
	said := &html.Node{Type: html.ElementNode, Data: "span", Attr: []html.Attribute{{Key: "class", Val: "wrong"}, {Key: "id", Val: id}}}
	said.AppendChild(&html.Node{Type: html.TextNode, Data: words})
	if set := around(field, "fieldset"); set != nil && choice(field) {
		set.AppendChild(said)
		return
	}
	field.Parent.InsertBefore(said, field)
}
