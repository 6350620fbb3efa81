// Package outbound makes the HTTP clients of all outgoing traffic.
//
// NewClient is for addresses that callers of the API influence (sitemaps,
// webhooks, images): it connects to public addresses only, decided at every
// dial on the address that is really dialed, so that no answer of a name server
// and no redirect gets around it. NewOperatorClient is for upstreams that the
// operator configured, wherever they are. Neither reads proxy settings from the
// environment. Code elsewhere does not build clients or transports of its own.
package outbound

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// ErrDenied is in the chain of every error of a request that was refused before
// a connection was made: by its URL, address, port or redirect.
var ErrDenied = errors.New("destination not allowed")

// ErrTooLarge is what reading a response body beyond Options.BodyBytesMax returns.
var ErrTooLarge = errors.New("response too large")

// Options tune a client. The zero value is the strict default.
type Options struct {
	Allow          []netip.Prefix // private networks that may be reached, on any port; none by default
	Ports          []uint16       // ports that may be reached on public addresses; 80 and 443 by default
	ConnectTimeout time.Duration  // one dial and TLS handshake; 10 s by default
	Timeout        time.Duration  // the whole exchange, redirects and body included; 20 s by default
	BodyBytesMax   int64          // decompressed bytes of a response; 10 MB by default
	RedirectsMax   int            // redirects followed; 5 by default, negative for none
	Resolver       *net.Resolver  // replaced by tests; Go's own resolver is used whatever it says
}

const headerBytesMax = 64 << 10

func (o Options) withDefaults() Options {
	if o.Ports == nil {
		o.Ports = []uint16{80, 443}
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.BodyBytesMax == 0 {
		o.BodyBytesMax = 10 << 20
	}
	if o.RedirectsMax == 0 {
		o.RedirectsMax = 5
	}
	return o
}

// NewClient returns a client that reaches public addresses only, plus those in
// o.Allow. Addresses in IANA's special-purpose registries are refused, also as
// IPv4 inside IPv6. It follows redirects without downgrade to http and without
// carrying credentials to another origin. It is safe for concurrent use.
func NewClient(o Options) *http.Client {
	o = o.withDefaults()
	resolver := &net.Resolver{PreferGo: true}
	if o.Resolver != nil {
		resolver.Dial = o.Resolver.Dial
	}
	policy := newPolicy(o.Allow, o.Ports)
	dialer := &net.Dialer{Timeout: o.ConnectTimeout, Resolver: resolver, Control: policy.control}
	transport := newTransport(dialer, o.ConnectTimeout)
	transport.MaxIdleConnsPerHost = 8
	return &http.Client{
		Transport:     traced{guarded{next: transport, bodyBytesMax: o.BodyBytesMax}},
		CheckRedirect: redirectRule(o.RedirectsMax),
		Timeout:       o.Timeout,
	}
}

// NewOperatorClient returns a client for upstreams that the operator set: any
// address, redirects returned instead of followed, no deadline beyond
// connecting (connectTimeout, 10 s when zero), as answers may stream for
// minutes. It is safe for concurrent use.
func NewOperatorClient(connectTimeout time.Duration) *http.Client {
	if connectTimeout == 0 {
		connectTimeout = 10 * time.Second
	}
	transport := newTransport(&net.Dialer{Timeout: connectTimeout}, connectTimeout)
	// One upstream serves all turns: few kept connections would mean a
	// handshake for most of them.
	transport.MaxIdleConnsPerHost = 856
	transport.MaxIdleConns = 1024
	return &http.Client{
		Transport:     traced{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport(dialer *net.Dialer, handshake time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    handshake,
		MaxResponseHeaderBytes: headerBytesMax,
		MaxIdleConns:           64,
		IdleConnTimeout:        60 * time.Second,
		ExpectContinueTimeout:  time.Second,
		// A connection that an answer streams on is kept for as long as that takes.
		// Bodies larger than this are read and written in larger pieces anyway.
		ReadBufferSize:  2 << 10,
		WriteBufferSize: 2 << 10,
	}
}

// guarded checks the URL of each request, redirects included, and bounds what
// is read of its response.
type guarded struct {
	next         *http.Transport
	bodyBytesMax int64
}

// RoundTrip implements http.RoundTripper.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := CheckURL(r.URL); err != nil {
		return nil, err
	}
	res, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &boundedBody{ReadCloser: res.Body, left: g.bodyBytesMax}
	}
	return res, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (g guarded) CloseIdleConnections() { g.next.CloseIdleConnections() }

type boundedBody struct {
	io.ReadCloser
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		b.left = -1 // keeps the one byte of look-ahead: every later read fails too
		return 0, ErrTooLarge
	}
	return n, err
}
