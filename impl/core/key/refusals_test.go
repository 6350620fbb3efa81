package key_test

import (
	"slices"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// counted is a service whose statements are counted.
func counted(t *testing.T) (b *bundle, proxy *dbtest.Proxy) {
	t.Helper()
	d, dsn := dbtest.Own(t)
	proxy = dbtest.NewProxy(t, dsn)
	b = &bundle{account: dbtest.Account(t, d, "free", 0)}
	b.keys = &key.Service{DB: dbtest.Open(t, proxy.DSN, 1), Credentials: minter, Now: b.now}
	b.admits(t, b.create(t, nil).Text) // prepares what a warm server has prepared
	proxy.Traffic()
	return b, proxy
}

// Whoever knows how keys look can make as many as they like: they meet no database.
func TestAFloodOfInventedKeysCostsNoStatement(t *testing.T) {
	t.Parallel()
	b, proxy := counted(t)
	inventor := credential.NewMinter([]byte("a guess"))
	for range 1000 {
		_, err := b.keys.Authenticate(t.Context(), inventor.Mint(credential.SecretKey))
		wantKind(t, err, fault.Unauthenticated)
	}
	if sent := proxy.Traffic(); sent.RoundTrips != 0 {
		t.Errorf("1000 invented keys took %d round trips", sent.RoundTrips)
	}
}

// What nobody was ever given meets no database, however much of a real key it
// has: what is shown of one with another rest, another kind, another installation's key.
func TestWhatWasNeverGivenTakesNoStatement(t *testing.T) {
	t.Parallel()
	b, proxy := counted(t)
	good := b.create(t, nil).Text
	foreign := credential.NewMinter([]byte("another installation")).Mint(credential.SecretKey)
	proxy.Traffic()
	for name, text := range map[string]string{
		"unknown": foreign, "wrong rest": good[:credential.ShownChars] + foreign[credential.ShownChars:],
		"last character": flip(good, len(good)-1), "another kind": "parley_pk_" + good[len("parley_pk_"):], "none": "",
	} {
		if b.admits(t, text) {
			t.Errorf("%s is admitted", name)
		}
		if sent := proxy.Traffic(); sent.RoundTrips != 0 {
			t.Errorf("%s takes %q", name, sent.Executed)
		}
	}
}

// Another account's key and one that is not take the same statement to be not found.
func TestForeignAndMissingTakeTheSamePath(t *testing.T) {
	t.Parallel()
	b, proxy := counted(t)
	foreign := b.create(t, nil)
	stranger := dbtest.Account(t, b.keys.DB, "free", 0)
	_, _ = b.keys.Get(t.Context(), stranger, "key_warm")
	var paths [][]string
	for _, id := range []string{"key_none", foreign.ID} {
		proxy.Traffic()
		_, err := b.keys.Get(t.Context(), stranger, id)
		wantKind(t, err, fault.NotFound)
		paths = append(paths, proxy.Traffic().Executed)
	}
	if len(paths[0]) != 1 || !slices.Equal(paths[0], paths[1]) {
		t.Errorf("missing takes %q, foreign %q", paths[0], paths[1])
	}
}

// Unknown, revoked, expired and replaced keys take the very same statement, then none.
func TestEveryRefusalTakesTheSamePath(t *testing.T) {
	t.Parallel()
	b, proxy := counted(t)
	revoked, expired, replaced, deleted := b.create(t, nil), b.create(t, func(in *key.CreateInput) {
		at := b.now().Add(-time.Second)
		in.ExpiresAt = &at
	}), b.create(t, nil), b.create(t, nil)
	if err := b.keys.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.keys.Rotate(t.Context(), b.admin(), replaced.ID, 0); err != nil {
		t.Fatal(err)
	}
	if err := b.keys.Delete(t.Context(), b.account, deleted.ID); err != nil {
		t.Fatal(err)
	}
	paths := map[string][]string{}
	for name, text := range map[string]string{
		"never stored": minter.Mint(credential.SecretKey), "revoked": revoked.Text, "expired": expired.Text, "replaced": replaced.Text, "deleted": deleted.Text,
	} {
		proxy.Traffic()
		if b.admits(t, text) {
			t.Errorf("%s is admitted", name)
		}
		sent := proxy.Traffic()
		paths[name] = sent.Executed
		if sent.RoundTrips != 1 || !slices.Equal(sent.Executed, paths["never stored"]) && paths["never stored"] != nil {
			t.Errorf("%s takes %d round trips: %q", name, sent.RoundTrips, sent.Executed)
		}
		for range 100 {
			b.admits(t, text)
		}
		if again := proxy.Traffic(); again.RoundTrips > 2 { // more only when the second that a refusal lasts has passed
			t.Errorf("100 more requests with the %s key take %d round trips", name, again.RoundTrips)
		}
	}
}

// A refusal that another server lifts is forgotten within a second.
func TestARefusalIsForgottenInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	elsewhere := &key.Service{DB: b.keys.DB, Credentials: minter, Now: b.now}
	made := b.create(t, nil)
	for _, active := range []bool{false, true} {
		if _, err := elsewhere.Update(t.Context(), b.admin(), made.ID, key.UpdateInput{Active: &active}); err != nil {
			t.Fatal(err)
		}
		if !active && b.admits(t, made.Text) {
			t.Error("a revocation on another server does not hold at once")
		}
	}
	b.ahead.Store(int64(2 * time.Second))
	if !b.admits(t, made.Text) {
		t.Error("an admission on another server does not hold after two seconds")
	}
}

func TestMoreRefusalsThanAreRememberedDoNoHarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.create(t, nil)
	for range 10_000 {
		key.Refuse(b.keys, minter.Mint(credential.SecretKey), b.now().Add(time.Minute))
	}
	if n := key.Refused(b.keys); n > 2*4096 {
		t.Errorf("%d refusals are remembered", n)
	}
	if !b.admits(t, good.Text) {
		t.Error("a good key is refused")
	}
}
