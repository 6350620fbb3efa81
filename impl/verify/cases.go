package verify

import (
	"bytes"
	"encoding/json"
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

// examples sends what the document shows for an operation, in each content type and, where there is one, as a stream; what was
// settled by an earlier attempt is not sent again.
func (r *run) examples(op *contract.Operation, values map[string]string) {
	r.tried[op] = true
	delete(r.waiting, op)
	if op.WebSocket() {
		r.handshake(op, values)
		return
	}
	all := examples(op)
	if len(all) == 0 {
		r.skip(op, causeExample, "")
	}
	for i, e := range all {
		names := []string{e.name}
		if streams(op) && i == 0 && op.Method != http.MethodGet {
			names = append(names, e.name+", streamed")
		}
		for form, name := range names {
			if !r.settled[caseName(op, name)] {
				r.example(op, values, name, e, []string{jsonBody, "text/event-stream"}[form])
			}
		}
	}
}

// example sends an example with what exists in place of what it names.
func (r *run) example(op *contract.Operation, values map[string]string, name string, e example, accept string) {
	body, missing := r.body(op, e)
	if slices.ContainsFunc(missing, func(name string) bool { return secret(name) || slices.Contains(e.schema.Required, name) }) {
		r.leave(op, name, 0, causeNothing, "nothing was made that it could name as "+strings.Join(missing, ", "), 0)
		return
	}
	if asksForPassword(e) {
		r.leave(op, name, 0, causeSecret, "", 0)
		return
	}
	sent, err := r.encode(op, e, body)
	if err != nil {
		r.leave(op, name, 0, causeExample, err.Error(), 0)
		return
	}
	cause, detail := excuse(op, body, missing)
	parameters := append([]*openapi3.Parameter{nil}, optional(op)...)
	for i, extra := range parameters {
		why := cause
		if why == "" && i < len(parameters)-1 { // when it is refused, it may want one of the parameters that follow
			why = causeExample
		}
		if result := r.attempt(op, values, name, sent, accept, extra, why, detail); result.Verdict != Skipped || !refused(result.Status) {
			return
		}
	}
}

// refused tells whether a status says that there is something wrong with a request.
func refused(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusUnprocessableEntity
}

// optional are the parameters in the query that a request which is no read may have.
func optional(op *contract.Operation) []*openapi3.Parameter {
	var all []*openapi3.Parameter
	for _, p := range op.Params {
		if p.Value.In == "query" && !p.Value.Required && op.Method != http.MethodGet && exampleOf(p.Value) != nil {
			all = append(all, p.Value)
		}
	}
	return all
}

// excuse says why a server may refuse an example although it keeps to its document: a cause, "" when it may not, and more about it.
func excuse(op *contract.Operation, body any, missing []string) (cause, detail string) {
	raw, _ := json.Marshal(body) // it came out of JSON
	switch {
	case len(missing) > 0:
		return causeNothing, "nothing was made that it could name as " + strings.Join(missing, ", ")
	case bytes.Contains(raw, []byte(`"http://`)) || bytes.Contains(raw, []byte(`"https://`)):
		return causeAddress, ""
	case answers(op) && holdsThings(body):
		return causeServer, "its model may not take such things"
	}
	return "", ""
}

func streams(op *contract.Operation) bool {
	r := op.Responses.Status(http.StatusOK)
	return r != nil && r.Value.Content["text/event-stream"] != nil
}

// attempt sends an example once, with one of the parameters that it may have.
func (r *run) attempt(op *contract.Operation, values map[string]string, name string, sent *content, accept string, extra *openapi3.Parameter, cause, detail string) Result {
	if r.ctx.Err() != nil {
		return r.leave(op, name, 0, causeAnswers, r.ctx.Err().Error(), 0)
	}
	if answers(op) && r.allowed == 0 {
		return r.leave(op, name, 0, causeAnswers, "", 0)
	}
	request, err := r.request(op, values, sent, accept, extra)
	if err != nil {
		return r.leave(op, name, 0, causeExample, err.Error(), 0)
	}
	result := r.exchange(op, name, request, values, cause, detail, []int{success})
	if answers(op) && result.Verdict != Skipped {
		r.allowed--
		r.report.Answers++
	}
	return result
}

// request makes the request of an operation, with the parameters that it must have and one that it may have.
func (r *run) request(op *contract.Operation, values map[string]string, sent *content, accept string, extra *openapi3.Parameter) (*http.Request, error) {
	address, err := r.address(op, values, extra)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if sent != nil {
		body = bytes.NewReader(sent.raw)
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

// address is where a request goes.
func (r *run) address(op *contract.Operation, values map[string]string, extra *openapi3.Parameter) (string, error) {
	path := variable.ReplaceAllStringFunc(op.Path, func(name string) string {
		return url.PathEscape(known(values, op.Surface(), strings.Trim(name, "{}")))
	})
	query := url.Values{}
	for _, p := range op.Params {
		if p.Value.In != "query" || !p.Value.Required && p.Value != extra {
			continue
		}
		shown := exampleOf(p.Value)
		if shown == nil {
			return "", fmt.Errorf("the document has no example of the parameter %s", p.Value.Name)
		}
		list, ok := shown.([]any)
		if !ok {
			list = []any{shown}
		}
		for _, value := range list {
			query.Add(p.Value.Name, fmt.Sprint(value))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return r.Target + path, nil
}

// exampleOf is the example of a parameter, or that of its schema; nil when there is none.
func exampleOf(p *openapi3.Parameter) any {
	if p.Example == nil && p.Schema != nil && p.Schema.Value != nil {
		return p.Schema.Value.Example
	}
	return p.Example
}

// refusals asks for what an operation must refuse, where the document says how.
func (r *run) refusals(op *contract.Operation) {
	if r.ctx.Err() != nil {
		return
	}
	documented := func(status int) bool { return op.Responses.Status(status) != nil }
	plain := func() *http.Request { return r.strange(op) }
	if !op.Public() && documented(http.StatusUnauthorized) {
		request := plain()
		request.Header.Del("Authorization")
		r.send(op, "no key", request, http.StatusUnauthorized)
	}
	if op.Method == http.MethodGet && !op.WebSocket() && len(variables(op)) > 0 && documented(http.StatusNotFound) {
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
		values[op.Surface()+"/"+p.Value.Name] = nobodys(p.Value.Schema, exampleOf(p.Value))
	}
	request, err := r.request(op, values, nil, "", nil)
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
