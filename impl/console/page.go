package console

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"parley/gen/client"
	"parley/gen/client/platform"
)

//go:embed pages
var pageFiles embed.FS

// pages are the templates by the name of their file.
type pages map[string]func() *template.Template

// view is what every template is given.
type view struct {
	Title    string
	Nav      string // the entry of the menu that is marked
	Me       *platform.Me
	Admin    bool   // may rule the account
	Operator bool   // may rule the server
	Done     string // what was done before the page was asked for; ""
	Error    string // why what was asked for was not done; ""
	Once     string // for the forms of the page: see once
	Path     string // of the page itself
	Module   string // the module that the page runs beside the common one; ""
	Data     any
}

// loadPages returns the pages. Each is parsed when it is first shown, because most servers rest without
// anybody looking at them. They are part of the program: an error is a defect.
func loadPages(at func() static) pages {
	funcs := template.FuncMap{"static": func(name string) string { return at().path(name) }, "money": money, "count": count, "took": func(ms *int64) string { return seconds(known(ms)) }, "when": when, "dict": dict, "join": strings.Join}
	base := sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(funcs).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html"))
	})
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		panic(err)
	}
	all := pages{}
	for _, f := range files {
		all[strings.TrimSuffix(f.Name(), ".html")] = sync.OnceValue(func() *template.Template {
			return template.Must(template.Must(base().Clone()).ParseFS(pageFiles, path.Join("pages", f.Name())))
		})
	}
	return all
}

// dones are what the pages can say was done, by the word in the address, so
// that no address makes a page say anything else.
var dones = map[string]string{
	"set-up":     "Welcome. You own this server's first account: begin with a key, or invite others.",
	"signed-out": "You are signed out.",
	"password":   "The password is set. All other sessions have ended.",
	"activated":  "The key is admitted again.", "deactivated": "The key is refused from now on.",
	"asked":   "It is running.",
	"sent":    "It is on its way.",
	"deleted": "It is deleted.", "saved": "It is saved.", "created": "It is created.",
}

// show answers with a page.
func (v *visit) show(status int, name string, page view) error {
	page.Me, page.Path, page.Once = v.me, v.URL.Path, newOnce()
	page.Admin, page.Operator = v.isAdmin(), v.isOperator()
	if v.Method == http.MethodGet && page.Done == "" {
		page.Done = dones[v.URL.Query().Get("done")]
	}
	var out bytes.Buffer
	if err := v.c.pages[name]().ExecuteTemplate(&out, "layout", page); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	body := out.Bytes()
	if len(v.wrong) > 0 {
		body = v.marked(body)
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body) // a browser that left is no error of ours
	return nil
}

// newOnce is a name for one attempt that no other has.
func newOnce() string { return rand.Text() }

// problem is a failure that a page explains.
type problem struct {
	status      int
	title, text string
}

// Error implements error.
func (p problem) Error() string { return p.title }

var (
	errNoPage  = problem{http.StatusNotFound, "There is no such page", "It may have been deleted, or the address is mistyped."}
	errForeign = problem{http.StatusForbidden, "This came from another site", "Forms of other sites are refused, so that none can act in your name. Open the console itself and try again."}
)

// fail answers with a page that says what went wrong. Whoever has not signed in is sent to do so.
func (v *visit) fail(err error) {
	p := explain(err)
	if p.status == http.StatusUnauthorized {
		back := Prefix + "/"
		if v.Method == http.MethodGet || v.Method == http.MethodHead {
			back = v.URL.RequestURI()
		}
		http.Redirect(v.w, v.Request, Prefix+"/sign-in?to="+url.QueryEscape(back), http.StatusSeeOther)
		return
	}
	if p.status == http.StatusInternalServerError {
		v.c.Log.Error("console", "path", v.URL.Path, "error", err)
	}
	if err := v.show(p.status, "problem", view{Title: p.title, Data: p.text}); err != nil {
		v.c.Log.Error("console", "path", v.URL.Path, "error", err)
		http.Error(v.w, "Internal error", http.StatusInternalServerError)
	}
}

// explain turns any failure into what a person reads. The API's own sentences
// are made for its callers and may be shown.
func explain(err error) problem {
	if p, ok := errors.AsType[problem](err); ok {
		return p
	}
	refused, ok := errors.AsType[*client.Error](err)
	if !ok {
		return problem{http.StatusInternalServerError, "Something went wrong", "It is in the server's log. Try again in a moment."}
	}
	p := problem{status: refused.StatusCode, text: sentence(refused)}
	switch refused.StatusCode {
	case http.StatusUnauthorized:
		p.title = "Please sign in"
	case http.StatusForbidden:
		p.title = "You may not do this"
	case http.StatusNotFound:
		p.title = "There is no such thing"
	case http.StatusTooManyRequests:
		p.title = "Too many requests"
		p.text += fmt.Sprintf(" Try again in %d seconds.", max(1, int(refused.RetryAfter.Seconds())))
	case http.StatusServiceUnavailable:
		p.title = "The server is not ready"
	case http.StatusInternalServerError:
		p.title, p.text = "Something went wrong", "It is in the server's log as "+refused.RequestID+"."
	default:
		p.title = "This did not work"
	}
	return p
}

// sentence is what a refusal says, also where only one surface puts it: the
// projects in "data", the chats in a list below "detail".
func sentence(refused *client.Error) string {
	var shape struct {
		Data   struct{ Message string }
		Detail []struct{ Msg string }
	}
	if err := json.Unmarshal(refused.Body, &shape); err != nil {
		return refused.Message // another surface's
	}
	var all []string
	for _, item := range shape.Detail {
		all = append(all, item.Msg)
	}
	return cmp.Or(shape.Data.Message, strings.Join(all, "; "), refused.Message)
}

// refusal is the API's own sentence when it refused what a form asks for, with
// its status; other failures are returned. The page that is shown marks what was wrong.
func (v *visit) refusal(err error) (status int, text string, other error) {
	v.wrong = append(v.wrong, wrongs(err)...)
	p := explain(err)
	switch p.status {
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return p.status, p.text, nil
	}
	return 0, "", err
}

// money shows micro-units as units: 1.50, or 0.000123 when that would hide it.
func money(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "−", -micros
	}
	text := fmt.Sprintf("%d.%06d", micros/1_000_000, micros%1_000_000)
	keep := len(text) - 4
	for i := len(text); i > keep; i-- {
		if text[i-1] != '0' {
			keep = i
			break
		}
	}
	return sign + text[:keep]
}

// count groups the digits of an integer, or of what a pointer to one has.
func count(n any) string {
	switch limit := n.(type) {
	case *int32:
		n = *limit
	case *int64:
		n = *limit
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return text
}

// when is a moment that the browser shows in its reader's zone. Without
// scripts it is UTC, and says so.
func when(at any) template.HTML {
	var t time.Time
	switch at := at.(type) {
	case time.Time:
		t = at
	case *time.Time:
		if at == nil {
			return ""
		}
		t = *at
	case string:
		var err error
		if t, err = time.Parse(time.RFC3339Nano, strings.Replace(at, " ", "T", 1)); err != nil { // the chats have a space there
			return template.HTML(template.HTMLEscapeString(at))
		}
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `">` + t.Format("2006-01-02 15:04") + ` UTC</time>`)
}

// dict makes a map of names and values, for parts of pages.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}
