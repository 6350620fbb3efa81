package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// crowd is turns of two accounts: each in a conversation, three of them in one.
func crowd(a, b tenant) (turns []db.Turn, beginnings []db.Beginning) {
	add := func(n tenant, conversation string, isNew bool) {
		row := n.turnRow(unique("turn_"))
		row.ConversationID, row.KeyID, row.HeldMicros = &conversation, unique("key_"), 100
		begin := db.Beginning{Question: &db.Message{ID: unique("msg_"), Content: "Hi"}}
		if isNew {
			begin.Conversation = n.conversationRow(conversation)
		}
		turns, beginnings = append(turns, row), append(beginnings, begin)
	}
	add(a, unique("sess_"), true)
	add(b, unique("sess_"), true)
	add(a, a.conversation, false)
	add(b, unique("sess_"), true)
	return turns, beginnings
}

func TestTurnsThatBeginTogetherAreEachWholeOrNotThere(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a, b, poor := newTenant(t, d), newTenant(t, d), newTenant(t, d)
	before := money(t, d, a, b, poor)
	turns, beginnings := crowd(a, b)
	again, lacking, dear := turns[2], poor.turnRow(unique("turn_")), poor.turnRow(unique("turn_"))
	again.ID = unique("turn_") // a second question in the same conversation
	lacking.ConversationID, lacking.HeldMicros, dear.ConversationID = nil, 10, nil
	dear.HeldMicros = before[poor.account].BalanceMicros // with the other more than there is: neither begins here
	turns = append(turns, again, lacking, dear, turns[0])
	beginnings = append(beginnings, db.Beginning{Question: &db.Message{ID: unique("msg_"), Content: "Hi"}}, db.Beginning{}, db.Beginning{})
	begun, err := db.BeginTurnsTogether(t.Context(), d, turns[:7], beginnings)
	if want := []bool{true, true, true, true, false, false, false}; err != nil || !slices.Equal(begun, want) {
		t.Fatalf("begun %v, %v", begun, err)
	}
	if begun, err = db.BeginTurnsTogether(t.Context(), d, turns[:4], beginnings[:4]); err != nil || slices.Contains(begun, true) {
		t.Errorf("begun once more: %v, %v", begun, err)
	}
	after := money(t, d, a, b, poor)
	for n, held := range map[string]int64{a.account: 200, b.account: 200, poor.account: 0} {
		if after[n].HeldMicros-before[n].HeldMicros != held || before[n].BalanceMicros-after[n].BalanceMicros != held {
			t.Errorf("money before %+v, after %+v", before[n], after[n])
		}
	}
	for i, row := range turns[:4] {
		stored, err := d.Turn(t.Context(), row.AccountID, row.ID)
		messages, listErr := d.Messages(t.Context(), row.AccountID, *row.ConversationID, 0, 10)
		if err != nil || listErr != nil || stored.State != db.TurnRunning || stored.HeldMicros != 100 || messages[len(messages)-1].ID != beginnings[i].Question.ID {
			t.Errorf("turn %d: %+v, %v, messages %+v, %v", i, stored, err, messages, listErr)
		}
	}
}

func money(t *testing.T, d *db.DB, tenants ...tenant) map[string]db.Account {
	t.Helper()
	all := map[string]db.Account{}
	for _, n := range tenants {
		a, err := d.Account(t.Context(), n.account)
		if err != nil {
			t.Fatal(err)
		}
		all[n.account] = a
	}
	return all
}

// Turns that end together give back what each occupied: their place at the key's
// gate, their tokens of the minute, their budget and their money.
func TestTurnsThatEndTogetherAreEachSettled(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a, b := newTenant(t, d), newTenant(t, d)
	before := money(t, d, a, b)
	streams, tokens := 8, 100_000
	limits := db.Ceilings{ConcurrentStreams: &streams, TokensPerMinute: &tokens, Bucket: unique("bucket-"), Tokens: 50}
	var turns []db.Turn
	var endings []db.Ending
	for i := range 6 {
		n := []tenant{a, b}[i%2]
		row := n.turnRow(unique("turn_"))
		row.HeldMicros, row.ConversationID = 100, &n.conversation // of the key that has a budget
		if begun, err := d.BeginTurn(t.Context(), row, db.Beginning{Ceilings: limits, Question: &db.Message{ID: unique("msg_"), Content: fmt.Sprint("question ", i)}}); err != nil || !begun.Funded {
			t.Fatalf("begun %+v, %v", begun, err)
		}
		at := now()
		row.State, row.InputTokens, row.OutputTokens, row.CostMicros, row.EndedAt = db.TurnCompleted, 3, int64(i), 10+int64(i), &at
		turns, endings = append(turns, row), append(endings, db.Ending{EntryID: unique("entry_"), FirstEvent: 1, Events: []byte(`[{"n":1}]`),
			Answer: &db.Message{ID: unique("msg_"), Content: fmt.Sprint("answer ", i)}, Preview: fmt.Sprint("answer ", i)})
	}
	stranger := turns[0]
	stranger.Owner = "somebody else"
	ended, err := db.EndTurnsTogether(t.Context(), d, append(slices.Clone(turns), stranger), append(endings, endings[0]))
	if want := []bool{true, true, true, true, true, true, false}; err != nil || !slices.Equal(ended, want) {
		t.Fatalf("ended %v, %v", ended, err)
	}
	if ended, err = db.EndTurnsTogether(t.Context(), d, turns, endings); err != nil || slices.Contains(ended, true) {
		t.Errorf("ended once more: %v, %v", ended, err)
	}
	after := money(t, d, a, b)
	for i, n := range []tenant{a, b} {
		cost := int64(30 + 0 + 2 + 4 + 3*i)
		if got := after[n.account]; got.SpentMicros-before[n.account].SpentMicros != cost || got.HeldMicros != before[n.account].HeldMicros || got.BalanceMicros != before[n.account].BalanceMicros-cost {
			t.Errorf("money before %+v, after %+v", before[n.account], got)
		}
		if left, err := d.Budget(t.Context(), n.account, n.budget); err != nil || left.HeldMicros != before[n.account].HeldMicros || left.SpentMicros != cost {
			t.Errorf("budget %+v, %v", left, err)
		}
		wantAnswers(t, d, n, i)
		n.wantRoom(t, d, limits, int64(9+0+2+4+3*i))
	}
}

// Turns that began together end with no more than they need: alone and with others, stored or not.
func TestTurnsThatBeganPlainlyEndPlainly(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	a, b := newTenant(t, d), newTenant(t, d)
	for _, stored := range []bool{false, true} {
		for _, many := range []int{1, 4} {
			before := money(t, d, a, b)
			var turns []db.Turn
			var beginnings []db.Beginning
			var endings []db.Ending
			for i := range many {
				n := []tenant{a, b}[i%2]
				row, begin, ending := n.turnRow(unique("turn_")), db.Beginning{}, db.Ending{EntryID: unique("entry_"), Plain: true}
				row.HeldMicros, row.KeyID, row.ConversationID, row.Unstored = 100, unique("key_"), nil, !stored
				if conversation := unique("sess_"); stored {
					row.ConversationID, begin.Conversation = &conversation, n.conversationRow(conversation)
					begin.Question = &db.Message{ID: unique("msg_"), Content: "Hi"}
					ending.Answer, ending.FirstEvent, ending.Events = &db.Message{ID: unique("msg_"), Content: "Hello"}, 1, []byte(`[{"n":1}]`)
				}
				turns, beginnings, endings = append(turns, row), append(beginnings, begin), append(endings, ending)
			}
			if begun, err := db.BeginTurnsTogether(t.Context(), d, turns, beginnings); err != nil || slices.Contains(begun, false) {
				t.Fatalf("begun %v, %v", begun, err)
			}
			at := now()
			for i := range turns {
				turns[i].State, turns[i].CostMicros, turns[i].EndedAt = db.TurnCompleted, 7, &at
			}
			if ended, err := db.EndTurnsTogether(t.Context(), d, turns, endings); err != nil || slices.Contains(ended, false) {
				t.Fatalf("ended %v, %v", ended, err)
			}
			after := money(t, d, a, b)
			for i, row := range turns {
				was, is := before[row.AccountID], after[row.AccountID]
				if cost := int64(7 * ((many + 1 - i%2) / 2)); is.SpentMicros-was.SpentMicros != cost || is.HeldMicros != was.HeldMicros || was.BalanceMicros-is.BalanceMicros != cost {
					t.Errorf("stored %v, %d turns: money before %+v, after %+v", stored, many, was, is)
				}
				if !stored {
					continue
				}
				messages, err := d.Messages(t.Context(), row.AccountID, *row.ConversationID, 0, 10)
				log, logErr := d.TurnEvents(t.Context(), row.AccountID, row.ID, 0)
				if err != nil || logErr != nil || len(messages) != 2 || messages[1].Content != "Hello" || len(log) != 1 {
					t.Errorf("messages %+v, %v, log %v, %v", messages, err, log, logErr)
				}
			}
		}
	}
}

// wantAnswers checks that the conversation has three more questions and then their answers, in order, and tells the last.
func wantAnswers(t *testing.T, d *db.DB, n tenant, first int) {
	t.Helper()
	messages, err := d.Messages(t.Context(), n.account, n.conversation, 0, 50)
	if err != nil || len(messages) != 7 {
		t.Fatalf("messages %+v, %v", messages, err)
	}
	for place, m := range messages[4:] {
		if m.Content != fmt.Sprint("answer ", first+2*place) || m.Seq != int64(5+place) {
			t.Errorf("answer %d: %+v", place, m)
		}
	}
	c, err := d.Conversation(t.Context(), n.account, surface, n.conversation)
	if err != nil || c.Preview != messages[6].Content || c.LastSeq != 7 {
		t.Errorf("conversation %+v, %v", c, err)
	}
}

// wantRoom checks that the minute holds the tokens that ended turns took and the gate nobody: one more begins exactly then.
func (n tenant) wantRoom(t *testing.T, d *db.DB, limits db.Ceilings, used int64) {
	t.Helper()
	one, rest := 1, int(used)+50
	limits.ConcurrentStreams, limits.TokensPerMinute = &one, &rest
	row := n.turnRow(unique("turn_"))
	row.ConversationID, row.Lease = nil, time.Hour
	limits.Tokens = 51
	if begun, err := d.BeginTurn(t.Context(), row, db.Beginning{Ceilings: limits}); err != nil || begun.Tokens || !begun.Room {
		t.Errorf("with a token too many: %+v, %v", begun, err)
	}
	limits.Tokens = 50
	if begun, err := d.BeginTurn(t.Context(), row, db.Beginning{Ceilings: limits}); err != nil || !begun.Funded {
		t.Errorf("with the last tokens: %+v, %v", begun, err)
	}
}

// An account whose row somebody holds keeps nobody else's turns waiting.
func TestAHeldAccountHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	stuck, free, raw := newTenant(t, d), newTenant(t, d), rawConn(t, dsn)
	hold, err := raw.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Rollback() }()
	if _, err := hold.Exec(`select 1 from accounts where account_id = $1 for update`, stuck.account); err != nil {
		t.Fatal(err)
	}
	begin := func(n tenant) error {
		row := n.turnRow(unique("turn_"))
		row.ConversationID, row.KeyID, row.HeldMicros = nil, unique("key_"), 10
		begun, err := d.BeginTurn(t.Context(), row, db.Beginning{})
		if err == nil && !begun.Funded {
			err = fmt.Errorf("not begun: %+v", begun)
		}
		return err
	}
	waiting := make(chan error, 16)
	for range 8 { // more than there are statements under way at once
		go func() { waiting <- begin(stuck) }()
	}
	for range 20 {
		if err := begin(free); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-waiting:
		t.Errorf("a turn of the held account began: %v", err)
	default:
	}
	if err := hold.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
}

// What locks the purses of an account one after the other waits for statements
// of many of its turns, which lock them in no order, and they for it.
func TestTurnsTogetherAndPursesInOrderExcludeEachOther(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	n, raw := newTenant(t, d), rawConn(t, dsn)
	many, err := raw.Beginx()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = many.Rollback() }()
	if _, err := many.Exec(`select pg_advisory_xact_lock(hashtextextended('turns of ' || $1, 0))`, n.account); err != nil {
		t.Fatal(err)
	}
	lone := n.turnRow(unique("turn_"))
	lone.ConversationID, lone.HeldMicros = nil, 10
	tokens := 1000
	acts := map[string]func() error{
		"spreading": func() error { return d.SpreadMoney(t.Context(), n.account, 1) },
		"locking": func() error {
			return d.InTx(t.Context(), func(q *db.Queries) error { return q.LockPurses(t.Context(), n.account) })
		},
		"beginning": func() error {
			_, err := d.BeginTurn(t.Context(), lone, db.Beginning{Ceilings: db.Ceilings{TokensPerMinute: &tokens, Bucket: unique("bucket-"), Tokens: 1}})
			return err
		},
	}
	ended := make(chan error, len(acts))
	for what, act := range acts {
		go func() {
			err := act()
			if err != nil {
				err = fmt.Errorf("%s: %w", what, err)
			}
			ended <- err
		}()
	}
	for waiting := 0; waiting < len(acts); {
		if err := raw.Get(&waiting, `select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			t.Fatalf("one did not wait: %v", err)
		default:
		}
	}
	if err := many.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range acts {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
