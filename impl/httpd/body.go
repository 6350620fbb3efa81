package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"parley/impl/core/fault"
)

const (
	// jsonDepthMax bounds nesting, so that no recursive walk of a body is deep.
	jsonDepthMax = 64
	// jsonValuesMax bounds the values of a body: each costs memory beyond its bytes.
	jsonValuesMax = 50_000
	// jsonNameMax bounds the bytes of a member's name: names are remembered to find duplicates.
	jsonNameMax = 1024
	// bodyTimeout is how long a caller may take to send a body.
	bodyTimeout = 30 * time.Second
	// restTimeout is how long one may take to send what nobody wants of a body, before the answer begins without it.
	restTimeout = 10 * time.Second
	// restMax bounds the bytes that are read of it; beyond, the connection is closed.
	restMax = 256 << 10
)

// arriving is a request's body as it comes. It knows how its sender keeps up.
type arriving struct {
	io.ReadCloser       // nil for a request without a body
	unasked       bool  // the sender waits to be told that the body is wanted
	ended         error // of the latest read: io.EOF when all has come, else why the rest does not
}

// Read reads the next piece.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.unasked, a.ended = false, err
	return n, err
}

// takeRest reads what is left of a body before its answer begins, so that the
// connection can be used again. The standard library does so too, but would wait
// for ever for one that does not come: the deadline that has passed makes it close the connection.
func (a *arriving) takeRest(control *http.ResponseController) {
	if a.ReadCloser == nil || errors.Is(a.ended, io.EOF) {
		return
	}
	if a.ended == nil && !a.unasked {
		_ = control.SetReadDeadline(time.Now().Add(restTimeout)) // not supported by test recorders
		_, _ = io.CopyN(io.Discard, a, restMax)
	}
	end := time.Now()
	if errors.Is(a.ended, io.EOF) {
		end = time.Time{}
	}
	_ = control.SetReadDeadline(end)
}

// body is a request body that was read, decoded and validated once. The
// generated strict wrapper binds value (see ValidatedValue in the generator's
// runtime) instead of decoding again, so handlers get what was validated.
type body struct {
	*bytes.Reader
	raw   []byte
	value any
}

func newBody(raw []byte) *body { return &body{Reader: bytes.NewReader(raw), raw: raw} }

// Close does nothing: the bytes are in memory.
func (b *body) Close() error { return nil }

// ValidatedValue returns the decoded body, defaults of the document included.
func (b *body) ValidatedValue() any { return b.value }

// readBody replaces the request's body by its bytes, at most limit of them.
// It may be called again; a body over the limit is a TooLarge fault.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) (*body, error) {
	if b, ok := r.Body.(*body); ok {
		return b, nil
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not supported by test recorders
	raw, err := readAll(http.MaxBytesReader(w, r.Body, limit), r.ContentLength, limit)
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "The request body could not be read.").Because(err)
	}
	_ = control.SetReadDeadline(time.Time{})
	b := newBody(raw)
	r.Body = b
	return b, nil
}

// readAll reads to the end, of which at most limit bytes are to come. It believes
// a small announced length at once and a larger one, or none (-1), in steps of
// eight times what has come, so that a caller cannot make the server set much
// memory aside unpaid, nor growth cost several bodies.
func readAll(r io.Reader, announced, limit int64) ([]byte, error) {
	const believed = 64 << 10
	first := min(announced, believed)
	if announced < 0 {
		announced, first = limit, limit/(8*8*8) // three steps before the ceiling
	}
	raw := make([]byte, 0, first+1) // one more byte, to meet the end
	for {
		n, err := r.Read(raw[len(raw):cap(raw)])
		raw = raw[:len(raw)+n]
		switch {
		case errors.Is(err, io.EOF):
			return raw, nil
		case err != nil:
			return raw, err
		case len(raw) == cap(raw):
			raw = slices.Grow(raw, max(1, min(8*len(raw), int(announced)+1)-len(raw)))
		}
	}
}

func tooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "The request body is larger than %d bytes.", limit)
}

// mediaType returns the content type without parameters, "" when it is malformed.
func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// CheckJSON is an Invalid fault for what is not one JSON value as bodies have to
// be, for what comes in other ways.
func CheckJSON(raw []byte) error {
	if err := scanJSON(raw); err != nil {
		return err
	}
	if !jsontext.Value(raw).IsValid() {
		return fault.New(fault.Invalid, "The request body is not valid JSON, or names a member twice.")
	}
	return nil
}

// decodeJSON decodes one JSON document strictly: no trailing bytes, duplicate
// members, NUL characters, broken UTF-8 or lone surrogates (Postgres takes
// none of the last three), and neither deep nor crowded enough to cost more
// than its bytes. Numbers stay json.Number.
func decodeJSON(raw []byte) (any, error) {
	if err := CheckJSON(raw); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fault.New(fault.Invalid, "The request body is not valid JSON.").Because(err)
	}
	return value, nil
}

// scanJSON checks in one pass without allocation what a decoder would only
// find after paying for it.
func scanJSON(raw []byte) error {
	depth, values, inString := 0, 0, false
	opened, length := 0, 0 // of the latest string
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			if bytes.HasPrefix(raw[i+1:], []byte("u0000")) {
				return fault.New(fault.Invalid, "The request body contains a NUL character.")
			}
			i++
		case c == '"':
			if inString = !inString; inString {
				opened = i
			} else {
				length = i - opened
			}
		case inString:
		case c == '[' || c == '{':
			depth++
			values++
		case c == ']' || c == '}':
			depth--
		case c == ',':
			values++
		case c == ':' && length > jsonNameMax:
			return fault.New(fault.Invalid, "The request body has a member whose name is longer than %d bytes.", jsonNameMax)
		}
		if depth > jsonDepthMax {
			return fault.New(fault.Invalid, "The request body is nested deeper than %d levels.", jsonDepthMax)
		}
		if values > jsonValuesMax {
			return fault.New(fault.Invalid, "The request body has more than %d values.", jsonValuesMax)
		}
	}
	return nil
}
