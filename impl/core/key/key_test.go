package key_test

import (
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
	"parley/impl/core/credential"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// minter mints for all tests of this package.
var minter = credential.NewMinter([]byte("a secret of the tests"))

type bundle struct {
	keys    *key.Service
	account string
	ahead   atomic.Int64 // of the clock
}

func setup(t testing.TB) *bundle {
	t.Helper()
	d := dbtest.New(t)
	b := &bundle{account: dbtest.Account(t, d, "free", 0)}
	b.keys = &key.Service{DB: d, Credentials: minter, Now: b.now}
	return b
}

func (b *bundle) now() time.Time {
	return time.Now().Add(time.Duration(b.ahead.Load())).UTC().Truncate(time.Microsecond)
}

func (b *bundle) create(t testing.TB, edit func(*key.CreateInput)) key.Created {
	t.Helper()
	in := key.CreateInput{AccountID: b.account, Name: "a key"}
	if edit != nil {
		edit(&in)
	}
	created, err := b.keys.Create(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func wantKind(t testing.TB, err error, want fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != want {
		t.Errorf("got error %v, want a fault of kind %s", err, want)
	}
}

func TestAKeyIdentifiesItsCaller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created := b.create(t, func(in *key.CreateInput) { in.Scopes = []string{"webchat"} })
	c, err := b.keys.Authenticate(t.Context(), created.Text)
	if err != nil {
		t.Fatal(err)
	}
	if c.AccountID != b.account || c.KeyID != created.ID || c.AppID != created.AppID || c.Kind != key.Secret ||
		c.Plan != "free" || c.RequestsPerMinute != 5 || c.Bucket != "account" || !slices.Equal(c.Scopes, []string{"webchat"}) {
		t.Errorf("caller %+v of key %+v", c, created)
	}
	if !strings.HasPrefix(created.Text, created.Prefix) || len(created.Prefix) > 20 {
		t.Errorf("the shown prefix is %q", created.Prefix)
	}
	own := b.create(t, func(in *key.CreateInput) { in.Plan = "pro" })
	if c, err = b.keys.Authenticate(t.Context(), own.Text); err != nil || c.Bucket != own.ID || c.RequestsPerMinute != 100 {
		t.Errorf("caller with a plan of its own: %+v, %v", c, err)
	}
	unlimited := b.create(t, func(in *key.CreateInput) { in.Plan = "unlimited" })
	if c, err = b.keys.Authenticate(t.Context(), unlimited.Text); err != nil || c.RequestsPerMinute != 0 {
		t.Errorf("caller without a limit: %+v, %v", c, err)
	}
}

func TestEveryBadKeyIsTheSameFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	revoked, expiring := b.create(t, nil), b.create(t, func(in *key.CreateInput) {
		at := b.now().Add(time.Hour)
		in.ExpiresAt = &at
	})
	if _, err := b.keys.Authenticate(t.Context(), expiring.Text); err != nil {
		t.Fatalf("before it expires: %v", err)
	}
	if err := b.keys.Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	other := setup(t).create(t, nil).Text
	b.ahead.Store(int64(time.Hour))
	var messages []string
	for name, text := range map[string]string{
		"none": "", "no key": "hello", "another vendor's": "sk-" + strings.Repeat("a", 48), "revoked": revoked.Text, "expired": expiring.Text,
		"mistyped": flip(expiring.Text, 20), "other prefix": "parley_pk_" + strings.TrimPrefix(other, "parley_sk_"),
		"padded": other + " ", "cut": other[:40], "with NUL": flip(other, 12)[:len(other)-1] + "\x00", "never stored": minter.Mint(credential.SecretKey), "huge": strings.Repeat(other, 1000),
	} {
		_, err := b.keys.Authenticate(t.Context(), text)
		wantKind(t, err, fault.Unauthenticated)
		f, _ := errors.AsType[*fault.Error](err)
		messages = append(messages, f.Message)
		if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the key is in the error %q", name, err)
		}
	}
	slices.Sort(messages)
	if distinct := slices.Compact(messages); len(distinct) != 1 {
		t.Errorf("bad keys can be told apart: %q", distinct)
	}
}

func flip(text string, at int) string {
	replacement := "x"
	if text[at] == 'x' {
		replacement = "y"
	}
	return text[:at] + replacement + text[at+1:]
}

func TestMalformedKeysCostTheDatabaseNothing(t *testing.T) {
	t.Parallel()
	closed := dbtest.Open(t, dbtest.DSN(t), 1)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	s := &key.Service{DB: closed, Credentials: minter, Now: time.Now}
	good := setup(t).create(t, nil).Text
	elsewhere := credential.NewMinter([]byte("a secret of another installation"))
	for _, text := range []string{"", "x", flip(good, 30), good[1:], elsewhere.Mint(credential.SecretKey), minter.Mint(credential.OneTimeLink)} {
		_, err := s.Authenticate(t.Context(), text)
		wantKind(t, err, fault.Unauthenticated)
	}
	_, err := s.Authenticate(t.Context(), good)
	if err == nil || fault.KindOf(err) == fault.Unauthenticated {
		t.Errorf("a database that is away turns a good key into %v", err)
	}
}

func TestLastUsedIsExactToTheMinute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created := b.create(t, nil)
	use := func() *time.Time {
		if _, err := b.keys.Authenticate(t.Context(), created.Text); err != nil {
			t.Fatal(err)
		}
		keys, err := b.keys.List(t.Context(), b.account, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		return keys[0].LastUsedAt
	}
	if created.LastUsedAt != nil {
		t.Errorf("a new key was used at %v", created.LastUsedAt)
	}
	first := use()
	if first == nil || b.now().Sub(*first) > time.Minute {
		t.Fatalf("last used %v", first)
	}
	b.ahead.Store(int64(30 * time.Second))
	if again := use(); !again.Equal(*first) {
		t.Errorf("a use half a minute later was written: %v, then %v", first, again)
	}
	b.ahead.Store(int64(90 * time.Second))
	if later := use(); b.now().Sub(*later) > time.Minute {
		t.Errorf("a later use was not written: %v", later)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		held  []string
		asked []string
		may   bool
	}{
		{[]string{"webchat"}, []string{"webchat:read"}, true},
		{[]string{"webchat"}, []string{"webchat:write"}, true},
		{[]string{"webchat:read"}, []string{"webchat:read"}, true},
		{[]string{"webchat:read"}, []string{"webchat:write"}, false},
		{[]string{"webchat"}, []string{"characters:read"}, false},
		{[]string{"webchat"}, []string{"characters:read", "webchat:read"}, true},
		{[]string{key.ScopeAdmin}, []string{"characters:write"}, true},
		{[]string{"admin:read"}, []string{"characters:read"}, true},
		{[]string{"admin:read"}, []string{"characters:write"}, false},
		{[]string{key.ScopeAdmin}, []string{"operator:read"}, false},
		{[]string{key.ScopeOperator}, []string{"operator:write"}, true},
		{[]string{key.ScopeOperator}, []string{"admin:read"}, false},
		{[]string{"webchat"}, []string{"admin:read"}, false},
		{[]string{"webchat"}, []string{"webchats:read"}, false},
		{nil, []string{"webchat:read"}, false},
		{[]string{"webchat"}, nil, false},
	} {
		if got := (key.Caller{Scopes: c.held}).May(c.asked...); got != c.may {
			t.Errorf("a key with %q may %q: %v", c.held, c.asked, got)
		}
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	listed := []string{"https://Example.com", "http://localhost:3000/", "https://default.example:443", "https://[::1]:8443"}
	publishable := b.create(t, func(in *key.CreateInput) { in.Kind, in.Origins = key.Publishable, listed })
	secret := b.create(t, func(in *key.CreateInput) { in.Origins = listed })
	open := b.create(t, nil)
	shut := b.create(t, func(in *key.CreateInput) { in.Kind = key.Publishable })
	admits := func(k key.Created, origin string) bool {
		c, err := b.keys.Authenticate(t.Context(), k.Text)
		if err != nil {
			t.Fatal(err)
		}
		return c.AdmitsOrigin(origin)
	}
	for origin, listed := range map[string]bool{
		"https://example.com": true, "https://EXAMPLE.com": true, "http://localhost:3000": true, "https://default.example": true,
		"https://[::1]:8443": true, "http://example.com": false, "https://example.com:8443": false, "https://example.com.": false,
		"https://example.com.evil.test": false, "https://evilexample.com": false, "https://sub.example.com": false, "null": false,
		"https://example.com/": false, "https://example.com@evil.test": false, "http://localhost:3001": false, "http://localhost": false,
		"https://еxample.com":  false, // a Cyrillic letter
		" https://example.com": false, "https://example.com\x00": false,
	} {
		if admits(publishable, origin) != listed || admits(secret, origin) != listed {
			t.Errorf("origin %q: publishable %v, secret %v, want %v", origin, admits(publishable, origin), admits(secret, origin), listed)
		}
		if !admits(open, origin) || admits(shut, origin) {
			t.Errorf("origin %q: a secret key without a list admits any, a publishable one none", origin)
		}
	}
	if admits(publishable, "") || admits(shut, "") || !admits(secret, "") || !admits(open, "") {
		t.Error("only secret keys work without an Origin")
	}
}

func TestCreateRefusesWhatCouldNeverWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	foreign := setup(t).create(t, nil)
	for name, edit := range map[string]func(*key.CreateInput){
		"no name":     func(in *key.CreateInput) { in.Name = "  " },
		"long name":   func(in *key.CreateInput) { in.Name = strings.Repeat("ä", 201) },
		"kind":        func(in *key.CreateInput) { in.Kind = "public" },
		"environment": func(in *key.CreateInput) { in.Environment = "staging" },
		"scope":       func(in *key.CreateInput) { in.Scopes = []string{"everything"} },
	} {
		in := key.CreateInput{AccountID: b.account, Name: "a key"}
		edit(&in)
		_, err := b.keys.Create(t.Context(), in)
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := b.keys.Create(t.Context(), key.CreateInput{AccountID: b.account, Name: "a key", Kind: key.Publishable, Scopes: []string{key.ScopeAdmin}})
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("publishable admin: %v", err)
	}
	for name, edit := range map[string]func(*key.CreateInput){
		"app":         func(in *key.CreateInput) { in.AppID = id.New(id.App) },
		"plan":        func(in *key.CreateInput) { in.Plan = "gold" },
		"account":     func(in *key.CreateInput) { in.AccountID = id.New(id.Account) },
		"foreign app": func(in *key.CreateInput) { in.AppID = foreign.AppID },
		"agent":       func(in *key.CreateInput) { in.AgentID = id.New(id.Agent) },
	} {
		in := key.CreateInput{AccountID: b.account, Name: "a key"}
		edit(&in)
		if _, err := b.keys.Create(t.Context(), in); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, origin := range []string{"", "*", "null", "example.com", "ftp://example.com", "https://", "https://:443", "https://*.example.com",
		"https://example.com/path", "https://example.com?q", "https://example.com?q=1", "https://user@example.com", "https://exämple.com",
		"https://example.com:port", "https://example.com:", "javascript:alert(1)", "https://a b.com"} {
		_, err := b.keys.Create(t.Context(), key.CreateInput{AccountID: b.account, Name: "a key", Origins: []string{origin}})
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("origin %q: %v", origin, err)
		}
	}
	if keys, err := b.keys.List(t.Context(), b.account, "", 100); err != nil || len(keys) != 0 {
		t.Errorf("refused keys are stored: %+v, %v", keys, err)
	}
}

func TestAnAppKeepsItsPlaceOverKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	agentID := id.New(id.Agent)
	if err := b.keys.DB.InsertAgent(t.Context(), db.Agent{AccountID: b.account, ID: agentID, Name: "a", CreatedAt: b.now()}); err != nil {
		t.Fatal(err)
	}
	old := b.create(t, func(in *key.CreateInput) { in.AgentID = agentID })
	rotated := b.create(t, func(in *key.CreateInput) { in.AppID = old.AppID })
	if err := b.keys.Revoke(t.Context(), old.ID); err != nil {
		t.Fatal(err)
	}
	c, err := b.keys.Authenticate(t.Context(), rotated.Text)
	if err != nil || c.AppID != old.AppID || c.AgentID != agentID {
		t.Errorf("caller %+v, %v", c, err)
	}
	wantKind(t, b.keys.Revoke(t.Context(), id.New(id.Key)), fault.NotFound)
}

func TestTheTextOfAKeyIsNotStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created := b.create(t, nil)
	raw, err := sqlx.Connect("postgres", dbtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	secretPart := created.Text[len(created.Prefix):]
	for _, table := range []string{"keys", "key_hashes", "apps"} {
		var n int
		if err := raw.Get(&n, "select count(*) from "+table+" x where x::text like $1", "%"+secretPart+"%"); err != nil || n != 0 {
			t.Errorf("%d rows of %s hold the key's text: %v", n, table, err)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	bundle := setup(b)
	text := bundle.create(b, nil).Text
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := bundle.keys.Authenticate(context.Background(), text); err != nil {
				b.Error(err)
			}
		}
	})
}
