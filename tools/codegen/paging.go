package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
)

// pages tells how the pages of a list follow each other, as wire.Paging says it.
type pages struct {
	Name, Item  string
	Items, More []string
	Page, After string
}

// onward are members that tell of another page: a boolean, or null when there is none.
var onward = []string{"has_more", "next_page_url", "next_page"}

// paging finds out how a list is paged. The rule is the same for all operations: a header Link and a
// parameter cursor; or a parameter page, or after, beside exactly one list of objects and exactly one member that tells of another page.
func (m *method) paging(op *openapi3.Operation) error {
	page := pages{Name: "All" + strings.TrimPrefix(m.Name, "List")}
	success := success(op)
	if success == nil {
		return nil
	}
	schema := success.Content["application/json"].Schema
	switch {
	case m.takes("cursor") && success.Headers["Link"] != nil && schema.Value.Type.Is("array"):
		return m.paged(page, schema.Value.Items)
	case m.takes("page"):
		page.Page = "page"
	case m.takes("after"):
		page.After = "after"
	default:
		return nil
	}
	lists, marks := survey(schema.Value, nil)
	if len(lists) != 1 || len(marks) != 1 {
		return fmt.Errorf("its pages have %d lists and %d members that tell of another page; the client's iterator needs one of each", len(lists), len(marks))
	}
	page.Items, page.More = lists[0].path, marks[0]
	return m.paged(page, lists[0].items)
}

func (m *method) paged(page pages, items *openapi3.SchemaRef) error {
	if items.Ref == "" {
		return fmt.Errorf("the items of its list have no named schema")
	}
	name, err := codegen.RefPathToGoType(items.Ref)
	if err != nil {
		return err
	}
	page.Item = name
	m.Pages = &page
	return nil
}

func (m *method) takes(query string) bool {
	return slices.ContainsFunc(m.Query, func(p parameter) bool { return p.Name == query })
}

func success(op *openapi3.Operation) *openapi3.Response {
	if r := op.Responses.Value("200"); r != nil && r.Value.Content["application/json"] != nil {
		return r.Value
	}
	return nil
}

type list struct {
	path  []string
	items *openapi3.SchemaRef
}

// survey finds the lists of objects in an object and in the objects in it, and the members that tell of another page.
func survey(schema *openapi3.Schema, at []string) (lists []list, marks [][]string) {
	for _, name := range codegen.SortedMapKeys(schema.Properties) {
		property := schema.Properties[name]
		here := append(slices.Clone(at), name)
		switch {
		case slices.Contains(onward, name):
			marks = append(marks, here)
		case property.Value.Type.Is("array") && property.Value.Items.Ref != "" && at == nil || property.Value.Type.Is("array") && property.Value.Items.Value.Type.Is("object"):
			lists = append(lists, list{here, property.Value.Items})
		case property.Value.Type.Is("object"):
			l, m := survey(property.Value, here)
			lists, marks = append(lists, l...), append(marks, m...)
		}
	}
	return lists, marks
}
