package testkit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"parley/gen/client"
	"parley/impl/contract"
)

// HTTP returns a client whose every answer is held against the document. It
// follows no redirects. Bodies must be read to the end or closed.
func (s *Server) HTTP(t testing.TB) *http.Client {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     checking{t, transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Client returns the generated client with a key; its answers are checked as those of HTTP. It sends what a
// test says once, and nothing else.
func (s *Server) Client(t testing.TB, key string) *client.Client {
	t.Helper()
	c, err := client.New(s.URL, client.WithKey(key), client.WithHTTPClient(s.HTTP(t)),
		client.WithRetries(0, 0, 0), client.WithResume(0), client.WithoutIdempotencyKeys())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checking holds answers against the document while the test reads them.
type checking struct {
	t    testing.TB
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c checking) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusSwitchingProtocols { // what follows is no body
		if err := Check(r, res.StatusCode, res.Header, nil, true); err != nil {
			c.t.Error(err)
		}
		return res, nil
	}
	res.Body = &checkedBody{ReadCloser: res.Body, t: c.t, request: r, response: res}
	return res, nil
}

// checkedBody keeps what is read and checks it once, at the end or when the reader leaves.
type checkedBody struct {
	io.ReadCloser
	t        testing.TB
	request  *http.Request
	response *http.Response
	read     bytes.Buffer
	checked  bool
}

// Read implements io.Reader.
func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Write(p[:n])
	if errors.Is(err, io.EOF) {
		b.check(true)
	}
	return n, err
}

// Close implements io.Closer. Whatever is not a stream is read to its end
// first, so that no answer goes unchecked.
func (b *checkedBody) Close() error {
	if !b.checked && contract.MediaType(b.response.Header) != "text/event-stream" {
		_, _ = io.Copy(io.Discard, b)
	}
	b.check(false)
	return b.ReadCloser.Close()
}

func (b *checkedBody) check(ended bool) {
	if b.checked || (!ended && contract.MediaType(b.response.Header) != "text/event-stream") {
		return
	}
	b.checked = true
	r := b.request.WithContext(context.WithoutCancel(b.request.Context()))
	if err := Check(r, b.response.StatusCode, b.response.Header, b.read.Bytes(), ended); err != nil {
		b.t.Error(err)
	}
}
