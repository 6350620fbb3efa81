// Package tool keeps what agents of flows may call, and calls it: HTTP requests
// described by a JSON schema or an OpenAPI operation, and the tools of MCP
// servers. How requests leave the server is package toolclient's business.
package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/secret"
)

// The kinds of tools.
const (
	KindHTTP = "http"
	KindMCP  = "mcp"
)

// When a person has to approve a call.
const (
	Never  = "never"
	Always = "always"
)

const (
	// most is how many tools an account may have.
	most = 200
	// FunctionsMax bounds the functions of one MCP server.
	FunctionsMax = 128
	// conflictsMax is how often a change is tried when others change the tool meanwhile.
	conflictsMax = 8
)

var errMissing = fault.New(fault.NotFound, "Tool not found")

// Function is what a model is offered. A tool of kind http has one.
type Function struct {
	Name        string          `json:"name"`             // as models call it: letters, digits, _ and -
	Remote      string          `json:"remote,omitempty"` // as the MCP server names it
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"` // a JSON schema of an object
}

// Target is where a tool is and how it is asked.
type Target struct {
	URL    string            `json:"url"` // of an HTTP tool with {arguments} in its path
	Method string            `json:"method,omitempty"`
	In     map[string]string `json:"in,omitempty"` // where arguments go that do not go where the method has them
}

// HTTP describes a request.
type HTTP struct {
	Target
	Parameters json.RawMessage
}

// OpenAPI names an operation of a document.
type OpenAPI struct {
	Document    string // JSON or YAML
	OperationID string
	Server      string // in place of the document's; "" for that
}

// MCP is a server of tools.
type MCP struct{ URL string }

// Input is what a tool is made of: one of HTTP, OpenAPI and MCP. For a change, nil leaves what is.
type Input struct {
	Name, Description, Approval *string
	Headers                     map[string]string // go along with every request; secret
	HTTP                        *HTTP
	OpenAPI                     *OpenAPI
	MCP                         *MCP
}

// Service keeps tools and calls them.
type Service struct {
	DB  *db.DB
	Box *secret.Box
	Now func() time.Time
	Client
}

// Request is an HTTP request to be made.
type Request struct {
	Method, URL string
	Header      map[string]string
	Body        []byte // JSON; nil for none
}

// Client is how requests leave the server. Its errors are for the log; Explain has words for people.
type Client struct {
	// Check refuses addresses that cannot be reached for sure.
	Check func(url string) error
	// Send makes a request and returns the answer's status and the beginning of its body.
	Send func(ctx context.Context, r Request) (status int, body string, err error)
	// Discover lists the tools of an MCP server, their Name being the server's own.
	Discover func(ctx context.Context, url string, header map[string]string) ([]Function, error)
	// Use calls a tool of an MCP server and returns what it said, and whether that is a failure.
	Use func(ctx context.Context, url string, header map[string]string, name string, arguments map[string]any) (text string, failed bool, err error)
	// Explain says why a request failed, in words that tell nothing about the network.
	Explain func(err error) string
}

// List returns the account's tools, the newest first, from before an id; "" starts with the newest.
func (s *Service) List(ctx context.Context, accountID, before string, limit int) ([]db.Tool, error) {
	return s.DB.Tools(ctx, accountID, before, limit)
}

// Get returns a tool of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, toolID string) (db.Tool, error) {
	t, err := s.DB.Tool(ctx, accountID, toolID)
	return t, missing(err)
}

func missing(err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return errMissing
	}
	return err
}

// Create stores a tool; an MCP server is asked for its tools. What cannot be called is an Invalid fault, a
// name that the account has already, or a tool too many, a Conflict.
func (s *Service) Create(ctx context.Context, accountID string, in Input) (db.Tool, error) {
	now := s.Now()
	t := db.Tool{AccountID: accountID, ID: id.New(id.Tool), Approval: Never, HeaderNames: []string{}, CreatedAt: now, UpdatedAt: now}
	if err := s.apply(ctx, &t, in); err != nil {
		return db.Tool{}, err
	}
	if t.Kind == "" {
		return db.Tool{}, refused("", "name one of http, openapi and mcp")
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		err := q.InsertTool(ctx, t, most)
		if errors.Is(err, db.ErrNotFound) {
			return fault.New(fault.Conflict, "An account has at most %d tools.", most)
		}
		if err := taken(err); err != nil {
			return err
		}
		return book(ctx, q, t, "tool.created")
	})
	return t, err
}

// taken is the Conflict of a name that another tool has.
func taken(err error) error {
	if conflict, ok := errors.AsType[*db.ConflictError](err); ok && conflict.Constraint == "tools_name_key" {
		return fault.New(fault.Conflict, "The account has a tool of this name already.").Because(err)
	}
	return err
}

// book records what was done to a tool. Its address may hold a secret and is left out.
func book(ctx context.Context, q *db.Queries, t db.Tool, action string) error {
	return audit.Record(ctx, q, audit.Event{AccountID: t.AccountID, Action: action, Target: t.ID, Details: map[string]any{
		"name": t.Name, "kind": t.Kind, "approval": t.Approval,
	}})
}

// Update changes what is given of a tool. A new address of an MCP server is asked for its tools.
func (s *Service) Update(ctx context.Context, accountID, toolID string, in Input) (db.Tool, error) {
	return s.change(ctx, accountID, toolID, "tool.updated", func(t *db.Tool) error { return s.apply(ctx, t, in) })
}

// Refresh asks an MCP server again for its tools; any other tool stays as it is.
func (s *Service) Refresh(ctx context.Context, accountID, toolID string) (db.Tool, error) {
	return s.change(ctx, accountID, toolID, "tool.refreshed", func(t *db.Tool) error {
		target, _, err := read(*t)
		if err != nil {
			return err
		}
		if t.Kind != KindMCP {
			return nil
		}
		return s.discover(ctx, t, target.URL)
	})
}

// change makes a change by compare-and-set, as an MCP server may be asked meanwhile.
func (s *Service) change(ctx context.Context, accountID, toolID, action string, edit func(*db.Tool) error) (db.Tool, error) {
	for range conflictsMax {
		t, err := s.Get(ctx, accountID, toolID)
		if err != nil {
			return db.Tool{}, err
		}
		before := t.UpdatedAt
		if err := edit(&t); err != nil {
			return db.Tool{}, err
		}
		if t.UpdatedAt = s.Now(); !t.UpdatedAt.After(before) {
			t.UpdatedAt = before.Add(time.Microsecond)
		}
		err = s.DB.InTx(ctx, func(q *db.Queries) error {
			if err := q.UpdateTool(ctx, t, before); err != nil {
				return taken(err)
			}
			return book(ctx, q, t, action)
		})
		if !errors.Is(err, db.ErrNotFound) {
			return t, err
		}
	}
	return db.Tool{}, fault.New(fault.Unavailable, "The tool is being changed by others; try again.")
}

// Delete removes a tool. A run whose agent has it ends in an error.
func (s *Service) Delete(ctx context.Context, accountID, toolID string) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.DeleteTool(ctx, accountID, toolID); err != nil {
			return missing(err)
		}
		return book(ctx, q, db.Tool{AccountID: accountID, ID: toolID}, "tool.deleted")
	})
}

// sealContext binds sealed headers to their tool.
func sealContext(toolID string) string { return "tool:" + toolID }

func (s *Service) seal(t *db.Tool, headers map[string]string) error {
	t.HeaderNames, t.SealedHeaders = slices.Sorted(maps.Keys(headers)), nil
	if len(headers) == 0 {
		t.HeaderNames = []string{}
		return nil
	}
	raw, err := json.Marshal(headers)
	if err != nil {
		return fmt.Errorf("encode headers of tool: %w", err)
	}
	t.SealedHeaders = s.Box.Seal(string(raw), sealContext(t.ID))
	return nil
}

// headers are those that go along with a tool's requests.
func (s *Service) headers(t db.Tool) (map[string]string, error) {
	out := map[string]string{}
	if t.SealedHeaders == nil {
		return out, nil
	}
	text, err := s.Box.Open(t.SealedHeaders, sealContext(t.ID))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf("decode headers of tool: %w", err)
	}
	return out, nil
}

// read is where a tool is, and what it offers.
func read(t db.Tool) (Target, []Function, error) {
	var target Target
	var functions []Function
	if err := errors.Join(json.Unmarshal(t.Target, &target), json.Unmarshal(t.Functions, &functions)); err != nil {
		return Target{}, nil, fmt.Errorf("decode tool: %w", err)
	}
	return target, functions, nil
}

// Read is where a tool is, and what it offers.
func Read(t db.Tool) (Target, []Function, error) { return read(t) }
