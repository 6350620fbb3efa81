package verify

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/contract"
)

// mark is a word for the names of things that a run makes.
func mark() string { return "verify-" + strings.ToLower(rand.Text()[:8]) }

var variable = regexp.MustCompile(`\{([^}]*)\}`)

// variables are the names of the path's parameters, in order.
func variables(op *contract.Operation) []string {
	var names []string
	for _, found := range variable.FindAllStringSubmatch(op.Path, -1) {
		names = append(names, found[1])
	}
	return names
}

// ready tells whether all parameters of an operation's path have a value.
func (r *run) ready(op *contract.Operation, values map[string]string) bool {
	for _, name := range variables(op) {
		if known(values, op.Surface(), name) == "" {
			return false
		}
	}
	return true
}

// known is the value of a parameter: the surface's own, or that of another surface when all others agree, since a
// parameter's name means the same everywhere.
func known(values map[string]string, surface, name string) string {
	if value := values[surface+"/"+name]; value != "" {
		return value
	}
	only := ""
	for key, value := range values {
		if strings.HasSuffix(key, "/"+name) && value != only {
			if only != "" {
				return ""
			}
			only = value
		}
	}
	return only
}

// answers tells whether an operation asks a model.
func answers(op *contract.Operation) bool {
	if op.Method != http.MethodPost {
		return false
	}
	for status, response := range op.Responses.Map() {
		if status[0] == '2' && response.Value.Headers["Parley-Turn"] != nil {
			return true
		}
	}
	return false
}

// removal is the operation that deletes what an operation makes: the one whose path is a parameter longer, or the
// one that a link of its success leads to with an id from the answer. Only POST makes things.
func (r *run) removal(op *contract.Operation) *contract.Operation {
	if op.Method != http.MethodPost {
		return nil
	}
	for _, other := range r.Document.Operations {
		rest, longer := strings.CutPrefix(other.Path, op.Path+"/{")
		if other.Method == http.MethodDelete && longer && strings.Count(rest, "/") == 0 {
			return other
		}
	}
	for status, response := range op.Responses.Map() {
		for _, link := range response.Value.Links {
			if target := r.Document.Operation(link.Value.OperationID); target != nil && status[0] == '2' && fromBody(link.Value, target) {
				if deletion := r.deletion(target.Path); deletion != nil {
					return deletion
				}
			}
		}
	}
	return nil
}

// fromBody tells whether a link takes the last parameter of its target's path from the answer.
func fromBody(link *openapi3.Link, target *contract.Operation) bool {
	names := variables(target)
	return len(names) > 0 && strings.HasPrefix(fmt.Sprint(link.Parameters[names[len(names)-1]]), "$response.body#")
}

// deletion is the operation that deletes what is at a path.
func (r *run) deletion(path string) *contract.Operation {
	for _, op := range r.Document.Operations {
		if op.Method == http.MethodDelete && op.Path == path {
			return op
		}
	}
	return nil
}

// learn takes from a success what other operations can be used on.
func (r *run) learn(op *contract.Operation, values map[string]string, status int, header http.Header, body []byte) {
	response := op.Responses.Status(status)
	document, ok := shown(header, body)
	if response == nil || !ok {
		return
	}
	known := r.found
	if op.Method == http.MethodPost {
		known = r.own
	}
	for _, link := range response.Value.Links {
		target := r.Document.Operation(link.Value.OperationID)
		if target == nil {
			continue
		}
		for name, expression := range link.Value.Parameters {
			keep(known, target.Surface()+"/"+name[strings.LastIndex(name, ".")+1:], resolve(fmt.Sprint(expression), values, header, document))
		}
	}
	if removal := r.removal(op); removal != nil {
		r.keepMade(op, removal, values, header, document, response.Value)
	}
	r.keepSecrets(document)
}

// shown is what an answer shows: its JSON, or the members of all events of a stream, and of the objects in them.
func shown(header http.Header, body []byte) (any, bool) {
	if contract.MediaType(header) != "text/event-stream" {
		var document any
		ok := len(body) == 0 || json.Unmarshal(body, &document) == nil
		return document, ok
	}
	events, _ := contract.Events(body) // of a stream that broke, what came
	all := map[string]any{}
	for _, e := range events {
		var data map[string]any
		if json.Unmarshal(e.Data, &data) != nil {
			continue
		}
		for name, member := range data {
			if object, ok := member.(map[string]any); ok {
				maps.Copy(all, object)
			}
			all[name] = member
		}
	}
	return all, true
}

// keepMade notes what is to be deleted.
func (r *run) keepMade(op, removal *contract.Operation, values map[string]string, header http.Header, document any, response *openapi3.Response) {
	names := variables(removal)
	m := made{removal, map[string]string{}}
	for _, name := range names {
		m.values[op.Surface()+"/"+name] = known(values, op.Surface(), name)
	}
	last := op.Surface() + "/" + names[len(names)-1]
	m.values[last] = ""
	for _, link := range response.Links {
		if target := r.Document.Operation(link.Value.OperationID); target != nil && target.Path == removal.Path {
			for name, expression := range link.Value.Parameters {
				if strings.HasSuffix(last, "/"+name) {
					m.values[last] = resolve(fmt.Sprint(expression), values, header, document)
				}
			}
		}
	}
	for _, pointer := range []string{"/id", "/data/id", "/" + names[len(names)-1], "/data/" + names[len(names)-1]} {
		if m.values[last] == "" {
			m.values[last] = text(at(document, pointer))
		}
	}
	twice := slices.ContainsFunc(r.made, func(other made) bool { return other.operation == removal && maps.Equal(other.values, m.values) })
	if m.values[last] != "" && !twice {
		keep(r.own, last, m.values[last])
		r.made = append(r.made, m)
	}
}

// keep notes a value; the first one stays.
func keep(known map[string]string, name, value string) {
	if value != "" && known[name] == "" {
		known[name] = value
	}
}

// resolve is what a runtime expression of a link stands for; "" when there is no such thing.
func resolve(expression string, values map[string]string, header http.Header, document any) string {
	if pointer, ok := strings.CutPrefix(expression, "$response.body#"); ok {
		return text(at(document, pointer))
	}
	if name, ok := strings.CutPrefix(expression, "$response.header."); ok {
		return header.Get(name)
	}
	if name, ok := strings.CutPrefix(expression, "$request.path."); ok {
		return known(values, "", name)
	}
	return ""
}

// at follows a JSON pointer.
func at(value any, pointer string) any {
	for _, name := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := value.(type) {
		case map[string]any:
			value = v[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// text is a value as it stands in a path.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		if v == math.Trunc(v) {
			return strconv.FormatInt(int64(v), 10)
		}
	}
	return ""
}
