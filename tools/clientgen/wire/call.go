package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Call is one request of an operation, not yet sent.
type Call struct {
	Keyed bool // the operation takes an Idempotency-Key

	method, path string
	query        url.Values
	header       http.Header
	body         body
	edit         []Editor
	into         *http.Response
	resumes      resumes
	err          error // of building it
}

// resumes tells how a broken stream goes on: by the same call, or by one to a path that a header of the answer names.
type resumes struct {
	self         bool
	after        string // parameter that says the same as Last-Event-ID, and wins
	header, path string // path has {} where the header's value goes
}

// body is what a call sends; open is nil when that is nothing.
type body struct {
	kind   string
	length int64 // -1 when it is not known
	open   func() (io.ReadCloser, error)
	again  func() bool // whether open can be called once more
}

// NewCall returns a call of a path whose variables, {} each, are replaced by the values.
func NewCall(method, path string, values ...any) *Call {
	for _, value := range values {
		path = strings.Replace(path, "{}", url.PathEscape(text(reflect.ValueOf(value))), 1)
	}
	return &Call{method: method, path: path, query: url.Values{}, header: http.Header{}}
}

// with is a copy of the call, as options change it.
func (c *Call) with(options []Option) *Call {
	of := *c
	of.query, of.header = maps.Clone(c.query), c.header.Clone()
	for _, apply := range options {
		apply(&of)
	}
	return &of
}

// Query adds a parameter: nothing for a nil pointer or list, a list as as many values.
func (c *Call) Query(name string, value any) {
	for _, v := range texts(value) {
		c.query.Add(name, v)
	}
}

// QueryList adds a list as one value with commas.
func (c *Call) QueryList(name string, value any) {
	if all := texts(value); all != nil {
		c.query.Add(name, strings.Join(all, ","))
	}
}

// Header sets a header, unless the value is a nil pointer.
func (c *Call) Header(name string, value any) {
	for _, v := range texts(value) {
		c.header.Set(name, v)
	}
}

// Cookie sends a cookie, unless the value is a nil pointer.
func (c *Call) Cookie(name string, value any) {
	for _, v := range texts(value) {
		c.header.Add("Cookie", (&http.Cookie{Name: name, Value: v}).String())
	}
}

// JSON sends a value as JSON.
func (c *Call) JSON(value any) {
	raw, err := json.Marshal(value)
	c.hold("application/json", raw, err)
}

// Form sends an object's members as an HTML form does.
func (c *Call) Form(value any) {
	raw, err := json.Marshal(value)
	members := map[string]any{}
	if err == nil {
		err = json.Unmarshal(raw, &members)
	}
	form := url.Values{}
	for name, member := range members {
		form.Set(name, fmt.Sprint(member))
	}
	c.hold("application/x-www-form-urlencoded", []byte(form.Encode()), err)
}

func (c *Call) hold(kind string, raw []byte, err error) {
	if err != nil {
		c.err = fmt.Errorf("encode body: %w", err)
	}
	c.body = body{
		kind: kind, length: int64(len(raw)), again: func() bool { return true },
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil },
	}
}

// Multipart sends a form with files.
func (c *Call) Multipart(form *Form) { c.body = form.body() }

// ResumesItself lets a stream that broke be taken up by the same call with Last-Event-ID, without the parameter after,
// which would win over it.
func (c *Call) ResumesItself(after string) { c.resumes = resumes{self: true, after: after} }

// ResumesAt lets a stream that broke be taken up at a path, in which the value of a header of the answer replaces {}.
func (c *Call) ResumesAt(path, header string) { c.resumes = resumes{header: header, path: path} }

// safe tells whether repeating the call does no harm.
func (c *Call) safe() bool {
	switch c.method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	}
	return c.Keyed && c.header.Get("Idempotency-Key") != ""
}

// replays tells whether the body can be sent once more.
func (c *Call) replays() bool { return c.body.open == nil || c.body.again() }

func (c *Call) request(ctx context.Context, base string) (*http.Request, error) {
	if c.err != nil {
		return nil, c.err
	}
	address := base + c.path
	if len(c.query) > 0 {
		address += "?" + c.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, c.method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(request.Header, c.header)
	if c.body.open == nil {
		return request, nil
	}
	request.Header.Set("Content-Type", c.body.kind)
	request.ContentLength = c.body.length
	if request.Body, err = c.body.open(); err != nil {
		return nil, fmt.Errorf("open body: %w", err)
	}
	if c.body.length == 0 {
		request.Body = http.NoBody
	}
	if c.safe() && c.body.again() {
		request.GetBody = c.body.open // the transport itself repeats what a closed idle connection lost
	}
	return request, nil
}

// texts are the values of a parameter, none for nil.
func texts(value any) []string {
	v := reflect.ValueOf(value)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Slice {
		return []string{text(v)}
	}
	var all []string
	for i := range v.Len() {
		all = append(all, text(v.Index(i)))
	}
	return all
}

func text(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Time:
		return value.Format(time.RFC3339Nano)
	case fmt.Stringer: // dates
		return value.String()
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return v.String()
}
