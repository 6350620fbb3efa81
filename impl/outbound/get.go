package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Getter fetches from addresses that callers of the API chose.
type Getter struct{ client *http.Client }

// Answer is what a server said.
type Answer struct {
	Status    int
	Header    http.Header
	Body      []byte // decompressed, up to Options.BodyBytesMax
	Truncated bool   // the body was longer
}

// NewGetter returns a getter that reaches what NewClient's clients reach. It
// follows no redirects: who fetches pages has to ask again whether it may.
func NewGetter(o Options) *Getter {
	o.RedirectsMax = -1
	return &Getter{client: NewClient(o)}
}

// Get fetches address. An error is for the log: Explain has words for a person.
func (g *Getter) Get(ctx context.Context, address string, header map[string]string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Answer{}, errors.Join(ErrDenied, err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := g.client.Do(r)
	if err != nil {
		return Answer{}, fmt.Errorf("get: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	a := Answer{Status: res.StatusCode, Header: res.Header, Body: body, Truncated: errors.Is(err, ErrTooLarge)}
	if err != nil && !a.Truncated {
		return Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return a, nil
}

// Explain says why a request failed, in words that tell nothing about the network.
func Explain(err error) string { return explain(err) }
