package apitest_test

import (
	"net/http"
	"sync"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// setUp asks to make the first person.
func setUp(t *testing.T, s *testkit.Server, token, email string, header map[string]string) testkit.Response {
	t.Helper()
	body := map[string]any{"token": token, "email": email, "name": "Grace", "password": "long enough a password"}
	return s.Do(t, testkit.Request{Method: http.MethodPost, Path: "/api/v1/set-up", Body: body, Header: header})
}

// Whoever merely reaches the port cannot take the server over; of those who have the link, one is the first.
func TestTheFirstPersonNeedsThePrintedLink(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	token := s.App.SetUp
	other := testkit.New(t)
	for name, wrong := range map[string]string{"nonsense": "nonsense", "another server's": other.App.SetUp, "the first key": s.App.FirstKey} {
		if got := setUp(t, s, wrong, "mallory@example.com", nil); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got.Status)
		}
	}
	setUp(t, s, token, "mallory@example.com", map[string]string{"Origin": "https://evil.example"}).Want(t, http.StatusForbidden)
	taken := s.Account(t, testkit.Unlimited, 0).Person(t, key.Member)
	setUp(t, s, token, taken.Email, nil).Want(t, http.StatusConflict)
	var mu sync.Mutex
	statuses := map[int]int{}
	var session string
	var both sync.WaitGroup
	for _, email := range []string{"ada@example.com", "grace@example.com"} {
		both.Go(func() {
			got := setUp(t, s, token, email, nil)
			mu.Lock()
			defer mu.Unlock()
			if statuses[got.Status]++; got.Status == http.StatusOK {
				session = sessionOf(got)
			}
		})
	}
	both.Wait()
	if statuses[http.StatusOK] != 1 || statuses[http.StatusUnauthorized] != 1 {
		t.Fatalf("of two at once: %v", statuses)
	}
	var me struct{ Role, Kind string }
	s.Do(t, testkit.Request{Path: "/api/v1/me", Header: map[string]string{"Cookie": "parley_session=" + session}}).Want(t, http.StatusOK).JSON(t, &me)
	if me.Role != "owner" || me.Kind != "user" {
		t.Errorf("the first person is %+v", me)
	}
	if again, err := s.App.Users.SetUpToken(t.Context()); err != nil || again != "" {
		t.Errorf("the server still tells a token: %q, %v", again, err)
	}
	if len(s.Logs.Of(token)) > 0 {
		t.Error("the token is logged")
	}
}
