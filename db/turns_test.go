package db_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

func TestAWriteOfEventsUnderWayHoldsUpATakeOver(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	n := newTenant(t, d)
	n.expire(t, rawConn(t, dsn))
	takeOver := func() []db.Turn { return takeOver(t, d.Queries, "heir") }
	err := d.InTx(t.Context(), func(q *db.Queries) error {
		if err := appendEvents(t.Context(), q, n.turnRow(n.turn), 1, 2, `[{"n":2}]`); err != nil {
			return err
		}
		if turns := takeOver(); len(turns) != 0 {
			t.Errorf("took over %+v while its owner was writing", turns)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if turns := takeOver(); len(turns) != 1 || turns[0].ID != n.turn || turns[0].Owner != "heir" || turns[0].Generation != 1 {
		t.Errorf("took over %+v", turns)
	}
}

// takeOver gives an owner what was abandoned.
func takeOver(t *testing.T, q *db.Queries, owner string) []db.Turn {
	t.Helper()
	found, err := q.LapsedTurns(t.Context(), nil, time.Hour, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var turns []db.Turn
	for _, h := range found.Turns {
		turn, err := q.TakeOverTurn(t.Context(), owner, h, nil, time.Hour)
		if err == nil {
			turns = append(turns, turn)
		} else if !errors.Is(err, db.ErrNotFound) {
			t.Fatal(err)
		}
	}
	return turns
}

func TestAnOldOwnerCannotWriteBehindATakeOver(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	n, raw := newTenant(t, d), rawConn(t, dsn)
	n.expire(t, raw)
	late := make(chan error, 2)
	err := d.InTx(t.Context(), func(q *db.Queries) error {
		takeOver(t, q, "srv") // of the same name: only the generation tells them apart
		go func() { late <- appendEvents(t.Context(), d.Queries, n.turnRow(n.turn), 1, 2, `[{"n":2}]`) }()
		waitForLock(t, raw)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-late; !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the old owner stored events: %v", err)
	}
	if err := d.EndTurn(t.Context(), ended(n.turnRow(n.turn)), ending()); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the old owner ended the turn: %v", err)
	}
	if renewed, err := d.RenewLeases(t.Context(), "srv", []db.Held{n.turnRow(n.turn).Held()}, time.Hour); err != nil || len(renewed) != 0 {
		t.Errorf("the old owner renewed its lease: %+v, %v", renewed, err)
	}
	if batches, err := d.TurnEvents(t.Context(), n.account, n.turn, 0); err != nil || len(batches) != 1 {
		t.Errorf("events %+v, %v", batches, err)
	}
}

// Batches arrive late and twice when connections break, and the last of them
// can be gone after a crash of Postgres. No log has a hole or loses its end.
func TestALogHasNoHoles(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n, raw := newTenant(t, d), rawConn(t, dbtest.DSN(t))
	row := n.turnRow(n.turn)
	put := func(previous, first int64, events string) bool {
		kept, err := d.AppendEvents(t.Context(), row.Owner, []db.NewBatch{{Held: row.Held(), Previous: previous,
			EventBatch: db.EventBatch{First: first, Events: []byte(events)}}})
		if err != nil || len(kept) != 1 {
			t.Fatalf("%+v, %v", kept, err)
		}
		return kept[0].Joined
	}
	if !put(1, 2, `[{"n":2},{"n":3}]`) || !put(1, 2, `[{"n":2}]`) {
		t.Error("a batch was not taken, or not once more")
	}
	if put(2, 5, `[{"n":5}]`) || put(3, 4, `[{"n":4}]`) {
		t.Error("a batch was stored beyond a hole")
	}
	if _, err := raw.Exec(`delete from turn_events where account_id = $1 and turn_id = $2 and first_event = 2`, n.account, n.turn); err != nil {
		t.Fatal(err)
	}
	end, final := ending(), ended(row)
	end.Previous, end.FirstEvent, end.Events = 2, 4, []byte(`[{"n":4}]`)
	if err := d.EndTurn(t.Context(), final, end); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("a turn was ended beyond a hole: %v", err)
	}
	if !put(0, 1, `[{"n":1},{"n":2},{"n":3}]`) {
		t.Error("the log was not mended")
	}
	end.Previous = 1
	if err := d.EndTurn(t.Context(), final, end); err != nil {
		t.Error(err)
	}
	if batches, err := d.TurnEvents(t.Context(), n.account, n.turn, 0); err != nil || len(batches) != 2 {
		t.Errorf("events %+v, %v", batches, err)
	}
}

// A deletion that waits for the end of a turn must still find what that end stored.
func TestDeletionDuringAnEndLeavesNoText(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(*db.DB, tenant) error{
		"conversation": func(d *db.DB, n tenant) error {
			return d.DeleteConversation(t.Context(), n.account, surface, n.app, n.conversation)
		},
		"sessions": func(d *db.DB, n tenant) error {
			_, err := d.DeleteSessions(t.Context(), n.account, surface, n.app)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dsn := dbtest.Own(t)
			n, raw := newTenant(t, d), rawConn(t, dsn)
			deleted := make(chan error, 1)
			err := d.InTx(t.Context(), func(q *db.Queries) error {
				if err := q.EndTurn(t.Context(), ended(n.turnRow(n.turn)), ending()); err != nil {
					return err
				}
				go func() { deleted <- remove(d, n) }()
				waitForLock(t, raw)
				return nil
			})
			if err := errors.Join(err, <-deleted); err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"conversations", "messages", "turn_events"} {
				if rows := rowsOf(t, raw, n.account)[table]; rows != "" {
					t.Errorf("%s keeps %s", table, rows)
				}
			}
		})
	}
}

func TestAnEndAfterTheDeletionKeepsFiguresAlone(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n, raw := newTenant(t, d), rawConn(t, dbtest.DSN(t))
	if err := d.DeleteConversation(t.Context(), n.account, surface, n.app, n.conversation); err != nil {
		t.Fatal(err)
	}
	if err := appendEvents(t.Context(), d.Queries, n.turnRow(n.turn), 1, 2, `[{"n":2}]`); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("events of a deleted conversation were stored: %v", err)
	}
	if err := d.EndTurn(t.Context(), ended(n.turnRow(n.turn)), ending()); err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(t, raw, n.account)
	if rows["messages"] != "" || rows["turn_events"] != "" {
		t.Errorf("text remains: %q, %q", rows["messages"], rows["turn_events"])
	}
	if a, err := d.Account(t.Context(), n.account); err != nil || a.HeldMicros != 0 || a.SpentMicros != 40 {
		t.Errorf("account %+v, %v", a, err)
	}
}

// Begins and ends of one conversation and account lock the same rows; they must
// do it in the same order.
func TestBeginsAndEndsDoNotDeadlock(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newTenant(t, d)
	var workers sync.WaitGroup
	for range 12 {
		workers.Go(func() {
			for range 25 {
				row := n.turnRow(unique("turn_"))
				begun, err := d.BeginTurn(t.Context(), row, db.Beginning{Question: &db.Message{ID: unique("msg_"), Content: "Hi"}})
				if err != nil || !begun.Funded {
					t.Errorf("begin: %+v, %v", begun, err)
					return
				}
				if err := d.EndTurn(t.Context(), ended(row), ending()); err != nil {
					t.Errorf("end: %v", err)
				}
			}
		})
	}
	workers.Wait()
	if a, err := d.Account(t.Context(), n.account); err != nil || a.HeldMicros != 100 || a.SpentMicros != 12*25*40 {
		t.Errorf("account %+v, %v", a, err)
	}
}

// database/sql repeats a statement whose connection broke, carried out or not.
func TestRepeatedWritesChangeNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n, raw := newTenant(t, d), rawConn(t, dbtest.DSN(t))
	row, question := n.turnRow(unique("turn_")), &db.Message{ID: unique("msg_"), Content: "Hi"}
	fresh := n.turnRow(unique("turn_"))
	conversation := n.conversationRow(unique("sess_"))
	fresh.ConversationID = &conversation.ID
	entry, at := unique("entry_"), now()
	agent := db.Agent{AccountID: n.account, ID: unique("agent_"), Name: "agent", CreatedAt: at}
	empty := n.conversationRow(unique("sess_"))
	for name, write := range map[string]func() error{
		"BeginTurn": func() error {
			b, err := d.BeginTurn(t.Context(), row, db.Beginning{Question: question})
			return errors.Join(err, wantBegun(b))
		},
		"BeginTurn with its conversation": func() error {
			b, err := d.BeginTurn(t.Context(), fresh, db.Beginning{Conversation: conversation, Question: question})
			return errors.Join(err, wantBegun(b))
		},
		"AppendEvents": func() error { return appendEvents(t.Context(), d.Queries, n.turnRow(n.turn), 1, 2, `[{"n":2}]`) },
		"Grant":        func() error { return d.Grant(t.Context(), n.account, entry, 5, at) },
		"InsertAgent":  func() error { return d.InsertAgent(t.Context(), agent) },
		"InsertConversation": func() error {
			return d.InsertConversation(t.Context(), *empty)
		},
		"InsertAccount": func() error {
			return d.InsertAccount(t.Context(), db.Account{ID: n.account, Name: "again", Plan: "pro", CreatedAt: at})
		},
	} {
		if err := write(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		once := rowsOf(t, raw, n.account)
		if err := write(); err != nil {
			t.Errorf("%s a second time: %v", name, err)
		}
		for table, rows := range rowsOf(t, raw, n.account) {
			if rows != once[table] {
				t.Errorf("%s a second time changed %s:\n%s\n%s", name, table, once[table], rows)
			}
		}
	}
}

func wantBegun(b db.Begun) error {
	if !b.Funded || !b.Conversation {
		return errors.New("not begun")
	}
	return nil
}

func TestATurnWithoutAQuestionStoresNoMessage(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newTenant(t, d)
	row, c := n.turnRow(unique("turn_")), n.conversationRow(unique("sess_"))
	row.ConversationID = &c.ID
	if _, err := d.BeginTurn(t.Context(), row, db.Beginning{Conversation: c}); err != nil {
		t.Fatal(err)
	}
	if err := d.EndTurn(t.Context(), ended(row), ending()); err != nil {
		t.Fatal(err)
	}
	ms, err := d.Messages(t.Context(), n.account, c.ID, 0, 10)
	if err != nil || len(ms) != 1 || ms[0].Seq != 1 || ms[0].Role != "assistant" {
		t.Errorf("messages %+v, %v", ms, err)
	}
}
