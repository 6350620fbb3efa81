package httpd

import (
	"io"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestNullIsNotTheSameAsAbsent(t *testing.T) {
	text := openapi3.NewStringSchema().WithDefault("x")
	inner := openapi3.NewObjectSchema().WithProperty("flag", openapi3.NewBoolSchema().WithDefault(false))
	schema := openapi3.NewObjectSchema().
		WithProperty("text", text).
		WithProperty("open", openapi3.NewStringSchema().WithDefault("x").WithNullable()).
		WithProperty("free", openapi3.NewStringSchema()).
		WithProperty("list", openapi3.NewArraySchema().WithItems(inner))
	whole := openapi3.NewAllOfSchema(schema)

	for raw, want := range map[string]string{
		`{}`:                              "",
		`{"text":"null"}`:                 "",
		`{"text":null}`:                   "/text",
		`{"open":null}`:                   "",
		`{"free":null}`:                   "", // the validator refuses this one itself
		`{"extra":null}`:                  "",
		`{"list":[{"flag":true},{}]}`:     "",
		`{"list":[{"flag":null}]}`:        "/list/flag",
		`{"list":[null,{"flag":null},1]}`: "/list/flag",
		`null`:                            "",
	} {
		b := newBody([]byte(raw))
		var err error
		if b.value, err = decodeJSON(b.raw); err != nil {
			t.Fatal(err)
		}
		got := ""
		if fields := nullFields(whole, b); len(fields) > 0 {
			got = fields[0].Path
		}
		if got != want {
			t.Errorf("%s: broken member %q, want %q", raw, got, want)
		}
	}
}

func TestEmptyQueryParameterIsNotTheSameAsAbsent(t *testing.T) {
	e := newTestEdge(t, io.Discard, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for path, want := range map[string]int{
		"/api/v1/agents":                         http.StatusOK,
		"/api/v1/agents?limit=5":                 http.StatusOK,
		"/api/v1/agents?limit=":                  http.StatusBadRequest,
		"/api/v1/agents?limit":                   http.StatusBadRequest,
		"/api/v1/agents?cursor=":                 http.StatusBadRequest,
		"/api/v1/agents?cursor=a%0Ab":            http.StatusBadRequest,
		"/api/v1/agents?cursor=0:org/mod%C3%A9l": http.StatusOK,
		"/api/v1/sessions?include_all=":          http.StatusBadRequest,
	} {
		if w := send(e, "GET", path, ""); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
