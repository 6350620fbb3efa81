package apitest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

const keyHeader = "Idempotency-Key"

// unrepeatable are the POSTs that take no Idempotency-Key, with the reason.
var unrepeatable = map[string]string{
	"cancelChat":                 "a run ends once, however often it is asked",
	"callTool":                   "stores nothing; the tool is called once for each request, and what it does is its own",
	"refreshTool":                "the same list once more changes nothing",
	"createChatTicket":           "stores nothing; another ticket costs nothing and lapses",
	"validateFlow":               "changes nothing",
	"cancelTurn":                 "a turn ends once, however often it is stopped",
	"cancelModelResponse":        "a response ends once, however often it is stopped",
	"createErasure":              "what is erased stays erased, and it removes the answers that are kept for repetition",
	"createOauthToken":           "RFC 6749 knows no such header; another token costs nothing and lapses",
	"createEndUserToken":         "stores nothing; another token costs nothing and lapses",
	"introspectOauthToken":       "changes nothing",
	"createRealtimeClientSecret": "OpenAI's API knows no such header; another secret costs nothing and lapses",
	"createRealtimeSession":      "OpenAI's API knows no such header; another secret costs nothing and lapses",
	"revokeOauthToken":           "a token is revoked once, however often it is asked",
	"signIn":                     "another session costs nothing and lapses",
	"setPassword":                "its link works once",
	"setUp":                      "its token works once",
	"testProvider":               "asks once more; what it offers stays offered",
	"signOut":                    "a session ends once, however often it is asked",
}

// eachRepeatable runs a test for every operation that creates or spends.
func eachRepeatable(t *testing.T, test func(t *testing.T, x tenant, op *testkit.Operation)) {
	t.Helper()
	for _, op := range testkit.Operations() {
		declared := op.Parameters.GetByInAndName(openapi3.ParameterInHeader, keyHeader) != nil
		if op.Method == http.MethodPost && declared == (unrepeatable[op.OperationID] != "") {
			t.Errorf("%s: takes an Idempotency-Key: %v", op.OperationID, declared)
		}
		if !declared {
			continue
		}
		t.Run(op.OperationID, func(t *testing.T) {
			t.Parallel()
			x := newTenant(t)
			_ = x.sample(t, op) // makes what it names, so that it is there before the test counts
			test(t, x, op)
		})
	}
}

// isTurn tells whether an operation is answered by a turn.
func isTurn(op *testkit.Operation) bool {
	ok := op.Responses.Status(http.StatusOK)
	if ok == nil {
		ok = op.Responses.Status(http.StatusCreated)
	}
	return ok != nil && ok.Value.Headers["Parley-Turn"] != nil
}

func keyed(r testkit.Request, key string) testkit.Request {
	r.Header = maps.Clone(r.Header)
	if r.Header == nil {
		r.Header = map[string]string{}
	}
	r.Header[keyHeader] = key
	return r
}

// inBackground are the tables that servers write after the answer: work to do
// and being done, what webhooks are told, and what they fold of the ledger; what is made of sites and files.
const inBackground = `'{jobs,webhook_events,webhook_deliveries,usage_cells,usage_days,usage_latencies,ledger_heads,key_habits,project_answers,project_days,pages,chunks,collection_terms}'`

// rowCounts counts the account's rows that requests make.
func (x tenant) rowCounts(t *testing.T) map[string]int {
	t.Helper()
	var tables []string
	if err := sql(t, x.server).Select(&tables, `select table_name from information_schema.columns
		where table_schema = 'public' and column_name = 'account_id' and table_name not like 'rate_%' and table_name <> all(`+inBackground+`)`); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, table := range tables {
		var n int
		if err := sql(t, x.server).Get(&n, fmt.Sprintf("select count(*) from %q where account_id = $1", table), x.ID); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	return counts
}

// same tells whether two answers are one.
func same(a, b testkit.Response) bool {
	for _, name := range []string{"Content-Type", "Location", "Parley-Turn"} {
		if a.Header.Get(name) != b.Header.Get(name) {
			return false
		}
	}
	return a.Status == b.Status && bytes.Equal(a.Body, b.Body)
}

// variants are a sample request, and the same as a stream where there is one.
func (x tenant) variants(t *testing.T, op *testkit.Operation) []testkit.Request {
	t.Helper()
	all := []testkit.Request{x.sample(t, op)}
	if streams(op) {
		all = append(all, x.sample(t, op), x.sample(t, op))
		all[1].Body.(map[string]any)["stream"] = true
		all[2].Header = map[string]string{"Accept": "text/event-stream"}
	}
	return all
}

func TestARepeatedRequestGetsTheFirstAnswerAndActsOnce(t *testing.T) {
	t.Parallel()
	eachRepeatable(t, func(t *testing.T, x tenant, op *testkit.Operation) {
		for i, r := range x.variants(t, op) {
			r = keyed(r, rand.Text())
			first := x.do(t, r)
			if first.Status >= 300 || first.Header.Get("Idempotency-Replayed") != "" {
				t.Fatalf("variant %d: %d %s", i, first.Status, first.Body)
			}
			before := x.rowCounts(t)
			if r.Body != nil { // white space, the order of members and a credential beside them are no difference
				raw, err := json.MarshalIndent(r.Body, " ", "\t")
				if err != nil {
					t.Fatal(err)
				}
				r.Body = raw
			}
			again := x.do(t, r)
			if !same(first, again) || again.Header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("variant %d: first %d %v %s\nagain %d %v %s", i, first.Status, first.Header, first.Body, again.Status, again.Header, again.Body)
			}
			if after := x.rowCounts(t); !maps.Equal(before, after) {
				t.Errorf("variant %d acted twice: %v, then %v", i, before, after)
			}
			for _, line := range x.server.Logs.Of(again.Header.Get("X-Request-Id")) { // also of what comes behind the answer
				if strings.Contains(line, "panic") {
					t.Errorf("variant %d: %s", i, line)
				}
			}
		}
	})
}

func TestOfManyRequestsWithOneKeyOneActs(t *testing.T) {
	t.Parallel()
	eachRepeatable(t, func(t *testing.T, x tenant, op *testkit.Operation) {
		once := newTenant(t)
		request := keyed(once.sample(t, op), "once")
		untouched := once.rowCounts(t)
		once.do(t, request)
		want := once.rowCounts(t)
		before := x.rowCounts(t)
		r := keyed(x.sample(t, op), rand.Text())
		answers := make(chan testkit.Response, 64)
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() { answers <- x.do(t, r) })
		}
		all.Wait()
		close(answers)
		var bodies []string
		for got := range answers {
			if got.Status == http.StatusConflict && got.Header.Get("Retry-After") != "" {
				continue
			}
			bodies = append(bodies, fmt.Sprint(got.Status, string(got.Body)))
		}
		slices.Sort(bodies)
		if distinct := slices.Compact(bodies); len(distinct) != 1 || !strings.HasPrefix(distinct[0], "20") {
			t.Errorf("answers %q", distinct)
		}
		for table, n := range x.rowCounts(t) {
			if n-before[table] != want[table]-untouched[table] {
				t.Errorf("%s: %d rows of 64 requests, %d of one", table, n-before[table], want[table]-untouched[table])
			}
		}
	})
}

func TestAKeyIsForOneRequestOfOneAccount(t *testing.T) {
	t.Parallel()
	eachRepeatable(t, func(t *testing.T, x tenant, op *testkit.Operation) {
		key := rand.Text()
		first := x.do(t, keyed(x.sample(t, op), key))
		other := keyed(x.sample(t, op), key)
		other.Path = withQuery(other.Path, map[string][]string{"another": {"request"}})
		before := x.rowCounts(t)
		x.do(t, other).Want(t, http.StatusUnprocessableEntity)
		if after := x.rowCounts(t); !maps.Equal(before, after) {
			t.Errorf("the refused request acted: %v, then %v", before, after)
		}
		stranger := newTenant(t)
		if got := stranger.do(t, keyed(stranger.sample(t, op), key)); got.Header.Get("Idempotency-Replayed") != "" || got.Status != first.Status {
			t.Errorf("another account with the same key: %d %s", got.Status, got.Body)
		}
		if _, err := sql(t, x.server).Exec(`update idempotency_keys set expires_at = $1 where account_id = $2`, time.Now().Add(-time.Second), x.ID); err != nil {
			t.Fatal(err)
		}
		if got := x.do(t, other); got.Status != first.Status || got.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("after 24 hours: %d %s", got.Status, got.Body)
		}
	})
}

func TestBadKeysAreRefused(t *testing.T) {
	t.Parallel()
	eachRepeatable(t, func(t *testing.T, x tenant, op *testkit.Operation) {
		before := x.rowCounts(t)
		for _, key := range []string{"", strings.Repeat("k", 256), "with space", "ключ"} {
			x.do(t, keyed(x.sample(t, op), key)).Want(t, badRequest(op))
		}
		if after := x.rowCounts(t); !maps.Equal(before, after) {
			t.Errorf("acted: %v, then %v", before, after)
		}
	})
}

// answered is the table with what the answer to a turn's request is repeated from; "" for requests without a turn.
func answered(op *testkit.Operation, r testkit.Request) string {
	body, _ := r.Body.(map[string]any)
	member, sometimes := op.Extensions["x-turn-when"].(string)
	switch {
	case op.OperationID == "createOpenaiImage", body["sd_model_id"] != nil:
		return "images"
	case isTurn(op) && (!sometimes || body[member] != nil):
		return "turn_events"
	}
	return ""
}

// What is still being carried out, or whose answer is gone, is a conflict.
func TestAnAnswerThatCannotBeRepeatedIsAConflict(t *testing.T) {
	t.Parallel()
	eachRepeatable(t, func(t *testing.T, x tenant, op *testkit.Operation) {
		r := keyed(x.sample(t, op), rand.Text())
		if made := answered(op, r); made != "" {
			x.do(t, r)
			if _, err := sql(t, x.server).Exec(`delete from `+made+` where account_id = $1`, x.ID); err != nil {
				t.Fatal(err)
			}
			before := x.rowCounts(t)
			if got := x.do(t, r).Want(t, http.StatusConflict); got.Header.Get("Idempotency-Replayed") != "" || !maps.Equal(before, x.rowCounts(t)) {
				t.Errorf("headers %v", got.Header)
			}
			return
		}
		first, err := sql(t, x.server).Beginx()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = first.Rollback() }()
		if _, err := first.Exec(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, x.ID+" "+x.key.AppID+" "+r.Header[keyHeader]); err != nil {
			t.Fatal(err)
		}
		before := x.rowCounts(t)
		if got := x.do(t, r).Want(t, http.StatusConflict); got.Header.Get("Retry-After") == "" || !maps.Equal(before, x.rowCounts(t)) {
			t.Errorf("headers %v", got.Header)
		}
		_ = first.Rollback()
		if got := x.do(t, r); got.Status >= 300 {
			t.Errorf("after the first failed: %d %s", got.Status, got.Body)
		}
	})
}

// A request that was refused, for whatever reason, leaves its key free.
func TestARefusedRequestLeavesItsKey(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.Status(http.StatusUnauthorized, "invalid", "no"), providertest.SSE("An answer"))
	r := keyed(testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`}, rand.Text())
	x.do(t, keyed(testkit.Request{Path: "/api/v1/chat", Body: `{"message":""}`}, r.Header[keyHeader])).Want(t, http.StatusBadRequest)
	x.do(t, keyed(testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi","session_id":"sess_none"}`}, r.Header[keyHeader])).Want(t, http.StatusNotFound)
	x.do(t, r).Want(t, http.StatusBadGateway) // the upstream failed before anything was spent
	if got := x.do(t, r).Want(t, http.StatusOK); got.Header.Get("Idempotency-Replayed") != "" || !strings.Contains(string(got.Body), "An answer") {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	if got := x.do(t, r).Want(t, http.StatusOK); got.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%v %s", got.Header, got.Body)
	}
}

// A failure that cost money is repeated: trying again would cost it once more.
func TestAFailureThatSpentIsRepeated(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u := x.Upstream(t, providertest.Cut("Half an"), providertest.SSE("whole answer"))
	x.Price(t, testkit.UpstreamModel, 1_000_000, 1_000_000)
	r := keyed(testkit.Request{Path: "/api/v1/chat", Body: `{"message":"Hi"}`}, rand.Text())
	first, spent := x.do(t, r).Want(t, http.StatusBadGateway), x.Money(t).SpentMicros
	again := x.do(t, r)
	if !same(first, again) || spent == 0 || x.Money(t).SpentMicros != spent {
		t.Errorf("first %s, again %d %s; spent %d, then %d; upstream %v", first.Body, again.Status, again.Body, spent, x.Money(t).SpentMicros, u.URL)
	}
}
