package apitest_test

import (
	"net/http"
	"slices"
	"testing"

	"parley/impl/core/key"
	"parley/impl/testkit"
)

// The operator's scope is held by owners of an account that operates the server, while they are signed in, and by nobody else who signs in.
func TestOnlyOwnersOfAnOperatingAccountOperateTheServer(t *testing.T) {
	t.Parallel()
	s := testkit.Shared(t)
	operating, ordinary := s.Account(t, testkit.Unlimited, 0), s.Account(t, testkit.Unlimited, 0)
	owner := operating.Person(t, key.Owner)
	admin := operating.Person(t, key.Admin)
	aliases := testkit.Request{Path: "/api/v1/admin/model-aliases"}
	as := func(p testkit.Person, r testkit.Request) testkit.Response {
		r.Key = p.Session
		return s.Do(t, r)
	}
	as(owner, aliases).Want(t, http.StatusForbidden)
	operating.Operates(t, true)
	as(owner, aliases).Want(t, http.StatusOK)
	for name, p := range map[string]testkit.Person{
		"an admin of it": admin, "a member of it": operating.Person(t, key.Member), "an owner of another account": ordinary.Person(t, key.Owner),
		"an admin of another account": ordinary.Person(t, key.Admin), "a member of another account": ordinary.Person(t, key.Member),
	} {
		for _, path := range []string{"/api/v1/admin/model-aliases", "/api/v1/admin/accounts", "/api/v1/admin/plans", "/api/v1/admin/accounts/" + operating.ID} {
			if got := as(p, testkit.Request{Path: path}); got.Status != http.StatusForbidden {
				t.Errorf("%s reads %s: %d", name, path, got.Status)
			}
		}
		if scopes := heldBy(t, as(p, testkit.Request{Path: "/api/v1/me"})); slices.Contains(scopes, "operator") {
			t.Errorf("%s holds %v", name, scopes)
		}
	}
	makesKey := testkit.Request{Path: "/api/v1/keys", Body: map[string]any{"name": "rules", "scopes": []string{"operator"}}}
	as(admin, makesKey).Want(t, http.StatusForbidden)
	as(owner, makesKey).Want(t, http.StatusCreated)
	wants := testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/account", Body: map[string]any{"operates": true}}
	as(ordinary.Person(t, key.Owner), wants).Want(t, http.StatusBadRequest)
	operating.Operates(t, false)
	as(owner, aliases).Want(t, http.StatusForbidden)
}

func heldBy(t *testing.T, me testkit.Response) []string {
	t.Helper()
	var held struct{ Scopes []string }
	me.Want(t, http.StatusOK).JSON(t, &held)
	return held.Scopes
}

// Whoever sets the server up rules it: its link stood in the server's log.
func TestTheFirstPersonOperatesTheServer(t *testing.T) {
	t.Parallel()
	s := testkit.New(t)
	got := setUp(t, s, s.App.SetUp, "ada@example.com", nil).Want(t, http.StatusOK)
	first := sessionOf(got)
	if scopes := heldBy(t, s.Do(t, testkit.Request{Path: "/api/v1/me", Key: first})); !slices.Equal(scopes, []string{"admin", "operator"}) {
		t.Errorf("the first person holds %v", scopes)
	}
	s.Do(t, testkit.Request{Path: "/api/v1/admin/accounts", Key: first}).Want(t, http.StatusOK)
}
