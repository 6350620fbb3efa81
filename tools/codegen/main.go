// Command codegen runs oapi-codegen over the bundled document: for every
// surface (a tag) it writes a package with models, chi wrapper and strict server
// interface to gen/<surface>, and one with models and client to
// gen/client/<surface>.
//
// A new surface needs no configuration here: its tag is enough.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oapi-codegen/oapi-codegen/v2/pkg/codegen"
	"go.yaml.in/yaml/v3"

	"parley/tools/internal/output"
	"parley/tools/internal/tree"
)

func main() {
	in := flag.String("in", "gen/openapi.json", "bundled document")
	out := flag.String("out", "gen", "folder for the packages")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "codegen:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	source, err := os.ReadFile(in)
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	surfaces, err := surfacesOf(source)
	if err != nil {
		return err
	}
	for _, surface := range surfaces {
		if err := server(source, surface, filepath.Join(out, surface, "server.gen.go")); err != nil {
			return fmt.Errorf("server of %s: %w", surface, err)
		}
		if err := client(source, surface, filepath.Join(out, "client", surface, "client.gen.go")); err != nil {
			return fmt.Errorf("client of %s: %w", surface, err)
		}
	}
	return nil
}

func surfacesOf(source []byte) ([]string, error) {
	document, err := tree.Read(source)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, tag := range tree.Member(document, "tags").Content {
		names = append(names, tree.Text(tag, "name"))
	}
	return names, nil
}

func server(source []byte, surface, path string) error {
	document, err := tree.Read(source)
	if err != nil {
		return err
	}
	config := configuration(surface)
	config.Generate = codegen.GenerateOptions{Models: true, ChiServer: true, Strict: true}
	config.OutputOptions.ExcludeOperationIDs = webSockets(document)
	return generate(source, config, path, withoutEdgeHeaders)
}

func client(source []byte, surface, path string) error {
	document, err := tree.Read(source)
	if err != nil {
		return err
	}
	config := configuration(surface)
	config.Generate = codegen.GenerateOptions{Models: true, Client: true}
	config.OutputOptions.UserTemplates = map[string]string{"client.tmpl": clientTemplate, "client-with-responses.tmpl": "{{/* all is in the other */}}{{`\n`}}\n"}
	config.AdditionalImports = []codegen.AdditionalImport{{Package: "parley/gen/client/wire"}, {Package: "iter"}}
	maps.Copy(codegen.TemplateFunctions, methods{withEvents(document)}.functions())
	// clientgen writes better types for events than a union of objects.
	config.OutputOptions.ExcludeSchemas = eventSchemas(document)
	config.OutputOptions.ExcludeOperationIDs = webSockets(document)
	// A caller finds the edge's headers by the option Into; a struct of them per status would triple the package.
	return generate(source, config, path, withoutEdgeHeaders)
}

// configuration holds the switches that every package shares; the reasons are
// those of oapi-codegen's own documentation unless stated.
func configuration(surface string) codegen.Configuration {
	return codegen.Configuration{
		PackageName: surface,
		Compatibility: codegen.CompatibilityOptions{
			AlwaysPrefixEnumValues:           true, // otherwise constants named Error or User fill the package
			DisableRequiredReadOnlyAsPointer: true,
			ApplyChiMiddlewareFirstToLast:    true,
		},
		OutputOptions: codegen.OutputOptions{
			IncludeTags:           []string{surface},
			NameNormalizer:        string(codegen.NameNormalizerFunctionToCamelCaseWithInitialisms),
			AdditionalInitialisms: []string{"LLM", "SD"},
			PreferSkipOptionalPointerOnContainerTypes: true,
			GenerateTypesForAnonymousSchemas:          true,
			ResponseTypeSuffix:                        "Result", // components are called …Response
		},
	}
}

// generate writes the package that config describes for the document after
// the changes. Schemas keep their members' order.
func generate(source []byte, config codegen.Configuration, path string, changes ...func(*yaml.Node)) error {
	document, err := tree.Read(source)
	if err != nil {
		return err
	}
	numberProperties(document)
	for _, change := range changes {
		change(document)
	}
	changed, err := tree.JSON(document)
	if err != nil {
		return err
	}
	spec, err := openapi3.NewLoader().LoadFromData(changed)
	if err != nil {
		return fmt.Errorf("load document: %w", err)
	}
	config = config.UpdateDefaults()
	if err := config.Validate(); err != nil {
		return fmt.Errorf("check configuration: %w", err)
	}
	code, err := codegen.Generate(spec, config)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return output.Write(path, []byte(documented(code, config)))
}

// header is what oapi-codegen puts above the package clause; it names the main
// module of the running binary and its version, which is this tool's by accident.
var header = regexp.MustCompile(`(?m)\A// Package (\w+) .*\n//\n// Code generated by .*$`)

// documented gives the package a package comment and a stable header.
func documented(code string, config codegen.Configuration) string {
	what := "holds the models, routes and strict server interface of the $1 surface."
	if config.Generate.Client {
		what = "is the client of the $1 surface; package parley/gen/client puts all of them under one roof."
	}
	return header.ReplaceAllString(code,
		"// Code generated by oapi-codegen, called by tools/codegen. DO NOT EDIT.\n\n// Package $1 "+what)
}
