package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/limit"
	"parley/impl/core/throttle"
	"parley/impl/tracing"
)

// Authenticator finds the caller of a key; a bad key is an Unauthenticated fault.
type Authenticator interface {
	Authenticate(ctx context.Context, text string) (key.Caller, error)
}

// EndUsers knows for whom a caller acts.
type EndUsers interface {
	// For returns the caller as acting for the end user of a token; a bad token is an Unauthenticated fault.
	For(ctx context.Context, c key.Caller, text string) (key.Caller, error)
	// VisitorToken is what an anonymous end user of the caller sends back; "" when they need none.
	VisitorToken(c key.Caller, endUser string) string
}

// Limiter counts a caller's request and decides.
type Limiter interface {
	Admit(ctx context.Context, c key.Caller) (limit.Decision, error)
}

// Surface is one API family behind the edge.
type Surface struct {
	// Name is the tag of its operations in the document.
	Name string
	// Challenge is the WWW-Authenticate of its 401; "" asks for a Bearer key.
	Challenge string
	// Fault turns a fault into the surface's own status, content type and body.
	Fault func(r *http.Request, f *fault.Error) (status int, contentType string, body []byte)
	// Also is a prefix under which the surface's paths are served, too; "" for none. What belongs there is
	// decided by the first segment after it.
	Also string
	// Mount registers the generated routes on r. Fail is what the generated
	// wrapper must call for errors of binding, decoding and handlers.
	Mount func(r chi.Router, fail func(http.ResponseWriter, *http.Request, error))
}

// Config is what an edge is made of.
type Config struct {
	Document       *Document
	Keys           Authenticator
	EndUsers       EndUsers // nil in tests of servers whose requests name no end user
	Limits         Limiter
	Repeats        Repeats                                    // nil in tests of servers whose requests name no Idempotency-Key
	Turns          Turns                                      // likewise
	Saw            func(c key.Caller, origin, address string) // told of every request that a key may make; nil: nobody is
	Meter          Meter                                      // nil: nobody counts
	Traces         *tracing.Tracing                           // nil: none are sent
	Log            *slog.Logger
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	AddressRate    int            // requests a minute from one address to operations with x-address-limit; 0: not limited
	Surfaces       []Surface
	// Pages are what people look at, outside the document, by the first segment of their paths ("/console"). Each is
	// made with the edge itself, which is its way to the API.
	Pages map[string]func(api http.Handler) http.Handler
	// Fallback writes the faults of paths that no surface owns.
	Fallback func(r *http.Request, f *fault.Error) (status int, contentType string, body []byte)
}

// Edge is the handler in front of all surfaces.
type Edge struct {
	doc      *Document
	keys     Authenticator
	endUsers EndUsers
	limits   Limiter
	crowd    throttle.Throttle[netip.Prefix]
	repeats  Repeats
	turns    Turns
	saw      func(c key.Caller, origin, address string)
	meter    Meter
	traces   *tracing.Tracing
	log      *slog.Logger
	surfaces map[string]Surface
	fallback Surface
	mux      *chi.Mux
	methods  map[string][]string // by pattern, for Allow and CORS
	mounts   map[string]string   // the prefix that a path's first two segments have beside the document's
	sockets  *sockets
	streams  atomic.Int64            // open ones
	pages    map[string]http.Handler // by the first segment of their paths
}

// New builds the router. It fails when the routes registered by the surfaces
// are not those of the document.
func New(cfg Config) (*Edge, error) {
	e := &Edge{
		doc: cfg.Document, keys: cfg.Keys, endUsers: cfg.EndUsers, limits: cfg.Limits, repeats: cfg.Repeats, turns: cfg.Turns, saw: cfg.Saw, meter: cfg.Meter, traces: cfg.Traces, log: cfg.Log,
		mux:      chi.NewRouter(),
		sockets:  newSockets(cfg.Log),
		surfaces: map[string]Surface{}, fallback: Surface{Fault: cfg.Fallback},
		crowd: throttle.Throttle[netip.Prefix]{Count: cfg.AddressRate, Window: addressWindow},
	}
	e.mux.Use(clientIP(cfg.TrustedProxies), e.observe, e.contain, e.showPages, e.crossOrigin, middleware.GetHead)
	e.mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		e.write(w, r, e.fallback, fault.New(fault.NotFound, "There is no such path."))
	})
	e.mux.MethodNotAllowed(e.methodNotAllowed)
	for _, s := range cfg.Surfaces {
		e.surfaces[s.Name] = s
		s.Mount(e.mux.With(e.admit), e.failer(s))
	}
	if err := e.compareRoutes(); err != nil {
		return nil, err
	}
	if err := e.mountPages(cfg.Pages); err != nil {
		return nil, err
	}
	return e, e.mountAlso()
}

// ServeHTTP serves one request.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.mux.ServeHTTP(w, e.unmounted(r)) }

func clientIP(trusted []netip.Prefix) func(http.Handler) http.Handler {
	if len(trusted) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	prefixes := make([]string, len(trusted))
	for i, p := range trusted {
		prefixes[i] = p.String()
	}
	return middleware.ClientIPFromXFF(prefixes...)
}

// ClientIP returns the address of the client: of the connection, or what
// trusted proxies forwarded.
func ClientIP(ctx context.Context) string { return middleware.GetClientIP(ctx) }

// admit is what stands between chi's match and the generated wrapper.
func (e *Edge) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pattern := chi.RouteContext(r.Context()).RoutePattern()
		o := e.doc.find(r.Method, pattern)
		if o == nil {
			panic("route without an operation: " + r.Method + " " + pattern)
		}
		note := noteOf(r.Context())
		note.operation = o
		o.deprecation.tell(w.Header())
		defer note.closeUploads()
		r, err := e.check(w, r, o, note)
		if err != nil {
			e.write(w, r, e.surfaces[o.surface], err)
			return
		}
		if o.socket {
			if err := e.sockets.serve(w, r, next); err != nil {
				e.write(w, r, e.surfaces[o.surface], err)
			}
			return
		}
		e.serve(w, r, o, next)
	})
}

// check runs the request's gates in order and returns it with its caller.
func (e *Edge) check(w http.ResponseWriter, r *http.Request, o *operation, note *note) (*http.Request, error) {
	if o.crowded {
		if err := e.admitAddress(ClientIP(r.Context())); err != nil {
			e.refused("address")
			return r, err
		}
	}
	if o.public && o.crowded { // who asks for a credential is nobody yet
		r = r.WithContext(audit.WithActor(r.Context(), audit.Actor{Kind: "anonymous", Address: ClientIP(r.Context()), RequestID: note.requestID}))
	}
	if o.own {
		if err := checkOwnOrigin(r); err != nil {
			return r, err
		}
	}
	if !o.public {
		c, err := e.authenticate(w, r, o)
		if err != nil {
			return r, err
		}
		note.caller = c
		r = r.WithContext(context.WithValue(r.Context(), callerKey, c))
		if err := e.count(w, r, c); err != nil {
			return r, err
		}
		if err := permit(r, o, c); err != nil {
			return r, err
		}
		if e.saw != nil {
			e.saw(c, r.Header.Get("Origin"), ClientIP(r.Context()))
		}
		if o.administrative() {
			r = r.WithContext(audit.WithActor(r.Context(), audit.Actor{
				Kind: c.By, ID: c.KeyID, Address: ClientIP(r.Context()), RequestID: note.requestID,
			}))
		}
	}
	if limit := o.ceiling(r); r.ContentLength > limit {
		return r, tooLarge(limit)
	}
	if err := o.checkContentType(r); err != nil {
		return r, err
	}
	if err := o.validate(w, r); err != nil {
		return r, err
	}
	if o.socket {
		return r, checkHandshake(w, r)
	}
	return r, o.checkBodyKey(r)
}

// limitHeaders are X-RateLimit-Limit, -Remaining and -Reset as maps of headers spell them.
var limitHeaders = [...]string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"}

// count asks the limiter and puts its figures on the response.
func (e *Edge) count(w http.ResponseWriter, r *http.Request, c key.Caller) error {
	by := counted(r, c)
	d, err := e.limits.Admit(r.Context(), by)
	if err != nil {
		return err
	}
	h := w.Header()
	figures := [...]string{strconv.Itoa(d.Limit), strconv.Itoa(d.Remaining), strconv.FormatInt(d.Reset.Unix()+1, 10)}
	for i, name := range limitHeaders {
		h[name] = figures[i : i+1 : i+1]
	}
	if d.Admitted {
		return nil
	}
	e.refused("requests")
	f := fault.New(fault.RateLimited, "Rate limit exceeded: the plan %s admits %d requests per minute.", c.Plan, d.Limit)
	if by.Bucket != c.Bucket {
		f = fault.New(fault.RateLimited, "The pages of one person read at most %d times a minute.", d.Limit)
	}
	f.RetryAfter = d.RetryAfter
	return f
}

func (o *operation) checkContentType(r *http.Request) error {
	types := o.contentTypes()
	if len(types) == 0 || (r.ContentLength == 0 && !o.needed) {
		return nil
	}
	got := mediaType(r)
	for _, t := range types {
		if t == got {
			return nil
		}
	}
	return fault.New(fault.Unsupported, "The content type must be %s.", types[0])
}
