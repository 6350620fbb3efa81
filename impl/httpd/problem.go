package httpd

import (
	"encoding/json"
	"net/http"

	"parley/impl/core/fault"
)

// problem is a problem document (RFC 9457). The text stands in a member
// "error" too, so that a client of any surface finds it where it looks.
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Error  string         `json:"error"`
	Errors []problemField `json:"errors,omitempty"`
}

type problemField struct {
	In     string `json:"in"`
	Path   string `json:"path"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// Problem writes a fault as a problem document: the shape of our own surfaces
// and of paths that no surface owns.
func Problem(_ *http.Request, f *fault.Error) (int, string, []byte) {
	status := Status(f.Kind)
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: f.Message, Error: f.Message}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, problemField(field))
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of strings and integers always encodes
	}
	return status, "application/problem+json", body
}
