package model_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/provider/providertest"
	"parley/impl/core/secret"
)

// bundle is a catalog on a database of its own: what everyone is offered is global.
type bundle struct {
	*model.Catalog
	dsn     string
	account string
	offers  map[string]*providertest.Scripted // by base URL
	keys    map[string]string                 // that connections were made with, by base URL
	trusted map[string]bool
}

func setup(t *testing.T) *bundle {
	t.Helper()
	d, dsn := dbtest.Own(t)
	box, err := secret.NewBox(strings.Repeat("k", 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{dsn: dsn, account: dbtest.Account(t, d, "free", 0), offers: map[string]*providertest.Scripted{}, keys: map[string]string{}, trusted: map[string]bool{}}
	b.Catalog = &model.Catalog{DB: d, Box: box, Now: func() time.Time { return time.Now().UTC() }, Connect: b.connect}
	return b
}

func (b *bundle) connect(baseURL, key string, trusted bool) (provider.Provider, error) {
	b.keys[baseURL], b.trusted[baseURL] = key, trusted
	return b.offers[baseURL], nil
}

func offering(names ...string) *providertest.Scripted {
	p := providertest.NewScripted()
	p.Offers = []provider.Model{}
	for _, name := range names {
		p.Offers = append(p.Offers, provider.Model{ID: name, Name: name, ContextTokens: 1000})
	}
	return p
}

// add stores a provider that offers the names and returns its id.
func (b *bundle) add(t *testing.T, account, key string, names ...string) (providerID, baseURL string) {
	t.Helper()
	baseURL = "https://" + strings.ToLower(names[0]) + account + ".test/v1"
	b.offers[baseURL] = offering(names...)
	providerID, n, err := b.Add(t.Context(), model.AddInput{AccountID: account, Name: "p", BaseURL: baseURL, Key: key})
	if err != nil || n != len(names) {
		t.Fatalf("added %d: %v", n, err)
	}
	return providerID, baseURL
}

func (b *bundle) upstream(t *testing.T, names ...string) {
	t.Helper()
	b.Upstream = offering(names...)
	if n, err := b.OfferUpstream(t.Context(), "http://upstream.test/v1"); err != nil || n != len(names) {
		t.Fatalf("offered %d: %v", n, err)
	}
}

func (b *bundle) ids(t *testing.T, account string) string {
	t.Helper()
	models, err := b.List(t.Context(), account, model.KindLLM, -1, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range models {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, " ")
}

func (b *bundle) resolve(t *testing.T, account, id string) (db.Model, provider.Provider) {
	t.Helper()
	m, p, err := b.Resolve(t.Context(), account, id)
	if err != nil {
		t.Fatal(err)
	}
	return m, p
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want a fault of kind %s", err, want)
	}
}

func TestTheBuiltInModelIsOfferedFreeAndIsTheDefaultAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, err := b.Resolve(t.Context(), b.account, "")
	wantKind(t, err, fault.Unavailable)
	for range 2 { // each start offers it again
		if err := b.OfferBuiltIn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m, p := b.resolve(t, b.account, "")
	if _, ok := p.(provider.BuiltIn); !ok || m.ID != model.BuiltInLLM || m.InputMicrosPer1K+m.OutputMicrosPer1K+m.ImageMicros != 0 {
		t.Errorf("default %+v by %T", m, p)
	}
	if err := b.Check(t.Context(), b.account, model.KindSD, model.BuiltInSD); err != nil {
		t.Error(err)
	}
	if ids := b.ids(t, b.account); ids != model.BuiltInLLM {
		t.Errorf("offered %q", ids)
	}
}

func TestUnknownModelsAndThoseOfAnotherKindAreInvalid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.OfferBuiltIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"no such model", model.BuiltInSD, strings.Repeat("x", 10_000)} {
		_, _, err := b.Resolve(t.Context(), b.account, id)
		wantKind(t, err, fault.Invalid)
		wantKind(t, b.Check(t.Context(), b.account, model.KindLLM, id), fault.Invalid)
	}
	wantKind(t, b.Check(t.Context(), b.account, model.KindSD, model.BuiltInLLM), fault.Invalid)
	wantKind(t, b.SetPrice(t.Context(), db.Everyone, "no such model", 1, 1, 1), fault.NotFound)
	for _, price := range []int64{-1, 1_000_000_001} {
		for i := range 3 {
			prices := [3]int64{}
			prices[i] = price
			wantKind(t, b.SetPrice(t.Context(), db.Everyone, model.BuiltInLLM, prices[0], prices[1], prices[2]), fault.Invalid)
		}
	}
}

func TestTheUpstreamsFirstModelIsTheDefaultAndWithdrawnOnesGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.OfferBuiltIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Upstream = offering("z-first", "a-second")
	_, _, err := b.Resolve(t.Context(), b.account, "")
	wantKind(t, err, fault.Unavailable) // not the built-in one by accident
	_, err = b.Offline(t.Context(), b.account, model.KindLLM)
	wantKind(t, err, fault.Unavailable)
	b.upstream(t, "z-first", "a-second")
	_, err = b.Offline(t.Context(), b.account, model.KindLLM)
	wantKind(t, err, fault.NotFound)
	if m, p := b.resolve(t, b.account, ""); m.ID != "z-first" || p != b.Upstream || m.ContextTokens != 1000 {
		t.Errorf("default %+v", m)
	}
	if ids := b.ids(t, b.account); ids != "z-first a-second "+model.BuiltInLLM {
		t.Errorf("offered %q", ids)
	}
	if err := b.SetPrice(t.Context(), db.Everyone, "a-second", 5, 6, 7); err != nil {
		t.Fatal(err)
	}
	b.upstream(t, "z-first")
	_, _, err = b.Resolve(t.Context(), b.account, "a-second")
	wantKind(t, err, fault.Invalid)
	if m, err := b.Priced(t.Context(), b.account, "a-second"); err != nil || m.OutputMicrosPer1K != 6 {
		t.Errorf("a withdrawn model is settled at %+v, %v", m, err)
	}
	b.upstream(t, "a-second", "z-first")
	if m, _ := b.resolve(t, b.account, ""); m.ID != "a-second" || m.InputMicrosPer1K != 5 || m.OutputMicrosPer1K != 6 || m.ImageMicros != 7 {
		t.Errorf("rediscovery lost the price: %+v", m)
	}
	b.Upstream = nil
	if _, err := b.OfferUpstream(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if m, _ := b.resolve(t, b.account, ""); m.ID != model.BuiltInLLM || b.ids(t, b.account) != model.BuiltInLLM {
		t.Errorf("without the upstream %+v and %q remain", m, b.ids(t, b.account))
	}
}

func TestAnAccountsOwnModelComesBeforeEveryones(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.OfferBuiltIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.upstream(t, "shared", "other")
	stranger := dbtest.Account(t, b.DB, "free", 0)
	_, own := b.add(t, b.account, "", "shared", "mine")
	if err := b.SetPrice(t.Context(), b.account, "shared", 1, 2, 3); err != nil {
		t.Fatal(err)
	}
	if m, p := b.resolve(t, b.account, "shared"); m.AccountID != b.account || p != b.offers[own] || m.OutputMicrosPer1K != 2 {
		t.Errorf("the account's model is %+v", m)
	}
	if ids := b.ids(t, b.account); ids != "other shared mine "+model.BuiltInLLM {
		t.Errorf("the account is offered %q: each id once", ids)
	}
	if m, p := b.resolve(t, stranger, "shared"); m.AccountID != db.Everyone || p != b.Upstream || m.OutputMicrosPer1K != 0 {
		t.Errorf("the stranger's model is %+v", m)
	}
	_, _, err := b.Resolve(t.Context(), stranger, "mine")
	wantKind(t, err, fault.Invalid)
	if ids := b.ids(t, stranger); ids != "shared other "+model.BuiltInLLM {
		t.Errorf("the stranger is offered %q", ids)
	}
	if m, err := b.Priced(t.Context(), b.account, "shared"); err != nil || m.OutputMicrosPer1K != 2 {
		t.Errorf("settled at %+v, %v", m, err)
	}
}

func TestTheKeyOfAProviderIsSealedInTheTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const canary = "sk-canary-of-a-provider"
	id, baseURL := b.add(t, b.account, canary, "m")
	if b.keys[baseURL] != canary || b.trusted[baseURL] {
		t.Errorf("connected with %q, trusted %v", b.keys[baseURL], b.trusted[baseURL])
	}
	row, err := b.DB.Provider(t.Context(), b.account, id)
	if err != nil || len(row.SealedKey) == 0 || bytes.Contains(row.SealedKey, []byte("canary")) {
		t.Errorf("stored %q, %v", row.SealedKey, err)
	}
	raw, err := sqlx.Connect("postgres", b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var n int
	if err := raw.Get(&n, "select count(*) from providers p where p::text like '%canary%' or position('canary'::bytea in sealed_key) > 0"); err != nil || n != 0 {
		t.Errorf("%d rows show the key: %v", n, err)
	}
	// Another server with the same key opens it; one with another cannot.
	for keyText, opens := range map[string]bool{strings.Repeat("k", 32): true, strings.Repeat("j", 32): false} {
		box, err := secret.NewBox(keyText)
		if err != nil {
			t.Fatal(err)
		}
		delete(b.keys, baseURL)
		elsewhere := &model.Catalog{DB: b.DB, Box: box, Now: b.Now, Connect: b.connect}
		_, _, err = elsewhere.Resolve(t.Context(), b.account, "m")
		if (err == nil) != opens || (b.keys[baseURL] == canary) != opens || (err != nil && strings.Contains(err.Error(), canary)) {
			t.Errorf("with the key %q: %v, connected with %q", keyText[:1], err, b.keys[baseURL])
		}
	}
	if _, everyones := b.add(t, db.Everyone, "", "public"); !b.trusted[everyones] {
		t.Error("an operator's provider may be on a private network")
	}
}

func TestFallbacksAreOtherModelsOfTheKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.OfferBuiltIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger := dbtest.Account(t, b.DB, "free", 0)
	providerID, _ := b.add(t, b.account, "", "m", "n")
	b.add(t, stranger, "", "theirs")
	set := func(ids ...string) error { return b.SetFallbacks(t.Context(), b.account, "m", ids) }
	for _, ids := range [][]string{{"m"}, {"n", "n"}, {"theirs"}, {model.BuiltInSD}, {"no such model"}, {"a", "b", "c", "d", "e", "f"}} {
		wantKind(t, set(ids...), fault.Invalid)
	}
	wantKind(t, b.SetFallbacks(t.Context(), stranger, "m", nil), fault.NotFound)
	wantKind(t, b.SetFallbacks(t.Context(), b.account, model.BuiltInLLM, []string{"m"}), fault.NotFound) // everyone's
	if err := set("n", model.BuiltInLLM); err != nil {
		t.Fatal(err)
	}
	fallbacks := func() string {
		m, _ := b.resolve(t, b.account, "m")
		models, providers, err := b.Fallbacks(t.Context(), b.account, m)
		if err != nil || len(models) != len(providers) {
			t.Fatal(err)
		}
		var ids []string
		for _, f := range models {
			ids = append(ids, f.ID)
		}
		return strings.Join(ids, " ")
	}
	if got := fallbacks(); got != "n "+model.BuiltInLLM {
		t.Errorf("fallbacks %q", got)
	}
	if err := b.DB.DisableModelsExcept(t.Context(), b.account, providerID, []string{"m"}); err != nil {
		t.Fatal(err)
	}
	if got := fallbacks(); got != model.BuiltInLLM {
		t.Errorf("with one withdrawn %q", got)
	}
	if err := set(); err != nil || fallbacks() != "" {
		t.Errorf("fallbacks remain: %v", err)
	}
}

func TestAConnectionIsMadeOncePerProvider(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add(t, b.account, "k", "m")
	var made atomic.Int64
	connect := b.Connect
	fresh := &model.Catalog{DB: b.DB, Box: b.Box, Now: b.Now, Connect: func(u, k string, trusted bool) (provider.Provider, error) {
		made.Add(1)
		return connect(u, k, trusted)
	}}
	for range 3 {
		if _, _, err := fresh.Resolve(t.Context(), b.account, "m"); err != nil {
			t.Fatal(err)
		}
	}
	if made.Load() != 1 {
		t.Errorf("connected %d times", made.Load())
	}
}

func TestAddRefusesBadProvidersAndStoresNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, in := range []model.AddInput{
		{Name: "p", BaseURL: ""}, {Name: "p", BaseURL: "ftp://a.test"}, {Name: "p", BaseURL: "https://user:pass@a.test"},
		{Name: "p", BaseURL: "://"}, {Name: "p", BaseURL: "https:///v1"}, {Name: " ", BaseURL: "https://a.test"}, {Name: strings.Repeat("n", 201), BaseURL: "https://a.test"},
	} {
		in.AccountID = b.account
		_, _, err := b.Add(t.Context(), in)
		wantKind(t, err, fault.Invalid)
	}
	b.Connect = func(string, string, bool) (provider.Provider, error) { return silent{}, nil }
	if _, _, err := b.Add(t.Context(), model.AddInput{AccountID: b.account, Name: "p", BaseURL: "https://a.test"}); err == nil {
		t.Error("a provider that tells no models was added")
	}
	if rows, err := b.Providers(t.Context(), b.account); err != nil || len(rows) != 0 {
		t.Errorf("stored %+v, %v", rows, err)
	}
}

// silent is a provider that cannot be reached.
type silent struct{ provider.Provider }

func (silent) Models(context.Context) ([]provider.Model, error) {
	return nil, errors.New("connection refused")
}

// Whoever sets a price, fallbacks or a provider stands in the books of the account that owns
// them, in the server's for everyone's; what is refused is not booked.
func TestWhatIsSetIsBooked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := audit.WithActor(t.Context(), audit.Actor{Kind: "command", ID: "ada"})
	for _, owner := range []string{db.Everyone, b.account} {
		url := "https://" + owner + "p.test/v1"
		b.offers[url] = offering("m1", "m2")
		added, _, err := b.Add(ctx, model.AddInput{AccountID: owner, Name: "p", BaseURL: url, Key: "a secret of the provider"})
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(b.SetPrice(ctx, owner, "m1", 1, 2, 3), b.SetFallbacks(ctx, owner, "m1", []string{"m2"}))
		if err != nil {
			t.Fatal(err)
		}
		if b.SetPrice(ctx, owner, "none", 1, 2, 3) == nil || b.SetFallbacks(ctx, owner, "none", nil) == nil || b.SetPrice(ctx, owner, "m1", -1, 0, 0) == nil {
			t.Error("what is not there is set")
		}
		events, err := b.DB.AuditEvents(ctx, owner, db.AuditFilter{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, e := range events {
			told = append(told, e.Action+" "+e.Target)
			if e.ActorKind != "command" || e.ActorID != "ada" || strings.Contains(string(e.Details), "secret") {
				t.Errorf("booked %+v %s", e, e.Details)
			}
		}
		if want := []string{"model.fallbacks_set m1", "model.priced m1", "provider.created " + added}; !slices.Equal(told, want) {
			t.Errorf("of %q are booked %v, want %v", owner, told, want)
		}
	}
}
