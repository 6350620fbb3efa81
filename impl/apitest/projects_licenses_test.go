package apitest_test

import (
	"net/http"
	"strconv"
	"testing"

	"parley/gen/client/projects"
	"parley/impl/testkit"
)

// A license's key opens conversations to visitors, for as long as it is there, and they are counted.
func TestALicenseOpensConversationsUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	_, path := x.library(t)
	const site = "https://shop.example"
	visitor := x
	visitor.key = x.Key(t, testkit.Publishable(site), testkit.App(x.key.AppID), testkit.Scopes("projects"))
	visit := func(body map[string]any, at string) testkit.Response {
		t.Helper()
		return visitor.do(t, testkit.Request{Path: at, Body: body, Header: map[string]string{"Origin": site}})
	}
	begin, question := path+"/conversations", map[string]any{"prompt": "When does the library open?"}
	before := visit(map[string]any{}, begin).Want(t, http.StatusCreated).Header.Get("Location")
	x.do(t, testkit.Request{Path: path, Body: map[string]any{"are_licenses_allowed": true}}).Want(t, http.StatusOK)
	var made, other projects.ProjectLicenseMade
	x.do(t, testkit.Request{Path: path + "/licenses", Body: map[string]any{"name": "Branch"}}).Want(t, http.StatusCreated).JSON(t, &made)
	x.do(t, testkit.Request{Path: path + "/licenses", Body: map[string]any{"name": "Other"}}).Want(t, http.StatusCreated).JSON(t, &other)

	visit(map[string]any{}, begin).Want(t, http.StatusForbidden)
	visit(map[string]any{"license_key": "parley_lic_0123456789abcdef"}, begin).Want(t, http.StatusForbidden)
	visit(question, before).Want(t, http.StatusForbidden)
	completion := map[string]any{"messages": []any{map[string]any{"role": "user", "content": "When do you open?"}}}
	visit(completion, path+"/chat/completions").Want(t, http.StatusForbidden)
	x.do(t, testkit.Request{Path: path + "/chat/completions", Body: completion}).Want(t, http.StatusOK) // no visitor
	messages := visit(map[string]any{"license_key": made.Data.LicenseKey}, begin).Want(t, http.StatusCreated).Header.Get("Location")
	for range 2 {
		visit(question, messages).Want(t, http.StatusOK)
	}

	one := path + "/licenses/" + strconv.FormatInt(made.Data.License.ID, 10)
	var read projects.ProjectLicenseAnswer
	x.get(t, one, &read)
	if read.License.Conversations != 1 || read.License.Queries != 2 {
		t.Errorf("counted %+v", read.License)
	}
	var list projects.ProjectLicenseList
	x.get(t, path+"/licenses", &list)
	if len(list.Data) != 2 || list.Data[0].Queries+list.Data[1].Queries != 2 {
		t.Errorf("listed %+v", list.Data)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: one}).Want(t, http.StatusOK)
	visit(question, messages).Want(t, http.StatusForbidden)
	x.do(t, testkit.Request{Path: messages, Body: question}).Want(t, http.StatusForbidden) // whoever asks
	visit(map[string]any{"license_key": made.Data.LicenseKey}, begin).Want(t, http.StatusForbidden)

	under := visit(map[string]any{"license_key": other.Data.LicenseKey}, begin).Want(t, http.StatusCreated).Header.Get("Location")
	x.do(t, testkit.Request{Path: path, Body: map[string]any{"are_licenses_allowed": false}}).Want(t, http.StatusOK)
	visit(question, under).Want(t, http.StatusForbidden)
	visit(question, before).Want(t, http.StatusOK)
	stranger := newTenant(t)
	_, elsewhere := stranger.library(t)
	stranger.do(t, testkit.Request{Path: elsewhere, Body: map[string]any{"are_licenses_allowed": true}}).Want(t, http.StatusOK)
	stranger.do(t, testkit.Request{Path: elsewhere + "/conversations", Body: map[string]any{"license_key": other.Data.LicenseKey}}).Want(t, http.StatusForbidden)
}
