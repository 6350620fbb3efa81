package testkit

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"parley/gen/client/wire"
	"parley/impl/contract"
)

// Request is a request in a test's own words, for what typed clients cannot say.
type Request struct {
	Method string // GET when empty, POST when there is a Body
	Path   string // with its query
	Key    string // sent as Bearer; none when empty
	Header map[string]string
	Body   any // string and []byte go as they are, an io.Reader without a length, url.Values as a form, anything else as JSON
}

// Response is an answer, read and held against the document.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and returns its checked answer. A failure to get any answer fails the test.
func (s *Server) Do(t testing.TB, request Request) Response {
	t.Helper()
	return do(t, s.HTTP(t), s.URL, request)
}

func do(t testing.TB, c *http.Client, url string, request Request) Response {
	t.Helper()
	res, err := c.Do(request.build(t, url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end below
	if res.StatusCode == http.StatusSwitchingProtocols {
		return Response{Status: res.StatusCode, Header: res.Header} // the socket is closed at once
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read the answer of %s %s: %v", request.Method, request.Path, err)
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: body}
}

func (q Request) build(t testing.TB, url string) *http.Request {
	t.Helper()
	body, kind := q.payload(t)
	method := q.Method
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url+q.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if q.Key != "" {
		r.Header.Set("Authorization", "Bearer "+q.Key)
	}
	for name, value := range q.Header {
		r.Header.Set(name, value)
	}
	return r
}

func (q Request) payload(t testing.TB) (io.Reader, string) {
	t.Helper()
	const kind = "application/json"
	switch b := q.Body.(type) {
	case nil:
		return nil, ""
	case string:
		return strings.NewReader(b), kind
	case []byte:
		return bytes.NewReader(b), kind
	case io.Reader:
		return struct{ io.Reader }{b}, kind
	case url.Values:
		return strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	}
	raw, err := json.Marshal(q.Body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(raw), kind
}

// Want fails the test at once when the status is another.
func (r Response) Want(t testing.TB, status int) Response {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d: %s", r.Status, status, excerpt(r.Body))
	}
	return r
}

// JSON decodes the body into v.
func (r Response) JSON(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("decode %s: %v", excerpt(r.Body), err)
	}
}

// Events returns the events of a stream.
func (r Response) Events(t testing.TB) []wire.Event {
	t.Helper()
	events, err := contract.Events(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// Error returns the sentence of an error's body, whatever the surface.
func (r Response) Error(t testing.TB) string {
	t.Helper()
	var body struct {
		Error  json.RawMessage
		Detail json.RawMessage
		Data   struct{ Message string }
	}
	r.JSON(t, &body)
	if body.Data.Message != "" {
		return body.Data.Message // the projects' shape
	}
	if body.Detail != nil {
		body.Error = body.Detail // the chats' shape
	}
	var object struct{ Message string }
	if json.Unmarshal(body.Error, &object) == nil {
		return object.Message // OpenAI's shape
	}
	var text string
	Response{Body: body.Error}.JSON(t, &text)
	return text
}
