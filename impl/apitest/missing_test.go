package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// A PUT to what a project does not have makes nothing.
func TestChangesOfWhatAProjectLacksAreNotFound(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	for operation, id := range map[string]string{
		"syncProjectSource": "source_id", "updateProjectSource": "source_id", "updateMessageFeedback": "prompt_id",
		"updateProjectConversation": "project_session", "updateProjectPageMetadata": "page_id",
	} {
		r := x.sample(t, testkit.OperationOf(operation))
		r.Path = strings.Replace(r.Path, x.id(t, id), missing(x.id(t, id)), 1)
		x.do(t, r).Want(t, http.StatusNotFound)
	}
}

func TestAgentsOfEngagementTellThatTheModelFailed(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Status(http.StatusBadRequest, "bad", "no"))
	for path, body := range map[string]string{
		"/api/v1/generate?agent=analytics": `{"prompt":"Hi"}`, "/api/v1/agents/analytics/interact": `{"prompt":"Hi","user_id":"ann"}`,
		"/api/v1/analyze?user_id=ann": `{"summary":true}`,
	} {
		x.do(t, testkit.Request{Path: path, Body: body}).Want(t, http.StatusBadGateway)
	}
}
