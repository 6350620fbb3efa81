package httpd

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"parley/impl/core/key"
)

const agingDocument = `{"openapi": "3.0.3", "info": {"title": "T", "version": "1"},
"components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}, "security": [{"bearer": []}],
"paths": {
	"/old": {"get": {"operationId": "old", "tags": ["openai"], "x-required-scopes": ["openai:read"], DEPRECATION "responses": {"204": {"description": "ok"}}}},
	"/new": {"get": {"operationId": "new", "tags": ["openai"], "x-required-scopes": ["openai:read"], "responses": {"204": {"description": "ok"}}}}}}`

func agingEdge(t *testing.T, deprecation string) (*Edge, error) {
	t.Helper()
	doc, err := LoadDocument([]byte(strings.Replace(agingDocument, "DEPRECATION", deprecation, 1)))
	if err != nil {
		return nil, err
	}
	return New(Config{
		Document: doc, Limits: unlimited(), Fallback: jsonFault,
		Log:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		Keys: oneKey{key.Caller{AccountID: "acct_1", KeyID: "key_1", Kind: key.Secret, Scopes: key.SurfaceScopes}},
		Surfaces: []Surface{{Name: "openai", Fault: jsonFault, Mount: func(r chi.Router, _ func(http.ResponseWriter, *http.Request, error)) {
			r.Get("/old", noContent)
			r.Get("/new", noContent)
		}}},
	})
}

func TestDeprecatedOperationSaysSoOnEveryAnswer(t *testing.T) {
	e, err := agingEdge(t, `"deprecated": true, "x-deprecated-at": "2026-11-22", "x-sunset": "2027-06-01",`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, key           string
		status              int
		deprecation, sunset string
	}{
		{"/old", goodKey, 204, "@1795305600", "Tue, 01 Jun 2027 00:00:00 GMT"},
		{"/old", "bad", 401, "@1795305600", "Tue, 01 Jun 2027 00:00:00 GMT"},
		{"/new", goodKey, 204, "", ""},
	} {
		got := send(e, "GET", c.path, "", "Authorization", "Bearer "+c.key)
		if got.Code != c.status || got.Header().Get("Deprecation") != c.deprecation || got.Header().Get("Sunset") != c.sunset {
			t.Errorf("%s with %s: status %d, Deprecation %q, Sunset %q", c.path, c.key, got.Code, got.Header().Get("Deprecation"), got.Header().Get("Sunset"))
		}
	}
}

func TestDeprecatedOperationMayStay(t *testing.T) {
	e, err := agingEdge(t, `"deprecated": true, "x-deprecated-at": "2026-11-22",`)
	if err != nil {
		t.Fatal(err)
	}
	got := send(e, "GET", "/old", "")
	if sunset, told := got.Header()["Sunset"]; told || got.Header().Get("Deprecation") != "@1795305600" {
		t.Errorf("Deprecation %q, Sunset %q", got.Header().Get("Deprecation"), sunset)
	}
}

func TestDeprecationNeedsItsDay(t *testing.T) {
	for _, deprecation := range []string{
		`"deprecated": true,`,
		`"deprecated": true, "x-sunset": "2027-06-01",`,
		`"deprecated": true, "x-deprecated-at": "2026-11-22", "x-sunset": "some day",`,
		`"deprecated": true, "x-deprecated-at": "soon", "x-sunset": "2027-06-01",`,
		`"x-deprecated-at": "2026-11-22", "x-sunset": "2027-06-01",`,
	} {
		if _, err := agingEdge(t, deprecation); err == nil {
			t.Errorf("a document with %s was taken", deprecation)
		}
	}
}
