package db_test

import (
	"slices"
	"testing"

	"parley/db"
	"parley/db/dbtest"
)

func TestImbalancesFindsMoneyThatAppearedOrVanished(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.New(t), dbtest.DSN(t)
	balanced, wrong := dbtest.Account(t, d, "free", 1000), dbtest.Account(t, d, "free", 1000)
	raw := rawConn(t, dsn)
	if _, err := raw.ExecContext(t.Context(), `
		update accounts set balance_micros = balance_micros - 10, spent_micros = spent_micros + 10 where account_id = $1`, wrong); err != nil {
		t.Fatal(err)
	}
	found, err := d.Imbalances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of := func(id string) int {
		return slices.IndexFunc(found, func(i db.Imbalance) bool { return i.AccountID == id })
	}
	if of(balanced) >= 0 {
		t.Errorf("a balanced account is found: %+v", found[of(balanced)])
	}
	if i := of(wrong); i < 0 || found[i].SpentMicros != 10 || found[i].UsageMicros != 0 {
		t.Errorf("spending without an entry is not found: %+v", found)
	}
}
