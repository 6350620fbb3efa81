package httpd

import (
	"net/http"
	"strings"
)

// exposed are the response headers that a page may read.
const exposed = "Content-Disposition, Content-Range, Deprecation, Idempotency-Replayed, Link, Location, Parley-End-User, Parley-Turn, Retry-After, Sunset, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"

// crossOrigin lets browsers of any origin send requests without cookies. The
// preflight cannot know the key, so the request itself decides: a key that
// does not admit the origin gets a 403 that the page can read.
func (e *Edge) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Header.Get("Origin") != "" {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", exposed)
		}
		pattern := ""
		if r.Method == http.MethodOptions {
			pattern = e.patternOf(r)
		}
		if pattern == "" {
			next.ServeHTTP(w, r)
			return
		}
		methods := strings.Join(e.methods[pattern], ", ")
		h.Set("Allow", methods)
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Parley-End-User, X-API-KEY")
		h.Set("Access-Control-Max-Age", "7200")
		w.WriteHeader(http.StatusNoContent)
	})
}
