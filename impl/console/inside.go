package console

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"parley/gen/client"
	"parley/impl/httpd"
)

// inside carries the requests of the generated clients to the API of this
// process, for one request of a browser: from its address, with its session.
// An answer that is no success becomes a *client.Error.
type inside struct {
	api     http.Handler
	browser *http.Request
	session string // "" before somebody signed in
	counts  bool   // against the plan, though it is a page that reads
}

// newClient returns the API as the sender of a browser's request has it. Within a process nothing is gained by repeating.
func newClient(via inside) (*client.Client, error) {
	c := &http.Client{
		Transport:     via,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client.New("http://"+via.browser.Host, client.WithHTTPClient(c), client.WithRetries(0, 0, 0), client.WithResume(0), client.WithoutIdempotencyKeys())
}

// RoundTrip implements http.RoundTripper.
func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &answer{header: http.Header{}}
	i.api.ServeHTTP(w, i.addressed(r))
	response := &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, ContentLength: int64(w.body.Len()), Request: r,
	}
	if w.status == 0 {
		response.StatusCode = http.StatusOK
	}
	response.Body = io.NopCloser(&w.body)
	return response, nil
}

// addressed is a request as if the browser had sent it itself. The router keeps
// its own notes in the context, so nothing of the browser's request may be in it but its end.
func (i inside) addressed(r *http.Request) *http.Request {
	ctx := context.Context(onlyEnd{r.Context()})
	if !i.counts {
		ctx = httpd.ForPage(ctx)
	}
	r = r.Clone(ctx)
	r.RemoteAddr, r.Host, r.TLS, r.RequestURI = i.browser.RemoteAddr, i.browser.Host, i.browser.TLS, r.URL.RequestURI()
	for _, name := range []string{"X-Forwarded-For", "User-Agent"} {
		r.Header[name] = i.browser.Header[name]
	}
	if i.session != "" {
		r.Header.Set("Authorization", "Bearer "+i.session)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	return r
}

// onlyEnd is a context without its values.
type onlyEnd struct{ context.Context }

// Value implements context.Context.
func (onlyEnd) Value(any) any { return nil }

// answer keeps a whole answer.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
