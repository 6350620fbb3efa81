// Package toolclient makes the requests of tools: plain HTTP, and MCP over
// streamable HTTP. All of it goes through package outbound's guard.
package toolclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"parley/impl/core/tool"
	"parley/impl/outbound"
)

const (
	// exchangeTime bounds one HTTP exchange.
	exchangeTime = 30 * time.Second
	// bodyBytesMax is the ceiling of an answer's body.
	bodyBytesMax = 1 << 20
)

// New returns the client of tools; it reaches what outbound.NewClient reaches with the options.
func New(o outbound.Options) tool.Client {
	o.Timeout, o.BodyBytesMax, o.RedirectsMax = exchangeTime, bodyBytesMax, -1
	c := &client{http: outbound.NewClient(o)}
	return tool.Client{Check: check, Send: c.send, Discover: c.discover, Use: c.use, Explain: outbound.Explain}
}

type client struct{ http *http.Client }

func check(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.Join(outbound.ErrDenied, err)
	}
	return outbound.CheckURL(u)
}

// send makes a request. Redirects are not followed: they would take headers and arguments elsewhere.
func (c *client) send(ctx context.Context, r tool.Request) (status int, body string, err error) {
	var content io.Reader
	if r.Body != nil {
		content = bytes.NewReader(r.Body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, content)
	if err != nil {
		return 0, "", errors.Join(outbound.ErrDenied, err)
	}
	req.Header.Set("Accept", "application/json, text/*;q=0.9, */*;q=0.1")
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	dress(req.Header, r.Header)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("call tool: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, tool.ResultBytesMax+1))
	if err != nil && !errors.Is(err, outbound.ErrTooLarge) {
		return 0, "", fmt.Errorf("read the tool's answer: %w", err)
	}
	return res.StatusCode, string(raw), nil
}

func dress(h http.Header, own map[string]string) {
	h.Set("User-Agent", "Parley-Tools/1")
	for name, value := range own {
		h.Set(name, value)
	}
}

// dressed adds a tool's headers to every request of an MCP session.
type dressed struct {
	next   http.RoundTripper
	header map[string]string
}

// RoundTrip implements http.RoundTripper.
func (d dressed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	dress(r.Header, d.header)
	return d.next.RoundTrip(r)
}

func (c *client) with(header map[string]string) *http.Client {
	own := *c.http
	own.Transport = dressed{c.http.Transport, maps.Clone(header)}
	return &own
}
