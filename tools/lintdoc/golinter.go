package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/speakeasy-api/openapi/linter"
	"github.com/speakeasy-api/openapi/openapi"
	openapilinter "github.com/speakeasy-api/openapi/openapi/linter"
	"github.com/speakeasy-api/openapi/validation"
	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// lintGo runs every rule of speakeasy-api's linter in this process.
func lintGo(ctx context.Context, in, _ string) ([]finding, error) {
	source, err := os.ReadFile(in)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	document, invalid, err := openapi.Unmarshal(ctx, bytes.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("load document: %w", err)
	}
	all, err := openapilinter.NewLinter(linter.NewConfig())
	if err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	output, err := all.Lint(ctx, linter.NewDocumentInfo(document, in), invalid, nil)
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	node, err := tree.Read(source)
	if err != nil {
		return nil, err
	}
	places := map[[2]int]string{}
	locate(node, "#", places)
	return goFindings(output.Results, places), nil
}

func goFindings(results []error, places map[[2]int]string) []finding {
	var found []finding
	for _, result := range results {
		f := finding{Rule: "error", Message: result.Error()}
		var details *validation.Error
		if errors.As(result, &details) {
			f.Rule, f.Message = details.Rule, details.UnderlyingError.Error()
			f.Pointer = places[[2]int{details.GetLineNumber(), details.GetColumnNumber()}]
		}
		found = append(found, f)
	}
	return found
}

// locate notes the pointer of every node by its line and column: all that the
// linter tells about a place.
func locate(node *yaml.Node, pointer string, places map[[2]int]string) {
	place := [2]int{node.Line, node.Column}
	if _, taken := places[place]; !taken { // a mapping starts where its first key does
		places[place] = pointer
	}
	for key, value := range tree.Pairs(node) {
		below := pointer + "/" + escape(key.Value)
		if _, taken := places[[2]int{key.Line, key.Column}]; !taken {
			places[[2]int{key.Line, key.Column}] = below
		}
		locate(value, below, places)
	}
	if node.Kind == yaml.SequenceNode {
		for i, item := range node.Content {
			locate(item, pointer+"/"+strconv.Itoa(i), places)
		}
	}
}

// escape writes a member's name as a token of a JSON pointer (RFC 6901).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
