package apitest_test

import (
	"net/http"
	"net/url"
	"testing"

	sdk "github.com/openai/openai-go/v3"

	"parley/db"
	"parley/impl/core/model"
	"parley/impl/testkit"
)

func TestModelAliasesAreDefinedReadAndDeleted(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	name := testkit.Canary() + "/v1*"
	path := "/api/v1/admin/model-aliases/" + url.PathEscape(name)
	made := x.do(t, testkit.Request{Method: http.MethodPut, Path: path, Body: `{"model":"parley-builtin"}`}).Want(t, http.StatusCreated)
	wantHeader(t, made, "Location", path)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: path, Body: `{"model":"parley-builtin-embedding"}`}).Want(t, http.StatusOK)
	var got struct{ Alias, Model string }
	x.do(t, testkit.Request{Path: path}).Want(t, http.StatusOK).JSON(t, &got)
	if got.Alias != name || got.Model != model.BuiltInEmbedding {
		t.Errorf("read %+v", got)
	}
	seen, next := 0, "/api/v1/admin/model-aliases?limit=1"
	for page := 0; next != "" && page < 1000; page++ {
		var list []struct{ Alias string }
		r := x.do(t, testkit.Request{Path: next}).Want(t, http.StatusOK)
		r.JSON(t, &list)
		if len(list) == 1 && list[0].Alias == name {
			seen++
		}
		next = ""
		if link := nextPage.FindStringSubmatch(r.Header.Get("Link")); link != nil {
			next = link[1]
		}
	}
	if seen != 1 {
		t.Errorf("listed %d times", seen)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNoContent)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		x.do(t, testkit.Request{Method: method, Path: path}).Want(t, http.StatusNotFound)
	}
	x.do(t, testkit.Request{Method: http.MethodPut, Path: path, Body: `{"model":"no-such"}`}).Want(t, http.StatusNotFound)
	x.do(t, testkit.Request{Method: http.MethodPut, Path: path, Body: `{"model":"` + x.id(t, "llm_id") + `"}`}).Want(t, http.StatusNotFound) // one account's
	x.do(t, testkit.Request{Method: http.MethodPut, Path: "/api/v1/admin/model-aliases/a*b", Body: `{"model":"parley-builtin"}`}).Want(t, http.StatusBadRequest)
}

// The longest beginning counts, the account's own alias before everyone's, and an id that exists before all.
func TestNamesMeanModels(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t)
	second, third := x.Model(t).ID, x.Model(t).ID
	start := testkit.Canary()
	models := x.server.App.Models
	for _, a := range []struct{ account, alias, model string }{
		{db.Everyone, start + "*", model.BuiltInLLM}, {x.ID, start + "-4o*", second}, {x.ID, start + "-4o", third},
		{db.Everyone, start + "-4o-mini", model.BuiltInLLM}, {x.ID, third + "*", second}, {x.ID, start + "-lost", second + "x"},
		{x.ID, start + "-embed", testkit.UpstreamModel},
	} {
		if _, _, err := models.PutAlias(t.Context(), a.account, a.alias, a.model); err != nil && a.model != second+"x" {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		start + "-3.5": model.BuiltInLLM, start + "-4o": third, start + "-4o-2024": second, start + "-4o-mini": second, third: third,
	} {
		var got sdk.ChatCompletion
		x.complete(t, name, nil).Want(t, http.StatusOK).JSON(t, &got)
		if got.Model != want {
			t.Errorf("%s means %s, want %s", name, got.Model, want)
		}
	}
	x.complete(t, "unknown"+start, nil).Want(t, http.StatusNotFound)
	other := newTenant(t)
	other.Upstream(t)
	other.complete(t, start+"-4o", nil).Want(t, http.StatusOK)
	other.embed(t, start+"-4o", "a", nil).Want(t, http.StatusNotFound)
	if _, _, err := models.PutAlias(t.Context(), other.ID, start+"-4o", model.BuiltInEmbedding); err != nil {
		t.Fatal(err)
	}
	other.embed(t, start+"-4o", "a", nil).Want(t, http.StatusOK)
}
