package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/gen/client/webchat"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

// With a model for embeddings of the account's own, what is indexed and what is asked gets
// vectors, each booked to whom it is for.
func TestKnowledgeIsEmbeddedAndBooked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.embedder(t)
	x.uploaded(t, "/api/v1/documents")
	var answer webchat.WebchatAnswer
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": asked}, Header: map[string]string{"Idempotency-Key": "once"}}).Want(t, http.StatusOK).JSON(t, &answer)
	if !strings.Contains(answer.Content, "zebra") || len(answer.Citations) == 0 {
		t.Errorf("answered %+v", answer)
	}
	var vectors int
	if err := sql(t, x.server).Get(&vectors, `select count(*) from chunks where account_id = $1 and embedding_model = $2 and embedding is not null`, x.ID, testkit.UpstreamModel); err != nil || vectors == 0 {
		t.Errorf("%d passages have vectors, %v", vectors, err)
	}
	for app, want := range map[string]int{key.ServersApp: 1, x.key.AppID: 1} {
		var booked int
		if err := sql(t, x.server).Get(&booked, `select count(*) from ledger where account_id = $1 and app_id = $2 and model_id = $3 and amount_micros > 0`, x.ID, app, testkit.UpstreamModel); err != nil || booked != want {
			t.Errorf("%s: %d embeddings are booked, %v", app, booked, err)
		}
	}
	again := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": asked}, Header: map[string]string{"Idempotency-Key": "once"}}).Want(t, http.StatusOK)
	if again.Header.Get("Idempotency-Replayed") != "true" || !strings.Contains(string(again.Body), "zebra") {
		t.Errorf("repeated: %s", again.Body)
	}
	x.wantConserved(t)
}
