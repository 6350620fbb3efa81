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
	for _, c := range [][2]string{{"", "free"}, {" \t", "free"}, {strings.Repeat("n", 201), "free"}} {
		_, err := s.Create(t.Context(), c[0], c[1])
		wantKind(t, err, fault.Invalid)
	}
	_, err := s.Create(t.Context(), "name", "gold")
	wantKind(t, err, fault.NotFound)
	if accounts, err := s.List(t.Context()); err != nil || len(accounts) != 0 {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
}

func TestAdjustmentsKeepTheBook(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s := &account.Service{DB: d, Now: now}
	accountID := dbtest.Account(t, d, "free", 0)
	const most = 1_000_000_000 * money.Unit
	for _, amount := range []int64{most + 1, -most - 1, -1 << 63, 1<<63 - 1} {
		_, err := s.Adjust(t.Context(), accountID, amount, "test")
		wantKind(t, err, fault.Invalid)
	}
	_, err := s.Adjust(t.Context(), id.New(id.Account), 1, "test")
	wantKind(t, err, fault.NotFound)
	for _, c := range []struct {
		amount, balance int64
		refused         bool
	}{{0, 0, true}, {-1, 0, true}, {1, 1, false}, {most, most + 1, false}, {-most - 2, most + 1, true}, {-most, 1, false}, {-2, 1, true}, {-1, 0, false}} {
		done, err := s.Adjust(t.Context(), accountID, c.amount, "test")
		if c.refused && c.amount >= -most {
			wantKind(t, err, fault.Conflict)
		} else if !c.refused && (err != nil || done.Account.BalanceMicros != c.balance) {
			t.Errorf("adjusting by %d: %+v, %v", c.amount, done, err)
		}
		a, err := s.Get(t.Context(), accountID)
		if err != nil || a.BalanceMicros != c.balance || a.GrantedMicros != c.balance {
			t.Errorf("after adjusting by %d: %+v, %v", c.amount, a, err)
		}
	}
}

func TestAnAdjustmentWhoseTransactionIsCutIsNotBooked(t *testing.T) {
	t.Parallel()
	s, dsn := own(t)
	a, err := s.Create(t.Context(), "a", "free")
	if err != nil {
		t.Fatal(err)
	}
	proxy := dbtest.NewProxy(t, dsn)
	behind := &account.Service{DB: dbtest.Open(t, proxy.DSN, 2), Now: now}
	lost := proxy.LoseReply("insert into ledger")
	if done, err := behind.Adjust(t.Context(), a.ID, 5, "test"); err == nil {
		t.Errorf("adjusted %+v without a reply", done)
	}
	<-lost
	if a, err = s.Get(t.Context(), a.ID); err != nil || a.BalanceMicros != 0 {
		t.Errorf("account %+v, %v", a, err)
	}
}

func TestPlans(t *testing.T) {
	t.Parallel()
	s, _ := own(t)
	limit := 250
	for _, want := range []bool{true, false} {
		if made, err := s.PutPlan(t.Context(), db.Plan{Name: "team", RequestsPerMinute: &limit}); err != nil || made != want {
			t.Errorf("new: %v, %v; want %v", made, err, want)
		}
	}
	a, err := s.Create(t.Context(), "a", "team")
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeletePlan(t.Context(), "team"), fault.Conflict)
	wantKind(t, s.DeletePlan(t.Context(), "pro"), fault.Conflict)
	wantKind(t, s.DeletePlan(t.Context(), "none"), fault.NotFound)
	free, gold, name := "free", "gold", "b"
	_, err = s.Update(t.Context(), a.ID, account.UpdateInput{Plan: &gold})
	wantKind(t, err, fault.NotFound)
	if a, err = s.Update(t.Context(), a.ID, account.UpdateInput{Plan: &free, Name: &name}); err != nil || a.Plan != "free" || a.Name != "b" {
		t.Errorf("account %+v, %v", a, err)
	}
	if err := s.DeletePlan(t.Context(), "team"); err != nil {
		t.Error(err)
	}
	_, err = s.Plan(t.Context(), "team")
	wantKind(t, err, fault.NotFound)
}
