package apitest_test

import (
	"net/http"
	"strings"
	"testing"

	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// offers makes an upstream of its own the account's provider of a model at a price.
func (x tenant) offers(t *testing.T, modelID string, price int64, answers ...providertest.Answer) *providertest.Upstream {
	t.Helper()
	u := providertest.NewUpstream(t, answers...)
	u.AnswersModels(providertest.Models(modelID))
	in := model.AddInput{AccountID: x.ID, Name: modelID, BaseURL: u.URL, Key: "upstream-key"}
	if _, _, err := x.server.App.Models.Add(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	x.Price(t, modelID, price, price)
	return u
}

func (x tenant) fallBack(t *testing.T, modelID string, fallbacks ...string) {
	t.Helper()
	if err := x.server.App.Models.SetFallbacks(t.Context(), x.ID, modelID, fallbacks); err != nil {
		t.Fatal(err)
	}
}

var (
	busy    = providertest.Status(http.StatusTooManyRequests, "", "no", "Retry-After", "60")
	down    = providertest.Status(http.StatusInternalServerError, "", "no")
	dropped = func(*providertest.Exchange) { panic(http.ErrAbortHandler) }
)

// Whoever answers is named, and its price is paid, exactly.
func TestAFallbackAnswersUnderItsNameAtItsPrice(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]providertest.Answer{"busy": busy, "down": down, "dropped": dropped} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTenant(t)
			x.offers(t, "first", 1_000, refusal)
			x.offers(t, "second", 50_000, busy)
			x.offers(t, "third", 7_000) // reports 7 and 2 tokens
			x.fallBack(t, "first", "second", "third")
			var answer struct{ Model string }
			got := x.complete(t, "first", nil).Want(t, http.StatusOK)
			if got.JSON(t, &answer); answer.Model != "third" {
				t.Errorf("answer %s", got.Body)
			}
			if e := x.lastEntry(t); e.Amount != 63 || e.Input != 7 || e.Output != 2 {
				t.Errorf("booked %+v", e)
			}
			var turn struct{ Model string }
			if x.get(t, "/api/v1/turns/"+got.Header.Get("Parley-Turn"), &turn); turn.Model != "third" {
				t.Errorf("turn %+v", turn)
			}
			stream := x.complete(t, "first", map[string]any{"stream": true}).Want(t, http.StatusOK)
			if text := string(stream.Body); strings.Contains(text, "first") || !strings.Contains(text, `"model":"third"`) || !strings.Contains(text, "[DONE]") {
				t.Errorf("stream %s", text)
			}
			replay := x.do(t, testkit.Request{Path: "/api/v1/turns/" + stream.Header.Get("Parley-Turn") + "/events"}).Want(t, http.StatusOK)
			if string(replay.Body) != string(stream.Body) {
				t.Errorf("replay %s, first %s", replay.Body, stream.Body)
			}
			var models []string
			if err := sql(t, x.server).Select(&models, `select distinct model_id from ledger where account_id = $1 and kind = 'usage' and amount_micros > 0`, x.ID); err != nil || len(models) != 1 || models[0] != "third" {
				t.Errorf("booked for %q, %v", models, err)
			}
			x.wantConserved(t)
		})
	}
}

// A request that is at fault itself, and an answer that has begun, are nobody else's.
func TestFallbacksAreNotForBadRequestsAndBegunAnswers(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	first := x.offers(t, "first", 1_000, providertest.Status(http.StatusBadRequest, "", "no"))
	second := x.offers(t, "second", 1_000)
	x.fallBack(t, "first", "second")
	x.complete(t, "first", nil).Want(t, http.StatusBadGateway)
	first.Answers(providertest.Cut("Half"))
	x.complete(t, "first", nil).Want(t, http.StatusBadGateway)
	if n := len(second.Received()); n != 0 {
		t.Errorf("the fallback was asked %d times", n)
	}
	x.fallBack(t, "first")
	first.Answers(busy)
	x.complete(t, "first", nil).Want(t, http.StatusServiceUnavailable)
	x.wantConserved(t)
}

// The account must be able to pay whichever of them answers.
func TestTheHoldCoversTheDearestFallback(t *testing.T) {
	t.Parallel()
	x := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 100_000)
	first := x.offers(t, "first", 0)
	x.offers(t, "second", 1_000_000)
	x.complete(t, "first", nil).Want(t, http.StatusOK)
	x.fallBack(t, "first", "second")
	got := x.complete(t, "first", nil).Want(t, http.StatusTooManyRequests)
	if e := openaiError(t, got); e.Code != "insufficient_quota" || len(first.Received()) != 1 {
		t.Errorf("answer %s", got.Body)
	}
	first.Answers(busy)
	x.complete(t, "first", map[string]any{"max_tokens": 10}).Want(t, http.StatusOK)
	if e := x.lastEntry(t); e.Amount != 9_000 {
		t.Errorf("booked %+v", e)
	}
	x.wantConserved(t)
}

// A provider that keeps failing is refused at once in each surface's words; a
// model with a fallback does not ask it any more.
func TestABrokenProviderIsRefusedWithoutAHold(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	first := x.offers(t, "first", 1_000, down)
	second := x.offers(t, "second", 1_000)
	x.fallBack(t, "first", "second")
	for range 5 {
		x.complete(t, "first", nil).Want(t, http.StatusOK)
	}
	asked := len(first.Received())
	x.complete(t, "first", nil).Want(t, http.StatusOK)
	if n := len(first.Received()); n != asked || len(second.Received()) != 6 {
		t.Errorf("asked %d times more, its fallback %d times", n-asked, len(second.Received()))
	}
	x.fallBack(t, "first")
	spent := x.Money(t).SpentMicros
	for path, body := range map[string]map[string]any{
		"/v1/chat/completions": {"model": "first", "messages": []any{map[string]any{"role": "user", "content": "Hi"}}, "stream": true},
		"/api/v1/completions":  {"llm_id": "first", "messages": []any{map[string]any{"role": "user", "content": "Hi"}}, "stream": true},
		"/api/v1/chat":         {"message": "Hi", "stream": true},
	} {
		got := x.do(t, testkit.Request{Path: path, Body: body}).Want(t, http.StatusServiceUnavailable)
		if after := got.Header.Get("Retry-After"); after == "" || after == "0" || len(after) > 2 || got.Error(t) == "" {
			t.Errorf("%s: Retry-After %q, %s", path, after, got.Body)
		}
	}
	if m := x.Money(t); m.HeldMicros != 0 || m.SpentMicros != spent || len(first.Received()) != asked {
		t.Errorf("money %+v", m)
	}
}
