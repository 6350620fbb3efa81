package tool

import (
	"context"
	"encoding/json"
	"fmt"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"parley/db"
	"parley/impl/core/fault"
)

const (
	functionNameMax = 64
	descriptionMax  = 4000
	schemaBytesMax  = 64 << 10
)

// Where an argument of an HTTP tool goes.
const (
	InPath   = "path"
	InQuery  = "query"
	InHeader = "header"
	InBody   = "body"    // a member of the JSON body
	InWhole  = "content" // the JSON body as a whole
)

// Methods are those that an HTTP tool may use.
var Methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// ownHeaders are those that a request has of itself.
var ownHeaders = []string{"Connection", "Content-Length", "Host", "Idempotency-Key", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

var (
	named       = regexp.MustCompile(`\{([^{}]*)\}`)
	unspeakable = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	headerName  = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,64}$`)
)

// refused is the Invalid fault of a member.
func refused(member, format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	path := "/" + member
	f := fault.New(fault.Invalid, "Invalid body %s: %s", path, reason)
	f.Fields = []fault.Field{{In: "body", Path: path, Rule: "tool", Reason: reason}}
	return f
}

// apply takes in what is given.
func (s *Service) apply(ctx context.Context, t *db.Tool, in Input) error {
	renamed := in.Name != nil && t.Name != "" && *in.Name != t.Name
	for value, given := range map[*string]*string{&t.Name: in.Name, &t.Description: in.Description, &t.Approval: in.Approval} {
		if given != nil {
			*value = *given
		}
	}
	if in.Headers != nil {
		if err := checkHeaders(in.Headers); err != nil {
			return err
		}
		if err := s.seal(t, in.Headers); err != nil {
			return err
		}
	}
	kind, given := t.Kind, 0
	for name, is := range map[string]bool{KindHTTP: in.HTTP != nil, "openapi": in.OpenAPI != nil, KindMCP: in.MCP != nil} {
		if is {
			given++
			if kind = name; name == "openapi" {
				kind = KindHTTP
			}
		}
	}
	if given > 1 {
		return refused("", "name only one of http, openapi and mcp")
	}
	if t.Kind != "" && kind != t.Kind {
		return refused("", "a tool keeps its kind")
	}
	t.Kind = kind
	return s.describe(ctx, t, in, renamed)
}

// describe finds what the tool offers.
func (s *Service) describe(ctx context.Context, t *db.Tool, in Input, renamed bool) error {
	switch {
	case in.MCP != nil:
		return s.discover(ctx, t, in.MCP.URL)
	case in.HTTP != nil:
		return s.describeHTTP(t, *in.HTTP, "http")
	case in.OpenAPI != nil:
		h, said, err := imported(*in.OpenAPI)
		if err != nil {
			return err
		}
		if t.Description == "" {
			t.Description = cut(said, descriptionMax)
		}
		return s.describeHTTP(t, h, "openapi")
	case t.Kind == "":
		return nil
	}
	target, functions, err := read(*t)
	if err != nil {
		return err
	}
	if t.Kind == KindMCP && (renamed || in.Headers != nil) {
		return s.discover(ctx, t, target.URL)
	}
	if t.Kind == KindHTTP {
		functions[0].Name, functions[0].Description = t.Name, t.Description
	}
	return store(t, target, functions, s)
}

func store(t *db.Tool, target Target, functions []Function, s *Service) error {
	var err error
	if t.Target, err = json.Marshal(target); err != nil {
		return fmt.Errorf("encode target of tool: %w", err)
	}
	if t.Functions, err = json.Marshal(functions); err != nil {
		return fmt.Errorf("encode functions of tool: %w", err)
	}
	t.RefreshedAt = s.Now()
	return nil
}

func checkHeaders(headers map[string]string) error {
	for name, value := range headers {
		if !headerName.MatchString(name) || slices.Contains(ownHeaders, textproto.CanonicalMIMEHeaderKey(name)) {
			return refused("headers", "a header has a name that requests do not have of themselves")
		}
		if strings.ContainsAny(value, "\r\n\x00") {
			return refused("headers", "a header is one line")
		}
	}
	return nil
}

// describeHTTP checks a request's description. Member is where it stands in the input.
func (s *Service) describeHTTP(t *db.Tool, h HTTP, member string) error {
	plain := named.ReplaceAllString(h.URL, "x")
	u, err := url.Parse(plain)
	if err != nil || s.Check(plain) != nil {
		return refused(member, "the address is an http or https URL of a public host, without user information")
	}
	if before, _, _ := strings.Cut(h.URL, u.Host); strings.Contains(before, "{") || u.Host == "" || !strings.Contains(h.URL, u.Host) {
		return refused(member, "arguments stand in the path of the address, not in its host")
	}
	if !slices.Contains(Methods, h.Method) {
		return refused(member, "the methods are %s", strings.Join(Methods, ", "))
	}
	members, err := checkSchema(h.Parameters)
	if err != nil {
		return refused(member, "parameters: %s", err)
	}
	for _, found := range named.FindAllStringSubmatch(h.URL, -1) {
		if !slices.Contains(members, found[1]) {
			return refused(member, "the address names an argument that the parameters do not have")
		}
	}
	if err := checkPlaces(h, members, member); err != nil {
		return err
	}
	return store(t, h.Target, []Function{{Name: t.Name, Description: t.Description, Parameters: h.Parameters}}, s)
}

// checkPlaces checks where arguments go. Member is where the description stands in the input.
func checkPlaces(h HTTP, arguments []string, member string) error {
	for name, place := range h.In {
		known := slices.Contains([]string{InQuery, InHeader, InBody, InWhole}, place) || place == InPath && strings.Contains(h.URL, "{"+name+"}")
		if !known || !slices.Contains(arguments, name) {
			return refused(member, "in: says of arguments that the parameters have whether they go into the query, a header, the body, or are its content")
		}
		if place == InHeader && (!headerName.MatchString(name) || slices.Contains(ownHeaders, textproto.CanonicalMIMEHeaderKey(name))) {
			return refused(member, "in: an argument that goes into a header has a name that requests do not have of themselves")
		}
	}
	return nil
}

// checkSchema tells why a schema does not describe arguments, or which they are.
func checkSchema(raw json.RawMessage) ([]string, error) {
	if len(raw) > schemaBytesMax {
		return nil, fmt.Errorf("the schema has at most %d bytes", schemaBytesMax)
	}
	schema, err := resolved(raw)
	if err != nil {
		return nil, fmt.Errorf("this is no JSON schema that refers to itself alone")
	}
	root := schema.Schema()
	if root.Type != "" && root.Type != "object" {
		return nil, fmt.Errorf("the schema is that of an object")
	}
	var names []string
	for name := range root.Properties {
		names = append(names, name)
	}
	return names, nil
}

func resolved(raw json.RawMessage) (*jsonschema.Resolved, error) {
	var schema jsonschema.Schema
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, fmt.Errorf("decode schema: %w", err)
	}
	out, err := schema.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("resolve schema: %w", err)
	}
	return out, nil
}

// discover asks an MCP server for its tools.
func (s *Service) discover(ctx context.Context, t *db.Tool, address string) error {
	if s.Check(address) != nil {
		return refused("mcp", "the address is an http or https URL of a public host, without user information")
	}
	headers, err := s.headers(*t)
	if err != nil {
		return err
	}
	found, err := s.Discover(ctx, address, headers)
	if err != nil {
		f := fault.New(fault.Invalid, "The MCP server could not be asked for its tools: %s", s.Explain(err)).Because(err)
		f.Fields = []fault.Field{{In: "body", Path: "/mcp/url", Rule: "mcp", Reason: s.Explain(err)}}
		return f
	}
	functions, taken := []Function{}, map[string]bool{}
	for _, one := range found {
		one.Remote, one.Name = one.Name, speakable(t.Name, one.Name)
		one.Description = cut(one.Description, descriptionMax)
		if _, err := checkSchema(one.Parameters); err != nil || taken[one.Name] || len(functions) == FunctionsMax {
			continue
		}
		taken[one.Name] = true
		functions = append(functions, one)
	}
	if len(functions) == 0 {
		return refused("mcp", "the server offers no tools that could be called")
	}
	return store(t, Target{URL: address}, functions, s)
}

// speakable is the name under which models call a function of an MCP server.
func speakable(tool, function string) string {
	name := tool + "_" + unspeakable.ReplaceAllString(function, "_")
	return name[:min(len(name), functionNameMax)]
}

// cut returns the beginning of a text, at most a number of bytes, without breaking a character.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
