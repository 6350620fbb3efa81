package testkit

import (
	"testing"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/model"
)

// RealtimeSession stores a realtime session of an app with one item, and returns its id.
func (a Account) RealtimeSession(t testing.TB, appID string) string {
	t.Helper()
	modelID := model.BuiltInLLM
	c := db.Conversation{AccountID: a.ID, ID: id.New(id.Session), Surface: "realtime", AppID: appID, ModelID: &modelID, CreatedAt: now()}
	err := a.server.DB.InsertRealtimeSession(t.Context(), c, `{}`)
	if err == nil {
		item := `{"id":"item_1","object":"realtime.item","type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"A question"}]}`
		err = a.server.DB.InsertRealtimeItems(t.Context(), a.ID, c.ID, []db.RealtimeItem{{ID: "item_1", Item: item}}, db.Spoken{}, now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}
