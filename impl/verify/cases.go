package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/contract"
)

// success stands for every 2xx.
const success = 2

// longestWait bounds how long the run waits when the server's rate limit wants it to.
const longestWait = 70 * time.Second

// maxAnswer bounds how much of an answer is read, in bytes.
const maxAnswer = 64 << 20

// examples sends what the document shows for an operation, in each content type and, where there is one, as a stream.
func (r *run) examples(op *contract.Operation, values map[string]string) {
	if op.WebSocket() {
		r.skip(op, "it is a WebSocket's handshake")
		return
	}
	all := examples(op)
	if len(all) == 0 {
		r.skip(op, "it takes nothing of which the document could show an example")
	}
	for i, e := range all {
		body, missing := r.body(op, e)
		if slices.ContainsFunc(missing, func(name string) bool { return secret(name) || slices.Contains(e.schema.Required, name) }) {
			r.add(op, e.name, 0, Skipped, "nothing was made that it could name as "+strings.Join(missing, ", "), 0)
			continue
		}
		sent, err := r.encode(op, e, body)
		if err != nil {
			r.add(op, e.name, 0, Skipped, err.Error(), 0)
			continue
		}
		excuse := r.excuse(op, body, missing)
		r.example(op, values, e.name, sent, jsonBody, excuse)
		if streams(op) && i == 0 && op.Method != http.MethodGet {
			r.example(op, values, e.name+", streamed", sent, "text/event-stream", excuse)
		}
	}
}

// excuse says why a server may refuse an example although it keeps to its document; "" when it may not.
func (r *run) excuse(op *contract.Operation, body any, missing []string) string {
	raw, _ := json.Marshal(body) // it came out of JSON
	switch {
	case len(missing) > 0:
		return "nothing was made that it could name as " + strings.Join(missing, ", ")
	case bytes.Contains(raw, []byte(`"http://`)) || bytes.Contains(raw, []byte(`"https://`)):
		return "it names an address elsewhere"
	}
	for _, p := range op.Params {
		if p.Value.In == "query" && !p.Value.Required && op.Method != http.MethodGet {
			return "it may want a parameter as " + p.Value.Name
		}
	}
	return ""
}

func streams(op *contract.Operation) bool {
	r := op.Responses.Status(http.StatusOK)
	return r != nil && r.Value.Content["text/event-stream"] != nil
}

func (r *run) example(op *contract.Operation, values map[string]string, name string, sent *content, accept, excuse string) {
	if r.ctx.Err() != nil {
		return
	}
	if answers(op) {
		if r.allowed == 0 {
			r.add(op, name, 0, Skipped, "no more answers may be asked for", 0)
			return
		}
		r.allowed--
		r.report.Answers++
	}
	request, err := r.request(op, values, sent, accept)
	if err != nil {
		r.add(op, name, 0, Skipped, err.Error(), 0)
		return
	}
	r.exchange(op, name, request, values, excuse, []int{success})
}

// request makes the request of an operation, with the parameters that it must have.
func (r *run) request(op *contract.Operation, values map[string]string, sent *content, accept string) (*http.Request, error) {
	path := variable.ReplaceAllStringFunc(op.Path, func(name string) string {
		return url.PathEscape(known(values, op.Surface(), strings.Trim(name, "{}")))
	})
	query := url.Values{}
	for _, p := range op.Params {
		if p.Value.In == "query" && p.Value.Required {
			shown := p.Value.Example
			if shown == nil && p.Value.Schema.Value != nil {
				shown = p.Value.Schema.Value.Example
			}
			if shown == nil {
				return nil, fmt.Errorf("the document has no example of the parameter %s", p.Value.Name)
			}
			list, ok := shown.([]any)
			if !ok {
				list = []any{shown}
			}
			for _, value := range list {
				query.Add(p.Value.Name, fmt.Sprint(value))
			}
		}
	}
	var body io.Reader
	if sent != nil {
		body = bytes.NewReader(sent.raw)
	}
	address := r.Target + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(r.ctx, op.Method, address, body)
	if err != nil {
		return nil, err
	}
	if sent != nil {
		request.Header.Set("Content-Type", sent.kind)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	if sent == nil || sent.kind != formURL { // a client of OAuth says in the form who it is
		request.Header.Set("Authorization", "Bearer "+r.Key)
	}
	return request, nil
}

// send does a request that is no example.
func (r *run) send(op *contract.Operation, name string, request *http.Request, want ...int) Result {
	return r.exchange(op, name, request, nil, "", want)
}

// exchange sends a request, holds its answer against the document, and learns from it.
func (r *run) exchange(op *contract.Operation, name string, request *http.Request, values map[string]string, excuse string, want []int) Result {
	started := time.Now()
	status, header, body, ended, err := r.do(request)
	took := time.Since(started)
	if err != nil {
		return r.add(op, name, status, Failed, "no answer: "+err.Error(), took)
	}
	broken := r.check(op, request, status, header, body, ended)
	if values != nil && status < 300 {
		r.learn(op, values, status, header, body) // also of a wrong answer, so that what was made is deleted
	}
	switch {
	case broken != nil:
		return r.add(op, name, status, Failed, broken.Error(), took)
	case slices.Contains(want, status) || slices.Contains(want, status/100):
		return r.add(op, name, status, Passed, "", took)
	case slices.Contains([]int{402, 403, 409, 429, 503}, status) && values != nil:
		return r.add(op, name, status, Skipped, "the server may not or cannot: "+excerpt(body), took)
	case excuse != "" && (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity):
		return r.add(op, name, status, Skipped, excuse+": "+excerpt(body), took)
	case status == http.StatusNotFound && values != nil:
		return r.add(op, name, status, Skipped, "what the example names is not there: "+excerpt(body), took)
	}
	return r.add(op, name, status, Failed, fmt.Sprintf("status %d, want %s: %s", status, wanted(want), excerpt(body)), took)
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

// refusals asks for what an operation must refuse, where the document says how.
func (r *run) refusals(op *contract.Operation) {
	if op.WebSocket() || r.ctx.Err() != nil {
		return
	}
	documented := func(status int) bool { return op.Responses.Status(status) != nil }
	plain := func() *http.Request { return r.strange(op) }
	if !op.Public() && documented(http.StatusUnauthorized) {
		request := plain()
		request.Header.Del("Authorization")
		r.send(op, "no key", request, http.StatusUnauthorized)
	}
	if op.Method == http.MethodGet && len(variables(op)) > 0 && documented(http.StatusNotFound) {
		r.send(op, "unknown id", plain(), http.StatusNotFound, http.StatusForbidden)
	}
	if first := r.Document.Methods(op.Path)[0]; first == op.Method {
		request := plain()
		request.Method, request.Body, request.ContentLength = http.MethodTrace, nil, 0
		r.send(op, "a method that the path does not have", request, http.StatusMethodNotAllowed)
	}
	if op.JSONBody() == nil || r.ReadOnly {
		return
	}
	if documented(http.StatusUnsupportedMediaType) {
		r.send(op, "a body of another type", r.filled(op, "text/plain", "text"), http.StatusUnsupportedMediaType, http.StatusForbidden, http.StatusNotFound)
	}
	if documented(http.StatusBadRequest) || documented(http.StatusUnprocessableEntity) {
		r.send(op, "a body that is no JSON", r.filled(op, "application/json", "{"),
			http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusForbidden, http.StatusNotFound)
	}
	if size := op.BodyBytesMax(); documented(http.StatusRequestEntityTooLarge) && size <= 1<<20 {
		r.send(op, "a body that is too large", r.filled(op, "application/json", `{"a":"`+strings.Repeat("a", size)+`"}`),
			http.StatusRequestEntityTooLarge, http.StatusForbidden, http.StatusNotFound)
	}
}

// strange is a request for something that is not there: every parameter of the path is the document's example.
func (r *run) strange(op *contract.Operation) *http.Request {
	values := map[string]string{}
	for _, p := range op.Params {
		if p.Value.In != "path" {
			continue
		}
		shown := p.Value.Example
		if shown == nil && p.Value.Schema != nil {
			shown = p.Value.Schema.Value.Example
		}
		values[op.Surface()+"/"+p.Value.Name] = nobodys(p.Value.Schema, shown)
	}
	request, err := r.request(op, values, nil, "")
	if err != nil { // a parameter without an example
		request, _ = http.NewRequestWithContext(r.ctx, op.Method, r.Target+op.Path, nil)
		request.Header.Set("Authorization", "Bearer "+r.Key)
	}
	return request
}

// nobodys is an id that nothing has, as far as the schema leaves room for one.
func nobodys(schema *openapi3.SchemaRef, shown any) string {
	if _, number := shown.(float64); number {
		return strconv.Itoa(1<<53 - 2)
	}
	const tail = "zzzzzzzz"
	id := text(shown)
	if len(id) <= len(tail) || schema == nil {
		return id
	}
	other := id[:len(id)-len(tail)] + tail
	if schema.Value.VisitJSON(other) != nil {
		return id
	}
	return other
}

// filled is a strange request with a body.
func (r *run) filled(op *contract.Operation, kind, body string) *http.Request {
	request := r.strange(op)
	request.Header.Set("Content-Type", kind)
	request.Body, request.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
	return request
}

// cheapest is the cheapest model of a kind; "" when none can be found.
func (r *run) cheapest(kind string) string {
	op := r.Document.Operation("listModels")
	if op == nil {
		return ""
	}
	request, err := http.NewRequestWithContext(r.ctx, op.Method, r.Target+op.Path+"?type="+kind, nil)
	if err != nil {
		return ""
	}
	request.Header.Set("Authorization", "Bearer "+r.Key)
	_, _, body, _, err := r.do(request)
	var models []struct {
		ID       string  `json:"id"`
		PerToken float64 `json:"cost_per_1k_tokens"`
		PerImage float64 `json:"cost_per_image"`
	}
	if err != nil || json.Unmarshal(body, &models) != nil || len(models) == 0 {
		return ""
	}
	best := models[0]
	for _, m := range models {
		if m.PerToken+m.PerImage < best.PerToken+best.PerImage {
			best = m
		}
	}
	return best.ID
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
