package apitest_test

import (
	"net/http"
	"testing"

	"parley/db"
	"parley/gen/client/engagement"
	"parley/impl/testkit"
)

// Generated clients of typed languages send an empty list where nothing was said, as Java's do.
func TestAnEmptyListIsAsNoneAtAll(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	if o := x.report(t, `{"user_id":"ann","type":"like","at":"2026-03-02T10:00:00Z","events":[]}`); len(o.Results) != 1 {
		t.Errorf("the event beside an empty batch: %+v", o)
	}
	x.do(t, testkit.Request{Path: "/api/v1/monitor/behavior", Body: `{"events":[]}`}).Want(t, http.StatusBadRequest)

	one := "user_id=ann&timeframe=2026-03-01..2026-03-04"
	if a := x.analyze(t, one, `{"metrics":[],"user_ids":[]}`); len(a.Metrics) != len(allMetrics(t, x, one)) || a.Events != 1 {
		t.Errorf("analysis %+v", a)
	}
	x.do(t, testkit.Request{Path: "/api/v1/analyze?timeframe=today", Body: `{"user_ids":[]}`}).Want(t, http.StatusBadRequest)

	c := x.Conversation(t, func(*db.Conversation) {})
	x.do(t, testkit.Request{Path: "/api/v1/conversations/" + c.ID + "/messages", Body: object{"content": "Hello!", "images": []any{}}}).Want(t, http.StatusCreated)

	var beta struct {
		Modalities []string `json:"modalities"`
	}
	x.do(t, testkit.Request{Path: "/v1/realtime/sessions", Body: `{"modalities":[]}`}).Want(t, http.StatusOK).JSON(t, &beta)
	var secret struct {
		Session struct {
			Modalities []string `json:"output_modalities"`
		} `json:"session"`
	}
	x.do(t, testkit.Request{Path: "/v1/realtime/client_secrets", Body: `{"session":{"type":"realtime","output_modalities":[]}}`}).Want(t, http.StatusOK).JSON(t, &secret)
	if len(beta.Modalities) == 0 || len(secret.Session.Modalities) == 0 {
		t.Errorf("sessions answer by %v and %v", beta.Modalities, secret.Session.Modalities)
	}
}

func allMetrics(t *testing.T, x tenant, query string) []engagement.Metric {
	t.Helper()
	return x.analyze(t, query, `{}`).Metrics
}
