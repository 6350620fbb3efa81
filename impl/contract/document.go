// Package contract holds answers of a server against an OpenAPI document: whether a status is documented, headers, content
// type and body are what the document says, a stream's events too, and errors that belong to no operation have their
// surface's shape. The tests use it on every answer, `parley verify` on the answers of any server.
package contract

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// Operation is one operation of the document.
type Operation struct {
	*openapi3.Operation
	Method, Path string              // the path with its parameters in braces
	Params       openapi3.Parameters // of the path and of the operation

	item     *openapi3.PathItem
	document *Document
}

// Surface is the name of the API family that the operation belongs to.
func (o *Operation) Surface() string { return o.Tags[0] }

// Public tells whether the operation wants no credential of an account. Basic
// credentials, which OAuth clients exchange for one, are none.
func (o *Operation) Public() bool {
	if o.Security == nil {
		return false
	}
	for _, alternative := range *o.Security {
		for name := range alternative {
			if o.document.Spec.Components.SecuritySchemes[name].Value.Scheme != "basic" {
				return false
			}
		}
	}
	return true
}

// WebSocket tells whether the operation is a WebSocket's handshake.
func (o *Operation) WebSocket() bool { return o.Extensions["x-websocket"] == true }

// JSONBody is the schema of the request's JSON body; nil when it takes none.
func (o *Operation) JSONBody() *openapi3.Schema {
	if o.RequestBody == nil || o.RequestBody.Value.Content["application/json"] == nil {
		return nil
	}
	return o.RequestBody.Value.Content["application/json"].Schema.Value
}

// Form is the media type object of the request's form; nil when it takes none.
func (o *Operation) Form() *openapi3.MediaType {
	if o.RequestBody == nil {
		return nil
	}
	return o.RequestBody.Value.Content["application/x-www-form-urlencoded"]
}

// BodyBytesMax is the ceiling of the request's body.
func (o *Operation) BodyBytesMax() int {
	if n, ok := o.Extensions["x-max-body-bytes"].(float64); ok {
		return int(n)
	}
	return 1 << 20
}

// Document is a document, ready to hold answers against it. It is safe for concurrent use.
type Document struct {
	Spec       *openapi3.T
	Operations []*Operation // by path and method
}

// Load reads a document, JSON or YAML.
func Load(source []byte) (*Document, error) {
	spec, err := openapi3.NewLoader().LoadFromData(source)
	if err != nil {
		return nil, fmt.Errorf("load document: %w", err)
	}
	d := &Document{Spec: spec}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if len(op.Tags) == 0 || op.OperationID == "" {
				return nil, fmt.Errorf("%s %s has no tag or no operationId", method, path)
			}
			o := &Operation{Operation: op, Method: method, Path: path, item: item, document: d}
			o.Params = append(slices.Clone(item.Parameters), op.Parameters...)
			d.Operations = append(d.Operations, o)
		}
	}
	slices.SortFunc(d.Operations, func(a, b *Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return d, nil
}

// Operation returns the operation with the id, nil when there is none.
func (d *Document) Operation(id string) *Operation {
	for _, o := range d.Operations {
		if o.OperationID == id {
			return o
		}
	}
	return nil
}

// Methods lists the methods that the document has for a path, sorted.
func (d *Document) Methods(path string) []string {
	var methods []string
	for _, o := range d.Operations {
		if o.Path == path {
			methods = append(methods, o.Method)
		}
	}
	slices.Sort(methods)
	return methods
}

// find returns the operation of a request and, when the path is documented
// but the method is not, the path's operations.
func (d *Document) find(method, path string) (op *Operation, others []*Operation) {
	if plain := strings.TrimPrefix(path, "/v1"); strings.HasPrefix(plain, "/chats") || strings.HasPrefix(plain, "/flow") || strings.HasPrefix(plain, "/tools") {
		path = plain // their second mount
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, o := range d.Operations {
		if !matches(o.Path, path) {
			continue
		}
		if o.Method == method {
			return o, nil
		}
		others = append(others, o)
	}
	return nil, others
}

func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, segment := range want {
		if strings.HasPrefix(segment, "{") {
			if got[i] == "" {
				return false
			}
		} else if segment != got[i] {
			return false
		}
	}
	return true
}

func (o *Operation) route() *routers.Route {
	return &routers.Route{Spec: o.document.Spec, Path: o.Path, PathItem: o.item, Method: o.Method, Operation: o.Operation}
}
