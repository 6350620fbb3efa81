package db_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"parley/db"
	"parley/db/dbtest"
)

const surface = "webchat"

// tenant is an account with one of everything.
type tenant struct {
	account, app, key, client, user, agent, provider, model, conversation, turn, job, message, webhook, event, delivery, export, erasure, budget, alias, collection, source, page, rule string
	hash                                                                                                                                                                                []byte
}

func unique(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func newTenant(t testing.TB, d *db.DB) tenant {
	t.Helper()
	n := tenant{
		account: dbtest.Account(t, d, "free", 1_000_000), app: unique("app_"), key: unique("key_"), client: unique("client_"), user: unique("user_"), agent: unique("agent_"),
		provider: unique("prov_"), model: unique("model-"), conversation: unique("sess_"), turn: unique("turn_"), job: unique("job_"),
		message: unique("msg_"), webhook: unique("hook_"), event: unique("evt_"), delivery: unique("dlv_"), export: unique("export_"),
		erasure: unique("erasure_"), budget: unique("budget_"), alias: unique("alias-"), collection: unique("col_"), source: unique("src_"), page: unique("page_"), rule: unique("rule_"), hash: []byte(unique("")),
	}
	for _, store := range []func(context.Context) error{
		func(ctx context.Context) error {
			return d.InsertApp(ctx, db.App{AccountID: n.account, ID: n.app, Name: "app", CreatedAt: now()})
		},
		func(ctx context.Context) error { return d.InsertKey(ctx, n.keyRow(), n.hash) },
		func(ctx context.Context) error {
			return d.InsertAgent(ctx, db.Agent{AccountID: n.account, ID: n.agent, Name: "agent", CreatedAt: now()})
		},
		func(ctx context.Context) error { return d.PutProvider(ctx, n.providerRow()) },
		func(ctx context.Context) error { return d.PutModel(ctx, n.modelRow()) },
		func(ctx context.Context) error {
			return d.PutModelAlias(ctx, db.ModelAlias{AccountID: n.account, Alias: n.alias, ModelID: n.model, CreatedAt: now()})
		},
		func(ctx context.Context) error { return d.InsertBudget(ctx, n.budgetRow()) },
		func(ctx context.Context) error {
			_, err := d.BeginTurn(ctx, n.turnRow(n.turn), db.Beginning{Conversation: n.conversationRow(n.conversation), Question: &db.Message{ID: n.message, Content: "Hi"},
				Claim: &db.Claim{Key: "key-of-" + n.turn, Fingerprint: []byte{1}, ExpiresAt: now().Add(time.Hour)}})
			return err
		},
		func(ctx context.Context) error {
			return d.InsertExport(ctx, db.Export{AccountID: n.account, ID: n.export, Scope: db.ScopeAccount, State: db.PrivacyWaiting, CreatedAt: now()})
		},
		func(ctx context.Context) error {
			return d.InsertErasure(ctx, db.Erasure{AccountID: n.account, ID: n.erasure, Scope: db.ScopeAccount, State: db.PrivacyWaiting, CreatedAt: now()})
		},
		func(ctx context.Context) error { return d.InsertWebhook(ctx, n.webhookRow(), 1) },
		n.storeEngagement(d),
		func(ctx context.Context) error { return d.InsertEvent(ctx, n.eventRow(n.account, n.event)) },
		func(ctx context.Context) error {
			_, err := d.InsertDelivery(ctx, db.Delivery{AccountID: n.account, ID: n.delivery, WebhookID: n.webhook, EventID: n.event, CreatedAt: now()})
			return err
		},
		func(ctx context.Context) error {
			return d.EnqueueJob(ctx, db.Job{AccountID: n.account, ID: n.job, Kind: "k", Args: []byte(`{}`), MaxAttempts: 1, RunAt: now(), CreatedAt: now()})
		},
		func(ctx context.Context) error {
			return appendEvents(ctx, d.Queries, n.turnRow(n.turn), 0, 1, `[{"n":1}]`)
		},
	} {
		if err := store(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n.storeCredentials(t, d)
	n.storeKnowledge(t, d)
	n.storeImages(t, d)
	return n
}

// newProjectTenant is newTenant with a project, whose turn would be in the way of tests that count turns.
func newProjectTenant(t testing.TB, d *db.DB) tenant {
	t.Helper()
	n := newTenant(t, d)
	n.storeProject(t, d)
	n.storeRealtime(t, d)
	return n
}

func (n tenant) keyRow() db.Key {
	return db.Key{AccountID: n.account, ID: n.key, AppID: n.app, Name: "key", Kind: "secret", Prefix: "p", Scopes: pq.StringArray{},
		Origins: pq.StringArray{}, Environment: "development", CreatedAt: now()}
}

func (n tenant) webhookRow() db.Webhook {
	return db.Webhook{AccountID: n.account, ID: n.webhook, URL: "https://hooks.example", Events: pq.StringArray{"k"}, SealedSecret: []byte("s"),
		Status: db.WebhookEnabled, CreatedAt: now()}
}

func (n tenant) eventRow(account, id string) db.Event {
	return db.Event{AccountID: account, ID: id, Kind: "k", Payload: []byte(`{}`), CreatedAt: now()}
}

func (n tenant) budgetRow() db.Budget {
	return db.Budget{AccountID: n.account, ID: n.budget, Kind: "key", Subject: n.key, Period: "total", AmountMicros: 1_000_000,
		PeriodStart: time.Unix(0, 0), CreatedAt: now()}
}

func (n tenant) providerRow() db.Provider {
	return db.Provider{AccountID: n.account, ID: n.provider, Name: "provider", Kind: "openai", CreatedAt: now()}
}

func (n tenant) modelRow() db.Model {
	return db.Model{AccountID: n.account, ID: n.model, ProviderID: n.provider, Kind: "llm", Name: "model", UpstreamName: "m",
		ContextTokens: 100, MaxOutputTokens: 10, Rank: 1, Enabled: true, CreatedAt: now()}
}

func (n tenant) conversationRow(id string) *db.Conversation {
	return &db.Conversation{AccountID: n.account, ID: id, Surface: surface, AppID: n.app, CreatedAt: now(), LastMessageAt: now()}
}

// turnRow is a turn in the tenant's conversation that holds 100 micro-units.
func (n tenant) turnRow(id string) db.Turn {
	return db.Turn{AccountID: n.account, ID: id, Surface: surface, ConversationID: &n.conversation, AppID: n.app, KeyID: n.key,
		ModelID: n.model, Owner: "srv", Lease: time.Hour, HeldMicros: 100, CreatedAt: now()}
}

// appendEvents stores one batch of one turn; ErrNotFound when the turn is not its owner's.
func appendEvents(ctx context.Context, q *db.Queries, t db.Turn, previous, first int64, events string) error {
	kept, err := q.AppendEvents(ctx, t.Owner, []db.NewBatch{{Held: t.Held(), Previous: previous, EventBatch: db.EventBatch{First: first, Events: []byte(events)}}})
	if err == nil && len(kept) == 0 {
		return db.ErrNotFound
	}
	return err
}

// expire lets the tenant's turn look abandoned.
func (n tenant) expire(t testing.TB, raw *sqlx.DB) {
	t.Helper()
	if _, err := raw.Exec(`update turns set lease_until = '-infinity' where account_id = $1 and turn_id = $2`, n.account, n.turn); err != nil {
		t.Fatal(err)
	}
}

// ended is the row as EndTurn takes it, at a cost of 40 micro-units.
func ended(t db.Turn) db.Turn {
	at := now()
	t.State, t.CostMicros, t.InputTokens, t.OutputTokens, t.LastEvent, t.EndedAt = db.TurnCompleted, 40, 3, 4, 2, &at
	return t
}

func ending() db.Ending {
	return db.Ending{Answer: &db.Message{ID: unique("msg_"), Content: "Hello"}, Preview: "Hello", EntryID: unique("entry_"),
		FirstEvent: 2, Events: []byte(`[{"n":2}]`)}
}

func rawConn(t testing.TB, dsn string) *sqlx.DB {
	t.Helper()
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// waitForLock returns once a statement on the database waits for a lock.
func waitForLock(t testing.TB, raw *sqlx.DB) {
	t.Helper()
	for waiting := 0; waiting == 0; {
		if err := raw.GetContext(t.Context(), &waiting, `select count(*) from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`); err != nil {
			t.Fatal(err)
		}
	}
}
