package db_test

import (
	"flag"
	"testing"
	"time"

	"parley/db/dbtest"
)

var scaleMessages = flag.Int("scale-messages", 20_000, "how many messages TestTheCostOfManyMessages stores; five million take some minutes and 4 GB")

// scaleText is as long as an answer of some sentences.
const scaleText = `repeat(md5(i::text || seq::text) || ' ', 12)`

// Many messages: what they take, what Postgres's housekeeping over them costs,
// and what retention costs that takes one conversation in a hundred away.
func TestTheCostOfManyMessages(t *testing.T) {
	d, dsn := dbtest.Own(t)
	raw := rawConn(t, dsn)
	account := dbtest.Account(t, d, "free", 0)
	const perConversation = 20
	step := func(what, statement string, args ...any) {
		t.Helper()
		start := time.Now()
		if _, err := raw.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %v", what, time.Since(start).Round(time.Millisecond))
	}
	conversations := *scaleMessages / perConversation
	step("conversations stored", `
		insert into conversations select $1, 'sess_' || i, 'webchat', 'app_' || i % 50, null, null, '', '', $3, 0, 0, '', now(), now() - i * interval '10 seconds'
		from generate_series(1, $2::int) i`, account, conversations, perConversation)
	step("messages stored", `
		insert into messages select $1, 'sess_' || i, seq, 'msg_' || i || '_' || seq, case seq % 2 when 1 then 'user' else 'assistant' end, `+scaleText+`, '', null, null, null, now()
		from generate_series(1, $2::int) i cross join generate_series(1, $3::int) seq`, account, conversations, perConversation)
	step("vacuum and analyze after the load", `vacuum (analyze) messages`)
	var size struct {
		Table   int64 `db:"whole"`
		Indexes int64 `db:"indexes"`
	}
	sizes := func() {
		t.Helper()
		if err := raw.GetContext(t.Context(), &size, `select pg_table_size('messages') as whole, pg_indexes_size('messages') as indexes`); err != nil {
			t.Fatal(err)
		}
		t.Logf("table %d MB, indexes %d MB: %d bytes a message", size.Table>>20, size.Indexes>>20, (size.Table+size.Indexes)/int64(*scaleMessages))
	}
	sizes()
	start, gone := time.Now(), 0
	before := time.Now().Add(-time.Duration(conversations*99/100) * 10 * time.Second)
	for {
		n, err := d.EraseConversationsBefore(t.Context(), account, before, 100)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		gone += int(n)
	}
	t.Logf("retention took %d conversations with %d messages away within %v", gone, gone*perConversation, time.Since(start).Round(time.Millisecond))
	if gone < conversations/200 || gone > conversations/50 {
		t.Errorf("retention took %d of %d conversations away", gone, conversations)
	}
	step("vacuum after retention", `vacuum (analyze) messages`)
	was := size
	step("as many stored again", `
		insert into messages select $1, 'sess_' || i, seq + 1000, 'again_' || i || '_' || seq, 'user', `+scaleText+`, '', null, null, null, now()
		from generate_series(1, $2::int) i cross join generate_series(1, $3::int) seq`, account, gone, perConversation)
	sizes()
	if grown := float64(size.Table) / float64(was.Table); grown > 1.02 {
		t.Errorf("the table grew to %.3f of what it was: the room of what was taken away was not used again", grown)
	}
}
