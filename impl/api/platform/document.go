package platform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	bundle "parley/gen"
	gen "parley/gen/platform"
)

// document serves the bundle verbatim: the very bytes that the edge enforces.
type document struct{ yamlTag, jsonTag, socketsTag string }

func newDocument() document {
	return document{yamlTag: entityTag(bundle.YAML), jsonTag: entityTag(bundle.JSON), socketsTag: entityTag(bundle.Sockets)}
}

func entityTag(raw []byte) string {
	sum := sha256.Sum256(raw)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// unchanged tells whether an If-None-Match header names the tag (RFC 9110,
// weak comparison). Our tags hold no commas, so a list of tags can be cut at them.
func unchanged(ifNoneMatch *string, tag string) bool {
	if ifNoneMatch == nil {
		return false
	}
	for named := range strings.SplitSeq(*ifNoneMatch, ",") {
		named = strings.TrimPrefix(strings.TrimSpace(named), "W/")
		if named == tag || named == "*" {
			return true
		}
	}
	return false
}

// GetDocumentYaml returns the document as YAML.
func (d document) GetDocumentYaml(_ context.Context, request gen.GetDocumentYamlRequestObject) (gen.GetDocumentYamlResponseObject, error) {
	if unchanged(request.Params.IfNoneMatch, d.yamlTag) {
		return gen.GetDocumentYaml304Response{Headers: gen.NotModifiedResponseHeaders{ETag: d.yamlTag}}, nil
	}
	return gen.GetDocumentYaml200ApplicationYamlResponse{
		Body: bytes.NewReader(bundle.YAML), ContentLength: int64(len(bundle.YAML)),
		Headers: gen.GetDocumentYaml200ResponseHeaders{ETag: d.yamlTag},
	}, nil
}

// GetSocketsDocument returns the document of the WebSockets.
func (d document) GetSocketsDocument(_ context.Context, request gen.GetSocketsDocumentRequestObject) (gen.GetSocketsDocumentResponseObject, error) {
	if unchanged(request.Params.IfNoneMatch, d.socketsTag) {
		return gen.GetSocketsDocument304Response{Headers: gen.NotModifiedResponseHeaders{ETag: d.socketsTag}}, nil
	}
	return gen.GetSocketsDocument200ApplicationYamlResponse{
		Body: bytes.NewReader(bundle.Sockets), ContentLength: int64(len(bundle.Sockets)),
		Headers: gen.GetSocketsDocument200ResponseHeaders{ETag: d.socketsTag},
	}, nil
}

// GetDocumentJSON returns the document as JSON.
func (d document) GetDocumentJSON(_ context.Context, request gen.GetDocumentJSONRequestObject) (gen.GetDocumentJSONResponseObject, error) {
	if unchanged(request.Params.IfNoneMatch, d.jsonTag) {
		return gen.GetDocumentJSON304Response{Headers: gen.NotModifiedResponseHeaders{ETag: d.jsonTag}}, nil
	}
	return verbatimJSON{tag: d.jsonTag}, nil
}

// verbatimJSON writes the bundle as it is: the generated response would decode
// and encode it, which loses the order of its members.
type verbatimJSON struct{ tag string }

// VisitGetDocumentJSONResponse writes the bundle.
func (v verbatimJSON) VisitGetDocumentJSONResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", v.tag)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(bundle.JSON)
	return err
}
