package console

import (
	"errors"
	"net/http"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// entrance is what the pages before the sign-in are given.
type entrance struct {
	To, Email, Token, Name string
	OIDC                   bool
}

func (v *visit) showSignIn() error {
	return v.show(http.StatusOK, "sign-in", view{Title: "Sign in", Data: entrance{To: to(v.URL.Query().Get("to")), OIDC: v.c.OIDC}})
}

func (c *Console) showSignIn(v *visit) error { return v.showSignIn() }

// signIn begins a session. A refusal shows the form again, without the password.
func (c *Console) signIn(v *visit) error {
	e := entrance{To: to(v.field("to")), Email: v.field("email"), OIDC: c.OIDC}
	var response http.Response
	_, err := v.api.Platform.SignIn(v.Context(), platform.SignIn{Email: e.Email, Password: v.PostFormValue("password")}, client.Into(&response))
	if err != nil {
		return v.again(err, "sign-in", view{Title: "Sign in", Data: e})
	}
	v.keepCookies(&response)
	if err := v.endSession(); err != nil {
		return err
	}
	http.Redirect(v.w, v.Request, e.To, http.StatusSeeOther)
	return nil
}

// endSession ends the session that the browser came with, which another takes the place of.
func (v *visit) endSession() error {
	cookie, err := v.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return nil
	}
	err = v.api.Platform.SignOut(v.Context(), &platform.SignOutParams{ParleySession: &cookie.Value})
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.StatusCode == http.StatusBadRequest {
		return nil // no session of ours looks like this
	}
	return err
}

// again shows a form of the entrance with the reason why it was refused.
func (v *visit) again(err error, name string, page view) error {
	p := explain(err)
	if p.status == http.StatusInternalServerError || p.status == http.StatusServiceUnavailable {
		return err
	}
	page.Error, v.wrong = p.text, wrongs(err)
	return v.show(p.status, name, page)
}

// keepCookies hands the cookies of an answer of the API on to the browser.
func (v *visit) keepCookies(from *http.Response) {
	for _, cookie := range from.Header.Values("Set-Cookie") {
		v.w.Header().Add("Set-Cookie", cookie)
	}
}

func (c *Console) showPassword(v *visit) error {
	return v.show(http.StatusOK, "password", view{Title: "Set your password", Data: entrance{Token: v.URL.Query().Get("token")}})
}

// setPassword redeems a one-time link, or changes the password of whoever knows the present one.
func (c *Console) setPassword(v *visit) error {
	e := entrance{Token: v.field("token"), Email: v.field("email")}
	page := view{Title: "Set your password", Data: e}
	change := platform.PasswordChange{NewPassword: v.PostFormValue("new_password")}
	if change.NewPassword != v.PostFormValue("repeated") {
		page.Error = v.at("repeated", "The two passwords differ.")
		return v.show(http.StatusBadRequest, "password", page)
	}
	if e.Token != "" {
		change.Token = &e.Token
	} else {
		present := v.PostFormValue("password")
		change.Email, change.Password = &e.Email, &present
	}
	var response http.Response
	_, err := v.api.Platform.SetPassword(v.Context(), change, client.Into(&response))
	if err != nil {
		return v.again(err, "password", page)
	}
	v.keepCookies(&response)
	return v.see("/", "password")
}

func (c *Console) showSetUp(v *visit) error {
	return v.show(http.StatusOK, "set-up", view{Title: "Set up", Data: entrance{Token: v.URL.Query().Get("token")}})
}

// setUp makes the first person of the server, by the token that only its operator has seen.
func (c *Console) setUp(v *visit) error {
	e := entrance{Token: v.field("token"), Email: v.field("email"), Name: v.field("name")}
	page := view{Title: "Set up", Data: e}
	password := v.PostFormValue("new_password")
	if password != v.PostFormValue("repeated") {
		page.Error = v.at("repeated", "The two passwords differ.")
		return v.show(http.StatusBadRequest, "set-up", page)
	}
	var response http.Response
	_, err := v.api.Platform.SetUp(v.Context(), platform.SetUp{Token: e.Token, Email: e.Email, Name: &e.Name, Password: password}, client.Into(&response))
	if err != nil {
		return v.again(err, "set-up", page)
	}
	v.keepCookies(&response)
	return v.see("/", "set-up")
}

// signOut ends the session, or with everywhere all of the person's.
func (c *Console) signOut(v *visit) error {
	params := &platform.SignOutParams{}
	if cookie, err := v.Cookie(sessionCookie); err == nil {
		params.ParleySession = &cookie.Value
	}
	everywhere := v.field("everywhere") != ""
	params.Everywhere = &everywhere
	var response http.Response
	err := v.api.Platform.SignOut(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	v.keepCookies(&response)
	return v.see("/sign-in", "signed-out")
}

// home is the first page of what the person may see.
func (c *Console) home(v *visit) error {
	if v.isAdmin() {
		return v.see("/keys", doneOf(v))
	}
	return v.see("/projects", doneOf(v))
}

func doneOf(v *visit) string { return v.URL.Query().Get("done") }

// isAdmin tells whether the person may rule the account.
func (v *visit) isAdmin() bool { return v.me != nil && (v.me.Role == nil || *v.me.Role != "member") }
