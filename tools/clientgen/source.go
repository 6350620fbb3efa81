package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// source is what oapi-codegen made of a surface. Reading names from it spares
// this generator a copy of the other's naming rules.
type source struct {
	file *ast.File
}

func parse(path string) (source, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parse generated client: %w", err)
	}
	return source{file}, nil
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
