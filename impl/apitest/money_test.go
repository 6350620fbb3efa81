package apitest_test

import (
	"net/http"
	"sync"
	"testing"

	"parley/db"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// wantConserved checks that the account's money is all there and none is held.
func (x tenant) wantConserved(t *testing.T) {
	t.Helper()
	m := x.Money(t)
	var booked int64
	if err := sql(t, x.server).Get(&booked, `select coalesce(sum(amount_micros), 0) from ledger where account_id = $1 and kind = 'usage'`, x.ID); err != nil {
		t.Fatal(err)
	}
	if m.GrantedMicros != m.BalanceMicros+m.SpentMicros || m.HeldMicros != 0 || m.SpentMicros != booked || m.BalanceMicros < 0 {
		t.Errorf("money %+v, %d booked", m, booked)
	}
}

func (x tenant) lastEntry(t *testing.T) (e struct {
	Input     int64 `db:"input_tokens"`
	Output    int64 `db:"output_tokens"`
	Amount    int64 `db:"amount_micros"`
	Estimated bool  `db:"estimated"`
}) {
	t.Helper()
	err := sql(t, x.server).Get(&e, `
		select input_tokens, output_tokens, amount_micros, estimated
		from ledger where account_id = $1 and kind = 'usage' order by entry_id desc limit 1`, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The upstream's own count is what is charged, to the micro-unit, rounded up once.
func TestReportedUsageIsChargedExactly(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t) // reports 7 and 2 tokens
	x.Price(t, testkit.UpstreamModel, 3_333, 10_001)
	const want = (7*3_333 + 2*10_001 + 999) / 1000
	answer := x.chat(t, "Hi", "")
	if answer.Usage.InputTokens != 7 || answer.Usage.OutputTokens != 2 || answer.Usage.TotalTokens != 9 || answer.Usage.Cost != want/1e6 {
		t.Errorf("usage %+v, want a cost of %v", answer.Usage, want/1e6)
	}
	if e := x.lastEntry(t); e.Amount != want || e.Estimated || e.Input != 7 || e.Output != 2 {
		t.Errorf("booked %+v", e)
	}
	if m := x.Money(t); m.BalanceMicros != plenty-want {
		t.Errorf("balance %d, want %d", m.BalanceMicros, plenty-want)
	}
	x.wantConserved(t)
}

// Tokens that an upstream does not report are counted here, and the book says so.
func TestMissingUsageIsCountedAndMarked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.Upstream(t, providertest.NoUsage("Hello", " there", ", dear friend"))
	x.Price(t, testkit.UpstreamModel, 1000, 1000)
	answer := x.chat(t, "Say hello to me", "")
	e := x.lastEntry(t)
	if !e.Estimated || e.Output < 4 || e.Output > 8 || e.Input < 4 || e.Input > 20 || e.Amount != e.Input+e.Output {
		t.Errorf("booked %+v", e)
	}
	if answer.Usage.InputTokens != e.Input || answer.Usage.OutputTokens != e.Output {
		t.Errorf("told %+v, booked %+v", answer.Usage, e)
	}
	x.wantConserved(t)
}

// However many ask at once, nobody spends what is not there.
func TestParallelRequestsCannotOverdraw(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 300_000)
	x.Upstream(t)
	x.Price(t, testkit.UpstreamModel, 0, 20_000) // 4,096 tokens at most: 81,920 are held, 40 charged
	var paid, refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			got := x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}})
			mu.Lock()
			defer mu.Unlock()
			switch got.Status {
			case http.StatusOK:
				paid++
			case http.StatusPaymentRequired:
				refused++
			default:
				t.Errorf("status %d: %s", got.Status, got.Body)
			}
		})
	}
	all.Wait()
	if m := x.Money(t); m.SpentMicros != int64(paid)*40 || paid == 0 {
		t.Errorf("%d paid, %d refused, %d spent", paid, refused, m.SpentMicros)
	}
	x.wantConserved(t)
}

// The highest cost must be covered, not only the likely one.
func TestHoldIsTheHighestCost(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 81_919)
	x.Upstream(t)
	x.Price(t, testkit.UpstreamModel, 0, 20_000)
	r := testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}
	x.wantNothingStored(t, func() { x.do(t, r).Want(t, http.StatusPaymentRequired) })
	if _, err := x.server.App.Accounts.Adjust(t.Context(), x.ID, 1, "test"); err != nil {
		t.Fatal(err)
	}
	x.do(t, r).Want(t, http.StatusOK)
	x.wantConserved(t)
}

// Every operation that spends goes through the same gate, streamed or not.
func TestEveryOperationThatSpendsWantsFunds(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, op *testkit.Operation) {
		if op.Responses.Status(http.StatusPaymentRequired) == nil {
			return
		}
		x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
		priced := x.Model(t, testkit.Priced(1, 1), func(m *db.Model) { m.Rank = 1 })
		r := x.sample(t, op)
		if op.JSONBody().Properties["llm_id"] != nil {
			r.Body.(map[string]any)["llm_id"] = priced.ID
		}
		if op.JSONBody().Properties["sd_model_id"] != nil || op.OperationID == "createOpenaiImage" {
			r.Body.(map[string]any)["sd_model_id"] = x.painter(t)
			r.Body.(map[string]any)["model"] = r.Body.(map[string]any)["sd_model_id"]
		}
		for _, stream := range []bool{false, true} {
			r.Body.(map[string]any)["stream"] = stream
			got := x.do(t, r).Want(t, http.StatusPaymentRequired)
			wantHeader(t, got, "Retry-After", "") // waiting does not help
		}
		x.wantConserved(t)
	})
}
