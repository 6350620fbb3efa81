package apitest_test

import (
	"net/http"
	"strconv"
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
