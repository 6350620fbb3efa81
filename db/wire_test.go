package db_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
)

// crossing are the hot methods that know no account yet or work over all of them.
func (n tenant) crossing() []call {
	return append(n.credentialLookups(), []call{
		{"CallerByHash", func(ctx context.Context, d *db.DB, _ string) (any, error) { return d.CallerByHash(ctx, n.hash) }},
		{"Admit", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Admit(ctx, a, "account", 100, 60_000_000)
		}},
		{"TakeRateBatch", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.TakeRateBatch(ctx, db.RateLease{AccountID: a, Bucket: "account", Limit: 600, Want: 3, LifeMicros: 1, WindowMicros: 60_000_000})
		}},
		{"RenewLeases", func(ctx context.Context, d *db.DB, _ string) (any, error) {
			return d.RenewLeases(ctx, "srv", []db.Held{n.turnRow(n.turn).Held()}, time.Hour)
		}},
		{"LapsedTurns", func(ctx context.Context, d *db.DB, _ string) (any, error) {
			return d.LapsedTurns(ctx, new(time.Now()), time.Minute, "", 10)
		}},
		{"TakeOverTurn", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.TakeOverTurn(ctx, "nobody", n.turnRow(n.turn).Held(), nil, time.Minute)
		}},
	}...)
}

// inTransactions are the methods that need more than one statement.
var inTransactions = map[string]int{"CountTerms": 6, "DeleteConversation": 4, "DeleteSessions": 4,
	"EraseConversations": 3, "EraseConversationsBefore": 10, "EraseProjectConversations": 10, "EraseLooseTurns": 2, "LockKeyHabits": 2, "StorageLeft": 2}

// plannedAnew are the methods whose statement is planned for its values each time: a parse, a plan and its end.
var plannedAnew = map[string]int{"MatchChunks": 3}

// repeated are the methods that take as many round trips as there is work.
var repeated = []string{"DeleteSessions", "FoldLedger"}

func TestAWarmStatementIsOneRoundTripAndNeverParsedAgain(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy := dbtest.NewProxy(t, dsn)
	d := dbtest.Open(t, proxy.DSN, 1)
	for round, warm := range []bool{false, true} {
		n := newProjectTenant(t, d)
		for _, c := range append(n.crossing(), n.calls()...) {
			proxy.Traffic()
			if _, err := c.run(t.Context(), d, n.account); err != nil && !errors.Is(err, db.ErrNotFound) {
				t.Fatalf("round %d, %s: %v", round, c.name, err)
			}
			sent, want := proxy.Traffic(), 1
			if trips, ok := inTransactions[c.name]; ok {
				want = trips
			}
			parses := 0
			if trips, ok := plannedAnew[c.name]; ok {
				want, parses = trips, 1
			}
			if warm && !slices.Contains(repeated, c.name) && (sent.Parses != parses || sent.RoundTrips != want) {
				t.Errorf("%s takes %d round trips and %d parses, want %d and %d", c.name, sent.RoundTrips, sent.Parses, want, parses)
			}
		}
	}
}

// hot are the methods that run on requests and in loops, and may not read whole
// tables: models and providers are few, keys are listed whole, erasures work through whole accounts.
func hot(n tenant) []call {
	rare := []string{"Providers", "Models", "DefaultModel", "Model", "ModelOnceOffered", "Provider", "SetModelPrice", "SetModelFallbacks", "DisableModelsExcept", "Keys",
		"EraseConversations", "EraseConversationsBefore", "EraseLooseTurns", "SubjectExists"}
	return slices.DeleteFunc(append(n.crossing(), n.calls()...), func(c call) bool { return slices.Contains(rare, c.name) })
}

func TestHotStatementsReadNoWholeTable(t *testing.T) {
	t.Parallel()
	_, dsn := dbtest.Own(t)
	proxy, raw := dbtest.NewProxy(t, dsn), rawConn(t, dsn)
	d := dbtest.Open(t, proxy.DSN, 1)
	n := newProjectTenant(t, d)
	fill(t, raw, n, 10_000)
	proxy.Traffic()
	for _, c := range hot(n) {
		if _, err := c.run(t.Context(), d, n.account); err != nil && !errors.Is(err, db.ErrNotFound) {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, statement := range proxy.Traffic().Executed {
			if plan := explain(t, raw, statement); wholeTable.MatchString(plan) {
				t.Errorf("%s reads a whole table:\n%s", c.name, plan)
			}
		}
	}
}

// wholeTable matches a sequential scan of a table that fill made large.
var wholeTable = regexp.MustCompile(`Seq Scan on (accounts|keys|key_hashes|agents|conversations|messages|turns|turn_events|ledger|budgets|stream_gates|token_windows|purses|usage_days|oauth_clients|oauth_secrets|oauth_tokens|user_emails|user_sessions|user_links)\b`)

// fill stores rows, all of them the tenant's: finding the account is not enough
// for a statement that must be quick in a large one.
func fill(t testing.TB, raw *sqlx.DB, n tenant, rows int) {
	t.Helper()
	const from = ` from (select i, $1::text as account from generate_series(1, $2::int) i) x`
	inserts := []string{
		`insert into accounts (account_id, name, plan, created_at) select account || i, 'a', 'free', now()` + from,
		`insert into apps select account, 'app_' || i, 'a', null, now()` + from,
		`insert into keys select account, 'key_' || i, 'app_' || i, 'k', 'secret', 'p', '{}', '{}', null, 'development', true, null, null, now()` + from,
		`insert into key_hashes select ('hash' || i)::bytea, account, 'key_' || i` + from,
		`insert into agents select account, 'agent_' || i, 'a', '', '', '', null, null, null, now()` + from,
		`insert into conversations select account, 'sess_' || i, 'webchat', 'app_' || i % 50, null, null, '', '', 2, 0, 0, '', now(), now() - i * interval '1 second'` + from,
		`insert into messages select account, 'sess_' || i, seq, 'msg_' || i, 'user', 'Hi', '', null, null, null, now()` + from + ` cross join generate_series(1, 2) seq`,
		`insert into turns (account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner, lease_until, held_micros, created_at, ended_at)
			select account, 'turn_' || i, 'webchat', 'sess_' || i, 'app', 'key', 'm', 'completed', 'srv', now(), 0, now(), now()` + from,
		`insert into turn_events select account, 'turn_' || i, 1, '[]'` + from,
		`insert into budgets (account_id, budget_id, kind, subject, period, amount_micros, period_start, created_at)
			select account, 'budget_' || i, 'end_user', 'visitor-' || i, 'day', 1, now(), now()` + from,
		`insert into stream_gates select account, 'key_' || i, 0` + from,
		`insert into token_windows (account_id, bucket) select account, 'key_' || i` + from,
		`insert into purses (account_id, purse) select account || i, 1` + from,
		`insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, model_id, created_at, seq, total_micros)
			select account, 'entry_' || i, 'usage', 1, 'turn_' || i, 'app_' || i % 50, 'm', now() - i * interval '1 minute', 1000 + i, i` + from,
		`insert into usage_days select account, 'app_' || i % 50, current_date - i, 'm', 1, 1, 1, 1` + from,
	}
	for _, insert := range credentialFills {
		inserts = append(inserts, insert+from)
	}
	for _, insert := range inserts {
		if _, err := raw.Exec(insert, n.account, rows); err != nil {
			t.Fatalf("%s: %v", insert, err)
		}
	}
	if _, err := raw.Exec("analyze"); err != nil {
		t.Fatal(err)
	}
}

var parameter = regexp.MustCompile(`\$\d+`)

// explain returns the plan that a prepared statement settles on, whatever its arguments.
func explain(t testing.TB, raw *sqlx.DB, statement string) string {
	t.Helper()
	return explainAs(t, raw, "", statement)
}

// explainAs is explain with options for its form, in brackets.
func explainAs(t testing.TB, raw *sqlx.DB, options, statement string) string {
	t.Helper()
	if verb, _, _ := strings.Cut(strings.TrimSpace(strings.ToLower(statement)), " "); verb == "begin" || verb == "commit;" || verb == "commit" {
		return ""
	}
	conn, err := raw.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	used := parameter.FindAllString(statement, -1)
	slices.Sort(used)
	nulls := strings.TrimSuffix(strings.Repeat("null, ", len(slices.Compact(used))), ", ")
	if nulls != "" {
		nulls = "(" + nulls + ")"
	}
	for _, sql := range []string{"set plan_cache_mode = force_generic_plan", "prepare hot as " + statement} {
		if _, err := conn.ExecContext(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var plan []string
	if err := conn.SelectContext(t.Context(), &plan, fmt.Sprintf("explain %sexecute hot%s", options, nulls)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "deallocate hot"); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
