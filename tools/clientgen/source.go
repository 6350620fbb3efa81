package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"strings"
)

// source is what oapi-codegen made of a surface. Reading names from it spares
// this generator a copy of the other's naming rules.
type source struct {
	set  *token.FileSet
	file *ast.File
}

// param is a parameter of a generated method.
type param struct {
	Name, Type string
}

func parse(path string) (source, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parse generated client: %w", err)
	}
	return source{set: set, file: file}, nil
}

// method finds the client's method for an operation and its parameters
// between context and request editors.
func (s source) method(operationID string) (string, []param, error) {
	client, ok := s.types()["ClientInterface"].(*ast.InterfaceType)
	if !ok {
		return "", nil, fmt.Errorf("generated client has no ClientInterface")
	}
	for _, m := range client.Methods.List {
		function, ok := m.Type.(*ast.FuncType)
		if ok && len(m.Names) == 1 && strings.EqualFold(m.Names[0].Name, operationID) {
			fields := function.Params.List
			params, err := s.params(fields[1 : len(fields)-1])
			return m.Names[0].Name, params, err
		}
	}
	return "", nil, fmt.Errorf("generated client has no method for %s", operationID)
}

func (s source) params(fields []*ast.Field) ([]param, error) {
	var all []param
	for _, field := range fields {
		var text strings.Builder
		if err := printer.Fprint(&text, s.set, field.Type); err != nil {
			return nil, fmt.Errorf("print parameter type: %w", err)
		}
		for _, name := range field.Names {
			all = append(all, param{Name: name.Name, Type: text.String()})
		}
	}
	return all, nil
}

// typeName finds the Go type of a schema.
func (s source) typeName(schema string) (string, error) {
	for name := range s.types() {
		if strings.EqualFold(name, schema) {
			return name, nil
		}
	}
	return "", fmt.Errorf("generated client has no type for schema %q", schema)
}

func (s source) types() map[string]ast.Expr {
	types := map[string]ast.Expr{}
	for _, declaration := range s.file.Decls {
		if general, ok := declaration.(*ast.GenDecl); ok && general.Tok == token.TYPE {
			for _, spec := range general.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					types[named.Name.Name] = named.Type
				}
			}
		}
	}
	return types
}
