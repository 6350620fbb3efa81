package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// longAgo is when the tenants' tools were made.
var longAgo = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Flow and chat have the tenant's own names: it has one of each.
func (n tenant) flowRow() db.Flow {
	return db.Flow{AccountID: n.account, ID: "flow-of-" + n.account, Name: "f", Version: 1, Definition: []byte(`{}`), CreatedAt: now(), UpdatedAt: now()}
}

func (n tenant) chatRow() db.Chat {
	return db.Chat{AccountID: n.account, ID: "chat-of-" + n.account, AppID: n.app, Name: "c", FromType: "flow", FromID: n.flowRow().ID,
		Status: db.ChatReady, FlowVersion: 1, Definition: []byte(`{}`), State: []byte(`{}`), CreatedAt: now(), UpdatedAt: now()}
}

func (n tenant) toolRow() db.Tool {
	return db.Tool{AccountID: n.account, ID: "tool-of-" + n.account, Name: "t", Kind: "http", Approval: "never", Target: []byte(`{}`), Functions: []byte(`[]`),
		HeaderNames: []string{}, RefreshedAt: longAgo, CreatedAt: longAgo, UpdatedAt: longAgo}
}

func (n tenant) storeChats(t testing.TB, d *db.DB) {
	t.Helper()
	running := n.chatRow()
	past := now().Add(-time.Hour)
	running.Status, running.DeadlineAt, running.Run, running.TurnID = db.ChatRunning, &past, 1, n.turn
	if err := errors.Join(d.InTx(t.Context(), func(q *db.Queries) error { return q.InsertTool(t.Context(), n.toolRow(), 10) }), d.InsertFlow(t.Context(), n.flowRow()), d.InsertChat(t.Context(), n.chatRow())); err != nil {
		t.Fatal(err)
	}
	_, _, err := d.MoveChat(t.Context(), running, []db.ChatMessage{{ID: unique("m"), Run: 1, Type: "user", Sender: "a", Receiver: "b", Content: "Hi", CreatedAt: now()}},
		[]db.ChatEvent{{Kind: "message", Payload: []byte(`{}`), Message: 1, CreatedAt: now()}})
	if err != nil {
		t.Fatal(err)
	}
}

func (n tenant) chatCalls() []call {
	flow, chat := n.flowRow().ID, n.chatRow().ID
	return []call{
		{"Flow", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Flow(ctx, a, flow) }},
		{"Flows", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Flows(ctx, a, "", 10) }},
		{"FlowVersions", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.FlowVersions(ctx, a, flow, 0, 10) }},
		{"UpdateFlow", func(ctx context.Context, d *db.DB, a string) (any, error) {
			f := n.flowRow()
			f.AccountID, f.Version = a, 2
			return did(d.UpdateFlow(ctx, f))
		}},
		{"Chat", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Chat(ctx, a, chat) }},
		{"Chats", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Chats(ctx, a, "", 10) }},
		{"MoveChat", func(ctx context.Context, d *db.DB, a string) (any, error) {
			c := n.chatRow()
			c.AccountID, c.Version = a, 1
			last, _, err := d.MoveChat(ctx, c, nil, nil)
			return last, err
		}},
		{"ChatMessages", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ChatMessages(ctx, a, chat, 0, 10) }},
		{"ChatEvents", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ChatEvents(ctx, a, chat, 0, 10) }},
		{"EraseChats", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EraseChats(ctx, a, db.ScopeApp, n.app, now().Add(-time.Hour))
		}},
		{"EraseChatsBefore", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EraseChatsBefore(ctx, a, now().Add(-time.Hour))
		}},
		{"Tool", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Tool(ctx, a, n.toolRow().ID) }},
		{"Tools", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Tools(ctx, a, "", 10) }},
		{"ToolsOf", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ToolsOf(ctx, a, []string{n.toolRow().ID})
		}},
		{"UpdateTool", func(ctx context.Context, d *db.DB, a string) (any, error) {
			row := n.toolRow()
			row.AccountID, row.Name = a, "changed"
			return did(d.UpdateTool(ctx, row, row.UpdatedAt))
		}},
		{"DeleteTool", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteTool(ctx, a, n.toolRow().ID))
		}},
		{"DeleteChat", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.DeleteChat(ctx, a, chat)) }},
		{"DeleteFlow", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.DeleteFlow(ctx, a, flow)) }},
	}
}

// chatsApart are the methods that no account could abuse, with the reason.
var chatsApart = map[string]string{
	"InsertFlow": "makes a row of the account", "InsertTool": "makes a row of the account", "InsertChat": "makes a row of the account", "OverdueChats": "the server's housekeeping",
}

// Of two that saw the same version, one changes the chat, and what the other said is not stored.
func TestAChatIsMovedOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newTenant(t, d)
	c, err := d.Chat(t.Context(), n.account, n.chatRow().ID)
	if err != nil || c.Version != 1 || c.LastMessage != 1 || c.LastEvent != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	said := []db.ChatMessage{{ID: unique("m"), Run: 1, Type: "user", Sender: "a", Receiver: "b", Content: "Hi", CreatedAt: now()}, {ID: unique("m"), Run: 1, Type: "assistant", Sender: "b", Receiver: "a", Content: "Ho", CreatedAt: now()}}
	told := []db.ChatEvent{{Kind: "status", Payload: []byte(`{"status":"running"}`), CreatedAt: now()}, {Kind: "message", Payload: []byte(`{}`), Message: 2, CreatedAt: now()}}
	if message, event, err := d.MoveChat(t.Context(), c, said, told); err != nil || message != 3 || event != 3 {
		t.Fatalf("%d, %d, %v", message, event, err)
	}
	if _, _, err := d.MoveChat(t.Context(), c, said, told); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a second change of the same version: %v", err)
	}
	messages, err := d.ChatMessages(t.Context(), n.account, c.ID, 1, 10)
	if err != nil || len(messages) != 2 || messages[1].Content != "Ho" || messages[1].Seq != 3 {
		t.Errorf("messages %+v, %v", messages, err)
	}
	events, err := d.ChatEvents(t.Context(), n.account, c.ID, 1, 10)
	if err != nil || len(events) != 2 || events[0].MessageSeq != nil || *events[1].MessageSeq != 3 || events[1].Seq != 3 {
		t.Errorf("events %+v, %v", events, err)
	}
}

func TestRunsBeyondTheirTimeAreFound(t *testing.T) {
	t.Parallel()
	d, _ := dbtest.Own(t)
	n := newTenant(t, d)
	found, err := d.OverdueChats(t.Context(), now(), 10)
	if err != nil || len(found) != 1 || found[0] != (db.ChatName{AccountID: n.account, ID: n.chatRow().ID}) {
		t.Errorf("found %v, %v", found, err)
	}
	if found, err = d.OverdueChats(t.Context(), now().Add(-2*time.Hour), 10); err != nil || len(found) != 0 {
		t.Errorf("found %v before their time, %v", found, err)
	}
}

// A change of a flow makes its next version, and the same change once more none.
func TestAFlowKeepsItsVersions(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newTenant(t, d)
	f := n.flowRow()
	f.Name, f.Version, f.UpdatedAt = "g", 2, now()
	for range 2 {
		if err := d.UpdateFlow(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	f.UpdatedAt = f.UpdatedAt.Add(time.Second)
	if err := d.UpdateFlow(t.Context(), f); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("another change to the same version: %v", err)
	}
	versions, err := d.FlowVersions(t.Context(), n.account, f.ID, 0, 10)
	if err != nil || len(versions) != 2 || versions[0].Name != "g" || versions[1].Name != "f" {
		t.Errorf("versions %+v, %v", versions, err)
	}
}
