package console

import (
	"net/http"
	"net/url"
	"strings"
)

// live registers what a page's module follows: a read of the API as it is, a
// stream as it comes, with the person's session.
func (c *Console) live(pattern, path string) {
	c.handle(pattern, func(v *visit) error {
		r, err := http.NewRequestWithContext(v.Context(), http.MethodGet, strings.ReplaceAll(path, "{id}", url.PathEscape(v.PathValue("id"))), nil)
		if err != nil {
			return errNoPage
		}
		r.URL.RawQuery = v.URL.RawQuery
		for _, name := range []string{"Accept", "Last-Event-ID"} {
			if value := v.Header.Get(name); value != "" {
				r.Header.Set(name, value)
			}
		}
		c.api.ServeHTTP(v.w, v.inside().addressed(r))
		return nil
	})
}
