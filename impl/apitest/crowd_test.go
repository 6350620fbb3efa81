package apitest_test

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"

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

// Two servers are asked for the same agents at the same time, each request
// with its Idempotency-Key: every agent is made once, and paid once.
func TestACrowdOfAvatarsOnTwoServersIsPaidOnceEach(t *testing.T) {
	t.Parallel()
	secret := testkit.Canary()
	first := testkit.New(t, func(c *app.Config) { c.SecretKey = secret })
	second := testkit.New(t, func(c *app.Config) {
		c.SecretKey, c.DatabaseURL, c.Blobs = secret, first.DSN, first.Blobs
	})
	n := avatarCrowd()
	x := tenantOf(t, first, testkit.Unlimited, int64(n)*imagePrice)
	sd := x.painter(t)
	answers := make([][2]testkit.Response, n)
	var crowd sync.WaitGroup
	for i := range n {
		for j, server := range []*testkit.Server{first, second} {
			crowd.Go(func() {
				answers[i][j] = server.Do(t, keyed(testkit.Request{
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
	if m := x.Money(t); m.SpentMicros != int64(n)*imagePrice || m.BalanceMicros != 0 || m.HeldMicros != 0 {
		t.Errorf("%d agents, money %+v", n, m)
	}
	x.wantConserved(t)
	x.do(t, testkit.Request{Path: "/api/v1/agents", Body: map[string]any{"name": "One more", "sd_model_id": sd}}).Want(t, http.StatusPaymentRequired)
}
