package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxErrorBody is how much of an error's body is kept; the document's errors
// are far smaller.
const maxErrorBody = 64 << 10

// Refusal is an answer of the API that is not a success. Every surface wraps it in an Error of its own, which also
// holds the answer in that surface's shape; errors.As finds either.
type Refusal struct {
	StatusCode int           // the HTTP status
	Code       string        // the server's word for what went wrong, where the surface has one; otherwise ""
	Message    string        // the server's sentence; the status's text when the body has none
	RequestID  string        // names the request in the server's log
	RetryAfter time.Duration // when a retry can succeed; zero when the server did not say
	Header     http.Header   // all headers, the rate limits among them
	Body       []byte        // the body as received, at most 64 KiB of it
}

// Error returns the status, the message and the request id.
func (e *Refusal) Error() string {
	text := fmt.Sprintf("parley: %d: %s", e.StatusCode, e.Message)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// refusal reads what is worth keeping of an answer that is no success. That its
// body cannot be read in full matters less than the status.
func refusal(response *http.Response, now time.Time) *Refusal {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	code, message := words(body)
	if message == "" {
		message = http.StatusText(response.StatusCode)
	}
	return &Refusal{
		StatusCode: response.StatusCode,
		Code:       code,
		Message:    message,
		RequestID:  response.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(response.Header.Get("Retry-After"), now),
		Header:     response.Header,
		Body:       body,
	}
}

// Shape decodes the body of a refusal into a surface's shape; nil when it has another.
func Shape[T any](body []byte, shape **T) {
	if json.Unmarshal(body, shape) != nil {
		*shape = nil
	}
}

// spoken is where an object of an error may hold its code and its sentence. Codes are words or numbers.
type spoken struct {
	Code    any    `json:"code"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

func (s spoken) code() string {
	switch code := s.Code.(type) {
	case string:
		return code
	case float64:
		return strconv.FormatFloat(code, 'f', -1, 64)
	}
	return s.Type
}

// words finds code and sentence where the surfaces put them: in "error", which may
// be a text or an object, in "detail", in "error_description", or in the object "data".
func words(body []byte) (code, message string) {
	var shape struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Detail      json.RawMessage `json:"detail"`
		Data        spoken          `json:"data"`
	}
	if json.Unmarshal(body, &shape) != nil {
		return "", ""
	}
	if shape.Data.Message != "" {
		return shape.Data.code(), shape.Data.Message
	}
	var object spoken
	if json.Unmarshal(shape.Error, &object) == nil && object.Message != "" {
		return object.code(), object.Message
	}
	var text string
	if shape.Description != "" {
		_ = json.Unmarshal(shape.Error, &text) // no text is no code
		return text, shape.Description
	}
	for _, raw := range []json.RawMessage{shape.Error, shape.Detail} {
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return "", text
		}
	}
	return "", firstOf(shape.Detail)
}

// firstOf is the first sentence of a list of them, as a validator gives it.
func firstOf(list json.RawMessage) string {
	var all []struct {
		Message string `json:"msg"`
	}
	if json.Unmarshal(list, &all) != nil || len(all) == 0 {
		return ""
	}
	return all[0].Message
}

// retryAfter understands both forms of the header: seconds and a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
