package wire

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Editor changes a request before it is sent; its error keeps the request from being sent.
type Editor = func(ctx context.Context, request *http.Request) error

// Option changes one call.
type Option func(*Call)

// Edit lets an editor change the request of one call.
func Edit(edit Editor) Option {
	return func(c *Call) { c.edit = append(c.edit, edit) }
}

// Header sets a header of one call.
func Header(name, value string) Option {
	return func(c *Call) { c.header.Set(name, value) }
}

// Into puts the answer's status and headers into response when there is one, also when it is a refusal. Its body has been read.
func Into(response *http.Response) Option {
	return func(c *Call) { c.into = response }
}

// Caller sends calls to one server. It is safe for concurrent use as long as its members do not change.
type Caller struct {
	Base   string       // the server's address, without a slash at its end
	HTTP   *http.Client // sends the requests
	Edit   []Editor     // change every request
	Retry  Retry        // what is done when a call does not succeed at once
	Keyed  bool         // whether calls that can be repeated under a key get one
	Resume int          // how often in a row a broken stream is taken up without getting further

	refuse func(*Refusal) error // puts a refusal into the surface's words
}

// Refusing is a caller whose refusals are what refuse makes of them.
func (c *Caller) Refusing(refuse func(*Refusal) error) *Caller {
	of := *c
	of.refuse = refuse
	return &of
}

// JSON sends a call and decodes its answer, null for an answer without a body.
func JSON[T any](ctx context.Context, c *Caller, call *Call, options []Option) (T, error) {
	var value T
	answer, err := c.read(ctx, call.with(options))
	if err != nil {
		return value, err
	}
	if err := answer.decode(&value); err != nil {
		return value, err
	}
	return value, nil
}

// Answered sends a call whose answers differ by status: decode is given the status and a function that decodes the body.
func Answered(ctx context.Context, c *Caller, call *Call, options []Option, decode func(status int, body func(any) error) error) error {
	answer, err := c.read(ctx, call.with(options))
	if err != nil {
		return err
	}
	return decode(answer.status, answer.decode)
}

// None sends a call whose answer says nothing but that it was done.
func None(ctx context.Context, c *Caller, call *Call, options []Option) error {
	_, err := c.read(ctx, call.with(options))
	return err
}

// Content is an answer that is no JSON. Close its Body.
type Content struct {
	Type   string // its Content-Type
	Header http.Header
	Body   io.ReadCloser
}

// Contents sends a call and hands out its answer as it comes.
func Contents(ctx context.Context, c *Caller, call *Call, accept string, options []Option) (*Content, error) {
	call = call.with(options)
	call.header.Set("Accept", accept)
	var response *http.Response
	err := c.repeat(ctx, call, func() (err error) {
		response, err = c.open(ctx, call)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Content{Type: response.Header.Get("Content-Type"), Header: response.Header, Body: response.Body}, nil
}

// answer is a success that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) decode(value any) error {
	if len(a.body) == 0 {
		return nil
	}
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) {
		return fmt.Errorf("decode answer: content type is %q", a.header.Get("Content-Type"))
	}
	if err := json.Unmarshal(a.body, value); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// read sends a call until its answer has been read to the end.
func (c *Caller) read(ctx context.Context, call *Call) (answer, error) {
	if call.header.Get("Accept") == "" {
		call.header.Set("Accept", "application/json")
	}
	var a answer
	err := c.repeat(ctx, call, func() error {
		response, err := c.open(ctx, call)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }() // read to its end below
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		a = answer{response.StatusCode, response.Header, body}
		return nil
	})
	return a, err
}

// repeat calls once until it succeeds or nothing is to be gained by another try.
func (c *Caller) repeat(ctx context.Context, call *Call, once func() error) error {
	if c.Keyed && call.Keyed && call.header.Get("Idempotency-Key") == "" {
		call.header.Set("Idempotency-Key", rand.Text())
	}
	for tries := 0; ; tries++ {
		err := once()
		if err == nil {
			return nil
		}
		wait, again := c.Retry.after(tries, call, err)
		if !again || !inTime(ctx, wait) {
			return reason(ctx, err)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// open sends a call once. The answer is a success; its body is the caller's to close.
func (c *Caller) open(ctx context.Context, call *Call) (*http.Response, error) {
	request, err := call.request(ctx, c.Base)
	if err != nil {
		return nil, final{err}
	}
	for _, edits := range [][]Editor{c.Edit, call.edit} {
		for _, edit := range edits {
			if err := edit(ctx, request); err != nil {
				return nil, final{err}
			}
		}
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	if call.into != nil {
		*call.into = *response
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }() // the refusal says more
	refused := refusal(response, time.Now())
	if c.refuse == nil {
		return nil, refused
	}
	return nil, c.refuse(refused)
}
