// Package docs is the readable reference of the document that the server
// enforces, and the guides of its APIs: pages that need no network beside this
// server and no script.
//
// Pages are made from the document when they are first asked for and kept: the
// document does not change while the server runs.
package docs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"sync"
)

// Prefix is where the pages stand.
const Prefix = "/docs"

// policy lets a page load nothing but its own module, style and search index, and be framed by nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// Docs serves the pages.
type Docs struct {
	mux  *http.ServeMux
	made sync.Map // *page by address; nothing that a visitor chooses is among the keys
}

// New returns how to make the pages; they are the same behind every API.
func New() func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		d := &Docs{mux: http.NewServeMux()}
		d.mux.HandleFunc("GET "+Prefix, d.home)
		d.mux.HandleFunc("GET "+Prefix+"/{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, Prefix, http.StatusMovedPermanently) })
		d.mux.HandleFunc("GET "+Prefix+"/search.json", d.index)
		d.mux.HandleFunc("GET "+Prefix+"/guides/{guide}", d.guide)
		d.mux.HandleFunc("GET "+Prefix+"/static/{hash}/{file}", d.static)
		d.mux.HandleFunc("GET "+Prefix+"/operations/{file}", d.operationJSON)
		d.mux.HandleFunc("GET "+Prefix+"/{tag}", d.tag)
		d.mux.HandleFunc("GET "+Prefix+"/{tag}/{operation}", d.operation)
		d.mux.HandleFunc("GET "+Prefix+"/", d.missing)
		return d
	}
}

// ServeHTTP serves one request.
func (d *Docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	d.mux.ServeHTTP(w, r)
}

// page is an answer that was made once.
type page struct {
	contentType   string
	plain, zipped []byte
	etag          string
}

func newPage(contentType string, body []byte) *page {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(body) // to memory
	_ = z.Close()
	sum := sha256.Sum256(body)
	return &page{contentType: contentType, plain: body, zipped: zipped.Bytes(), etag: base64.RawURLEncoding.EncodeToString(sum[:12])}
}

// write answers with the page, or with 304 when the browser has it.
func (p *page) write(w http.ResponseWriter, r *http.Request, status int, caching string) {
	h := w.Header()
	h.Set("Content-Type", p.contentType)
	h.Set("Cache-Control", caching)
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", `W/"`+p.etag+`"`)
	if status == http.StatusOK && strings.Contains(r.Header.Get("If-None-Match"), p.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := p.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = p.zipped
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a browser that left is no error of ours
	}
}

const (
	asked   = "no-cache" // pages are asked for again by their ETag, so that an update shows at once
	forGood = "public, max-age=31536000, immutable"
)

// view is what every template is given.
type view struct {
	Title string
	At    string // the entry of the menu that is marked
	Book  *book
	Query string // what is searched for
	Data  any
}

// show answers with a page that is made by name and kept under its address.
func (d *Docs) show(w http.ResponseWriter, r *http.Request, name string, v func(*book) view) {
	kept, found := d.made.Load(r.URL.Path)
	if !found {
		p, err := render(name, v)
		if err != nil {
			panic(err) // the templates and the document are parts of the program
		}
		kept, _ = d.made.LoadOrStore(r.URL.Path, p)
	}
	kept.(*page).write(w, r, http.StatusOK, asked)
}

func render(name string, v func(*book) view) (*page, error) {
	b := theBook()
	page := v(b)
	page.Book = b
	var out bytes.Buffer
	if err := templates()[name].ExecuteTemplate(&out, "layout", page); err != nil {
		return nil, err
	}
	return newPage("text/html; charset=utf-8", out.Bytes()), nil
}

func (d *Docs) home(w http.ResponseWriter, r *http.Request) {
	if q := strings.TrimSpace(r.URL.Query().Get("q")); q != "" {
		d.search(w, r, q[:min(len(q), 200)])
		return
	}
	d.show(w, r, "home", func(*book) view { return view{Title: "Documentation", At: "home"} })
}

// search is what a browser without scripts gets for the search box.
func (d *Docs) search(w http.ResponseWriter, r *http.Request, q string) {
	p, err := render("search", func(b *book) view {
		return view{Title: "Search", Query: q, Data: b.find(q)}
	})
	if err != nil {
		panic(err) // as in show
	}
	p.write(w, r, http.StatusOK, asked)
}

func (d *Docs) guide(w http.ResponseWriter, r *http.Request) {
	g := theBook().guides[r.PathValue("guide")]
	if g == nil {
		d.missing(w, r)
		return
	}
	d.show(w, r, "guide", func(*book) view { return view{Title: g.Title, At: "guide " + g.Name, Data: g} })
}

func (d *Docs) tag(w http.ResponseWriter, r *http.Request) {
	t := theBook().tags[r.PathValue("tag")]
	if t == nil {
		d.missing(w, r)
		return
	}
	d.show(w, r, "tag", func(*book) view { return view{Title: t.Name, At: t.Name, Data: t} })
}

func (d *Docs) operation(w http.ResponseWriter, r *http.Request) {
	o := theBook().operations[r.PathValue("operation")]
	if o == nil || o.Tag != r.PathValue("tag") {
		d.missing(w, r)
		return
	}
	d.show(w, r, "operation", func(*book) view { return view{Title: o.Summary, At: o.Tag, Data: o} })
}

// operationJSON is an operation with all that it refers to, for the playground.
func (d *Docs) operationJSON(w http.ResponseWriter, r *http.Request) {
	name, isJSON := strings.CutSuffix(r.PathValue("file"), ".json")
	o := theBook().operations[name]
	if o == nil || !isJSON {
		d.missing(w, r)
		return
	}
	d.json(w, r, func() any { return o.form() })
}

func (d *Docs) index(w http.ResponseWriter, r *http.Request) {
	d.json(w, r, func() any { return theBook().entries })
}

func (d *Docs) json(w http.ResponseWriter, r *http.Request, content func() any) {
	kept, found := d.made.Load(r.URL.Path)
	if !found {
		body, err := json.Marshal(content())
		if err != nil {
			panic(err) // as in show
		}
		kept, _ = d.made.LoadOrStore(r.URL.Path, newPage("application/json", body))
	}
	kept.(*page).write(w, r, http.StatusOK, asked)
}

func (d *Docs) static(w http.ResponseWriter, r *http.Request) {
	p := statics()[r.URL.Path]
	if p == nil {
		d.missing(w, r)
		return
	}
	p.write(w, r, http.StatusOK, forGood)
}

func (d *Docs) missing(w http.ResponseWriter, r *http.Request) {
	p, err := render("missing", func(*book) view { return view{Title: "There is no such page"} })
	if err != nil {
		panic(err) // as in show
	}
	p.write(w, r, http.StatusNotFound, asked)
}

// funcs are what templates may call.
var funcs = template.FuncMap{
	"static": func(name string) (string, error) { return staticPath(name) },
	"text":   markdown,
	"lower":  strings.ToLower,
	"json":   indented,
}
