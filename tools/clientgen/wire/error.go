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

// Error is an answer of the API that is not a success. Find it with errors.As.
type Error struct {
	StatusCode int           // the HTTP status
	Message    string        // the server's sentence; the status's text when the body has none
	RequestID  string        // names the request in the server's log
	RetryAfter time.Duration // when a retry can succeed; zero when the server did not say
	Header     http.Header   // all headers, the rate limits among them
	Body       []byte        // the body as received, at most 64 KiB of it
}

// Error returns the status, the message and the request id.
func (e *Error) Error() string {
	text := fmt.Sprintf("parley: %d: %s", e.StatusCode, e.Message)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Check returns nil for a 2xx status and an *Error for every other. It suits
// the generated results:
//
//	if err := wire.Check(result.HTTPResponse, result.Body); err != nil { … }
func Check(response *http.Response, body []byte) error {
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	return &Error{
		StatusCode: response.StatusCode,
		Message:    message(response.StatusCode, body),
		RequestID:  response.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(response.Header.Get("Retry-After")),
		Header:     response.Header,
		Body:       body[:min(len(body), maxErrorBody)],
	}
}

// refusal reads what is worth keeping of an error's body. That the body
// cannot be read in full matters less than the status.
func refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	return Check(response, body)
}

// message finds the sentence where the surfaces put it: in "error", which may
// be an object with a "message", or in "detail".
func message(status int, body []byte) string {
	var shape struct {
		Error  json.RawMessage `json:"error"`
		Detail json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(body, &shape) == nil {
		var object struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(shape.Error, &object) == nil && object.Message != "" {
			return object.Message
		}
		for _, raw := range []json.RawMessage{shape.Error, shape.Detail} {
			var text string
			if json.Unmarshal(raw, &text) == nil && text != "" {
				return text
			}
		}
	}
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "unknown status"
}

// retryAfter understands the header's form in seconds, the only one that the
// document allows.
func retryAfter(value string) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
