package httpd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"

	"parley/impl/core/key"
)

// The document's own extensions.
const (
	extMaxBody   = "x-max-body-bytes"   // integer: the body's ceiling; default DefaultMaxBody
	extBodyKey   = "x-api-key-body"     // true: the key may be the body's top-level member api_key
	extMaxUpload = "x-max-upload-bytes" // integer: the ceiling of a multipart body; default that of any body
	extScopes    = "x-required-scopes"
	extAddresses = "x-address-limit" // true: requests are counted by the client's address
	extOwnOrigin = "x-same-origin"   // true: pages of other origins are refused
	extWebSocket = "x-websocket"     // true: the operation is a WebSocket's handshake, mounted by hand
	extKeyPrefix = "x-key-prefix"    // of a security scheme in a header that is a list: how the entry with the key begins
	extTurnWhen  = "x-turn-when"     // a turn answers when the body has this member; without it the operation only creates
	bodyKeyLimit = 64 << 10          // bytes read to find a key in a body
)

// DefaultMaxBody is the ceiling of a request body in bytes.
const DefaultMaxBody = 1 << 20

// operation is what the edge knows of one method and path of the document.
type operation struct {
	id      string
	surface string
	scopes  []string // any of them suffices
	maxBody int64
	// maxUpload is the ceiling of a multipart body.
	maxUpload int64
	public    bool // no credential wanted
	crowded   bool // counted by the client's address
	own       bool // refused to pages of other origins
	bearer    bool
	query     string // name of the query parameter that may carry the key; ""
	header    string // name of the header, other than Authorization, that may carry it; ""
	protocol  string // how the subprotocol begins that may carry the key; ""
	cookie    string // name of the cookie that may carry a session; ""
	body      bool   // the body's api_key may carry it

	socket     bool   // is a WebSocket's handshake
	repeatable bool   // takes an Idempotency-Key
	turn       bool   // is answered by a turn
	turnWhen   string // only when the body has this member, and not as false; "": always
	visited    bool   // takes the token of an end user beside the key
	success    int    // the status of its success

	deprecation *deprecation // nil for what stays

	route  *routers.Route
	params openapi3.Parameters
	json   *openapi3.Schema // of the JSON body; nil without one
	form   *openapi3.Schema // of the form; nil without one
	needed bool             // a body is required

	multipart *openapi3.Schema // of the multipart form; nil without one
}

// Document is a document that edges enforce. Any number of them may share one.
type Document struct {
	ops map[string]*operation // by method and chi pattern: "GET /api/v1/agents/{agent_id}"
}

// LoadDocument reads the bundle, as JSON. It fails when an operation lacks what the edge has to know of it.
func LoadDocument(raw []byte) (*Document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(essential(raw))
	if err != nil {
		return nil, fmt.Errorf("load document: %w", err)
	}
	d := &Document{ops: map[string]*operation{}}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			o, err := newOperation(spec, path, method, item, op)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			d.ops[method+" "+path] = o
		}
	}
	return d, nil
}

func newOperation(spec *openapi3.T, path, method string, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	if len(op.Tags) != 1 {
		return nil, fmt.Errorf("operation has %d tags instead of one", len(op.Tags))
	}
	o := &operation{
		id: op.OperationID, surface: op.Tags[0], maxBody: DefaultMaxBody,
		// Of the document no more is kept than requests are checked by: the rest is two thirds of its memory.
		route: &routers.Route{Spec: &openapi3.T{OpenAPI: spec.OpenAPI}, Path: path, Method: method, Operation: &openapi3.Operation{RequestBody: op.RequestBody}},
	}
	for _, p := range item.Parameters {
		if op.Parameters.GetByInAndName(p.Value.In, p.Value.Name) == nil {
			o.params = append(o.params, p)
		}
	}
	o.params = append(o.params, op.Parameters...)
	o.visited = o.params.GetByInAndName(openapi3.ParameterInHeader, EndUserHeader) != nil
	if err := errors.Join(o.readExtensions(op.Extensions), o.readDeprecation(op)); err != nil {
		return nil, err
	}
	o.readSecurity(spec, op)
	o.readSuccess(op)
	if !o.public && len(o.scopes) == 0 {
		return nil, errors.New("operation with a credential names no " + extScopes)
	}
	o.readBody(op)
	return o, nil
}

func (o *operation) readExtensions(ext map[string]any) error {
	read := func(name string, into any) error {
		v, ok := ext[name]
		if !ok {
			return nil
		}
		raw, err := json.Marshal(v)
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	for name, into := range map[string]any{extMaxBody: &o.maxBody, extMaxUpload: &o.maxUpload, extBodyKey: &o.body, extScopes: &o.scopes, extAddresses: &o.crowded, extOwnOrigin: &o.own, extTurnWhen: &o.turnWhen, extWebSocket: &o.socket} {
		if err := read(name, into); err != nil {
			return err
		}
	}
	return nil
}

// readSecurity notes where the operation takes its key from. Basic
// credentials are no key of an account: the operation itself looks at them.
func (o *operation) readSecurity(spec *openapi3.T, op *openapi3.Operation) {
	requirements := spec.Security
	if op.Security != nil {
		requirements = *op.Security
	}
	o.public = true
	for _, r := range requirements {
		for name := range r {
			scheme := spec.Components.SecuritySchemes[name].Value
			if scheme.Type == "http" && strings.EqualFold(scheme.Scheme, "basic") {
				continue
			}
			o.public = false
			switch {
			case scheme.Type == "http" && strings.EqualFold(scheme.Scheme, "bearer"), scheme.Type == "oauth2":
				o.bearer = true
			case scheme.Type == "apiKey" && scheme.In == openapi3.ParameterInQuery:
				o.query = scheme.Name
			case scheme.Type == "apiKey" && scheme.Extensions[extKeyPrefix] != nil:
				o.protocol, _ = scheme.Extensions[extKeyPrefix].(string)
			case scheme.Type == "apiKey" && scheme.In == openapi3.ParameterInHeader:
				o.header = scheme.Name
			case scheme.Type == "apiKey" && scheme.In == openapi3.ParameterInCookie:
				o.cookie = scheme.Name
			}
		}
	}
}

// readSuccess notes what repeating the operation's success takes.
func (o *operation) readSuccess(op *openapi3.Operation) {
	o.repeatable = op.Parameters.GetByInAndName(openapi3.ParameterInHeader, keyHeader) != nil
	for status := 200; status < 300; status++ {
		if response := op.Responses.Status(status); response != nil {
			o.success, o.turn = status, response.Value.Headers["Parley-Turn"] != nil
			return
		}
	}
}

func (o *operation) readBody(op *openapi3.Operation) {
	if op.RequestBody == nil {
		return
	}
	body := op.RequestBody.Value
	o.needed = body.Required
	if media := body.Content["application/json"]; media != nil && media.Schema != nil {
		o.json = media.Schema.Value
	}
	if media := body.Content[multipartType]; media != nil && media.Schema != nil {
		o.multipart = media.Schema.Value
		o.maxUpload = max(o.maxUpload, o.maxBody)
	}
	if media := body.Content[formType]; media != nil && media.Schema != nil {
		o.form = media.Schema.Value
	}
}

// administrative tells whether only administrators may use the operation, so
// that what it changes is booked as theirs.
func (o *operation) administrative() bool { return slices.ContainsFunc(o.scopes, key.IsAdministrative) }

// ceiling is how many bytes the request's body may have.
func (o *operation) ceiling(r *http.Request) int64 {
	if o.multipart != nil && mediaType(r) == multipartType {
		return o.maxUpload
	}
	return o.maxBody
}

// contentTypes lists what bodies the operation takes.
func (o *operation) contentTypes() []string {
	if o.route.Operation.RequestBody == nil {
		return nil
	}
	types := make([]string, 0, 1)
	for t := range o.route.Operation.RequestBody.Value.Content {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// find returns the operation of a matched route; HEAD is served as GET.
func (d *Document) find(method, pattern string) *operation {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return d.ops[method+" "+pattern]
}
