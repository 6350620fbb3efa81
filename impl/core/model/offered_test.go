package model_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/impl/core/model"
)

// seen is what a look-up of a caller of the account tells a server: the version of its offer.
func (b *bundle) seen(t *testing.T, account string) int64 {
	t.Helper()
	c, err := b.DB.AccountCaller(t.Context(), account, "")
	if err != nil {
		t.Fatal(err)
	}
	b.Confirm(account, c.CatalogVersion)
	return c.CatalogVersion
}

// Whatever changes what an account is offered raises its version, and that of every account when everyone's changes.
func TestEveryChangeOfAnOfferRaisesItsVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upstream(t, "big", "small")
	id, _ := b.add(t, b.account, "k", "own")
	var m db.Model
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"a price", func() error { return b.DB.SetModelPrice(t.Context(), b.account, "own", 1, 2, 3) }},
		{"fallbacks", func() error { return b.SetFallbacks(t.Context(), b.account, "own", []string{"big"}) }},
		{"a new model", func() error {
			m = db.Model{AccountID: b.account, ID: "new", ProviderID: id, Kind: model.KindLLM, Name: "n", UpstreamName: "n", ContextTokens: 10, MaxOutputTokens: 5, CreatedAt: b.Now()}
			return b.DB.InsertModel(t.Context(), m)
		}},
		{"a model", func() error { return b.DB.UpdateModel(t.Context(), m) }},
		{"a switch off", func() error { return b.DB.SwitchModel(t.Context(), b.account, "small", false, b.Now()) }},
		{"a switch on", func() error { return b.DB.SwitchModel(t.Context(), b.account, "small", true, b.Now()) }},
		{"an alias", func() error { _, _, err := b.PutAlias(t.Context(), b.account, "gpt-x", "big"); return err }},
		{"no alias", func() error { return b.DeleteAlias(t.Context(), b.account, "gpt-x") }},
		{"a model less", func() error { return b.DB.DeleteModel(t.Context(), b.account, "new") }},
		{"models withdrawn", func() error { return b.DB.DisableModelsExcept(t.Context(), b.account, id, nil) }},
		{"a provider less", func() error { return b.DB.DeleteProvider(t.Context(), b.account, id) }},
		{"a price of everyone", func() error { return b.DB.SetModelPrice(t.Context(), db.Everyone, "big", 1, 2, 3) }},
		{"an alias of everyone", func() error { _, _, err := b.PutAlias(t.Context(), db.Everyone, "gpt-x", "big"); return err }},
	} {
		before := b.seen(t, b.account)
		if err := change.do(); err != nil {
			t.Fatalf("%s: %v", change.name, err)
		}
		if after := b.seen(t, b.account); after <= before {
			t.Errorf("%s leaves the version at %d", change.name, after)
		}
	}
}

// What was read is kept while the version stays, so that a model that is answered by costs no statement.
func TestWhatWasReadIsKeptAtItsVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upstream(t, "big")
	b.seen(t, b.account)
	b.resolve(t, b.account, "big")
	raw, err := sqlx.Connect("postgres", b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	at := b.Now()
	b.Now = func() time.Time { return at }
	byHand := func(contextTokens int) { // which raises no version
		t.Helper()
		if _, err := raw.ExecContext(t.Context(), `update models set context_tokens = $1 where model_id = 'big'`, contextTokens); err != nil {
			t.Fatal(err)
		}
	}
	byHand(77)
	if m, _ := b.resolve(t, b.account, "big"); m.ContextTokens == 77 {
		t.Error("a model was read again though nothing had changed")
	}
	if err := b.DB.SetModelPrice(t.Context(), db.Everyone, "big", 5, 6, 0); err != nil {
		t.Fatal(err)
	}
	b.seen(t, b.account)
	if m, _ := b.resolve(t, b.account, "big"); m.ContextTokens != 77 || m.InputMicrosPer1K != 5 {
		t.Errorf("after a change the model is %+v", m)
	}
	byHand(78)
	at = at.Add(time.Minute)
	b.seen(t, b.account)
	if m, _ := b.resolve(t, b.account, "big"); m.ContextTokens != 78 {
		t.Errorf("a minute later the model is %+v", m)
	}
}

// A change that one server makes holds on every other for all requests that are looked up after it.
func TestAChangeHoldsOnOtherServersAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upstream(t, "big", "small")
	other := &bundle{Catalog: &model.Catalog{DB: b.DB, Box: b.Box, Now: b.Now, Connect: b.connect, Upstream: b.Upstream}, account: b.account}
	meant := func() string {
		t.Helper()
		other.seen(t, b.account)
		id, err := other.Meant(t.Context(), b.account, "gpt-x")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	got := []string{meant()}
	for _, to := range []string{"big", "small"} {
		if _, _, err := b.PutAlias(t.Context(), db.Everyone, "gpt-x", to); err != nil {
			t.Fatal(err)
		}
		got = append(got, meant())
	}
	if want := []string{"gpt-x", "big", "small"}; !slices.Equal(got, want) {
		t.Errorf("the name meant %v, want %v", got, want)
	}
}

// What no request stands behind, like work in the background, asks the database.
func TestWhatIsNotConfirmedIsReadAnew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.upstream(t, "big")
	at := b.Now()
	b.Now = func() time.Time { return at }
	price := func(micros int64) {
		t.Helper()
		if err := b.DB.SetModelPrice(t.Context(), db.Everyone, "big", micros, 0, 0); err != nil {
			t.Fatal(err)
		}
		if m, _ := b.resolve(t, b.account, "big"); m.InputMicrosPer1K != micros {
			t.Errorf("the price is %d, want %d", m.InputMicrosPer1K, micros)
		}
	}
	price(1) // no request so far
	b.seen(t, b.account)
	b.resolve(t, b.account, "big")
	at = at.Add(3 * time.Second)
	price(2)
}
