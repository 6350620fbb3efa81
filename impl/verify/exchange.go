package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/impl/contract"
)

// send does a request that is no example.
func (r *run) send(op *contract.Operation, name string, request *http.Request, want ...int) Result {
	return r.exchange(op, name, request, nil, "", "", want)
}

// exchange sends a request, holds its answer against the document, and learns from it. The cause, when there is one, excuses a refusal.
func (r *run) exchange(op *contract.Operation, name string, request *http.Request, values map[string]string, cause, detail string, want []int) Result {
	started := time.Now()
	status, header, body, ended, err := r.do(request)
	took := time.Since(started)
	if err != nil {
		return r.settle(op, name, status, Failed, "no answer: "+err.Error(), took)
	}
	broken := r.check(op, request, status, header, body, ended)
	if values != nil && status < 300 {
		r.learn(op, values, request, status, header, body) // also of a wrong answer, so that what was made is deleted
	}
	return r.judge(op, name, status, body, broken, cause, detail, want, values != nil, took)
}

// judge says what an answer means for a case. Only examples can be left out.
func (r *run) judge(op *contract.Operation, name string, status int, body []byte, broken error, cause, detail string, want []int, shown bool, took time.Duration) Result {
	switch {
	case broken != nil:
		return r.settle(op, name, status, Failed, broken.Error(), took)
	case slices.Contains(want, status) || slices.Contains(want, status/100):
		return r.settle(op, name, status, Passed, "", took)
	case shown && slices.Contains([]int{402, 403, 409, 429, 503}, status):
		return r.leave(op, name, status, causeServer, excerpt(body), took)
	case shown && cause != "" && refused(status):
		return r.leave(op, name, status, cause, strings.TrimSpace(detail+" "+excerpt(body)), took)
	case shown && status == http.StatusNotFound && op.Method == http.MethodGet && len(variables(op)) == 0:
		return r.leave(op, name, status, causeServer, excerpt(body), took)
	case shown && status == http.StatusNotFound:
		return r.leave(op, name, status, causeGone, excerpt(body), took)
	}
	return r.settle(op, name, status, Failed, fmt.Sprintf("status %d, want %s: %s", status, wanted(want), excerpt(body)), took)
}

// check holds an answer against the operation; one to a method that the path does not have, against the path.
func (r *run) check(op *contract.Operation, request *http.Request, status int, header http.Header, body []byte, ended bool) error {
	found, err := r.Document.Check(request, status, header, body, ended)
	if err == nil && found != nil && found != op && request.Method == op.Method {
		return fmt.Errorf("the path %s is also %s", request.URL.Path, found.OperationID)
	}
	return err
}

// do sends a request and reads its answer; a rate limit is waited for. A stream that nothing ends is left after a while.
func (r *run) do(request *http.Request) (status int, header http.Header, body []byte, ended bool, err error) {
	for range 3 {
		status, header, body, ended, err = r.once(request)
		wait, limited := limited(status, header)
		if err != nil || !limited {
			break
		}
		if r.Say != nil {
			r.Say(fmt.Sprintf("waiting %v for the rate limit", wait))
		}
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
			return status, header, body, ended, r.ctx.Err()
		}
		if request.GetBody != nil {
			request.Body, _ = request.GetBody() // of bytes: it cannot fail
		}
	}
	return status, header, body, ended, err
}

func limited(status int, header http.Header) (time.Duration, bool) {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	wait := time.Duration(seconds) * time.Second
	return wait, status == http.StatusTooManyRequests && err == nil && wait <= longestWait
}

func (r *run) once(request *http.Request) (int, http.Header, []byte, bool, error) {
	ctx, cancel := context.WithTimeout(request.Context(), time.Minute)
	defer cancel()
	response, err := r.HTTP.Do(request.WithContext(ctx))
	if err != nil {
		return 0, nil, nil, false, err
	}
	defer func() { _ = response.Body.Close() }() // read as far as is wanted
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if errors.Is(err, context.DeadlineExceeded) && contract.MediaType(response.Header) == "text/event-stream" && r.ctx.Err() == nil {
		return response.StatusCode, response.Header, body, false, nil // a stream that follows what goes on
	}
	return response.StatusCode, response.Header, body, err == nil, err
}

func wanted(statuses []int) string {
	var words []string
	for _, s := range statuses {
		if s == success {
			words = append(words, "a success")
			continue
		}
		words = append(words, strconv.Itoa(s))
	}
	return strings.Join(words, " or ")
}

func excerpt(body []byte) string {
	const shown = 300
	return string(body[:min(len(body), shown)])
}
