package apitest_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"parley/gen/client/characters"
	"parley/impl/app"
	"parley/impl/testkit"
)

// avatarCrowd is how many agents are asked for; PARLEY_FAULTS_LONG makes it 500.
func avatarCrowd() int {
	if os.Getenv("PARLEY_FAULTS_LONG") != "" {
		return 500
	}
	return 24
}

// patiently sends a request as often as it is told to come again, as clients do: on a
// busy machine statements may not end in their time.
func patiently(t *testing.T, server *testkit.Server, r testkit.Request) testkit.Response {
	t.Helper()
	for {
		got := server.Do(t, r)
		seconds, err := strconv.Atoi(got.Header.Get("Retry-After"))
		if err != nil || got.Status != http.StatusServiceUnavailable && got.Status != http.StatusConflict {
			return got
		}
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-t.Context().Done():
			return got
		}
	}
}

// Two servers are asked for the same agents at the same time, each request
// with its Idempotency-Key: every agent is made once, and paid once. There is
// money for as many again, because an attempt that failed holds some until it is ended.
func TestACrowdOfAvatarsOnTwoServersIsPaidOnceEach(t *testing.T) {
	t.Parallel()
	secret := testkit.Canary()
	first := testkit.New(t, func(c *app.Config) { c.SecretKey = secret })
	second := testkit.New(t, func(c *app.Config) {
		c.SecretKey, c.DatabaseURL, c.Blobs = secret, first.DSN, first.Blobs
	})
	n := avatarCrowd()
	x := tenantOf(t, first, testkit.Unlimited, 2*int64(n)*imagePrice)
	sd := x.painter(t)
	answers := make([][2]testkit.Response, n)
	var crowd sync.WaitGroup
	for i := range n {
		for j, server := range []*testkit.Server{first, second} {
			crowd.Go(func() {
				answers[i][j] = patiently(t, server, keyed(testkit.Request{
					Path: "/api/v1/agents", Key: x.key.Text, Body: map[string]any{"name": fmt.Sprint("Agent ", i), "appearance_prompt": fmt.Sprint("Number ", i), "sd_model_id": sd},
				}, fmt.Sprint("agent-", i)))
			})
		}
	}
	crowd.Wait()
	made := map[string]bool{}
	for i, pair := range answers {
		var agents [2]characters.Agent
		for j, got := range pair {
			got.Want(t, http.StatusCreated).JSON(t, &agents[j])
		}
		if agents[0].ID != agents[1].ID || made[agents[0].ID] || agents[0].AvatarURL == nil {
			t.Errorf("agent %d: %+v and %+v", i, agents[0], agents[1])
		}
		made[agents[0].ID] = true
	}
	eventually(t, "nothing is held", func() bool { return x.Money(t).HeldMicros == 0 })
	if m := x.Money(t); m.SpentMicros != int64(n)*imagePrice || m.BalanceMicros != int64(n)*imagePrice {
		t.Errorf("%d agents, money %+v", n, m)
	}
	x.wantConserved(t)
	poor := tenantOf(t, first, testkit.Unlimited, imagePrice-1)
	body := map[string]any{"name": "One more", "appearance_prompt": "A lamp", "sd_model_id": poor.painter(t)}
	poor.do(t, testkit.Request{Path: "/api/v1/agents", Body: body}).Want(t, http.StatusPaymentRequired)
}
