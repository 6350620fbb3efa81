package account_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/account"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/money"
)

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// own is a service on a database without other tests' accounts.
func own(t *testing.T) (*account.Service, string) {
	t.Helper()
	d, dsn := dbtest.Own(t)
	return &account.Service{DB: d, Now: now}, dsn
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want a fault of kind %s", err, want)
	}
}

func TestServersThatStartTogetherMakeOneFirstAccount(t *testing.T) {
	t.Parallel()
	s, dsn := own(t)
	cold := &account.Service{DB: dbtest.Open(t, dsn, 4), Now: now}
	var mu sync.Mutex
	var starts sync.WaitGroup
	made, ids := 0, map[string]bool{}
	for i := range 8 {
		starts.Go(func() {
			first, fresh, err := []*account.Service{s, cold}[i%2].EnsureFirst(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[first.ID] = true
			if fresh {
				made++
			}
		})
	}
	starts.Wait()
	accounts, err := s.List(t.Context())
	if err != nil || len(accounts) != 1 || made != 1 || len(ids) != 1 {
		t.Fatalf("%d made, accounts %+v, %v", made, accounts, err)
	}
	if a := accounts[0]; a.GrantedMicros != account.StartingCredit || a.BalanceMicros != account.StartingCredit || a.Plan != "pro" || !ids[a.ID] {
		t.Errorf("first account %+v", a)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	s, _ := own(t)
	_, err := s.Find(t.Context(), "")
	wantKind(t, err, fault.NotFound)
	var made []db.Account
	for _, name := range []string{"first", "twin", "twin", " second "} {
		a, err := s.Create(t.Context(), name, "free")
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, a)
	}
	confusing, err := s.Create(t.Context(), made[1].ID, "free") // named like another's id
	if err != nil {
		t.Fatal(err)
	}
	for nameOrID, want := range map[string]string{
		"": made[0].ID, "first": made[0].ID, "second": made[3].ID, made[2].ID: made[2].ID, made[1].ID: made[1].ID, confusing.ID: confusing.ID,
	} {
		if a, err := s.Find(t.Context(), nameOrID); err != nil || a.ID != want {
			t.Errorf("Find(%q) = %s, %v, want %s", nameOrID, a.ID, err, want)
		}
	}
	_, err = s.Find(t.Context(), "twin")
	wantKind(t, err, fault.Conflict)
	_, err = s.Find(t.Context(), "nobody")
	wantKind(t, err, fault.NotFound)
}

func TestCreateRefusesBadNamesAndUnknownPlans(t *testing.T) {
	t.Parallel()
	s, _ := own(t)
	for _, c := range [][2]string{{"", "free"}, {" \t", "free"}, {strings.Repeat("n", 201), "free"}, {"name", "gold"}, {"name", ""}} {
		_, err := s.Create(t.Context(), c[0], c[1])
		wantKind(t, err, fault.Invalid)
	}
	if accounts, err := s.List(t.Context()); err != nil || len(accounts) != 0 {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
}

func TestTopUp(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := &account.Service{DB: d, Now: now}
	accountID := dbtest.Account(t, d, "free", 0)
	const most = 1_000_000_000 * money.Unit
	for _, amount := range []int64{0, -1, most + 1, -1 << 63, 1<<63 - 1} {
		_, err := s.TopUp(t.Context(), accountID, amount)
		wantKind(t, err, fault.Invalid)
	}
	_, err := s.TopUp(t.Context(), id.New(id.Account), 1)
	wantKind(t, err, fault.NotFound)
	if a, err := s.TopUp(t.Context(), accountID, 1); err != nil || a.BalanceMicros != 1 || a.GrantedMicros != 1 {
		t.Errorf("account %+v, %v", a, err)
	}
	if a, err := s.TopUp(t.Context(), accountID, most); err != nil || a.BalanceMicros != most+1 {
		t.Errorf("account %+v, %v", a, err)
	}
}

func TestATopUpWhoseReplyIsLostIsBookedOnce(t *testing.T) {
	t.Parallel()
	s, dsn := own(t)
	a, err := s.Create(t.Context(), "a", "free")
	if err != nil {
		t.Fatal(err)
	}
	proxy := dbtest.NewProxy(t, dsn)
	behind := &account.Service{DB: dbtest.Open(t, proxy.DSN, 2), Now: now}
	lost := proxy.LoseReply("insert into ledger")
	if a, err = behind.TopUp(t.Context(), a.ID, 5); err != nil || a.BalanceMicros != 5 {
		t.Errorf("account %+v, %v", a, err)
	}
	<-lost
}
