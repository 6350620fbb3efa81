// Package console is what people look at: pages that the server renders, one
// style sheet and a few small modules, all in the binary.
//
// A page reads and changes things only as any client of the API does: through
// the generated clients, with the session of the person who looks at it, so
// that authentication, scopes, limits, validation and the audit log hold for
// pages as for programs. Nothing here knows a service or the database.
//
// Forms are sent to the page's own path and answered with a redirect; pages of
// other origins are refused. No page has an inline script or style, and the
// browser is told to run none.
package console

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// Prefix is where the console stands.
const Prefix = "/console"

// sessionCookie is the cookie of people who signed in, as the document names it.
const sessionCookie = "parley_session"

// formMax bounds a form in bytes.
const formMax = 256 << 10

// policy lets a page load nothing but its own modules, styles and pictures, and be framed by nobody.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// Config is what a console is made of.
type Config struct {
	PublicURL string // where clients reach the server; "" for wherever the browser found it
	OIDC      bool   // people may sign in at an issuer
	Log       *slog.Logger
}

// Console serves the pages.
type Console struct {
	Config
	api    http.Handler
	mux    *http.ServeMux
	pages  pages
	static func() static // loaded when it is first needed
	own    *http.CrossOriginProtection
}

// New returns how to make a console that reads and writes through an API.
func New(cfg Config) func(api http.Handler) http.Handler {
	return func(api http.Handler) http.Handler {
		c := &Console{Config: cfg, api: api, mux: http.NewServeMux(), static: sync.OnceValue(loadStatic), own: http.NewCrossOriginProtection()}
		c.pages = loadPages(c.static)
		c.routes()
		return c
	}
}

// routes are the pages. What a person must have signed in for is behind person.
func (c *Console) routes() {
	c.mux.HandleFunc("GET "+Prefix+"/static/", func(w http.ResponseWriter, r *http.Request) { c.static().ServeHTTP(w, r) })
	c.open("GET /sign-in", c.showSignIn)
	c.open("POST /sign-in", c.signIn)
	c.open("GET /set-up", c.showSetUp)
	c.open("POST /set-up", c.setUp)
	c.open("GET /password", c.showPassword)
	c.open("POST /password", c.setPassword)
	c.open("POST /sign-out", c.signOut)
	c.open("GET /playground", c.showPlayground)
	c.person("GET /{$}", c.home)
	c.person("GET /keys", c.showKeys)
	c.person("POST /keys", c.createKey)
	c.person("GET /keys/{id}", c.showKey)
	c.person("POST /keys/{id}", c.changeKey)
	c.person("GET /usage", c.showUsage)
	c.person("GET /balance", c.showLedger)
	c.person("POST /balance", c.warnAt)
	c.person("GET /budgets", c.showBudgets)
	c.person("POST /budgets", c.createBudget)
	c.person("POST /budgets/{id}", c.changeBudget)
	c.person("GET /clients", c.showClients)
	c.person("POST /clients", c.createClient)
	c.person("GET /clients/{id}", c.showClient)
	c.person("POST /clients/{id}", c.changeClient)
	c.person("GET /privacy", c.showPrivacy)
	c.person("POST /privacy", c.changePrivacy)
	c.person("GET /aliases", c.showAliases)
	c.person("POST /aliases", c.changeAlias)
	c.person("GET /plans", c.showPlans)
	c.person("POST /plans", c.changePlan)
	c.person("GET /accounts", c.showAccounts)
	c.person("POST /accounts", c.createAccount)
	c.person("GET /accounts/{id}", c.showAccount)
	c.person("POST /accounts/{id}", c.changeAccount)
	c.person("GET /models", c.showModels)
	c.person("POST /models", c.createModel)
	c.person("POST /models/{id}", c.changeModel)
	c.person("POST /providers", c.createProvider)
	c.person("POST /providers/{id}", c.changeProvider)
	c.person("GET /people", c.showPeople)
	c.person("POST /people", c.invite)
	c.person("POST /people/{id}", c.changePerson)
	c.person("GET /audit", c.showAudit)
	c.person("GET /webhooks", c.showWebhooks)
	c.person("POST /webhooks", c.createWebhook)
	c.person("GET /webhooks/{id}", c.showWebhook)
	c.person("POST /webhooks/{id}", c.changeWebhook)
	c.person("GET /health", c.showHealth)
	c.person("GET /projects", c.showProjects)
	c.person("POST /projects", c.createProject)
	c.person("POST /projects/files", c.createProjectOfFile)
	c.person("GET /projects/{id}", c.showProject)
	c.person("POST /projects/{id}", c.changeProject)
	c.person("POST /projects/{id}/files", c.addFile)
	c.person("GET /agents", c.showAgents)
	c.person("POST /agents", c.createAgent)
	c.person("POST /agents/{id}", c.changeAgent)
	c.person("GET /conversations", c.showTalks)
	c.person("GET /conversations/{id}", c.showTalk)
	c.person("GET /flows", c.showFlows)
	c.person("POST /flows", c.createFlow)
	c.person("GET /flows/{id}", c.showFlow)
	c.person("POST /flows/{id}", c.changeFlow)
	c.person("GET /chats/{id}", c.showChat)
	c.person("POST /chats/{id}", c.changeChat)
	c.live("GET /live/projects/{id}/progress", "/api/v1/projects/{id}/progress")
	c.live("GET /live/turns/{id}/events", "/api/v1/turns/{id}/events")
	c.live("GET /live/chats/{id}", "/chats/{id}")
	c.live("GET /live/exports/{id}", "/api/v1/admin/exports/{id}")
	c.live("GET /live/erasures/{id}", "/api/v1/admin/erasures/{id}")
	c.live("GET /live/chats/{id}/events", "/chats/{id}/events")
	c.person("/", func(*visit) error { return errNoPage })
}

// ServeHTTP serves one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.URL.Path == Prefix {
		http.Redirect(w, r, Prefix+"/", http.StatusSeeOther)
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/files") { // files have the API's own ceiling
		r.Body = http.MaxBytesReader(w, r.Body, formMax)
	}
	c.mux.ServeHTTP(w, r)
}

// visit is one request for a page.
type visit struct {
	*http.Request
	w   http.ResponseWriter
	c   *Console
	api *client.Client
	me  *platform.Me // nil before somebody signed in

	wrong []wrong // what was refused of the form that was sent
}

type handler func(*visit) error

// open registers a page for everybody.
func (c *Console) open(pattern string, h handler) {
	c.handle(pattern, func(v *visit) error { return h(v) })
}

// person registers a page for people who signed in; others are sent to do so.
func (c *Console) person(pattern string, h handler) {
	c.handle(pattern, func(v *visit) error {
		me, err := v.api.Platform.GetMe(v.Context())
		if err != nil {
			return err
		}
		v.me = me
		return h(v)
	})
}

func (c *Console) handle(pattern string, h handler) {
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = "", pattern
	}
	c.mux.HandleFunc(strings.TrimSpace(method+" "+Prefix+path), func(w http.ResponseWriter, r *http.Request) {
		v := &visit{Request: r, w: w, c: c}
		if err := v.run(h); err != nil {
			v.fail(err)
		}
	})
}

func (v *visit) run(h handler) error {
	if err := v.c.own.Check(v.Request); err != nil {
		return errForeign
	}
	var err error
	if v.api, err = newClient(v.inside()); err != nil {
		return err
	}
	return h(v)
}

// inside is the way to the API for whoever looks at the page.
func (v *visit) inside() inside {
	session := ""
	if cookie, err := v.Cookie(sessionCookie); err == nil {
		session = cookie.Value
	}
	return inside{api: v.c.api, browser: v.Request, session: session}
}

// origin is where clients reach the server.
func (v *visit) origin() string {
	if v.c.PublicURL != "" {
		return strings.TrimRight(v.c.PublicURL, "/")
	}
	scheme := "http"
	if v.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + v.Host
}

// see sends the browser to a page of the console, which says what was done.
func (v *visit) see(path, done string) error {
	to := Prefix + path
	if done != "" {
		separator := "?"
		if strings.Contains(to, "?") {
			separator = "&"
		}
		to += separator + "done=" + url.QueryEscape(done)
	}
	http.Redirect(v.w, v.Request, to, http.StatusSeeOther)
	return nil
}

// to is where the person wanted to go before signing in: a page of the console.
func to(path string) string {
	if !strings.HasPrefix(path, Prefix+"/") || strings.ContainsAny(path, "\\\r\n") {
		return Prefix + "/"
	}
	return path
}

// field is a value of the form without the space around it.
func (v *visit) field(name string) string { return strings.TrimSpace(v.PostFormValue(name)) }

// attempt names what a form asks for: one that is sent twice does its work once.
func (v *visit) attempt() string { return cmp.Or(v.field("once"), newOnce()) }

// once is attempt as the clients take it.
func (v *visit) once() client.RequestOption { return client.IdempotencyKey(v.attempt()) }
