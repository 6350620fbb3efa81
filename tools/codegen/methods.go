package main

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

//go:embed templates/client.tmpl
var clientTemplate string

// methods turns what oapi-codegen knows of operations into what the template of the client shows.
type methods struct {
	paths map[string]string // of operations that answer with events, by operationId
}

// functions are those that the template calls.
func (m methods) functions() template.FuncMap {
	return template.FuncMap{"method": m.method, "refusals": refusals}
}

// withEvents finds the paths of the operations that answer with events.
func withEvents(document *yaml.Node) map[string]string {
	found := map[string]string{}
	for at, item := range tree.Pairs(tree.Member(document, "paths")) {
		for _, operation := range tree.Pairs(item) {
			for _, response := range tree.Pairs(tree.Member(operation, "responses")) {
				if tree.Find(response, "content", "text/event-stream") != nil {
					found[tree.Text(operation, "operationId")] = at.Value
				}
			}
		}
	}
	return found
}

// method is an operation as the template shows it.
type method struct {
	Name, Verb, Path, Doc, Deprecated string

	Vars   []variable // of the path
	Params bool       // whether there is a struct of parameters
	Query  []parameter
	Header []parameter
	Cookie []parameter
	Body   string // type of the body; ""
	Urlen  bool   // the body is sent as an HTML form
	Files  bool   // the body can also be a multipart form
	Keyed  bool

	Result  string            // type of the JSON answer; ""
	Results []result          // when the type depends on the status
	Accept  string            // other content types; ""
	Events  string            // type of the events; ""
	Stream  string            // name of the method that yields events
	Endless bool              // no event is known to be the last
	Resume  map[string]string // how a broken stream goes on
	Pages   *pages
}

type variable struct{ Name, Type string }

type parameter struct {
	Name, Field string
	Joined      bool
}

type result struct{ Status, Field, Type string }

// Quiet tells whether an answer says nothing but that it was done.
func (m method) Quiet() bool {
	return m.Result == "" && len(m.Results) == 0 && m.Accept == "" && m.Events == ""
}

func (m methods) method(op codegen.OperationDefinition) (method, error) {
	out := method{
		Name: op.OperationId, Verb: op.Method, Path: pathVariable.ReplaceAllString(op.Path, "{}"),
		Doc: oneLine(op.Spec.Summary), Deprecated: oneLine(op.DeprecationComment()),
		Params: op.RequiresParamObject(), Keyed: op.Spec.Extensions[keyed] != nil,
	}
	for _, p := range op.PathParams {
		out.Vars = append(out.Vars, variable{p.GoVariableName(), p.TypeDef()})
	}
	for _, p := range op.QueryParams {
		out.Query = append(out.Query, parameter{p.ParamName, p.GoName(), !p.Explode()})
	}
	for _, p := range op.HeaderParams {
		out.Header = append(out.Header, parameter{Name: p.ParamName, Field: p.GoName()})
	}
	for _, p := range op.CookieParams {
		out.Cookie = append(out.Cookie, parameter{Name: p.ParamName, Field: p.GoName()})
	}
	for _, b := range op.Bodies {
		switch b.ContentType {
		case "application/json":
			out.Body = op.OperationId + b.NameTag + "RequestBody"
		case "application/x-www-form-urlencoded":
			out.Body, out.Urlen = op.OperationId+b.NameTag+"RequestBody", true
		case "multipart/form-data":
			out.Files = true
		default:
			return method{}, fmt.Errorf("%s: the client cannot send %s", op.OperationId, b.ContentType)
		}
	}
	if err := out.answers(op); err != nil {
		return method{}, fmt.Errorf("%s: %w", op.OperationId, err)
	}
	if out.Events != "" {
		m.stream(&out, op.Spec)
	}
	if out.Result != "" {
		return out, out.paging(op.Spec)
	}
	return out, nil
}

var pathVariable = regexp.MustCompile(`\{[^}]*\}`)

// answers reads the types of the successes.
func (m *method) answers(op codegen.OperationDefinition) error {
	var others []string
	for _, status := range codegen.SortedMapKeys(op.Spec.Responses.Map()) {
		if status[0] != '2' {
			continue
		}
		for media, content := range op.Spec.Responses.Value(status).Value.Content {
			switch media {
			case "application/json":
				kind, err := goType(content.Schema)
				if err != nil {
					return err
				}
				m.Results = append(m.Results, result{status, "JSON" + status, kind})
			case "text/event-stream":
				m.Events = path.Base(content.Schema.Ref)
			default:
				others = append(others, media)
			}
		}
	}
	slices.Sort(others)
	m.Accept = strings.Join(slices.Compact(others), ", ")
	if len(m.Results) > 0 && !slices.ContainsFunc(m.Results, func(r result) bool { return r.Type != m.Results[0].Type }) {
		m.Result, m.Results = m.Results[0].Type, nil
	}
	return nil
}

// goType is the type of a named schema: a list itself, a pointer to anything else.
func goType(schema *openapi3.SchemaRef) (string, error) {
	if schema.Ref == "" {
		return "", errors.New("an answer has no named schema")
	}
	name, err := codegen.RefPathToGoType(schema.Ref)
	if err != nil {
		return "", err
	}
	if schema.Value.Type.Is("array") {
		return name, nil
	}
	return "*" + name, nil
}

// stream reads how a stream ends and how it goes on when it broke: an operation that takes Last-Event-ID by itself,
// any other where a link takes a header of the answer to an operation with events.
func (m methods) stream(out *method, op *openapi3.Operation) {
	out.Stream = out.Name
	if !strings.HasPrefix(out.Name, "Stream") {
		out.Stream = "Stream" + out.Name
	}
	out.Resume = map[string]string{}
	for _, p := range op.Parameters {
		if p.Value.In == "header" && p.Value.Name == "Last-Event-ID" {
			out.Resume["self"] = "true"
		}
	}
	for _, p := range op.Parameters {
		if p.Value.In == "query" && p.Value.Name == "after" {
			out.Resume["after"] = p.Value.Name
		}
	}
	for _, response := range op.Responses.Map() {
		content := response.Value.Content["text/event-stream"]
		if content == nil {
			continue
		}
		out.Endless = len(content.Schema.Value.OneOf) == 0 && content.Schema.Value.Extensions["x-last-data"] == nil
		for _, link := range response.Value.Links {
			m.link(out, link.Value)
		}
	}
}

// link takes note of a link from a header of the answer to an operation with events.
func (m methods) link(out *method, link *openapi3.Link) {
	at, ok := m.paths[link.OperationID]
	if !ok || out.Resume["self"] != "" {
		return
	}
	for _, value := range link.Parameters {
		if header, ok := strings.CutPrefix(fmt.Sprint(value), "$response.header."); ok {
			out.Resume["header"], out.Resume["path"] = header, pathVariable.ReplaceAllString(at, "{}")
		}
	}
}

// refused is a shape of a surface's errors.
type refused struct {
	Type     string
	Statuses []string
}

// refusals lists the shapes of errors of a surface's operations, the most frequent first. The others need
// statuses of their own.
func refusals(ops []codegen.OperationDefinition) ([]refused, error) {
	uses := map[string]int{}
	of := map[string]string{}
	for _, op := range ops {
		for status, response := range op.Spec.Responses.Map() {
			for media, content := range response.Value.Content {
				if status < "400" || !strings.Contains(media, "json") {
					continue
				}
				name, err := codegen.RefPathToGoType(content.Schema.Ref)
				if err != nil {
					return nil, fmt.Errorf("%s: %s: %w", op.OperationId, status, err)
				}
				uses[name]++
				of[status+" "+name] = name
			}
		}
	}
	names := codegen.SortedMapKeys(uses)
	slices.SortStableFunc(names, func(a, b string) int { return uses[b] - uses[a] })
	shapes := make([]refused, len(names))
	taken := map[string]bool{}
	for i, name := range names {
		shapes[i].Type = name
		for _, key := range codegen.SortedMapKeys(of) {
			status, _, _ := strings.Cut(key, " ")
			if of[key] != name {
				continue
			}
			if taken[status] {
				return nil, fmt.Errorf("errors of status %s have two shapes, one of them %s", status, name)
			}
			taken[status] = true
			shapes[i].Statuses = append(shapes[i].Statuses, status)
		}
	}
	return shapes, nil
}

func oneLine(text string) string {
	return strings.TrimPrefix(strings.Join(strings.Fields(text), " "), "// ")
}
