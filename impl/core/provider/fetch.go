package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const errorBodyBytesMax = 64 << 10

var (
	errAnswerTooLarge = errors.New("answer over its limit")
	errContentType    = errors.New("answer is no event stream")
)

// statusError is an answer with a status other than 200. Its body decides what
// to do and is never shown.
type statusError struct {
	status     int
	retryAfter time.Duration
	body       []byte
	blamed     string // the member of our caller's own that the upstream does not accept; ""
}

func (e *statusError) Error() string { return "upstream answered " + http.StatusText(e.status) }

// post sends JSON to an upstream and returns the body of its 200, within bounds.
func post(ctx context.Context, c *http.Client, url, apiKey string, body any, bytesMax int64) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	r, err := newPost(ctx, url, raw)
	if err != nil {
		return nil, err
	}
	return fetch(c, r, apiKey, bytesMax)
}

func newPost(ctx context.Context, url string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}

// get reads a body of an upstream.
func get(ctx context.Context, c *http.Client, url, apiKey string, bytesMax int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	return fetch(c, r, apiKey, bytesMax)
}

func fetch(c *http.Client, r *http.Request, apiKey string, bytesMax int64) ([]byte, error) {
	res, err := send(c, r, apiKey) //nolint:bodyclose // readWhole closes it
	if err != nil {
		return nil, err
	}
	return readWhole(res, bytesMax)
}

// send returns an upstream's 200; any other status is a statusError.
func send(c *http.Client, r *http.Request, apiKey string) (*http.Response, error) {
	if apiKey != "" {
		r.Header.Set("Authorization", "Bearer "+apiKey)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, readStatus(res)
	}
	return res, nil
}

func readStatus(res *http.Response) error {
	defer func() { _ = res.Body.Close() }() // read as far as it is of interest
	body, _ := io.ReadAll(io.LimitReader(res.Body, errorBodyBytesMax))
	return &statusError{status: res.StatusCode, retryAfter: retryAfter(res.Header), body: body}
}

func readWhole(res *http.Response, bytesMax int64) ([]byte, error) {
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	body, err := io.ReadAll(io.LimitReader(res.Body, bytesMax+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > bytesMax {
		return nil, errAnswerTooLarge
	}
	return body, nil
}
