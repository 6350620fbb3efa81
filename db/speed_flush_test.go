package db_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
)

// BenchmarkAppendEvents tells what a flush costs Postgres: 100 of 500 turns of
// 64 accounts that run at once, with four events each. The figure row-µs is
// processor time of the backends for one turn's batch.
func BenchmarkAppendEvents(b *testing.B) {
	warm, dsn := dbtest.Own(b)
	d, raw := dbtest.Open(b, dsn, 1), rawConn(b, dsn)
	n := newTenant(b, warm)
	const turns, accounts, together = 500, 64, 100
	batches := make([]db.NewBatch, turns)
	var account string
	for i := range batches {
		if i%(turns/accounts) == 0 {
			account = dbtest.Account(b, warm, "unlimited", 1_000_000)
		}
		batches[i].Held = n.beginIn(b, d, account)
	}
	backends := backendsOf(b, raw)
	before := processorTimeOf(b, backends)
	for i := range b.N {
		flush := batches[i%(turns/together)*together:][:together]
		for j := range flush {
			next := int64(1)
			if flush[j].First > 0 {
				next = flush[j].First + 4
			}
			flush[j].Previous, flush[j].First = flush[j].First, next
			flush[j].Events = fmt.Appendf(nil, `[{"text":"a%d "},{"text":"word%d "},{"text":"of%d "},{"text":"four%d "}]`, next, next, next, next)
		}
		kept, err := d.AppendEvents(b.Context(), "srv", flush)
		if err != nil || len(kept) != together || !kept[0].Joined {
			b.Fatalf("%d turns kept, %v", len(kept), err)
		}
	}
	b.ReportMetric((processorTimeOf(b, backends)-before)/float64(b.N*together), "row-µs")
}

// beginIn begins a turn with a conversation of its own.
func (n tenant) beginIn(t testing.TB, d *db.DB, account string) db.Held {
	turn, conversation := n.turnRow(unique("turn_")), n.conversationRow(unique("sess_"))
	turn.AccountID, turn.ConversationID = account, &conversation.ID
	begun, err := d.BeginTurn(t.Context(), turn, db.Beginning{Conversation: conversation, Question: &db.Message{ID: unique("msg_"), Content: "Hi"}})
	if err != nil || !begun.Funded {
		t.Fatalf("%+v, %v", begun, err)
	}
	return turn.Held()
}

// backendsOf are the processes that serve the database's other connections.
func backendsOf(t testing.TB, raw *sqlx.DB) []int {
	var pids []int
	if err := raw.Select(&pids, `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`); err != nil {
		t.Fatal(err)
	}
	return pids
}

// processorTimeOf is what processes have used, in microseconds.
func processorTimeOf(t testing.TB, pids []int) (sum float64) {
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if err != nil {
			t.Fatal("what processes use is told on Linux alone: ", err)
		}
		used, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += used / 1e3
	}
	return sum
}
