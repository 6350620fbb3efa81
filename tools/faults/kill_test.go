package faults

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
)

// Servers are killed while the clients of eight accounts talk to them and an operator gives those money and takes some
// back. At every moment each account's money is all there. Every answer that a client saw to its end is stored as it
// was seen, with exactly one usage entry of the tokens that the upstream reported; every other turn ends.
func TestKilledServersLoseNothingAcknowledged(t *testing.T) {
	s, kills := seed(t), 20
	if long() {
		kills = 200
	}
	const accounts, credit = 8, 1_000_000_000
	c := newCluster(t, 3, newUpstream(t, 8*time.Millisecond))
	c.price(1_000)
	operator := c.operator()
	stop := make(chan struct{})
	var all, watching sync.WaitGroup
	snapshots := 0
	watching.Go(func() { snapshots = c.watchMoney(t, stop) })
	drivers, adjusted, ids := make([]*driver, accounts), make([]int64, accounts), make([]string, accounts)
	for i := range drivers {
		a := c.account("unlimited", credit)
		drivers[i], ids[i] = &driver{cluster: c, key: a.Key, stop: stop}, a.ID
		all.Go(func() { drivers[i].run(4, s+uint64(i)) })
		all.Go(func() { adjusted[i] = c.adjust(t, rand.New(rand.NewPCG(s, 1<<33+uint64(i))), operator, a.ID, stop) })
	}
	r := rand.New(rand.NewPCG(s, 1<<32))
	for range kills {
		<-time.After(time.Duration(100+r.IntN(500)) * time.Millisecond)
		i := r.IntN(len(c.servers))
		c.kill(i)
		c.start(i)
	}
	close(stop)
	all.Wait()
	watching.Wait()
	for i, d := range drivers {
		c.check(t, ids[i], d.log)
		c.checkOnce(t, ids[i])
		c.checkGranted(t, ids[i], credit+adjusted[i])
	}
	t.Logf("%d kills, %d snapshots of all money", kills, snapshots)
}

// stored is what the database says of one turn.
type stored struct {
	ID      string  `db:"turn_id"`
	State   string  `db:"state"`
	Answer  *string `db:"answer"`
	Entries int     `db:"entries"`
	Input   int64   `db:"input_tokens"`
	Output  int64   `db:"output_tokens"`
}

// check compares what clients saw with what is stored, once all turns have ended.
func (c *cluster) check(t *testing.T, accountID string, log []saw) {
	t.Helper()
	raw := c.raw(t)
	c.awaitEnds(t, raw, accountID)
	turns := map[string]stored{}
	var rows []stored
	if err := raw.Select(&rows, `
		with answers as materialized (
			select turn_id, max(content) as content from messages where account_id = $1 and role = 'assistant' group by turn_id
		), entries as materialized (
			select turn_id, count(*) as entries, sum(input_tokens)::bigint as input_tokens, sum(output_tokens)::bigint as output_tokens
			from ledger
			where account_id = $1 and kind = 'usage'
			group by turn_id
		)
		select t.turn_id, t.state, a.content as answer, coalesce(e.entries, 0) as entries,
			coalesce(e.input_tokens, 0) as input_tokens, coalesce(e.output_tokens, 0) as output_tokens
		from turns t left join answers a on a.turn_id = t.turn_id left join entries e on e.turn_id = t.turn_id
		where t.account_id = $1`, accountID); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		turns[row.ID] = row
		if row.Entries != 1 {
			t.Errorf("turn %s (%s) has %d usage entries", row.ID, row.State, row.Entries)
		}
	}
	complete, resumed := 0, 0
	for _, seen := range log {
		if seen.complete {
			complete++
			resumed += min(seen.resumed, 1)
			checkAnswer(t, seen, turns[seen.turn])
		}
	}
	var wrong []string
	if err := raw.Select(&wrong, unbalanced); err != nil || len(wrong) != 0 {
		t.Errorf("the money of %v is not all there, %v", wrong, err)
	}
	if complete == 0 || resumed == 0 {
		t.Errorf("%d answers seen to their end, %d of them after a resume: the campaign tested nothing", complete, resumed)
	}
	t.Logf("%d questions, %d turns, %d answers seen to their end, %d of them after a resume, 0 lost", len(log), len(turns), complete, resumed)
}

func checkAnswer(t *testing.T, seen saw, row stored) {
	t.Helper()
	input, output := usageOf(seen.n)
	switch {
	case seen.text != answerText(seen.n):
		t.Errorf("question %d (%s): the client saw %q", seen.n, seen.turn, seen.text)
	case row.State != "completed" || row.Answer == nil || *row.Answer != seen.text:
		t.Errorf("question %d (%s): seen to its end, stored as %+v", seen.n, seen.turn, row)
	case row.Input != input || row.Output != output:
		t.Errorf("question %d (%s): usage %d and %d, the upstream reported %d and %d", seen.n, seen.turn, row.Input, row.Output, input, output)
	}
}

// raw are connections of the checker's own.
func (c *cluster) raw(t *testing.T) *sqlx.DB {
	t.Helper()
	raw, err := sqlx.Connect("postgres", c.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}
