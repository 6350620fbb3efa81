package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v3"

	"parley/tools/internal/tree"
)

// Document is a bundled document in its two spellings.
type Document struct {
	YAML, JSON []byte
}

// Bundle joins the split document whose root file is root. The result depends
// on the files' contents alone.
func Bundle(ctx context.Context, root string) (Document, error) {
	declared, err := scan(filepath.Dir(root))
	if err != nil {
		return Document{}, err
	}
	node, err := compose(root)
	if err != nil {
		return Document{}, err
	}
	if err := checkRefs(node); err != nil {
		return Document{}, err
	}
	if err := arrange(node, declared); err != nil {
		return Document{}, err
	}
	offerTokens(node)
	doc, err := encode(node)
	if err != nil {
		return Document{}, err
	}
	return doc, validate(ctx, doc.JSON)
}

func encode(node *yaml.Node) (Document, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return Document{}, fmt.Errorf("write bundle as yaml: %w", err)
	}
	asJSON, err := tree.JSON(node)
	if err != nil {
		return Document{}, fmt.Errorf("write bundle as json: %w", err)
	}
	return Document{YAML: out.Bytes(), JSON: asJSON}, nil
}

// validate loads the bundle the way the server does.
func validate(ctx context.Context, source []byte) error {
	doc, err := openapi3.NewLoader().LoadFromData(source)
	if err != nil {
		return fmt.Errorf("load bundle: %w", err)
	}
	if err := doc.Validate(ctx); err != nil {
		return fmt.Errorf("validate bundle: %w", err)
	}
	return nil
}
