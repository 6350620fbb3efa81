package verify

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
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

// removal is the operation that deletes what an operation makes: of POST the one whose path is a parameter longer, or the
// one that a link of its success leads to with an id from the answer; of PUT the one of the same path, unless a POST makes the
// things there.
func (r *run) removal(op *contract.Operation) *contract.Operation {
	if op.Method == http.MethodPut && !r.posted(op.Path) {
		return r.deletion(op.Path)
	}
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
				if removal := r.deletion(target.Path); removal != nil {
					return removal
				}
			}
		}
	}
	return nil
}

// posted tells whether a POST makes what is at a path.
func (r *run) posted(path string) bool {
	return slices.ContainsFunc(r.Document.Operations, func(op *contract.Operation) bool {
		rest, longer := strings.CutPrefix(path, op.Path+"/{")
		return op.Method == http.MethodPost && longer && strings.Count(rest, "/") == 0
	})
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

// answer is a success: what it was asked for, and what it shows.
type answer struct {
	operation *contract.Operation
	values    map[string]string
	request   *http.Request
	header    http.Header
	document  any
}

// learn takes from a success what other operations can be used on.
func (r *run) learn(op *contract.Operation, values map[string]string, request *http.Request, status int, header http.Header, body []byte) {
	response := op.Responses.Status(status)
	document, ok := shown(header, body)
	if response == nil || !ok {
		return
	}
	a := answer{op, values, request, header, document}
	for _, link := range response.Value.Links {
		target := r.Document.Operation(link.Value.OperationID)
		if target == nil {
			continue
		}
		known := r.found
		within := r.within(a, target)
		if op.Method == http.MethodPost || within {
			known = r.own
		}
		for name, expression := range link.Value.Parameters {
			keep(known, target.Surface()+"/"+name[strings.LastIndex(name, ".")+1:], a.resolve(fmt.Sprint(expression)))
		}
		if removal := r.deletion(target.Path); within && removal != nil {
			r.keepMade(a, removal, response.Value)
		}
	}
	if removal := r.removal(op); removal != nil {
		r.keepMade(a, removal, response.Value)
	}
	r.keepSecrets(document)
	r.keepAddresses(document)
}

// keepAddresses notes what the addresses in an answer name, where they are the server's own.
func (r *run) keepAddresses(value any) {
	switch v := value.(type) {
	case string:
		if address, err := url.Parse(v); err == nil && strings.HasPrefix(v, r.Target+"/") {
			r.keepAddress(address.Path)
		}
	case []any:
		for _, item := range v {
			r.keepAddresses(item)
		}
	case map[string]any:
		for _, member := range v {
			r.keepAddresses(member)
		}
	}
}

// keepAddress notes what a path names, for reads.
func (r *run) keepAddress(path string) {
	for _, op := range r.Document.Operations {
		before, rest, ok := strings.Cut(op.Path, "{")
		name, found := strings.CutPrefix(path, before)
		if ok && found && op.Method == http.MethodGet && strings.HasSuffix(rest, "}") && !strings.Contains(rest+name, "/") && op.Public() {
			keep(r.found, op.Surface()+"/"+strings.TrimSuffix(rest, "}"), name)
		}
	}
}

// within tells whether a read of something that the run made leads to what is a part of that: then the part is the run's too.
func (r *run) within(a answer, target *contract.Operation) bool {
	names := variables(a.operation)
	if a.operation.Method != http.MethodGet || len(names) == 0 || !strings.HasPrefix(target.Path, a.operation.Path+"/") {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		mine := r.own[a.operation.Surface()+"/"+name]
		return mine == "" || known(a.values, a.operation.Surface(), name) != mine
	})
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
func (r *run) keepMade(a answer, removal *contract.Operation, response *openapi3.Response) {
	surface, names := a.operation.Surface(), variables(removal)
	m := made{removal, map[string]string{}}
	for _, name := range names {
		m.values[surface+"/"+name] = known(a.values, surface, name)
	}
	last := surface + "/" + names[len(names)-1]
	if a.operation.Method != http.MethodPut { // which names what it makes
		m.values[last] = r.idOf(a, removal, names[len(names)-1], response)
	}
	twice := slices.ContainsFunc(r.made, func(other made) bool { return other.operation == removal && maps.Equal(other.values, m.values) })
	if m.values[last] != "" && !twice {
		keep(r.own, last, m.values[last])
		r.made = append(r.made, m)
	}
}

// idOf is the id of what an answer shows, as a link to its path or the usual members tell it.
func (r *run) idOf(a answer, removal *contract.Operation, name string, response *openapi3.Response) string {
	for _, link := range response.Links {
		target := r.Document.Operation(link.Value.OperationID)
		if target == nil || target.Path != removal.Path {
			continue
		}
		if id := a.resolve(fmt.Sprint(link.Value.Parameters[name])); id != "" {
			return id
		}
	}
	for _, pointer := range []string{"/id", "/data/id", "/" + name, "/data/" + name} {
		if id := text(at(a.document, pointer)); id != "" {
			return id
		}
	}
	return ""
}

// keep notes a value; the first one stays.
func keep(known map[string]string, name, value string) {
	if value != "" && known[name] == "" {
		known[name] = value
	}
}

// resolve is what a runtime expression of a link stands for; "" when there is no such thing.
func (a answer) resolve(expression string) string {
	if pointer, ok := strings.CutPrefix(expression, "$response.body#"); ok {
		return text(at(a.document, pointer))
	}
	if name, ok := strings.CutPrefix(expression, "$response.header."); ok {
		return a.header.Get(name)
	}
	if name, ok := strings.CutPrefix(expression, "$request.path."); ok {
		return known(a.values, "", name)
	}
	if pointer, ok := strings.CutPrefix(expression, "$request.body#"); ok {
		return text(at(a.sent(), pointer))
	}
	return ""
}

// sent is the JSON that was sent; nil when there was none.
func (a answer) sent() any {
	if a.request.GetBody == nil {
		return nil
	}
	var sent any
	body, err := a.request.GetBody()
	if err != nil || json.NewDecoder(body).Decode(&sent) != nil {
		return nil
	}
	return sent
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
