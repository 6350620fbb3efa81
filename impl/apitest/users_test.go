package apitest_test

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/gen/client/platform"
	"parley/impl/app"
	"parley/impl/core/key"
	"parley/impl/testkit"
)

// as sends a request with a person's cookie.
func (x tenant) as(t *testing.T, p testkit.Person, r testkit.Request) testkit.Response {
	t.Helper()
	header := map[string]string{"Cookie": "parley_session=" + p.Session}
	for name, value := range r.Header {
		header[name] = value
	}
	r.Header = header
	return x.server.Do(t, r)
}

// signIn signs in and returns the session of the answer's cookie.
func (x tenant) signIn(t *testing.T, email, password string) (string, testkit.Response) {
	t.Helper()
	got := x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in", Body: map[string]any{"email": email, "password": password}})
	return sessionOf(got), got
}

func sessionOf(got testkit.Response) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(got.Header.Get("Set-Cookie"), "parley_session="), ";")
	return text
}

func (x tenant) me(t *testing.T, credential string) testkit.Response {
	t.Helper()
	return x.server.Do(t, testkit.Request{Path: "/api/v1/me", Key: credential})
}

func TestAPersonFromInvitationToRemoval(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	email := testkit.Canary() + "@Example.com"
	var invited platform.UserInvitation
	x.do(t, testkit.Request{Path: "/api/v1/admin/users", Body: map[string]any{"email": email, "role": "member"}}).Want(t, http.StatusCreated).JSON(t, &invited)
	if invited.Email != strings.ToLower(email) || invited.HasPassword || invited.Status != "active" {
		t.Errorf("%+v", invited)
	}
	_, got := x.signIn(t, email, "")
	got.Want(t, http.StatusBadRequest)
	_, got = x.signIn(t, email, "no password is set")
	got.Want(t, http.StatusUnauthorized)

	redeem := testkit.Request{Path: "/api/v1/sign-in/password", Body: map[string]any{"token": invited.Token, "new_password": "a first password"}}
	first := sessionOf(x.server.Do(t, redeem).Want(t, http.StatusOK))
	x.server.Do(t, redeem).Want(t, http.StatusUnauthorized) // once
	var me platform.Me
	x.me(t, first).Want(t, http.StatusOK).JSON(t, &me)
	if me.Kind != "user" || *me.Role != "member" || *me.Email != invited.Email || me.AccountID != x.ID {
		t.Errorf("%+v", me)
	}
	second, _ := x.signIn(t, strings.ToUpper(email), "a first password")
	change := map[string]any{"email": email, "password": "a first password", "new_password": "another password"}
	third := sessionOf(x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in/password", Body: change}).Want(t, http.StatusOK))
	for text, want := range map[string]int{first: http.StatusUnauthorized, second: http.StatusUnauthorized, third: http.StatusOK} {
		if got := x.me(t, text).Status; got != want {
			t.Errorf("after a change of the password a session gets %d, want %d", got, want)
		}
	}
	x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in/password", Body: change}).Want(t, http.StatusUnauthorized)

	path := "/api/v1/admin/users/" + invited.ID
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: `{"status":"inactive"}`}).Want(t, http.StatusOK)
	x.me(t, third).Want(t, http.StatusUnauthorized)
	_, got = x.signIn(t, email, "another password")
	got.Want(t, http.StatusUnauthorized)
	x.do(t, testkit.Request{Method: http.MethodPatch, Path: path, Body: `{"status":"active","role":"admin"}`}).Want(t, http.StatusOK)
	x.me(t, third).Want(t, http.StatusUnauthorized) // it does not come back
	fourth, _ := x.signIn(t, email, "another password")
	x.server.Do(t, testkit.Request{Path: "/api/v1/keys", Key: fourth}).Want(t, http.StatusOK)
	x.do(t, testkit.Request{Method: http.MethodDelete, Path: path}).Want(t, http.StatusNoContent)
	x.me(t, fourth).Want(t, http.StatusUnauthorized)
	x.do(t, testkit.Request{Path: "/api/v1/admin/users", Body: map[string]any{"email": email, "role": "member"}}).Want(t, http.StatusCreated)
}

func TestTheCookieIsForThisServersPagesAlone(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	owner := x.prepare(t).owner
	_, got := x.signIn(t, owner.Email, owner.Password)
	for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"} {
		if !strings.Contains(got.Header.Get("Set-Cookie"), part) {
			t.Errorf("the cookie %q lacks %s", got.Header.Get("Set-Cookie"), part)
		}
	}
	rename := testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/users/" + x.id(t, "user_id"), Body: `{"name":"New"}`}
	own := x.server.URL
	for name, c := range map[string]struct {
		header map[string]string
		want   int
	}{
		"no browser":           {nil, http.StatusOK},
		"a page of ours":       {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": own}, http.StatusOK},
		"an old browser, ours": {map[string]string{"Origin": own}, http.StatusOK},
		"another site":         {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, http.StatusForbidden},
		"a sibling":            {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"}, http.StatusForbidden},
		"an old browser":       {map[string]string{"Origin": "https://evil.example"}, http.StatusForbidden},
		"a sandbox":            {map[string]string{"Origin": "null"}, http.StatusForbidden},
	} {
		r := rename
		r.Header = c.header
		if got := x.as(t, owner, r); got.Status != c.want {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	evil := map[string]string{"Origin": "https://evil.example"}
	for _, path := range []string{"/api/v1/sign-in", "/api/v1/sign-in/password", "/api/v1/sign-out"} {
		x.as(t, owner, testkit.Request{Method: http.MethodPost, Path: path, Header: evil}).Want(t, http.StatusForbidden)
	}
	x.server.Do(t, testkit.Request{Path: "/api/v1/me", Header: map[string]string{"Cookie": "parley_session=" + x.key.Text}}).Want(t, http.StatusUnauthorized)
	x.as(t, owner, testkit.Request{Path: "/api/v1/agents"}).Want(t, http.StatusUnauthorized) // the document has no cookie there
}

func TestSigningOutEndsTheSession(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	owner := x.prepare(t).owner
	out := testkit.Request{Method: http.MethodPost, Path: "/api/v1/sign-out"}
	x.me(t, owner.Session).Want(t, http.StatusOK)
	if got := x.as(t, owner, out).Want(t, http.StatusNoContent); !strings.Contains(got.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("the cookie is not taken back: %q", got.Header.Get("Set-Cookie"))
	}
	x.me(t, owner.Session).Want(t, http.StatusUnauthorized)
	x.as(t, owner, out).Want(t, http.StatusNoContent)
	x.server.Do(t, out).Want(t, http.StatusNoContent)
	out.Header = map[string]string{"Cookie": "parley_session=" + strings.Repeat("a", 300)}
	x.server.Do(t, out).Want(t, http.StatusBadRequest)
}

func TestSigningOutEverywhereEndsEverySession(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	people := x.prepare(t)
	second, _ := x.signIn(t, people.owner.Email, people.owner.Password)
	x.as(t, people.owner, testkit.Request{Method: http.MethodPost, Path: "/api/v1/sign-out?everywhere=true"}).Want(t, http.StatusNoContent)
	for _, text := range []string{people.owner.Session, second} {
		x.me(t, text).Want(t, http.StatusUnauthorized)
	}
	x.me(t, people.member.Session).Want(t, http.StatusOK)
	x.as(t, people.owner, testkit.Request{Method: http.MethodPost, Path: "/api/v1/sign-out?everywhere=perhaps"}).Want(t, http.StatusBadRequest)
}

// Who signs in, how and from where, and who is refused, can be read; passwords cannot.
func TestSigningInIsBooked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	owner := x.prepare(t).owner
	wrong := testkit.Canary()
	session, _ := x.signIn(t, owner.Email, owner.Password)
	_, got := x.signIn(t, owner.Email, wrong)
	got.Want(t, http.StatusUnauthorized)
	stranger := testkit.Canary() + "@example.com"
	_, got = x.signIn(t, stranger, wrong)
	got.Want(t, http.StatusUnauthorized)
	redeem := map[string]any{"token": owner.Link, "new_password": wrong}
	last := sessionOf(x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in/password", Body: redeem}).Want(t, http.StatusOK))
	out := testkit.Request{Method: http.MethodPost, Path: "/api/v1/sign-out?everywhere=true", Header: map[string]string{"Cookie": "parley_session=" + last}}
	x.server.Do(t, out).Want(t, http.StatusNoContent)
	for action, details := range map[string][]map[string]any{
		"user.signed_in": {{"method": "link"}, {"method": "password"}}, "user.sign_in_refused": {{"method": "password", "reason": "wrong_password"}},
		"user.signed_out": {{"everywhere": true}},
	} {
		var events []platform.AuditEvent
		x.do(t, testkit.Request{Path: "/api/v1/admin/audit-events?action=" + action}).Want(t, http.StatusOK).JSON(t, &events)
		if len(events) != len(details) {
			t.Fatalf("%s is booked as %+v", action, events)
		}
		for i, e := range events {
			refused := action == "user.sign_in_refused"
			if !reflect.DeepEqual(e.Details, details[i]) || e.Target != owner.ID || *e.Address != "127.0.0.1" || e.RequestID == nil ||
				(string(e.Actor.Kind) == "anonymous") != refused || (e.Actor.ID == nil) != refused {
				t.Errorf("%s is booked as %+v", action, e)
			}
		}
	}
	var events []platform.AuditEvent
	x.do(t, testkit.Request{Path: "/api/v1/admin/audit-events?of=server&action=user.sign_in_refused&limit=100"}).Want(t, http.StatusOK).JSON(t, &events)
	if !slices.ContainsFunc(events, func(e platform.AuditEvent) bool {
		return e.RequestID != nil && *e.RequestID == got.Header.Get("X-Request-Id")
	}) {
		t.Error("the attempt of a stranger is not booked")
	}
	for name, text := range map[string]string{"password": wrong, "stranger's address": stranger, "session": session} {
		if tables := tablesWith(t, x.server, text); len(tables) > 0 || len(x.server.Logs.Of(text)) > 0 {
			t.Errorf("the %s is stored in %v, or logged", name, tables)
		}
	}
}

func TestASessionEndsInTime(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	people := x.prepare(t)
	for column, p := range map[string]testkit.Person{"idle_until": people.owner, "expires_at": people.member} {
		x.me(t, p.Session).Want(t, http.StatusOK)
		if _, err := sql(t, x.server).Exec(`update user_sessions set `+column+` = now() - interval '1 second' where user_id = $1`, p.ID); err != nil {
			t.Fatal(err)
		}
		x.me(t, p.Session).Want(t, http.StatusUnauthorized)
	}
}

// A session that is used lives on for twelve hours more.
func TestUseKeepsASessionAlive(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	owner := x.prepare(t).owner
	if _, err := sql(t, x.server).Exec(`update user_sessions set seen_at = now() - interval '1 hour', idle_until = now() + interval '1 minute' where user_id = $1`, owner.ID); err != nil {
		t.Fatal(err)
	}
	x.me(t, owner.Session).Want(t, http.StatusOK)
	var hours float64
	if err := sql(t, x.server).Get(&hours, `select extract(epoch from idle_until - now()) / 3600 from user_sessions where user_id = $1`, owner.ID); err != nil || hours < 11 {
		t.Errorf("after a use the session lives %f hours, %v", hours, err)
	}
}

func TestRolesHoldWhatTheyShould(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	people := x.prepare(t)
	admin := x.Person(t, key.Admin)
	create := func(role string) testkit.Request {
		return testkit.Request{Path: "/api/v1/admin/users", Body: map[string]any{"email": testkit.Canary() + "@example.com", "role": role}}
	}
	change := func(p testkit.Person, body string) testkit.Request {
		return testkit.Request{Method: http.MethodPatch, Path: "/api/v1/admin/users/" + p.ID, Body: body}
	}
	for name, c := range map[string]struct {
		who     testkit.Person
		request testkit.Request
		want    int
	}{
		"an owner makes an owner":             {people.owner, create("owner"), http.StatusCreated},
		"an admin makes a member":             {admin, create("member"), http.StatusCreated},
		"an admin makes an admin":             {admin, create("admin"), http.StatusCreated},
		"an admin makes an owner":             {admin, create("owner"), http.StatusForbidden},
		"an admin makes oneself an owner":     {admin, change(admin, `{"role":"owner"}`), http.StatusForbidden},
		"an admin takes an owner's role":      {admin, change(people.owner, `{"role":"member"}`), http.StatusForbidden},
		"an admin resets an owner's password": {admin, testkit.Request{Method: http.MethodPost, Path: "/api/v1/admin/users/" + people.owner.ID + "/link"}, http.StatusForbidden},
		"an admin removes an owner":           {admin, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/admin/users/" + people.owner.ID}, http.StatusForbidden},
		"a member lists people":               {people.member, testkit.Request{Path: "/api/v1/admin/users"}, http.StatusForbidden},
		"an owner lists accounts":             {people.owner, testkit.Request{Path: "/api/v1/admin/accounts"}, http.StatusForbidden},
	} {
		c.request.Key = c.who.Session
		if got := x.server.Do(t, c.request); got.Status != c.want {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	x.do(t, create("owner")).Want(t, http.StatusForbidden) // a key, whatever its scopes
	x.server.Do(t, testkit.Request{Path: "/api/v1/sessions", Key: people.member.Session}).Want(t, http.StatusOK)
	taken := map[string]any{"email": newTenant(t).prepare(t).owner.Email, "role": "member"}
	x.do(t, testkit.Request{Path: "/api/v1/admin/users", Body: taken}).Want(t, http.StatusConflict)
	if listed := x.do(t, testkit.Request{Path: "/api/v1/admin/users?limit=1"}).Want(t, http.StatusOK); listed.Header.Get("Link") == "" {
		t.Error("a page of one of several people names no next")
	}
}

func TestTheLastOwnerStays(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	first := x.prepare(t).owner
	path := "/api/v1/admin/users/" + first.ID
	for _, r := range []testkit.Request{
		{Method: http.MethodPatch, Path: path, Body: `{"role":"admin"}`}, {Method: http.MethodPatch, Path: path, Body: `{"status":"inactive"}`},
		{Method: http.MethodDelete, Path: path},
	} {
		x.as(t, first, r).Want(t, http.StatusConflict)
	}
	second := x.Person(t, key.Owner)
	x.as(t, first, testkit.Request{Method: http.MethodPatch, Path: path, Body: `{"role":"admin"}`}).Want(t, http.StatusOK)
	x.as(t, second, testkit.Request{Method: http.MethodDelete, Path: "/api/v1/admin/users/" + second.ID}).Want(t, http.StatusConflict)
}

// Unknown addresses and wrong passwords get the same answer, and both are slowed
// down, whichever of two servers is asked.
func TestPasswordsCannotBeGuessed(t *testing.T) {
	t.Parallel()
	first := testkit.New(t)
	x := tenantOf(t, first, testkit.Unlimited, plenty)
	people, y := x.prepare(t), x
	y.server = testkit.Beside(t, first)
	var bodies []string
	for _, email := range []string{people.owner.Email, testkit.Canary() + "@example.com"} {
		refused := 0
		for i := range 25 {
			_, got := []tenant{x, y}[i%2].signIn(t, email, "not the password")
			if got.Status == http.StatusTooManyRequests {
				refused++
				if seconds, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 45 {
					t.Errorf("Retry-After is %q", got.Header.Get("Retry-After"))
				}
				continue
			}
			bodies = append(bodies, string(got.Want(t, http.StatusUnauthorized).Body))
		}
		if refused < 1 || refused > 5 {
			t.Errorf("of 25 guesses %d were refused unheard", refused)
		}
	}
	for _, body := range bodies {
		if body != bodies[0] {
			t.Errorf("answers differ: %s and %s", body, bodies[0])
		}
	}
	if _, err := sql(t, first).Exec(`update sign_in_guesses set full_at = now() + interval '15 minutes'`); err != nil { // as if no time had passed
		t.Fatal(err)
	}
	for _, z := range []tenant{x, y} {
		if _, got := z.signIn(t, people.owner.Email, people.owner.Password); got.Status != http.StatusTooManyRequests {
			t.Errorf("the right password after too many wrong ones: %d", got.Status)
		}
	}
	if _, got := x.signIn(t, people.member.Email, people.member.Password); got.Status != http.StatusOK {
		t.Errorf("somebody else: %d", got.Status)
	}
}

func TestPublicFormsOfPeopleAreValidated(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	people := x.prepare(t)
	for _, c := range []struct {
		body   map[string]any
		status int
	}{
		{map[string]any{"new_password": "long enough"}, http.StatusUnauthorized},
		{map[string]any{"email": people.owner.Email, "new_password": "long enough"}, http.StatusUnauthorized},
		{map[string]any{"token": people.owner.Link, "email": people.owner.Email, "password": people.owner.Password, "new_password": "long enough"},
			http.StatusUnauthorized},
		{map[string]any{"token": people.owner.Link, "new_password": "short"}, http.StatusBadRequest},
		{map[string]any{"token": people.owner.Link, "new_password": "long enough", "unknown": 1}, http.StatusBadRequest},
	} {
		x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in/password", Body: c.body}).Want(t, c.status)
	}
	for _, path := range []string{"/api/v1/sign-in", "/api/v1/sign-in/password", "/api/v1/set-up"} {
		x.server.Do(t, testkit.Request{Path: path, Body: strings.Repeat(" ", 17_000)}).Want(t, http.StatusRequestEntityTooLarge)
		x.server.Do(t, testkit.Request{Path: path, Body: "{}", Header: map[string]string{"Content-Type": "text/plain"}}).Want(t, http.StatusUnsupportedMediaType)
		x.server.Do(t, testkit.Request{Path: path, Body: "{}"}).Want(t, http.StatusBadRequest)
	}
	for _, token := range []string{"nonsense", x.key.Text, people.owner.Session} {
		body := map[string]any{"token": token, "new_password": "long enough"}
		x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in/password", Body: body}).Want(t, http.StatusUnauthorized)
	}
}

func TestSigningInIsLimitedByAddressToo(t *testing.T) {
	t.Parallel()
	s := testkit.New(t, func(c *app.Config) { c.AddressRate, c.PublicURL = 60, "https://parley.example" })
	x := tenantOf(t, s, testkit.Unlimited, plenty)
	owner := x.prepare(t).owner
	if _, got := x.signIn(t, owner.Email, owner.Password); !strings.Contains(got.Header.Get("Set-Cookie"), "; Secure") {
		t.Errorf("behind HTTPS the cookie is %q", got.Header.Get("Set-Cookie"))
	}
	for _, path := range []string{"/api/v1/sign-in", "/api/v1/sign-in/password", "/api/v1/sign-out", "/api/v1/set-up"} {
		status := 0
		for range 200 {
			if status = s.Do(t, testkit.Request{Method: http.MethodPost, Path: path}).Status; status == http.StatusTooManyRequests {
				break
			}
		}
		if status != http.StatusTooManyRequests {
			t.Errorf("%s is not limited", path)
		}
	}
}

// What is secret of people is stored as digests alone and never logged.
func TestNothingSecretOfPeopleIsKept(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	owner := x.prepare(t).owner
	password := testkit.Canary()
	got := x.server.Do(t, testkit.Request{Path: "/api/v1/sign-in/password", Body: map[string]any{"token": owner.Link, "new_password": password}}).Want(t, http.StatusOK)
	for name, text := range map[string]string{"password": password, "session": sessionOf(got), "link": owner.Link} {
		if tables := tablesWith(t, x.server, text); len(tables) > 0 || len(x.server.Logs.Of(text)) > 0 {
			t.Errorf("the %s is stored in %v, or logged", name, tables)
		}
	}
}
