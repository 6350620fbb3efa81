package apitest_test

import (
	"net/http"
	"strconv"
	"testing"

	"parley/gen/client/projects"
	"parley/gen/client/webchat"
	"parley/impl/testkit"
)

// A license's key opens a project to the visitors of an app that answers from it, for as long as the license is
// there and the project allows licenses; what was asked under it is counted.
func TestALicenseOpensAProjectToVisitorsUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	project, path := x.library(t)
	const site = "https://shop.example"
	visitor := x
	visitor.key = x.Key(t, testkit.Publishable(site), ofProject(project.ID), testkit.Scopes("webchat"))
	chat := func(license, session string) testkit.Response {
		t.Helper()
		body := map[string]any{"message": "When does the library open?"}
		for name, value := range map[string]string{"license_key": license, "session_id": session} {
			if value != "" {
				body[name] = value
			}
		}
		return visitor.do(t, testkit.Request{Path: "/api/v1/chat", Body: body, Header: map[string]string{"Origin": site}})
	}
	chat("", "").Want(t, http.StatusOK)
	allow := func(allowed bool) {
		t.Helper()
		x.do(t, testkit.Request{Path: path, Body: map[string]any{"are_licenses_allowed": allowed}}).Want(t, http.StatusOK)
	}
	allow(true)
	var made, other projects.ProjectLicenseMade
	x.do(t, testkit.Request{Path: path + "/licenses", Body: map[string]any{"name": "Branch"}}).Want(t, http.StatusCreated).JSON(t, &made)
	x.do(t, testkit.Request{Path: path + "/licenses", Body: map[string]any{"name": "Other"}}).Want(t, http.StatusCreated).JSON(t, &other)
	chat("", "").Want(t, http.StatusForbidden)
	chat("parley_lic_0123456789abcdef", "").Want(t, http.StatusForbidden)
	var answer webchat.WebchatAnswer
	first := chat(made.Data.LicenseKey, "").Want(t, http.StatusOK)
	first.JSON(t, &answer)
	visitor.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "And on Sundays?", "session_id": answer.SessionID, "license_key": made.Data.LicenseKey},
		Header: map[string]string{"Origin": site, "Parley-End-User": first.Header.Get("Parley-End-User")}}).Want(t, http.StatusOK)

	one := path + "/licenses/" + strconv.FormatInt(made.Data.License.ID, 10)
	var read projects.ProjectLicenseAnswer
	x.get(t, one, &read)
	if read.License.Conversations != 1 || read.License.Queries != 2 {
		t.Errorf("counted %+v", read.License)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: one}).Want(t, http.StatusOK)
	chat(made.Data.LicenseKey, "").Want(t, http.StatusForbidden)
	chat(other.Data.LicenseKey, "").Want(t, http.StatusOK)
	allow(false)
	chat(other.Data.LicenseKey, "").Want(t, http.StatusForbidden)
	chat("", "").Want(t, http.StatusOK)
}

// Conversations of the projects API that a license began end with it, whoever asks.
func TestConversationsUnderALicenseEndWithIt(t *testing.T) {
	t.Parallel()
	x, stranger := newTenant(t), newTenant(t)
	_, path := x.library(t)
	_, elsewhere := stranger.library(t)
	for at, who := range map[string]tenant{path: x, elsewhere: stranger} {
		who.do(t, testkit.Request{Path: at, Body: map[string]any{"are_licenses_allowed": true}}).Want(t, http.StatusOK)
	}
	var made projects.ProjectLicenseMade
	x.do(t, testkit.Request{Path: path + "/licenses", Body: map[string]any{"name": "Branch"}}).Want(t, http.StatusCreated).JSON(t, &made)
	begin := map[string]any{"license_key": made.Data.LicenseKey}
	stranger.do(t, testkit.Request{Path: elsewhere + "/conversations", Body: begin}).Want(t, http.StatusForbidden)
	messages := x.do(t, testkit.Request{Path: path + "/conversations", Body: begin}).Want(t, http.StatusCreated).Header.Get("Location")
	question := testkit.Request{Path: messages, Body: map[string]any{"prompt": "When does the library open?"}}
	x.do(t, question).Want(t, http.StatusOK)
	var list projects.ProjectLicenseList
	x.get(t, path+"/licenses", &list)
	if len(list.Data) != 1 || list.Data[0].Conversations != 1 || list.Data[0].Queries != 1 {
		t.Errorf("listed %+v", list.Data)
	}
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path + "/licenses/" + strconv.FormatInt(made.Data.License.ID, 10)}).Want(t, http.StatusOK)
	x.do(t, question).Want(t, http.StatusForbidden)
	x.do(t, testkit.Request{Path: x.projectMessages(t, path), Body: question.Body}).Want(t, http.StatusOK)
}
