package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// promise is one thing that the document says of an operation: that it can
// answer with a status and content type, or that it takes a credential.
type promise struct {
	operation string
	what      string // "200 application/json", "304", or "security bearerKey"
}

func (p promise) String() string { return p.operation + ": " + p.what }

// promises lists what the document promises.
func promises(document []byte) ([]promise, error) {
	spec, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("load document: %w", err)
	}
	var all []promise
	for _, item := range spec.Paths.Map() {
		for _, op := range item.Operations() {
			all = append(all, answers(op)...)
			all = append(all, credentials(spec, op)...)
		}
	}
	return all, nil
}

func answers(op *openapi3.Operation) []promise {
	var all []promise
	for status, response := range op.Responses.Map() {
		if len(response.Value.Content) == 0 {
			all = append(all, promise{op.OperationID, status})
		}
		for media := range response.Value.Content {
			all = append(all, promise{op.OperationID, status + " " + media})
		}
	}
	return all
}

// credentials lists the security alternatives. The empty one of an operation
// with x-api-key-body stands for a key in the body.
func credentials(spec *openapi3.T, op *openapi3.Operation) []promise {
	requirements := spec.Security
	if op.Security != nil {
		requirements = *op.Security
	}
	var all []promise
	for _, alternative := range requirements {
		if len(alternative) == 0 {
			if inBody, _ := op.Extensions["x-api-key-body"].(bool); inBody {
				all = append(all, promise{op.OperationID, "security body"})
			}
		}
		for scheme := range alternative {
			all = append(all, promise{op.OperationID, "security " + scheme})
		}
	}
	return all
}

// exercise is a line of the log, as testkit.Exercise writes it.
type exercise struct {
	Operation string `json:"operation"`
	Status    int    `json:"status"`
	Media     string `json:"media"`
	Security  string `json:"security"`
}

// readLog adds what a log shows. A credential counts when the answer was a success.
func readLog(r io.Reader, seen map[promise]bool) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var e exercise
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("decode log: %w", err)
		}
		seen[promise{e.Operation, strings.TrimSpace(strconv.Itoa(e.Status) + " " + e.Media)}] = true
		if e.Status < 300 && e.Security != "" {
			seen[promise{e.Operation, "security " + e.Security}] = true
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	return nil
}
