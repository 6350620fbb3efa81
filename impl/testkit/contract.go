package testkit

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/gen"
	"parley/impl/contract"
)

// Operation is one operation of the document.
type Operation = contract.Operation

var loaded = sync.OnceValue(func() *contract.Document {
	d, err := contract.Load(gen.JSON)
	if err != nil {
		panic(fmt.Sprintf("load the bundle: %v", err)) // the bundle is part of this program
	}
	return d
})

// Document returns the bundled document, for tests that are made from it.
func Document() *openapi3.T { return loaded().Spec }

// Operations lists the document's operations by path and method.
func Operations() []*Operation { return loaded().Operations }

// OperationOf returns the operation with the id.
func OperationOf(id string) *Operation {
	if o := loaded().Operation(id); o != nil {
		return o
	}
	panic("the document has no operation " + id)
}

// MethodsOf lists the methods that the document has for a path, sorted.
func MethodsOf(path string) []string { return loaded().Methods(path) }

// Check holds an answer against the document and notes what it exercised, as contract.Document.Check does.
func Check(r *http.Request, status int, header http.Header, body []byte, ended bool) error {
	op, err := loaded().Check(r, status, header, body, ended)
	if err == nil && op != nil && r.Method == op.Method { // a HEAD shows no body
		record(op, r, status, header)
	}
	return err
}

func excerpt(body []byte) string {
	const shown = 2000
	return string(body[:min(len(body), shown)])
}
