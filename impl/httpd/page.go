package httpd

import (
	"context"
	"net/http"

	"parley/impl/core/key"
)

// pageReads are how many reads in a minute a person's pages of this server have,
// where their plan has a limit: a page takes several, and to look at a page
// is to use no API. Large enough to be leased, which costs no statement a read.
const pageReads = 1200

// ForPage returns a context for requests that a page of this server itself
// makes for whoever looks at it. Nothing that comes from outside can have it.
func ForPage(ctx context.Context) context.Context { return context.WithValue(ctx, pageKey, true) }

// counted is the caller as the limiter counts the request: what a person's page reads is theirs, everything else the plan's.
func counted(r *http.Request, c key.Caller) key.Caller {
	page, _ := r.Context().Value(pageKey).(bool)
	if page && r.Method == http.MethodGet && c.Role != "" && c.RequestsPerMinute > 0 {
		c.Bucket, c.RequestsPerMinute = "pages:"+c.KeyID, max(pageReads, c.RequestsPerMinute)
	}
	return c
}
