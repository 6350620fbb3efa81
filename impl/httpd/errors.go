package httpd

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"parley/impl/core/fault"
	"parley/impl/core/idempotency"
)

// failer is what a surface's generated wrapper calls for every error.
func (e *Edge) failer(s Surface) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) { e.write(w, r, s, err) }
}

// write answers with err in the surface's shape and notes it for the access
// log. After the first byte of an answer it only notes: nothing can be mended.
func (e *Edge) write(w http.ResponseWriter, r *http.Request, s Surface, err error) {
	rec, _ := w.(*recorder)
	begun := rec != nil && rec.status != 0
	if !begun && errors.Is(err, idempotency.ErrTaken) && e.repeatTaken(w, r) {
		return // no fault: the other request's answer is this one's
	}
	if begun && rec.gone {
		return // no fault of ours
	}
	f := faultOf(err)
	noteOf(r.Context()).fault = f
	if begun {
		return
	}
	h := w.Header()
	status := Status(f.Kind)
	waiting := f.RetryAfter > 0 && (status == http.StatusTooManyRequests || status == http.StatusConflict)
	if status == http.StatusServiceUnavailable || waiting {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(f.RetryAfter.Seconds())))))
	}
	if f.Kind == fault.Unauthenticated {
		h.Set("WWW-Authenticate", cmp.Or(s.Challenge, `Bearer realm="parley"`))
	}
	status, contentType, body := s.Fault(r, f)
	h.Set("Content-Type", contentType)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left is no error of ours
	}
}

// faultOf adds to fault.From what only the edge can tell: errors of binding
// and decoding in generated code, which validation should have made impossible.
func faultOf(err error) *fault.Error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Unavailable, "The request took too long.").Because(err)
	}
	return fault.From(err)
}

// BadRequest wraps an error of the generated binding or decoding: the caller's
// mistake, in words that do not repeat the generated text.
func BadRequest(fail func(http.ResponseWriter, *http.Request, error)) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		fail(w, r, fault.New(fault.Invalid, "The request has a wrong form.").Because(err))
	}
}

// methodNotAllowed answers 405 in the shape of the surface that owns the path.
func (e *Edge) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	pattern := e.patternOf(r)
	w.Header().Set("Allow", strings.Join(e.methods[pattern], ", "))
	e.write(w, r, e.ownerOf(pattern), fault.New(fault.NotAllowed, "The method %s is not allowed here.", printable(r.Method)))
}

func printable(method string) string {
	if len(method) > 16 {
		method = method[:16]
	}
	return strings.ToValidUTF8(method, "")
}

// patternOf returns the route of a path whatever the method; "" for none.
func (e *Edge) patternOf(r *http.Request) string {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch} {
		rctx := chi.NewRouteContext()
		if e.mux.Match(rctx, method, path) {
			return rctx.RoutePattern()
		}
	}
	return ""
}

func (e *Edge) ownerOf(pattern string) Surface {
	for _, method := range e.methods[pattern] {
		if o := e.doc.find(method, pattern); o != nil {
			return e.surfaces[o.surface]
		}
	}
	return e.fallback
}

// compareRoutes fails when router and document differ, and notes the methods of each path.
func (e *Edge) compareRoutes() error {
	e.methods = map[string][]string{}
	routed := map[string]bool{}
	err := chi.Walk(e.mux, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		routed[method+" "+pattern] = true
		e.methods[pattern] = append(e.methods[pattern], method)
		return nil
	})
	if err != nil {
		return err
	}
	var wrong []string
	for op := range routed {
		if e.doc.ops[op] == nil {
			wrong = append(wrong, op+" is routed but not in the document")
		}
	}
	for op := range e.doc.ops {
		if !routed[op] {
			wrong = append(wrong, op+" is in the document but not routed")
		}
	}
	for pattern := range e.methods {
		slices.Sort(e.methods[pattern])
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// level is how loud a fault is in the log.
func level(f *fault.Error) slog.Level {
	switch {
	case f == nil:
		return slog.LevelInfo
	case f.Kind == fault.Internal:
		return slog.LevelError
	case f.Kind == fault.Upstream || f.Kind == fault.Unavailable:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
