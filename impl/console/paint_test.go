package console_test

import (
	"flag"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jmoiron/sqlx"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

var paintMessages = flag.Int("paint-messages", 0, "fill the account with so many messages and hold pages to 100 ms of server time")

const (
	paintMax      = 100 * time.Millisecond
	statementsMax = 20 // of a page, its session and limits included; of a filtered one twice that, for it may look further back
	pageBytesMax  = 200_000
)

// everyPage are the pages of somebody who rules an account and the server.
var everyPage = []string{
	"keys", "usage", "usage?by=key&days=90", "balance", "models", "people", "audit", "webhooks", "health", "projects", "flows", "agents", "playground",
	"budgets", "clients", "privacy", "aliases", "plans", "accounts",
	"conversations", "conversations?surface=webchat", "conversations?q=said+by+nobody", "conversations?q=said+by+nobody&surface=characters", "conversations?to=2020-01-01",
}

// readsAll matches a scan of a whole table that fillTalks made large.
var readsAll = regexp.MustCompile(`Seq Scan on (conversations|messages|turns|ledger)\b`)

// However much was said, a page is painted by few statements, none of which reads a whole table.
func TestPagesOfALargeAccountArePaintedAtOnce(t *testing.T) {
	if *paintMessages == 0 {
		t.Parallel()
	}
	s := testkit.New(t)
	a := s.Account(t, testkit.Unlimited, 1_000_000)
	a.Operates(t, true)
	b := as(t, s, a.Person(t, key.Owner))
	raw, err := sqlx.Connect("postgres", s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	newest := fillTalks(t, raw, a.ID, max(*paintMessages, 20_000))
	project := fmt.Sprint(a.Project(t).ID)
	for _, name := range append(slices.Clone(everyPage), "conversations/"+newest, "accounts/"+a.ID, "projects/"+project, "usage?project="+project, "conversations?project="+project) {
		b.get("/console/"+name).want(t, http.StatusOK) // prepares the statements
		best, statements := time.Hour, []string{}
		for range 3 {
			s.Database.Traffic()
			began := time.Now()
			page := b.get("/console/" + name)
			if took := time.Since(began); took < best {
				best, statements = took, s.Database.Traffic().Executed
			}
			if len(page.body) > pageBytesMax {
				t.Errorf("%s has %d bytes", name, len(page.body))
			}
		}
		t.Logf("%-60s %7.1f ms %3d statements", name, float64(best.Microseconds())/1000, len(statements))
		if len(statements) > statementsMax && !strings.ContainsAny(name, "?") || len(statements) > 2*statementsMax {
			t.Errorf("%s takes %d statements: %q", name, len(statements), statements)
		}
		if *paintMessages > 0 && best > paintMax {
			t.Errorf("%s takes %s", name, best)
		}
		for _, statement := range statements {
			if plan := planOf(t, raw, statement); readsAll.MatchString(plan) {
				t.Errorf("%s reads a whole table:\n%s\n%s", name, statement, plan)
			}
		}
	}
}

var parameters = regexp.MustCompile(`\$\d+`)

// planOf is the plan of a statement for whatever values; "" of what has none, such as the empty statement by which the pool asks whether a connection lives.
func planOf(t *testing.T, raw *sqlx.DB, statement string) string {
	t.Helper()
	conn, err := raw.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if first, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(statement)), " "); first == "" || first == "begin" || strings.HasPrefix(first, "commit") {
		return ""
	}
	used := parameters.FindAllString(statement, -1)
	slices.Sort(used)
	values := ""
	if n := len(slices.Compact(used)); n > 0 {
		values = "(" + strings.TrimSuffix(strings.Repeat("null, ", n), ", ") + ")"
	}
	for _, sql := range []string{"set plan_cache_mode = force_generic_plan", "prepare painted as " + statement} {
		if _, err := conn.ExecContext(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var plan []string
	if err := conn.SelectContext(t.Context(), &plan, "explain execute painted"+values); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "deallocate painted"); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}

// fillTalks, whose ids grow with time as those of servers do, stores conversations of twenty messages on two surfaces and an answer each, and returns the id of one.
func fillTalks(t *testing.T, raw *sqlx.DB, account string, messages int) string {
	t.Helper()
	const from = ` from (select i, $1::text as account, case i % 2 when 0 then 'sess_' else 'conv_' end || lpad((99999999 - i)::text, 26, '0') as talk,
		case i % 2 when 0 then 'webchat' else 'characters' end as surface, now() - i * interval '1 second' as at from generate_series(1, $2::int) i) x`
	for _, insert := range []string{
		`insert into conversations (account_id, conversation_id, surface, app_id, title, system_prompt, last_seq, created_at, last_message_at)
			select account, talk, surface, 'app_' || i % 50, 'Conversation ' || i, '', 20, at, at` + from,
		`insert into messages (account_id, conversation_id, seq, message_id, role, content, created_at)
			select account, talk, seq, 'msg_' || i || '_' || seq, case seq % 2 when 1 then 'user' else 'assistant' end,
				'The lamp number ' || i || ' has a warranty of ' || seq || ' years, ' || repeat('as everybody knows who has one at home, ', 5), at` + from + ` cross join generate_series(1, 20) seq`,
		`insert into turns (account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner, lease_until, held_micros, created_at, ended_at)
			select account, 'turn_' || lpad((99999999 - i)::text, 26, '0'), surface, talk, 'app', 'key', 'm', 'completed', 'srv', at, 0, at, at` + from,
		`insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, model_id, created_at, seq, total_micros)
			select account, 'entry_' || i, 'usage', 1, 'turn_' || lpad((99999999 - i)::text, 26, '0'), 'app', 'm', at, 1000 + i, i` + from,
	} {
		if _, err := raw.Exec(insert, account, messages/20); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := raw.Exec("analyze"); err != nil {
		t.Fatal(err)
	}
	return "sess_" + fmt.Sprintf("%026d", 99999999-messages/20/2*2)
}

// The key page promises whole addresses to send to: each is an operation of the document, and the page names all that clients send most to.
func TestThePostURLsOfTheKeyPageAreOperations(t *testing.T) {
	t.Parallel()
	_, b, _ := account(t)
	body := b.get("/console/keys").want(t, http.StatusOK).body
	listed := map[string]bool{}
	for _, match := range regexp.MustCompile(`data-copy="`+regexp.QuoteMeta(b.url)+`([^"]*)"`).FindAllStringSubmatch(body, -1) {
		listed[match[1]] = true
		item := testkit.Document().Paths.Value(match[1])
		if item == nil || item.Post == nil {
			t.Errorf("%s is no POST of the document", match[1])
		}
	}
	for path, item := range testkit.Document().Paths.Map() {
		if item.Post != nil && seedOf(item.Post) && !listed[path] {
			t.Errorf("the page lacks %s", path)
		}
	}
}

// seedOf tells whether an operation is one of the four that the engagement API's key page lists.
func seedOf(op *openapi3.Operation) bool {
	return slices.Contains([]string{"generateEngagement", "analyzeEngagement", "interactWithAgent", "monitorBehavior"}, op.OperationID)
}
