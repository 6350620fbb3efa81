package turn_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/secret"
	"parley/impl/core/turn"
)

const (
	surface  = "webchat"
	credit   = 100 * money.Unit
	priceIn  = 1_000 // micro-units per 1,000 tokens
	priceOut = 2_000
)

// clock is the real time plus what tests add.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(c.ahead.Load())).UTC().Truncate(time.Microsecond)
}

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// bundle is an account with a priced model behind a scripted provider, and an engine.
type bundle struct {
	db            *db.DB
	dsn           string
	clock         *clock
	scripted      provider.Provider
	models        *model.Catalog
	engine        *turn.Engine
	conversations *conversation.Service
	caller        key.Caller
}

func setup(t testing.TB, p provider.Provider) *bundle {
	t.Helper()
	return setupOn(t, dbtest.New(t), dbtest.DSN(t), p)
}

func setupOn(t testing.TB, d *db.DB, dsn string, p provider.Provider) *bundle {
	t.Helper()
	b := &bundle{db: d, dsn: dsn, clock: &clock{}, scripted: p}
	b.models = catalog(t, d, p, b.clock.now)
	b.engine = b.newEngine(t, d)
	b.conversations = &conversation.Service{DB: d, Models: b.models, Turns: b.engine, Now: b.clock.now}
	return b.withAccount(t, credit)
}

// withAccount is the bundle with a fresh account of its own.
func (b *bundle) withAccount(t testing.TB, creditMicros int64) *bundle {
	t.Helper()
	own := *b
	own.caller = key.Caller{AccountID: dbtest.Account(t, b.db, "unlimited", creditMicros), KeyID: id.New(id.Key), AppID: id.New(id.App)}
	offer(t, b.models, own.caller.AccountID, priceIn, priceOut)
	return &own
}

// newEngine starts another server's engine; its turns must end before the test does.
func (b *bundle) newEngine(t testing.TB, d *db.DB) *turn.Engine {
	t.Helper()
	models := b.models
	if d != b.db {
		models = catalog(t, d, b.scripted, b.clock.now)
	}
	e := turn.New(d, models, slog.New(slog.DiscardHandler), b.clock.now)
	t.Cleanup(func() { e.Stop(expired()) })
	return e
}

func catalog(t testing.TB, d *db.DB, p provider.Provider, now func() time.Time) *model.Catalog {
	t.Helper()
	box, err := secret.NewBox(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	return &model.Catalog{DB: d, Box: box, Now: now,
		Connect: func(string, string, bool) (provider.Provider, error) { return p, nil }}
}

// offer gives the account the provider's model "scripted" at a price.
func offer(t testing.TB, c *model.Catalog, accountID string, input, output int64) {
	t.Helper()
	if _, _, err := c.Add(t.Context(), model.AddInput{AccountID: accountID, Name: "p", BaseURL: "http://provider.test/v1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.SetPrice(t.Context(), accountID, "scripted", input, output, 0); err != nil {
		t.Fatal(err)
	}
}

// input asks a question in a new conversation.
func (b *bundle) input(question string) turn.Input {
	now := b.clock.now()
	return turn.Input{
		Caller: b.caller, Surface: surface, ModelID: "scripted", Question: question, Begins: true,
		Conversation: &db.Conversation{AccountID: b.caller.AccountID, ID: id.New(id.Session), Surface: surface,
			AppID: b.caller.AppID, CreatedAt: now, LastMessageAt: now},
	}
}

func (b *bundle) start(t testing.TB, in turn.Input) *turn.Live {
	t.Helper()
	live, err := b.engine.Start(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return live
}

func (b *bundle) turn(t testing.TB, turnID string) db.Turn {
	t.Helper()
	row, err := b.db.Turn(t.Context(), b.caller.AccountID, turnID)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func (b *bundle) messages(t testing.TB, conversationID string) []db.Message {
	t.Helper()
	ms, err := b.db.Messages(t.Context(), b.caller.AccountID, conversationID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// stored is the event log in the database.
func (b *bundle) stored(t testing.TB, turnID string) []turn.Event {
	t.Helper()
	batches, err := b.db.TurnEvents(t.Context(), b.caller.AccountID, turnID, 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []turn.Event
	for _, batch := range batches {
		events, err := turn.Unpack(batch)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, events...)
	}
	return all
}

// account returns the money of the account and checks that none appeared or vanished.
func (b *bundle) account(t testing.TB) db.Account {
	t.Helper()
	a, err := b.db.Account(t.Context(), b.caller.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	if a.GrantedMicros != a.BalanceMicros+a.HeldMicros+a.SpentMicros || a.BalanceMicros < 0 || a.HeldMicros < 0 {
		t.Errorf("money is not conserved: %+v", a)
	}
	return a
}

// ask runs a query that answers one number.
func ask(t testing.TB, dsn, query string, args ...any) int {
	t.Helper()
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var n int
	if err := raw.Get(&n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}

// usageRows is how many usage entries the turn has in the ledger.
func (b *bundle) usageRows(t testing.TB, turnID string) int {
	t.Helper()
	return ask(t, b.dsn, "select count(*) from ledger where kind = 'usage' and account_id = $1 and turn_id = $2", b.caller.AccountID, turnID)
}

// waiting is how many statements on the database wait for a lock.
func waiting(t testing.TB, dsn string) int {
	t.Helper()
	return ask(t, dsn, "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
}

// waitForLock returns once a statement on the database waits for a lock.
func waitForLock(t testing.TB, dsn string) {
	t.Helper()
	for waiting(t, dsn) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("nothing ever waited for a lock")
		}
	}
}

// expire lets all running turns of a database look abandoned.
func expire(t testing.TB, dsn string) {
	t.Helper()
	ask(t, dsn, "with expired as (update turns set lease_until = '-infinity' where state = 'running' returning 1) select count(*) from expired")
}

// flushed stores what the turn has published and returns the log.
func (b *bundle) flushed(t testing.TB, live *turn.Live, events int) []turn.Event {
	t.Helper()
	for e := range live.Follow(t.Context(), 0) {
		if e.N == int64(events) {
			break
		}
	}
	for len(b.stored(t, live.ID)) < events {
		if t.Context().Err() != nil {
			t.Fatal("the events are never stored")
		}
		b.engine.Flush(t.Context())
	}
	return b.stored(t, live.ID)
}

func follow(ctx context.Context, live *turn.Live, n int64) []turn.Event {
	var events []turn.Event
	for e := range live.Follow(ctx, n) {
		events = append(events, e)
	}
	return events
}

func text(events []turn.Event) string {
	var all strings.Builder
	for _, e := range events {
		if e.Kind == turn.Delta {
			all.WriteString(e.Text)
		}
	}
	return all.String()
}

// sameLog tells whether two logs read the same to the byte.
func sameLog(a, b []turn.Event) bool {
	left, _ := json.Marshal(a)
	right, _ := json.Marshal(b)
	return string(left) == string(right)
}

// contiguous checks numbers from first on and that the last event alone is terminal, of the kind.
func contiguous(t testing.TB, events []turn.Event, first int64, kind string) {
	t.Helper()
	for i, e := range events {
		if e.N != first+int64(i) || e.Terminal() != (i == len(events)-1) {
			t.Fatalf("event %d of %+v", i, events)
		}
	}
	if len(events) == 0 || events[len(events)-1].Kind != kind {
		t.Fatalf("events %+v do not end as %s", events, kind)
	}
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want a fault of kind %s", err, want)
	}
}

// expired is a context that has ended.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// gated is a script whose pieces wait for values of the gate.
func gated(pieces ...string) (providertest.Script, chan struct{}) {
	gate := make(chan struct{})
	s := providertest.Text(pieces...)
	s.Gate = gate
	return s, gate
}
