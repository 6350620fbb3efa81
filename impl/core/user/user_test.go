package user_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/user"
)

const password = "correct horse battery staple"

type bundle struct {
	people  *user.Service
	account string
}

func setup(t *testing.T) bundle {
	t.Helper()
	d := dbtest.New(t)
	now := func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
	return bundle{people: user.New(d, credential.NewMinter([]byte("a secret of the tests")), now), account: dbtest.Account(t, d, "free", 0)}
}

func (b bundle) invite(t *testing.T, role key.Role) user.Invited {
	t.Helper()
	email := fmt.Sprintf("%s-%d@example.com", b.account, time.Now().UnixNano())
	made, err := b.people.Create(t.Context(), user.CreateInput{AccountID: b.account, Email: email, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Owners who leave at the same time cannot leave the account to nobody.
func TestOneOwnerAlwaysStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owners := make([]user.Invited, 6)
	for i := range owners {
		owners[i] = b.invite(t, key.Owner)
	}
	member := key.Member
	var all sync.WaitGroup
	for i, o := range owners {
		all.Go(func() {
			var err error
			if i%2 == 0 {
				err = b.people.Delete(t.Context(), b.account, nil, o.ID)
			} else {
				_, err = b.people.Update(t.Context(), b.account, nil, o.ID, user.UpdateInput{Role: &member})
			}
			if err != nil && fault.KindOf(err) != fault.Conflict {
				t.Error(err)
			}
		})
	}
	all.Wait()
	left, err := b.people.List(t.Context(), b.account, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, u := range left {
		if u.Active && u.Role == string(key.Owner) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d owners are left, want 1", n)
	}
}

// A link works once, however often it is used at the same time.
func TestALinkWorksOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.invite(t, key.Member)
	var mu sync.Mutex
	var all sync.WaitGroup
	worked := 0
	for range 4 {
		all.Go(func() {
			_, err := b.people.RedeemLink(t.Context(), made.Link, password)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				worked++
			} else if fault.KindOf(err) != fault.Unauthenticated {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if worked != 1 {
		t.Errorf("the link worked %d times", worked)
	}
	again, err := b.people.Link(t.Context(), b.account, nil, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	last, err := b.people.Link(t.Context(), b.account, nil, made.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.people.RedeemLink(t.Context(), again.Link, password); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("a link that another replaced: %v", err)
	}
	if _, err := b.people.RedeemLink(t.Context(), last.Link, password); err != nil {
		t.Errorf("the latest link: %v", err)
	}
}

// Whether there is such a person shows neither in the answer nor in the work done.
func TestStrangersAndWrongPasswordsAreTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.invite(t, key.Member)
	if _, err := b.people.RedeemLink(t.Context(), made.Link, password); err != nil {
		t.Fatal(err)
	}
	fresh := b.invite(t, key.Member)
	for name, email := range map[string]string{"a stranger": "nobody@example.com", "a wrong password": made.Email, "no password yet": fresh.Email} {
		_, err := b.people.SignIn(t.Context(), user.SignInInput{Email: email, Password: "not the password"})
		if err == nil || fault.KindOf(err) != fault.Unauthenticated || err.Error() != "The address or the password is wrong." {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := b.people.SignIn(t.Context(), user.SignInInput{Email: made.Email, Password: password}); err != nil || s.User.ID != made.ID {
		t.Errorf("the right password: %+v, %v", s, err)
	}
}

func TestBadPeopleAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, in := range map[string]user.CreateInput{
		"no address": {Role: key.Member}, "no host": {Email: "ada", Role: key.Member}, "two": {Email: "a@b@c", Role: key.Member},
		"no role": {Email: "a@example.com"}, "another role": {Email: "a@example.com", Role: "god"},
	} {
		in.AccountID = b.account
		if _, err := b.people.Create(t.Context(), in); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if people, err := b.people.List(t.Context(), b.account, "", 10); err != nil || len(people) != 0 {
		t.Errorf("refused people are stored: %+v, %v", people, err)
	}
	if _, err := b.people.Find(t.Context(), "nobody@example.com"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
	var none db.User
	if got, err := b.people.Get(t.Context(), b.account, "user_none"); fault.KindOf(err) != fault.NotFound || got.ID != none.ID {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnAddressIsWhatTheDocumentAdmits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	long := strings.Repeat("ä", 200) + "@" + strings.Repeat("ö", 53)
	for _, email := range []string{"µ@\u0085", "\u00a0@\u2003", long} {
		in := user.CreateInput{AccountID: b.account, Role: key.Member, Email: email}
		if _, err := b.people.Create(t.Context(), in); err != nil {
			t.Errorf("%q: %v", email, err)
		}
		if u, err := b.people.Find(t.Context(), email); err != nil || u.Email != email {
			t.Errorf("%q is found as %q: %v", email, u.Email, err)
		}
	}
}
