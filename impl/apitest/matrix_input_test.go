package apitest_test

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/testkit"
)

// secretValue stands in broken values; no answer may repeat it.
const secretValue = "do-not-echo-me!"

// violations lists values that break a schema, one rule each.
func violations(s *openapi3.Schema) map[string]any {
	broken := map[string]any{}
	switch {
	case len(s.OneOf) > 0:
		broken["type"] = 5 // of no alternative
		if slices.ContainsFunc(s.OneOf, func(one *openapi3.SchemaRef) bool { return one.Value.Type.Is("integer") }) {
			broken["type"] = true
		}
		return broken
	case s.Type.Is("string"):
		broken["type"] = 5
		if s.MaxLength != nil {
			broken["maxLength"] = strings.Repeat("a", int(*s.MaxLength)+1)
		}
		if s.MinLength > 0 {
			broken["minLength"] = ""
		}
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(secretValue) {
			broken["pattern"] = secretValue
		}
		if s.Pattern == `\S` {
			broken["pattern"] = " \n\t "
		}
		if len(s.Enum) > 0 {
			broken["enum"] = secretValue
		}
		if s.Format == "date" {
			broken["format"] = "2024-02-30"
		}
	default:
		broken["type"] = secretValue
	}
	if s.Min != nil {
		broken["minimum"] = *s.Min - 1
	}
	if s.Max != nil {
		broken["maximum"] = *s.Max + 1
	}
	if !s.Nullable {
		broken["null"] = nil
	}
	return broken
}

func wantBadRequest(t *testing.T, got testkit.Response, what string) {
	t.Helper()
	wantInvalid(t, http.StatusBadRequest, got, what)
}

func wantInvalid(t *testing.T, status int, got testkit.Response, what string) {
	t.Helper()
	if got.Status != status {
		t.Errorf("%s: status %d, want %d: %.300s", what, got.Status, status, got.Body)
	}
	if strings.Contains(string(got.Body), secretValue) {
		t.Errorf("%s: the answer repeats the value: %s", what, got.Body)
	}
	if len(got.Body) > 4096 {
		t.Errorf("%s: an error of %d bytes", what, len(got.Body))
	}
}

func TestEveryRuleOfBodiesIsEnforced(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		schema := op.JSONBody()
		if schema == nil {
			return
		}
		x := newTenant(t)
		send := func(name string, value any, what string) {
			r := x.sample(t, op)
			r.Body.(map[string]any)[name] = value
			wantInvalid(t, badRequest(op), x.do(t, r), what)
		}
		for name, property := range schema.Properties {
			for rule, value := range violations(property.Value) {
				send(name, value, name+" breaking "+rule)
			}
		}
		for _, name := range schema.Required {
			r := x.sample(t, op)
			delete(r.Body.(map[string]any), name)
			got := x.do(t, r)
			wantInvalid(t, badRequest(op), got, "without "+name)
			if !strings.Contains(string(got.Body), name) {
				t.Errorf("without %s: the answer does not name it: %s", name, got.Body)
			}
		}
	})
}

func TestEveryRuleOfParametersIsEnforced(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		x := newTenant(t)
		for _, p := range op.Params {
			for rule, value := range violations(p.Value.Schema.Value) {
				text, isText := value.(string)
				if !isText || text == "" || rule == "type" && p.Value.Schema.Value.Type.Is("string") {
					continue
				}
				wantInvalid(t, badRequest(op), x.do(t, x.with(t, op, p.Value, text)), p.Value.Name+" breaking "+rule)
			}
			if p.Value.In == "header" {
				continue // net/http sends neither of these
			}
			wantInvalid(t, badRequest(op), x.do(t, x.with(t, op, p.Value, "\x00")), p.Value.Name+" with NUL")
			wantInvalid(t, badRequest(op), x.do(t, x.with(t, op, p.Value, "\xff")), p.Value.Name+" that is not UTF-8")
			if p.Value.In == "query" && p.Value.Required {
				r := x.sample(t, op)
				r.Path, _, _ = strings.Cut(r.Path, "?")
				wantInvalid(t, badRequest(op), x.do(t, r), "without "+p.Value.Name)
			}
		}
	})
}

// with returns the operation's sample with a parameter set to text.
func (x tenant) with(t *testing.T, op *testkit.Operation, p *openapi3.Parameter, text string) testkit.Request {
	t.Helper()
	r := x.sample(t, op)
	if p.In == "header" {
		r.Header = map[string]string{p.Name: text}
		return r
	}
	path, query, _ := strings.Cut(r.Path, "?")
	if p.In == "path" {
		r.Path = strings.Replace(path, x.id(t, idName(op, p.Name)), url.PathEscape(text), 1)
		return r
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	values.Set(p.Name, text)
	r.Path = withQuery(path, values)
	return r
}

func TestConditionalHeaderHasACeiling(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/asyncapi.yaml"} {
		got := s.Do(t, testkit.Request{Path: path}).Want(t, http.StatusOK)
		tag := map[string]string{"If-None-Match": got.Header.Get("ETag")}
		s.Do(t, testkit.Request{Path: path, Header: tag}).Want(t, http.StatusNotModified)
		s.Do(t, testkit.Request{Path: path, Header: map[string]string{"If-None-Match": `"other"`}}).Want(t, http.StatusOK)
		long := map[string]string{"If-None-Match": `"` + strings.Repeat("a", 1024) + `"`}
		wantBadRequest(t, s.Do(t, testkit.Request{Path: path, Header: long}), "an endless tag")
	}
}

// brokenBodies are no JSON documents that Postgres, or any reader, could take.
var brokenBodies = map[string]string{
	"empty":                  ``,
	"malformed":              `{"content": "a"`,
	"not an object":          `["a"]`,
	"null":                   `null`,
	"NUL":                    `{"@": "a\u0000b"}`,
	"raw NUL":                "{\"@\": \"a\x00b\"}",
	"duplicate members":      `{"@": "a", "@": "b"}`,
	"escaped duplicates":     `{"@": "a", "\u0040": "b"}`,
	"nested duplicates":      `{"x": {"a": 1, "a": 2}}`,
	"trailing bytes":         `{"@": "a"} x`,
	"two documents":          `{"@": "a"}{"@": "b"}`,
	"lone high surrogate":    `{"@": "\ud800"}`,
	"lone low surrogate":     `{"@": "\udc00 a"}`,
	"not UTF-8":              "{\"@\": \"\xff\"}",
	"UTF-16":                 "\xfe\xff\x00{\x00}",
	"byte order mark":        "\xef\xbb\xbf{}",
	"single quotes":          `{'@': 'a'}`,
	"comment":                `{"@": "a"} // so`,
	"trailing comma":         `{"@": "a",}`,
	"NaN":                    `{"@": NaN}`,
	"65 levels":              `{"x": ` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`,
	"too many values":        `{"x": [` + strings.Repeat("0,", 60_000) + `0]}`,
	"raw control characters": "{\"@\": \"a\nb\"}",
}

func TestBodiesThatAreNoJSONAreRefused(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		if op.JSONBody() == nil {
			return
		}
		x := newTenant(t)
		member := slices.Sorted(maps.Keys(op.JSONBody().Properties))[0]
		for name, body := range brokenBodies {
			r := x.sample(t, op)
			r.Body = strings.ReplaceAll(body, "@", member)
			r.Body = strings.ReplaceAll(r.Body.(string), `\u0040`, `\u00`+hex(member[0])+member[1:])
			wantInvalid(t, badRequest(op), x.do(t, r), name)
		}
	})
}

func hex(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

// Real clients send members of their own: they are ignored, not refused, but
// on the platform, whose requests are closed.
func TestUnknownMembersAreIgnored(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		if op.JSONBody() == nil {
			return
		}
		x, canary := newTenant(t), testkit.Canary()
		r := x.sample(t, op)
		maps.Copy(r.Body.(map[string]any), map[string]any{"client_version": canary, "extra": []any{1, nil, canary}})
		closed := op.JSONBody().AdditionalProperties.Has != nil && !*op.JSONBody().AdditionalProperties.Has
		if got := x.do(t, r); closed != (got.Status == badRequest(op)) || (!closed && got.Status >= 300) {
			t.Errorf("status %d: %s", got.Status, got.Body)
		}
		if tables := tablesWith(t, x.server, canary); len(tables) > 0 {
			t.Errorf("an unknown member was stored in %v", tables)
		}
	})
}

func TestOtherContentTypesAreRefused(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		if op.JSONBody() == nil {
			return
		}
		x := newTenant(t)
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "application/jsonp", "a;;b", "multipart/form-data; boundary=x"} {
			r := x.sample(t, op)
			r.Header = map[string]string{"Content-Type": kind}
			if strings.HasPrefix(kind, "multipart/") && op.RequestBody.Value.Content["multipart/form-data"] != nil {
				x.do(t, r).Want(t, http.StatusBadRequest)
				continue
			}
			x.do(t, r).Want(t, http.StatusUnsupportedMediaType)
		}
		for _, kind := range []string{"application/json; charset=utf-8", "Application/JSON"} {
			r := x.sample(t, op)
			r.Header = map[string]string{"Content-Type": kind}
			if got := x.do(t, r); got.Status >= 300 {
				t.Errorf("%s: status %d: %s", kind, got.Status, got.Body)
			}
		}
	})
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestBodiesOverTheCeilingAreRefused(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		if op.JSONBody() == nil {
			return
		}
		x, ceiling := newTenant(t), op.BodyBytesMax()
		for name, body := range map[string]any{
			"with Content-Length":    strings.Repeat(" ", ceiling+1),
			"without Content-Length": io.LimitReader(zeros{}, int64(ceiling)+1),
		} {
			r := x.sample(t, op)
			r.Body = body
			if got := x.do(t, r); got.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: status %d, want 413", name, got.Status)
			}
		}
		r := x.sample(t, op)
		r.Body = strings.Repeat(" ", ceiling)
		wantInvalid(t, badRequest(op), x.do(t, r), "blanks of exactly the ceiling")
	})
}

func TestUndocumentedMethodsAnswer405(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "BREW"}
	for _, op := range testkit.Operations() {
		documented := testkit.MethodsOf(op.Path)
		for _, method := range methods {
			if contains(documented, method) || method == "HEAD" && contains(documented, "GET") {
				continue
			}
			r := x.sample(t, op)
			r.Method, r.Body = method, nil
			// With and without a key: the method is judged before the key.
			x.server.Do(t, r).Want(t, http.StatusMethodNotAllowed)
			x.do(t, r).Want(t, http.StatusMethodNotAllowed)
		}
	}
}

func contains(all []string, one string) bool {
	return strings.Contains(" "+strings.Join(all, " ")+" ", " "+one+" ")
}

func TestUnknownPathsAnswerAProblemDocument(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for _, path := range []string{"/", "/nowhere", "/api/v1", "/api/v1/", "/api/v1/chat/", "/api/v2/chat", "/api/v1/agents/a/b", "//api/v1/chat", "/api/v1/%63hat/x", "/.env"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			x.do(t, testkit.Request{Method: method, Path: path}).Want(t, http.StatusNotFound)
			x.server.Do(t, testkit.Request{Method: method, Path: path}).Want(t, http.StatusNotFound)
		}
	}
}
