package httpd

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// mountAlso notes which paths are served under a second prefix. None of them may be a path of the document.
func (e *Edge) mountAlso() error {
	e.mounts = map[string]string{}
	for pattern, methods := range e.methods {
		also := e.surfaces[e.doc.find(methods[0], pattern).surface].Also
		if also == "" {
			continue
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(pattern, "/"), "/")
		e.mounts[also+"/"+first] = also
	}
	for pattern := range e.methods {
		if also := e.mounts[firstTwo(pattern)]; also != "" {
			return fmt.Errorf("%s is served at %s, too", pattern, also)
		}
	}
	return nil
}

// mountPages makes the pages. None of them may stand where the document has a path.
func (e *Edge) mountPages(pages map[string]func(http.Handler) http.Handler) error {
	e.pages = make(map[string]http.Handler, len(pages))
	for first, page := range pages {
		for pattern := range e.methods {
			if firstOf(pattern) == first {
				return fmt.Errorf("%s is a path of the document, so %s cannot be pages", pattern, first)
			}
		}
		e.pages[first] = page(e)
	}
	return nil
}

// showPages serves what people look at, behind the log and the panic barrier.
// The gates of the API stand before whatever the pages ask of it.
func (e *Edge) showPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := firstOf(r.URL.Path)
		page := e.pages[first]
		if page == nil {
			next.ServeHTTP(w, r)
			return
		}
		noteOf(r.Context()).page = first
		page.ServeHTTP(w, r)
	})
}

// firstOf is the first segment of a path.
func firstOf(path string) string {
	if path == "" {
		return ""
	}
	first, _, _ := strings.Cut(path[1:], "/")
	return "/" + first
}

// firstTwo are the first two segments of a path.
func firstTwo(path string) string {
	if len(path) == 0 {
		return ""
	}
	first, rest, _ := strings.Cut(path[1:], "/")
	second, _, _ := strings.Cut(rest, "/")
	return "/" + first + "/" + second
}

// unmounted is the request at the document's path.
func (e *Edge) unmounted(r *http.Request) *http.Request {
	also := e.mounts[firstTwo(r.URL.Path)]
	if also == "" {
		return r
	}
	plain := r.WithContext(context.WithValue(r.Context(), mountKey, also))
	at := *r.URL
	at.Path, at.RawPath = strings.TrimPrefix(at.Path, also), strings.TrimPrefix(at.RawPath, also)
	plain.URL = &at
	return plain
}

// Mounted is the prefix of the request's path before the document's; "" for none.
func Mounted(ctx context.Context) string {
	also, _ := ctx.Value(mountKey).(string)
	return also
}
