package apitest_test

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"parley/impl/testkit"
)

// age makes the account's counted requests look seconds older.
func (x tenant) age(t *testing.T, seconds int) {
	t.Helper()
	_, err := sql(t, x.server).Exec(`
		update rate_windows
		set admitted = (select array_agg(at - $2::bigint * 1000000 order by at) from unnest(admitted) at)
		where account_id = $1`, x.ID, seconds)
	if err != nil {
		t.Fatal(err)
	}
}

func (x tenant) list(t *testing.T, key string) testkit.Response {
	t.Helper()
	return x.server.Do(t, testkit.Request{Path: "/api/v1/agents?limit=1", Key: key})
}

// Who waits as long as Retry-After says gets in, and nobody much earlier.
func TestRetryAfterIsHonest(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), "free", 0)
	for range 5 {
		x.list(t, x.key.Text).Want(t, http.StatusOK)
	}
	refused := x.list(t, x.key.Text).Want(t, http.StatusTooManyRequests)
	seconds, err := strconv.Atoi(refused.Header.Get("Retry-After"))
	if err != nil {
		t.Fatal(err)
	}
	x.age(t, seconds-20)
	x.list(t, x.key.Text).Want(t, http.StatusTooManyRequests)
	x.age(t, 20)
	x.list(t, x.key.Text).Want(t, http.StatusOK)
}

// An account's keys share its plan; a key with a plan of its own is counted alone.
func TestKeysShareTheAccountsPlan(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), "free", 0)
	second, own := x.Key(t), x.Key(t, testkit.Plan("free"))
	for i, text := range []string{x.key.Text, second.Text, x.key.Text, second.Text, x.key.Text} {
		wantHeader(t, x.list(t, text).Want(t, http.StatusOK), "X-RateLimit-Remaining", strconv.Itoa(4-i))
	}
	x.list(t, second.Text).Want(t, http.StatusTooManyRequests)
	wantHeader(t, x.list(t, own.Text).Want(t, http.StatusOK), "X-RateLimit-Remaining", "4")
}

// Strangers cannot use up a plan, neither with bad keys nor on other paths.
func TestUnauthenticatedRequestsDoNotCount(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), "free", 0)
	for range 6 {
		x.list(t, x.key.Text[:len(x.key.Text)-1]+"_").Want(t, http.StatusUnauthorized)
		x.do(t, testkit.Request{Path: "/healthz"}).Want(t, http.StatusOK)
		x.do(t, testkit.Request{Method: http.MethodPut, Path: "/api/v1/agents"}).Want(t, http.StatusMethodNotAllowed)
	}
	wantHeader(t, x.list(t, x.key.Text).Want(t, http.StatusOK), "X-RateLimit-Remaining", "4")
}

func TestParallelRequestsDoNotExceedThePlan(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), "free", 0)
	var mu sync.Mutex
	var all sync.WaitGroup
	admitted := 0
	for range 20 {
		all.Go(func() {
			if got := x.list(t, x.key.Text); got.Status == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				admitted++
			}
		})
	}
	all.Wait()
	if admitted != 5 {
		t.Errorf("%d requests were admitted, want 5", admitted)
	}
}

// plan stores a plan; a ceiling of 0 is none.
func (x tenant) plan(t *testing.T, requests, streams, tokens int) string {
	t.Helper()
	name := "plan-" + strings.ToLower(rand.Text()[:20])
	_, err := sql(t, x.server).Exec(`insert into plans (name, requests_per_minute, concurrent_streams, tokens_per_minute)
		values ($1, nullif($2, 0), nullif($3, 0), nullif($4, 0))`, name, requests, streams, tokens)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Answers over a ceiling of the plan are refused in each surface's shape, with
// Retry-After only where somebody can tell.
func TestCeilingsOfAnswers(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	message := []any{map[string]any{"role": "user", "content": "Hi"}}
	for path, body := range map[string]map[string]any{
		"/api/v1/chat":         {"message": "Hi"},
		"/api/v1/completions":  {"llm_id": "parley-builtin", "messages": message},
		"/v1/chat/completions": {"model": "parley-builtin", "messages": message},
	} {
		send := func(key string) testkit.Response {
			return x.server.Do(t, testkit.Request{Path: path, Key: key, Body: body})
		}
		tooFew := x.Key(t, testkit.Plan(x.plan(t, 0, 0, 10)))
		wantHeader(t, send(tooFew.Text).Want(t, http.StatusTooManyRequests), "Retry-After", "")
		enough := x.Key(t, testkit.Plan(x.plan(t, 0, 2, 1_000_000)))
		send(enough.Text).Want(t, http.StatusOK)
		x.occupy(t, enough.ID, 2)
		wantHeader(t, send(enough.Text).Want(t, http.StatusTooManyRequests), "Retry-After", "")
		x.occupy(t, enough.ID, -2)
		send(enough.Text).Want(t, http.StatusOK)
		x.spendTokens(t, enough.ID, 999_999)
		refused := send(enough.Text).Want(t, http.StatusTooManyRequests)
		if seconds, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 61 {
			t.Errorf("%s: Retry-After is %q", path, refused.Header.Get("Retry-After"))
		}
	}
}

// occupy makes a key's answers look as if more were running.
func (x tenant) occupy(t *testing.T, keyID string, more int) {
	t.Helper()
	if _, err := sql(t, x.server).Exec("update stream_gates set running = running + $3 where account_id = $1 and key_id = $2", x.ID, keyID, more); err != nil {
		t.Fatal(err)
	}
}

// spendTokens charges a key's minute.
func (x tenant) spendTokens(t *testing.T, keyID string, tokens int) {
	t.Helper()
	if _, err := sql(t, x.server).Exec("update token_windows set tokens[cardinality(tokens)] = $3 where account_id = $1 and bucket = $2", x.ID, keyID, tokens); err != nil {
		t.Fatal(err)
	}
}

// A large limit is handed out in batches: figures never promise too much.
func TestALargePlanIsLeased(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	k := x.Key(t, testkit.Plan(x.plan(t, 6000, 0, 0)))
	for i := range 40 {
		got := x.list(t, k.Text).Want(t, http.StatusOK)
		left, err := strconv.Atoi(got.Header.Get("X-RateLimit-Remaining"))
		if err != nil || left > 6000-i-1 || left < 6000-i-1-300 {
			t.Errorf("remaining %q after %d requests", got.Header.Get("X-RateLimit-Remaining"), i+1)
		}
		wantHeader(t, got, "X-RateLimit-Limit", "6000")
	}
}
