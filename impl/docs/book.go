package docs

import (
	"slices"
	"strings"
	"sync"

	"parley/gen"
)

// book is the document as the pages tell it.
type book struct {
	document   *object
	Title      string
	Version    string
	About      string // Markdown
	Guides     []*guide
	Tags       []*tag
	guides     map[string]*guide
	tags       map[string]*tag
	operations map[string]*operation
	entries    []entry
}

// tag is a surface with its operations in the document's order.
type tag struct {
	Name, About string
	Operations  []*operation
}

// entry is a line of the search index.
type entry struct {
	Title string `json:"title"`
	Path  string `json:"path"` // method and path, or what kind of page it is
	ID    string `json:"id"`
	At    string `json:"at"`
}

// operation is an operation as its page shows it.
type operation struct {
	ID, Tag, Method, Path, Summary, About string
	Scopes                                []string
	Credentials                           []string // how a caller may name itself; none: it needs not
	Parameters                            []parameter
	Bodies                                []body
	BodyAbout                             string
	Responses                             []response
	Socket, Streams                       bool
	Curl                                  string

	book *book
	raw  *object
}

type parameter struct {
	Name, In, About, Example string
	Required                 bool
	Schema                   *node
	raw                      *object
}

type body struct {
	Type     string
	Schema   *node
	Examples []example
}

type example struct {
	Title string
	Value any
}

type response struct {
	Status, About string
	Headers       []parameter
	Bodies        []body
	Links         []link
}

type link struct{ Name, About, At, Operation string }

var methods = []string{"get", "post", "put", "patch", "delete"}

// theBook is made when the first page is asked for.
var theBook = sync.OnceValue(func() *book {
	document := must(parse(gen.JSON))
	info := document.child("info")
	b := &book{
		document: document, Title: info.text("title"), Version: info.text("version"), About: info.text("description"), Guides: readGuides(),
		guides: map[string]*guide{}, tags: map[string]*tag{}, operations: map[string]*operation{},
	}
	for _, g := range b.Guides {
		b.guides[g.Name] = g
		b.entries = append(b.entries, entry{Title: g.Title, Path: "Guide", ID: g.Name, At: Prefix + "/guides/" + g.Name})
	}
	for _, raw := range document.list("tags") {
		o, _ := raw.(*object)
		t := &tag{Name: o.text("name"), About: o.text("description")}
		b.Tags = append(b.Tags, t)
		b.tags[t.Name] = t
	}
	for _, path := range document.child("paths").names() {
		b.addPath(path)
	}
	for _, t := range b.Tags {
		for _, o := range t.Operations {
			b.entries = append(b.entries, entry{Title: o.Summary, Path: o.Method + " " + o.Path, ID: o.ID, At: o.At()})
		}
	}
	for _, o := range b.operations {
		o.link()
	}
	return b
})

func (b *book) addPath(path string) {
	item := b.document.child("paths").child(path)
	for _, method := range methods {
		raw := item.child(method)
		if raw == nil {
			continue
		}
		o := b.newOperation(strings.ToUpper(method), path, raw, slices.Concat(item.list("parameters"), raw.list("parameters")))
		b.operations[o.ID] = o
		if t := b.tags[o.Tag]; t != nil {
			t.Operations = append(t.Operations, o)
		}
	}
}

// At is the address of the operation's page.
func (o *operation) At() string { return Prefix + "/" + o.Tag + "/" + o.ID }

func (b *book) newOperation(method, path string, raw *object, parameters []any) *operation {
	o := &operation{
		ID: raw.text("operationId"), Method: method, Path: path, Summary: raw.text("summary"), About: raw.text("description"), book: b, raw: raw,
		Tag: texts(raw.list("tags"))[0], Scopes: texts(raw.list("x-required-scopes")),
	}
	_, o.Socket = raw.child("responses").at["101"]
	for _, p := range parameters {
		ref, _ := p.(*object)
		o.Parameters = append(o.Parameters, b.newParameter(b.resolve(ref), ""))
	}
	o.Credentials = b.credentials(raw)
	if request := b.resolve(raw.child("requestBody")); request != nil {
		o.BodyAbout = request.text("description")
		o.Bodies = b.bodies(request)
	}
	for _, status := range raw.child("responses").names() {
		answer := b.resolve(raw.child("responses").child(status))
		r := response{Status: status, About: answer.text("description"), Bodies: b.bodies(answer)}
		for _, name := range answer.child("headers").names() {
			r.Headers = append(r.Headers, b.newParameter(b.resolve(answer.child("headers").child(name)), name))
		}
		o.Streams = o.Streams || slices.ContainsFunc(r.Bodies, func(c body) bool { return c.Type == "text/event-stream" })
		o.Responses = append(o.Responses, r)
	}
	o.Curl = o.curl()
	return o
}

// link fills in where responses lead, once all operations are known.
func (o *operation) link() {
	for i, r := range o.Responses {
		links := o.book.resolve(o.raw.child("responses").child(r.Status)).child("links")
		for _, name := range links.names() {
			l := o.book.resolve(links.child(name))
			if to := o.book.operations[l.text("operationId")]; to != nil {
				o.Responses[i].Links = append(o.Responses[i].Links, link{Name: name, About: l.text("description"), At: to.At(), Operation: to.Method + " " + to.Path})
			}
		}
	}
}

func (b *book) newParameter(raw *object, name string) parameter {
	p := parameter{Name: raw.text("name"), In: raw.text("in"), About: raw.text("description"), Required: raw.at["required"] == true, Schema: b.schema("", raw.child("schema"), nil), raw: raw}
	if name != "" {
		p.Name = name
	}
	p.Example = raw.text("example")
	if p.Example == "" {
		p.Example = b.resolve(raw.child("schema")).text("example")
	}
	return p
}

func (b *book) bodies(of *object) []body {
	var all []body
	for _, contentType := range of.child("content").names() {
		c := of.child("content").child(contentType)
		one := body{Type: contentType, Schema: b.schema("", c.child("schema"), nil)}
		if v, there := c.at["example"]; there {
			one.Examples = append(one.Examples, example{Value: v})
		}
		for _, name := range c.child("examples").names() {
			e := b.resolve(c.child("examples").child(name))
			one.Examples = append(one.Examples, example{Title: e.text("summary"), Value: e.at["value"]})
		}
		all = append(all, one)
	}
	return all
}

// credentials are the schemes that the operation takes, in words.
func (b *book) credentials(raw *object) []string {
	list, own := raw.at["security"].([]any)
	if !own {
		list = b.document.list("security")
	}
	var all []string
	for _, entry := range list {
		o, _ := entry.(*object)
		for _, name := range o.names() {
			scheme := b.document.child("components").child("securitySchemes").child(name)
			said := map[string]string{"http": "Authorization: " + scheme.text("scheme"), "oauth2": "OAuth 2.0 access token"}[scheme.text("type")]
			if said == "" {
				said = scheme.text("in") + " " + scheme.text("name")
			}
			all = append(all, said)
		}
	}
	return all
}

func texts(list []any) []string {
	all := make([]string, 0, len(list))
	for _, v := range list {
		s, _ := v.(string)
		all = append(all, s)
	}
	return all
}

// find returns the entries that have all the words of a query, at most 100.
func (b *book) find(query string) []entry {
	wanted := strings.Fields(strings.ToLower(query))
	var found []entry
	for _, e := range b.entries {
		text := strings.ToLower(e.Title + " " + e.Path + " " + e.ID)
		if !slices.ContainsFunc(wanted, func(w string) bool { return !strings.Contains(text, w) }) {
			found = append(found, e)
		}
	}
	return found[:min(len(found), 100)]
}
