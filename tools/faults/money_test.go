package faults

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// unbalanced are the accounts whose money is not all there, by the tables alone and in one snapshot: what was granted is
// what the accounts and their purses have, hold and have spent, and what the book says; nothing is below zero.
const unbalanced = `
	with places as (
		select account_id, granted_micros, balance_micros, held_micros, spent_micros from accounts
		union all
		select account_id, granted_micros, balance_micros, held_micros, spent_micros from purses
	), owned as (
		select account_id, sum(granted_micros) as granted, sum(balance_micros) as balance, sum(held_micros) as held, sum(spent_micros) as spent,
			least(min(balance_micros), min(held_micros), min(spent_micros)) as least
		from places group by account_id
	), booked as (
		select account_id, sum(case kind when 'grant' then amount_micros when 'withdrawal' then -amount_micros else 0 end) as granted,
			sum(case kind when 'usage' then amount_micros else 0 end) as spent
		from ledger group by account_id
	), running as (
		select account_id, sum(held_micros) as held from turns where state = 'running' group by account_id
	)
	select o.account_id from owned o left join booked b using (account_id) left join running r using (account_id)
	where o.granted <> o.balance + o.held + o.spent or o.least < 0 or o.granted <> coalesce(b.granted, 0)
		or o.spent <> coalesce(b.spent, 0) or o.held <> coalesce(r.held, 0)`

// watchMoney looks at every account's money again and again until stop is closed, and returns how often.
func (c *cluster) watchMoney(t *testing.T, stop <-chan struct{}) (snapshots int) {
	t.Helper()
	raw := c.raw(t)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var wrong []string
		if err := raw.Select(&wrong, unbalanced); err != nil || len(wrong) != 0 {
			t.Errorf("snapshot %d: the money of %v is not all there, %v", snapshots, wrong, err)
			return snapshots
		}
		snapshots++
		select {
		case <-stop:
			return snapshots
		case <-tick.C:
		}
	}
}

// adjust gives an account money and takes some back until stop is closed, each time until a server says that it is
// done, and returns the sum.
func (c *cluster) adjust(t *testing.T, r *rand.Rand, operator, accountID string, stop <-chan struct{}) (sum int64) {
	t.Helper()
	for n := 0; ; n++ {
		amount := int64(1 + r.IntN(50_000))
		if r.IntN(2) == 0 {
			amount = -amount
		}
		for !c.adjustOnce(t, r, operator, accountID, fmt.Sprint("adjustment-", n), amount) && !t.Failed() {
			<-time.After(20 * time.Millisecond) // the server is being started
		}
		sum += amount
		select {
		case <-stop:
			return sum
		case <-time.After(time.Duration(10+r.IntN(100)) * time.Millisecond):
		}
	}
}

func (c *cluster) adjustOnce(t *testing.T, r *rand.Rand, operator, accountID, key string, amount int64) bool {
	request := c.request(http.MethodPost, r.Int()%len(c.servers), "/api/v1/admin/accounts/"+accountID+"/adjustments", operator, map[string]any{"amount_micros": amount, "reason": "campaign"})
	request.Header.Set("Idempotency-Key", key+accountID)
	res, err := c.http.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(res.Body)
	switch {
	case err != nil, res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusConflict: // in flight at a server that died
		return false
	case res.StatusCode/100 != 2:
		t.Errorf("an adjustment of %d: %d %s", amount, res.StatusCode, bytes.TrimSpace(said))
	}
	return true
}

// checkGranted compares what an account was granted with what it was told.
func (c *cluster) checkGranted(t *testing.T, accountID string, want int64) {
	t.Helper()
	var granted int64
	if err := c.raw(t).Get(&granted, `select sum(case kind when 'grant' then amount_micros else -amount_micros end)::bigint from ledger
		where account_id = $1 and kind in ('grant', 'withdrawal')`, accountID); err != nil || granted != want {
		t.Errorf("granted %d, acknowledged %d, %v", granted, want, err)
	}
}
