package httpd

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/go-chi/chi/v5"

	"parley/impl/core/fault"
)

const (
	// fieldsMax bounds how many broken rules one answer names.
	fieldsMax = 20
	// collectBytesMax is the size up to which a body's broken rules are all
	// collected; of a larger one the first is reported, because a hostile
	// array can break a rule per byte.
	collectBytesMax = 16 << 10
	nameMax         = 100
)

// validate checks the request against the operation and leaves a decoded body
// with the document's defaults for the generated wrapper.
func (o *operation) validate(w http.ResponseWriter, r *http.Request) error {
	if err := o.validateParameters(r); err != nil {
		return err
	}
	if o.route.Operation.RequestBody == nil {
		return nil
	}
	return o.validateBody(w, r)
}

func (o *operation) validateParameters(r *http.Request) error {
	if len(o.params) == 0 {
		return nil
	}
	query := o.plainQuery(r)
	if !storableParameters(r.URL.Path, query) {
		return fault.New(fault.Invalid, "A parameter contains a NUL character or is not UTF-8.")
	}
	var input *openapi3filter.RequestValidationInput
	var fields []fault.Field
	for _, p := range o.params {
		if absent(p.Value, r) {
			continue
		}
		if input == nil {
			input = &openapi3filter.RequestValidationInput{
				Request: r, PathParams: pathParams(r), QueryParams: query, Route: o.route, Options: parameterOptions,
			}
		}
		if field := misgiven(p.Value, query); field != nil {
			fields = append(fields, *field)
			continue
		}
		if err := openapi3filter.ValidateParameter(r.Context(), input, p.Value); err != nil {
			fields = appendParameter(fields, p.Value, err)
		}
	}
	return invalid(fields)
}

// absent tells whether a parameter is a header that may be left out and is, as
// most are: the validator would take longer to find that.
func absent(p *openapi3.Parameter, r *http.Request) bool {
	return p.In == openapi3.ParameterInHeader && !p.Required && p.Schema != nil && p.Schema.Value.Default == nil && len(r.Header.Values(p.Name)) == 0
}

// plainQuery is the query with its lists under their own names: many clients
// send "filters[]" for "filters", which is left so to the generated wrapper.
func (o *operation) plainQuery(r *http.Request) url.Values {
	if r.URL.RawQuery == "" {
		return url.Values{}
	}
	query := r.URL.Query()
	for _, p := range o.params {
		bracketed := p.Value.Name + "[]"
		if p.Value.In != openapi3.ParameterInQuery || !isArray(p.Value) || len(query[bracketed]) == 0 {
			continue
		}
		query[p.Value.Name] = append(query[p.Value.Name], query[bracketed]...)
		delete(query, bracketed)
		r.URL.RawQuery = query.Encode()
	}
	return query
}

// misgiven finds what the validator lets pass in a query parameter: a value that
// is given twice, and an empty one, which it takes for an absent one where there is a default.
func misgiven(p *openapi3.Parameter, query url.Values) *fault.Field {
	values := query[p.Name]
	if p.In != openapi3.ParameterInQuery || len(values) == 0 || isArray(p) {
		return nil
	}
	if len(values) > 1 {
		return &fault.Field{In: p.In, Path: p.Name, Rule: "single", Reason: "is given more than once"}
	}
	if values[0] == "" && !p.AllowEmptyValue && p.Schema != nil && p.Schema.Value.Default != nil && !p.Schema.Value.Type.Is("string") {
		return &fault.Field{In: p.In, Path: p.Name, Rule: "type", Reason: "must not be empty"}
	}
	return nil
}

// storableParameters tells whether Postgres would take the parameters as text.
func storableParameters(path string, query url.Values) bool {
	storable := func(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
	if !storable(path) {
		return false
	}
	for _, values := range query {
		for _, v := range values {
			if !storable(v) {
				return false
			}
		}
	}
	return true
}

func isArray(p *openapi3.Parameter) bool { return p.Schema != nil && p.Schema.Value.Type.Is("array") }

var parameterOptions = func() *openapi3filter.Options {
	o := &openapi3filter.Options{MultiError: true, SchemaValidationOptions: formats()}
	o.WithCustomSchemaErrorFunc(func(*openapi3.SchemaError) string { return "invalid" })
	return o
}()

// pathParams returns chi's parameters unescaped: chi keeps the escapes of a path that has any.
func pathParams(r *http.Request) map[string]string {
	params := chi.RouteContext(r.Context()).URLParams
	out := make(map[string]string, len(params.Keys))
	for i, k := range params.Keys {
		v := params.Values[i]
		if plain, err := url.PathUnescape(v); err == nil {
			v = plain
		}
		out[k] = v
	}
	return out
}

func appendParameter(fields []fault.Field, p *openapi3.Parameter, err error) []fault.Field {
	schemaErrors := collect(err, nil)
	if len(schemaErrors) == 0 {
		reason, rule := "has a wrong form", "type"
		if errors.Is(err, openapi3filter.ErrInvalidRequired) {
			reason, rule = "is required", "required"
		}
		return append(fields, fault.Field{In: p.In, Path: p.Name, Rule: rule, Reason: reason})
	}
	for _, e := range schemaErrors {
		fields = append(fields, fault.Field{In: p.In, Path: p.Name, Rule: e.SchemaField, Reason: reason(e)})
	}
	return fields
}

func (o *operation) validateBody(w http.ResponseWriter, r *http.Request) error {
	if o.multipart != nil && mediaType(r) == multipartType {
		return o.validateMultipart(w, r)
	}
	b, err := readBody(w, r, o.maxBody)
	if err != nil {
		return err
	}
	if len(b.raw) == 0 {
		if o.needed {
			return fault.New(fault.Invalid, "A request body is required.")
		}
		r.Body = http.NoBody
		return nil
	}
	if o.form != nil && mediaType(r) == formType {
		return o.validateForm(r, b)
	}
	if b.value, err = decodeJSON(b.raw); err != nil {
		return err
	}
	if o.multipart != nil {
		r.Header.Set("Content-Type", jsonType) // the generated wrapper knows it in this spelling alone
	}
	if fields := nullFields(o.json, b); len(fields) > 0 {
		return invalid(fields)
	}
	opts := bodyOptions
	if len(b.raw) > collectBytesMax {
		opts = bodyOptionsFirst
	}
	if err := o.json.VisitJSON(b.value, opts...); err != nil {
		return invalid(bodyFields(err))
	}
	if note, ok := r.Context().Value(noteKey).(*note); ok {
		note.body = b.raw
	}
	return nil
}

var (
	bodyOptionsFirst = append(formats(),
		openapi3.VisitAsRequest(),
		// Defaults are written into the decoded value; nobody needs to know that they were.
		openapi3.DefaultsSet(func() {}),
		openapi3.SetSchemaErrorMessageCustomizer(func(*openapi3.SchemaError) string { return "invalid" }),
	)
	bodyOptions = append(slices.Clone(bodyOptionsFirst), openapi3.MultiErrors())
)

// formats checks the formats that the validator leaves alone or checks by pattern only.
func formats() []openapi3.SchemaValidationOption {
	timeFormat := func(layout string) openapi3.StringFormatValidator {
		return openapi3.NewCallbackValidator(func(text string) error {
			_, err := time.Parse(layout, text)
			return err
		})
	}
	return []openapi3.SchemaValidationOption{
		openapi3.WithStringFormatValidator("date", timeFormat(time.DateOnly)),
		openapi3.WithStringFormatValidator("date-time", timeFormat(time.RFC3339)),
		openapi3.WithStringFormatValidator("uri", openapi3.NewCallbackValidator(func(text string) error {
			u, err := url.Parse(text)
			if err == nil && !u.IsAbs() {
				err = errors.New("not absolute")
			}
			return err
		})),
		openapi3.WithStringFormatValidator("uuid", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC4122)),
		openapi3.WithStringFormatValidator("email", openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForEmail)),
	}
}

func bodyFields(err error) []fault.Field {
	var fields []fault.Field
	for _, e := range collect(err, nil) {
		path := "/" + strings.Join(e.JSONPointer(), "/")
		if len(path) > nameMax {
			path = path[:nameMax]
		}
		fields = append(fields, fault.Field{In: "body", Path: strings.ToValidUTF8(path, ""), Rule: e.SchemaField, Reason: reason(e)})
	}
	return fields
}

// collect flattens the validator's error tree, at most fieldsMax leaves of it.
func collect(err error, into []*openapi3.SchemaError) []*openapi3.SchemaError {
	var many openapi3.MultiError
	var request *openapi3filter.RequestError
	var schema *openapi3.SchemaError
	switch {
	case len(into) >= fieldsMax || err == nil:
		return into
	case errors.As(err, &request) && request.Err != nil:
		return collect(request.Err, into)
	case errors.As(err, &many):
		for _, e := range many {
			into = collect(e, into)
		}
		return into
	case errors.As(err, &schema):
		if schema.Origin != nil {
			if deeper := collect(schema.Origin, into); len(deeper) > len(into) {
				return deeper
			}
		}
		return append(into, schema)
	}
	return into
}

// invalid makes the fault of broken rules; nil without any.
func invalid(fields []fault.Field) error {
	if len(fields) == 0 {
		return nil
	}
	f := fault.New(fault.Invalid, "Invalid %s %s: %s", fields[0].In, fields[0].Path, fields[0].Reason)
	f.Fields = fields[:min(len(fields), fieldsMax)]
	return f
}

// reason words a broken rule from the schema alone: never from the value.
func reason(e *openapi3.SchemaError) string {
	s := e.Schema
	if s == nil {
		return "is not valid"
	}
	switch e.SchemaField {
	case "required":
		return "is required"
	case "type":
		if s.Type == nil {
			return "has the wrong type"
		}
		return "must be of type " + strings.Join(*s.Type, " or ")
	case "nullable":
		return "must not be null"
	case "enum":
		return "must be one of " + list(s.Enum)
	case "minLength":
		return plural("must have at least %s character", s.MinLength)
	case "maxLength":
		return plural("must have at most %s character", *s.MaxLength)
	case "minItems":
		return plural("must have at least %s item", s.MinItems)
	case "maxItems":
		return plural("must have at most %s item", *s.MaxItems)
	case "minimum":
		return "must be at least " + number(*s.Min)
	case "maximum":
		return "must be at most " + number(*s.Max)
	case "pattern":
		return "must match " + s.Pattern
	case "format":
		return "must be a valid " + s.Format
	case "properties", "additionalProperties":
		return "has a member that is not known"
	}
	return "breaks the rule " + e.SchemaField
}

func plural(format string, n uint64) string {
	text := fmt.Sprintf(format, strconv.FormatUint(n, 10))
	if n != 1 {
		text += "s"
	}
	return text
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func list(values []any) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ", ")
}
