package outbound

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	postTimeout = 15 * time.Second
	// answerBytesMax is how much of an answer is read before the connection is
	// given up instead of kept.
	answerBytesMax = 64 << 10
)

// Poster sends small bodies to addresses that callers of the API chose.
type Poster struct{ client *http.Client }

// NewPoster returns a poster that reaches what NewClient's clients reach. It
// follows no redirects and gives an address 15 seconds.
func NewPoster(o Options) *Poster {
	o.Timeout, o.BodyBytesMax, o.RedirectsMax = postTimeout, answerBytesMax, -1
	return &Poster{client: NewClient(o)}
}

// Check refuses an address that no Post would reach, as CheckURL does.
func (p *Poster) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.Join(ErrDenied, err)
	}
	return CheckURL(u)
}

// Post sends a JSON body and returns the answer's status. Of the answer
// nothing else is kept. Without an answer the status is 0 and problem says why, in words that
// tell nothing about the network.
func (p *Poster) Post(ctx context.Context, address string, header map[string]string, body []byte) (status int, problem string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, "The address is not valid."
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Parley-Webhooks/1")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := p.client.Do(r)
	if err != nil {
		return 0, explain(err)
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be kept; the status has been given
	return res.StatusCode, ""
}

func explain(err error) string {
	var netErr net.Error
	var dnsErr *net.DNSError
	switch {
	case errors.Is(err, ErrDenied):
		return "The address is not allowed."
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "No answer in time."
	case errors.As(err, &dnsErr):
		return "The host name was not found."
	}
	return "The connection failed."
}
