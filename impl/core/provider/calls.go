package provider

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"parley/impl/core/id"
)

const (
	callsMax         = 128 // of one answer
	callNameBytesMax = 256 // of a call's id, type and name
)

var errBadCall = errors.New("answer holds a malformed call of a tool")

// Call is a model's wish to have a tool of the client's run.
type Call struct {
	ID        string
	Name      string
	Arguments string                     // JSON, as far as the model kept to it
	Extra     map[string]json.RawMessage // members of the vendor's own
}

// CallPiece is the next piece of a call: the first of an Index holds ID and
// Name, each adds to Arguments. Indexes count from 0 in the order of the calls.
type CallPiece struct {
	Index int
	Call
}

// wireFunction and wireCall are calls in OpenAI's shape.
type wireFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// EncodeCalls returns pieces as one JSON array in OpenAI's shape.
func EncodeCalls(pieces []CallPiece) string {
	list := make([]map[string]any, len(pieces))
	for i, p := range pieces {
		list[i] = map[string]any{"index": p.Index, "function": wireFunction{Name: p.Name, Arguments: p.Arguments}}
		for name, value := range p.Extra {
			list[i][name] = value
		}
		if p.ID != "" {
			list[i]["id"], list[i]["type"] = p.ID, "function"
		}
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err) // what was read as JSON encodes
	}
	return string(raw)
}

// DecodeCalls reads what EncodeCalls wrote, or an upstream's pieces.
func DecodeCalls(text string) ([]CallPiece, error) {
	var list []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("decode calls: %w", err)
	}
	pieces := make([]CallPiece, len(list))
	for i, members := range list {
		var function wireFunction
		for name, into := range map[string]any{"index": &pieces[i].Index, "id": &pieces[i].ID, "function": &function} {
			if raw, ok := members[name]; ok {
				if err := json.Unmarshal(raw, into); err != nil {
					return nil, fmt.Errorf("decode call: %w", err)
				}
			} else if name == "index" {
				pieces[i].Index = -1
			}
			delete(members, name)
		}
		delete(members, "type")
		pieces[i].Name, pieces[i].Arguments = function.Name, function.Arguments
		if len(members) > 0 {
			pieces[i].Extra = members
		}
	}
	return pieces, nil
}

// JoinCalls returns the calls that pieces make; nil without any.
func JoinCalls(pieces []CallPiece) []Call {
	var calls []Call
	var arguments []*strings.Builder
	for _, p := range pieces {
		for p.Index >= len(calls) {
			calls, arguments = append(calls, Call{}), append(arguments, &strings.Builder{})
		}
		c := &calls[p.Index]
		c.ID, c.Name = c.ID+p.ID, c.Name+p.Name
		arguments[p.Index].WriteString(p.Arguments)
		if len(p.Extra) > 0 && c.Extra == nil {
			c.Extra = map[string]json.RawMessage{}
		}
		maps.Copy(c.Extra, p.Extra)
	}
	for i := range calls {
		calls[i].Arguments = arguments[i].String()
	}
	return calls
}

// calling puts an upstream's pieces of calls in order: upstreams leave the index
// out, number every call 0, or give no id.
type calling struct {
	begun []begun
	bytes int
}

// begun is a call of which a piece came.
type begun struct {
	index int // as the upstream counts
	id    string
	named bool
}

// next returns an upstream's pieces in our numbering, cleaned, as EncodeCalls writes them.
func (c *calling) next(raw string) (string, error) {
	if raw == "" || raw == "null" || raw == "[]" {
		return "", nil
	}
	pieces, err := DecodeCalls(raw)
	if err != nil {
		return "", errBadCall
	}
	for i := range pieces {
		p := &pieces[i]
		p.ID, p.Name, p.Arguments = clean(p.ID), clean(p.Name), clean(p.Arguments)
		if max(len(p.ID), len(p.Name)) > callNameBytesMax || !c.place(p) {
			return "", errBadCall
		}
		c.bytes += len(p.ID) + len(p.Name) + len(p.Arguments)
		for name, value := range p.Extra {
			c.bytes += len(name) + len(value)
		}
	}
	return EncodeCalls(pieces), nil
}

// place finds the call that a piece belongs to, or begins it; false when there are too many.
func (c *calling) place(p *CallPiece) bool {
	theirs := p.Index
	at := -1
	for i, b := range slices.Backward(c.begun) {
		if (theirs < 0 || b.index == theirs) && (p.ID == "" || p.ID == b.id) {
			at = i
			break
		}
	}
	if at >= 0 {
		p.Index, p.ID = at, ""
		if c.begun[at].named {
			p.Name = "" // repeated with each piece
		}
		c.begun[at].named = c.begun[at].named || p.Name != ""
		return true
	}
	if p.ID == "" {
		p.ID = id.New("call_")
	}
	p.Index = len(c.begun)
	c.begun = append(c.begun, begun{index: theirs, id: p.ID, named: p.Name != ""})
	return len(c.begun) <= callsMax
}

// whole tells whether every call names its tool.
func (c *calling) whole() bool {
	return !slices.ContainsFunc(c.begun, func(b begun) bool { return !b.named })
}
