package provider

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"parley/impl/core/fault"
)

const (
	retryDelayMin = 250 * time.Millisecond
	retryAfterMax = time.Hour // what an upstream may tell our callers to wait
)

// faultOf says what a failure means to the caller. Text of the upstream stays
// out of the message and out of the cause, which is logged.
func faultOf(failure error) *fault.Error {
	if status, ok := errors.AsType[*statusError](failure); ok {
		return statusFault(status).Because(status.loggable())
	}
	message := "The model's provider sent an answer that cannot be read."
	switch {
	case errors.Is(failure, errReported):
		message = "The model's provider failed."
	case errors.Is(failure, errEventTooLarge), errors.Is(failure, errAnswerTooLarge):
		message = "The model's answer exceeded its limit."
	case errors.Is(failure, errCut), isCut(failure):
		message = "The model's answer was cut off."
	}
	if unreachable, ok := errors.AsType[*url.Error](failure); ok {
		message, failure = "The model's provider cannot be reached.", unreachable.Err
	}
	return fault.New(fault.Upstream, "%s", message).Because(failure)
}

// isCut reports whether a connection ended in the middle of an answer.
func isCut(err error) bool {
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, io.ErrUnexpectedEOF)
}

func statusFault(e *statusError) *fault.Error {
	switch {
	case e.status == http.StatusTooManyRequests || e.status == http.StatusServiceUnavailable:
		f := fault.New(fault.Unavailable, "The model's provider is busy.")
		f.RetryAfter = e.retryAfter
		return f
	case e.overContext():
		return fault.New(fault.Invalid, "The conversation is longer than the model's context.")
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return fault.New(fault.Upstream, "The model's provider refused the server's credentials.")
	case e.status == http.StatusNotFound:
		return fault.New(fault.Upstream, "The model's provider does not offer this model.")
	case e.blamed != "":
		f := fault.New(fault.Invalid, "The model's provider does not accept '%s' as it is.", e.blamed)
		f.Fields = []fault.Field{{In: "body", Path: "/" + e.blamed, Rule: "provider", Reason: "is not accepted by the model's provider"}}
		return f
	case e.status >= 400 && e.status < 500:
		return fault.New(fault.Upstream, "The model's provider rejected the request.")
	}
	return fault.New(fault.Upstream, "The model's provider failed.")
}

// contextMarks are how upstreams say that a prompt is too long: OpenAI's code,
// vLLM, llama.cpp, and others in prose.
var contextMarks = [][]byte{
	[]byte("context_length_exceeded"), []byte("maximum context length"), []byte("exceed_context_size"),
	[]byte("available context size"), []byte("context window"),
}

func (e *statusError) overContext() bool {
	if e.status != http.StatusBadRequest && e.status != http.StatusRequestEntityTooLarge && e.status != http.StatusUnprocessableEntity {
		return false
	}
	return e.mentions(contextMarks...)
}

func (e *statusError) mentions(words ...[]byte) bool {
	body := bytes.ToLower(e.body)
	for _, w := range words {
		if bytes.Contains(body, w) {
			return true
		}
	}
	return false
}

var errorCode = regexp.MustCompile(`"(?:code|type)"\s*:\s*"([a-zA-Z0-9_]{1,64})"`)

// loggable names the status and the error's code. The rest of the body can
// repeat the prompt.
func (e *statusError) loggable() error {
	if m := errorCode.FindSubmatch(e.body); m != nil {
		return fmt.Errorf("upstream status %d, %s", e.status, m[1])
	}
	return fmt.Errorf("upstream status %d", e.status)
}

// retryDelay returns how long to wait before the attempt after failure, and
// whether there may be one. The answer must not have begun.
func (o *OpenAI) retryDelay(failure error, retries int) (time.Duration, bool) {
	if retries >= o.opts.RetriesMax || !passing(failure) {
		return 0, false
	}
	if e, ok := errors.AsType[*statusError](failure); ok && e.retryAfter > 0 {
		return e.retryAfter, e.retryAfter <= o.opts.RetryDelayMax
	}
	delay := min(retryDelayMin<<retries, o.opts.RetryDelayMax)
	return delay/2 + rand.N(delay/2+1), true
}

// passing reports whether the same request may succeed soon: 429, 5xx and
// trouble with the connection.
func passing(failure error) bool {
	if e, ok := errors.AsType[*statusError](failure); ok {
		return e.status == http.StatusTooManyRequests || e.status >= 500
	}
	_, connecting := errors.AsType[*url.Error](failure)
	return connecting || errors.Is(failure, errCut) || isCut(failure)
}

// retryAfter reads when an upstream wants to be asked again; zero when it does
// not say or says nonsense.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		return bounded(ms * float64(time.Millisecond))
	}
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return bounded(seconds * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return bounded(float64(time.Until(at)))
	}
	return 0
}

func bounded(d float64) time.Duration {
	if !(d > 0) { // NaN too
		return 0
	}
	return time.Duration(min(d, float64(retryAfterMax)))
}
