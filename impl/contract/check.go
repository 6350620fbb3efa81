package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

// Check holds an answer against the document and returns its operation, nil when the document has none for the request. The
// body is the whole body; of a stream that the reader left early, ended is
// false and no terminal event is demanded. Several broken rules are joined.
func (d *Document) Check(r *http.Request, status int, header http.Header, body []byte, ended bool) (*Operation, error) {
	path := r.URL.EscapedPath()
	op, others := d.find(r.Method, path)
	var err error
	switch {
	case op != nil:
		err = op.check(r, status, header, body, ended)
	case len(others) > 0:
		err = checkUndocumentedMethod(r, others, status, header, body)
	default:
		err = d.checkUnknownPath(r, status, header, body)
	}
	if err != nil {
		return op, fmt.Errorf("%s %s answered %d against the document: %w\n%s", r.Method, path, status, err, excerpt(body))
	}
	return op, nil
}

func excerpt(body []byte) string {
	const shown = 2000
	return string(body[:min(len(body), shown)])
}

func (o *Operation) check(r *http.Request, status int, header http.Header, body []byte, ended bool) error {
	stream := MediaType(header) == "text/event-stream"
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: o.route()},
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true, SchemaValidationOptions: formats(), ExcludeResponseBody: stream,
		},
	}
	knowTexts()
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		return err
	}
	response := o.Responses.Status(status)
	if response == nil || r.Method == http.MethodHead {
		return nil // documented as default, or without a body
	}
	return checkContent(response.Value, header, body, ended)
}

// knowTexts teaches the validator the kinds of text that it does not know by itself.
var knowTexts = sync.OnceFunc(func() {
	for _, kind := range []string{"text/html", "text/markdown"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.PlainBodyDecoder)
	}
})

func checkContent(response *openapi3.Response, header http.Header, body []byte, ended bool) error {
	if len(response.Content) == 0 {
		if len(body) > 0 {
			return errors.New("the answer has a body, the document has none for this status")
		}
		return nil
	}
	kind := MediaType(header)
	media := response.Content[kind]
	switch {
	case media == nil:
		return fmt.Errorf("content type %q is not documented for this status", header.Get("Content-Type"))
	case kind == "text/event-stream":
		return checkStream(media.Schema.Value, body, ended)
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return checkMembers(media.Schema.Value, body)
	}
	return nil
}

// MediaType is the content type of an answer without its parameters; "" when there is none.
func MediaType(header http.Header) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// checkMembers refuses members that the document does not name.
func checkMembers(schema *openapi3.Schema, body []byte) error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("decode body: %w", err)
	}
	return undocumented(schema, value, "")
}

func undocumented(schema *openapi3.Schema, value any, at string) error {
	for _, branch := range schema.OneOf {
		if branch.Value.VisitJSON(value, openapi3.VisitAsResponse()) == nil {
			return undocumented(branch.Value, value, at)
		}
	}
	switch v := value.(type) {
	case map[string]any:
		if open := schema.AdditionalProperties; len(schema.Properties) == 0 || open.Schema != nil || (open.Has != nil && *open.Has) {
			return nil
		}
		for name, member := range v {
			property := schema.Properties[name]
			if property == nil {
				return fmt.Errorf("member %s/%s is not documented", at, name)
			}
			if err := undocumented(property.Value, member, at+"/"+name); err != nil {
				return err
			}
		}
	case []any:
		for i, item := range v {
			if err := undocumented(schema.Items.Value, item, fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkUndocumentedMethod wants a 405 in the surface's shape that names
// exactly the documented methods. A preflight is answered without a body.
func checkUndocumentedMethod(r *http.Request, others []*Operation, status int, header http.Header, body []byte) error {
	want := strings.Join(others[0].document.Methods(others[0].Path), ", ")
	if got := header.Get("Allow"); got != want {
		return fmt.Errorf("the header Allow is %q, want %q", got, want)
	}
	if r.Method == http.MethodOptions && status == http.StatusNoContent {
		return nil
	}
	if status != http.StatusMethodNotAllowed {
		return errors.New("want 405 for a method that the document does not have")
	}
	if r.Method == http.MethodHead {
		return nil
	}
	// Every operation documents its surface's errors; 405 itself belongs to none.
	return checkShape(others[0].Responses.Status(http.StatusInternalServerError).Value, header, body)
}

func (d *Document) checkUnknownPath(r *http.Request, status int, header http.Header, body []byte) error {
	if status != http.StatusNotFound || r.Method == http.MethodHead {
		return fmt.Errorf("want 404 for a path that the document does not have")
	}
	return checkShape(d.Spec.Components.Responses["PlatformInternalError"].Value, header, body)
}

func checkShape(response *openapi3.Response, header http.Header, body []byte) error {
	media := response.Content[MediaType(header)]
	if media == nil {
		return fmt.Errorf("content type %q is not the surface's for errors", header.Get("Content-Type"))
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fmt.Errorf("decode error body: %w", err)
	}
	if err := media.Schema.Value.VisitJSON(value, append(formats(), openapi3.VisitAsResponse())...); err != nil {
		return err
	}
	return undocumented(media.Schema.Value, value, "")
}

// formats checks what the validator leaves unchecked by default.
func formats() []openapi3.SchemaValidationOption {
	layout := func(name, form string) openapi3.SchemaValidationOption {
		return openapi3.WithStringFormatValidator(name, openapi3.NewCallbackValidator(func(text string) error {
			_, err := time.Parse(form, text)
			return err
		}))
	}
	address := func(name string, absolute bool) openapi3.SchemaValidationOption {
		return openapi3.WithStringFormatValidator(name, openapi3.NewCallbackValidator(func(text string) error {
			u, err := url.Parse(text)
			if err == nil && absolute && !u.IsAbs() {
				err = errors.New("not absolute")
			}
			return err
		}))
	}
	return []openapi3.SchemaValidationOption{
		layout("date", time.DateOnly), layout("date-time", time.RFC3339), address("uri", true), address("uri-reference", false),
	}
}
