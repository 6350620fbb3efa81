package apitest_test

import (
	"fmt"
	"net/http"
	"testing"

	"parley/gen/client/platform"
	"parley/impl/core/budget"
	"parley/impl/testkit"

	"time"
)

// budget makes a budget as an administrator does.
func (x tenant) budget(t *testing.T, kind, subject, period string, micros int64) budget.Budget {
	t.Helper()
	s := &budget.Service{DB: x.server.DB, Now: time.Now}
	b, err := s.Create(t.Context(), budget.CreateInput{AccountID: x.ID, Kind: kind, Subject: subject, Period: period, AmountMicros: micros})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABudgetThroughItsLife(t *testing.T) {
	t.Parallel()
	x := tenantWith(t, "budget_id")
	const path = "/api/v1/admin/budgets"
	var made, seen platform.Budget
	body := fmt.Sprintf(`{"kind":"key","subject":%q,"period":"day","amount_micros":1000}`, x.key.ID)
	x.want(t, http.MethodPost, path, body, http.StatusCreated, &made)
	if made.RemainingMicros != 1000 || made.PeriodStart == nil || *made.PeriodStart != time.Now().UTC().Truncate(24*time.Hour) {
		t.Errorf("made %+v", made)
	}
	x.want(t, http.MethodPost, path, body, http.StatusConflict, nil)
	x.want(t, http.MethodPost, path, `{"kind":"key","subject":"key_none","period":"day","amount_micros":1}`, http.StatusNotFound, nil)
	if x.want(t, http.MethodPatch, path+"/"+made.ID, `{"amount_micros":5000}`, http.StatusOK, &seen); seen.RemainingMicros != 5000 {
		t.Errorf("changed %+v", seen)
	}
	listed := x.do(t, testkit.Request{Path: path + "?limit=1"}).Want(t, http.StatusOK)
	var list platform.BudgetList
	if listed.JSON(t, &list); len(list) != 1 || list[0].ID != made.ID || listed.Header.Get("Link") == "" {
		t.Errorf("listed %+v, %v", list, listed.Header)
	}
	x.want(t, http.MethodDelete, path+"/"+made.ID, "", http.StatusNoContent, nil)
	x.want(t, http.MethodGet, path+"/"+made.ID, "", http.StatusNotFound, nil)
}

// A budget refuses as an empty balance does, with words of its own, and shows what is left.
func TestAnEndUsersBudgetIsSpentAndRefuses(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	x.key = x.Key(t, testkit.Scopes("openai", "webchat", "admin"))
	x.Upstream(t) // reports 7 and 2 tokens
	x.Price(t, testkit.UpstreamModel, 0, 1_000_000)
	ask := func(user string) testkit.Response {
		return x.do(t, testkit.Request{Path: "/v1/chat/completions", Body: map[string]any{
			"model": testkit.UpstreamModel, "user": user, "max_tokens": 10, "messages": []any{map[string]any{"role": "user", "content": "Hi"}},
		}})
	}
	b := x.budget(t, "end_user", "visitor-1042", "month", 13_000) // an answer holds 10,000 and costs 2,000
	for left := int64(11_000); left >= 9_000; left -= 2_000 {
		ask("visitor-1042").Want(t, http.StatusOK)
		var seen platform.Budget
		if x.want(t, http.MethodGet, "/api/v1/admin/budgets/"+b.ID, "", http.StatusOK, &seen); seen.RemainingMicros != left || seen.HeldMicros != 0 {
			t.Errorf("budget %+v, want %d left", seen, left)
		}
	}
	refused := ask("visitor-1042").Want(t, http.StatusTooManyRequests)
	wantHeader(t, refused, "Retry-After", "")
	if e := openaiError(t, refused); e.Code != "insufficient_quota" || e.Message != "The budget of this key or end user is used up." {
		t.Errorf("refused with %+v", e)
	}
	ask("somebody-else").Want(t, http.StatusOK)
	x.budget(t, "key", x.key.ID, "total", 9_999)
	x.do(t, testkit.Request{Path: "/api/v1/chat", Body: map[string]any{"message": "Hi"}}).Want(t, http.StatusPaymentRequired)
	x.wantConserved(t)
}
