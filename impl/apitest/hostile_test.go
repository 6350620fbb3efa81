package apitest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/impl/testkit"
)

const (
	hostileTime  = 50 * time.Millisecond * slowdown
	hostileAlloc = 8 << 20 * growth
	hostileError = 4 << 10
)

// hostileBodies cost a careless server far more than their bytes.
func hostileBodies(size int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	numbered := func() string {
		var b strings.Builder
		for i := 0; b.Len() < size-20; i++ {
			b.WriteString(`"k` + strconv.Itoa(i) + `":0,`)
		}
		return b.String()
	}
	return map[string]string{
		"open brackets":     fill("["),
		"nested arrays":     strings.Repeat("[", size/2) + strings.Repeat("]", size/2),
		"nested objects":    strings.Repeat(`{"a":`, size/6) + "0" + strings.Repeat("}", size/6),
		"in a member":       `{"message":` + strings.Repeat("[", size/2) + strings.Repeat("]", size/2) + `}`,
		"wrong numbers":     `{"message":[` + fill("1,") + `1]}`,
		"wrong objects":     `{"messages":[` + fill(`{},`) + `{}],"llm_id":"m"}`,
		"wrong strings":     `{"messages":[` + fill(`"",`) + `""],"llm_id":"m"}`,
		"many members":      `{` + numbered() + `"message":"a"}`,
		"the same member":   `{` + fill(`"a":0,`) + `"message":"a"}`,
		"one long string":   `{"message":"` + fill("a") + `"}`,
		"one long name":     `{"` + fill("a") + `":0}`,
		"one long number":   `{"age":` + fill("9") + `,"message":"a","name":"a"}`,
		"escapes":           `{"message":"` + fill(`\u00e9`) + `"}`,
		"backslashes":       `{"message":"` + fill(`\\`) + `"}`,
		"blanks":            fill(" "),
		"closing brackets":  fill("]"),
		"long broken ident": `{"session_id":"` + fill("!") + `","message":"a"}`,
	}
}

// cpuTime is what the process has used of processors. Unlike the clock it does
// not run while a busy machine lets the process wait.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// measure serves a request in this goroutine; the least processor time of
// several runs is what it costs, the rest is the machine's.
func measure(t *testing.T, s *testkit.Server, path, key, body string) (res *httptest.ResponseRecorder, took time.Duration, allocated uint64) {
	t.Helper()
	took, allocated = time.Hour, 1<<62
	for tries := 0; tries < 4 && (took > hostileTime || allocated > hostileAlloc); tries++ {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+key)
		res = httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := cpuTime(t)
		s.App.Handler.ServeHTTP(res, r)
		took = min(took, cpuTime(t)-start)
		runtime.ReadMemStats(&after)
		allocated = min(allocated, after.TotalAlloc-before.TotalAlloc)
		if err := testkit.Check(r, res.Code, res.Header(), res.Body.Bytes(), true); err != nil {
			t.Error(err)
		}
	}
	return res, took, allocated
}

// Not parallel: memory is counted for the whole process. A tested body of
// 18 kB made a common stack write 162 MB of error text.
func TestHostileBodiesCostLittle(t *testing.T) {
	x := newTenant(t)
	for _, op := range []string{"sendWebchatMessage", "createCompletion", "createAgent", "createConversation", "sendMessage"} {
		path := x.sample(t, testkit.OperationOf(op)).Path
		for _, size := range []int{18 << 10, 1<<20 - 64} {
			for name, body := range hostileBodies(size) {
				res, took, allocated := measure(t, x.server, path, x.key.Text, body)
				if res.Code >= 500 || (res.Code >= 400 && took > hostileTime) || allocated > hostileAlloc {
					t.Errorf("%s, %s of %d bytes: status %d, %s, %d kB allocated", op, name, len(body), res.Code, took, allocated>>10)
				}
				if res.Code >= 400 && (res.Body.Len() > hostileError || bytes.Contains(res.Body.Bytes(), []byte("aaaaaaaa"))) {
					t.Errorf("%s, %s: an error of %d bytes: %.200s", op, name, res.Body.Len(), res.Body)
				}
			}
		}
	}
}

// The same before a key is known: a stranger can make the server work even less.
func TestHostileBodiesOfStrangersCostLittle(t *testing.T) {
	s := testkit.Shared(t)
	for name, body := range hostileBodies(1<<20 - 64) {
		res, took, allocated := measure(t, s, "/api/v1/chat", "rubbish", body)
		if res.Code != http.StatusUnauthorized || took > hostileTime || allocated > 1<<20*growth {
			t.Errorf("%s: status %d, %s, %d kB allocated", name, res.Code, took, allocated>>10)
		}
	}
}

func TestHostileAddressesAndHeadersCostLittle(t *testing.T) {
	x := newTenant(t)
	for name, r := range map[string]testkit.Request{
		"long path":       {Path: "/api/v1/agents/" + strings.Repeat("a", 8000)},
		"deep path":       {Path: strings.Repeat("/a", 4000)},
		"many parameters": {Path: "/api/v1/agents?" + strings.Repeat("limit=1&", 1000)},
		"long parameter":  {Path: "/api/v1/agents?cursor=" + strings.Repeat("a", 8000)},
		"escapes":         {Path: "/api/v1/agents/" + strings.Repeat("%41", 2600)},
		"long key":        {Path: "/api/v1/agents", Header: map[string]string{"Authorization": "Bearer " + strings.Repeat("a", 30_000)}},
		"long origin":     {Path: "/api/v1/agents", Header: map[string]string{"Origin": "https://" + strings.Repeat("a", 30_000)}},
		"long accept":     {Path: "/api/v1/agents", Header: map[string]string{"Accept": strings.Repeat("text/html,", 3000)}},
	} {
		var got testkit.Response
		took := time.Hour
		for tries := 0; tries < 4 && took > 2*hostileTime; tries++ { // the least is what it costs, as in measure
			start := cpuTime(t)
			got = x.do(t, r)
			took = min(took, cpuTime(t)-start)
		}
		if got.Status >= 500 || len(got.Body) > hostileError && got.Status != http.StatusOK || took > 2*hostileTime {
			t.Errorf("%s: status %d with %d bytes in %s", name, got.Status, len(got.Body), took)
		}
	}
}
