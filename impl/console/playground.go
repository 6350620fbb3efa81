package console

import "net/http"

// showPlayground is where people try the API's operations. It needs no session: whoever has a key may type it, and the
// page sends it from the browser to the API alone.
func (c *Console) showPlayground(v *visit) error {
	if v.signedIn() {
		me, err := v.api.Platform.GetMe(v.Context())
		if err == nil {
			v.me = me
		} else if explain(err).status != http.StatusUnauthorized {
			return err
		}
	}
	return v.show(http.StatusOK, "playground", view{Title: "Playground", Nav: "playground", Module: "playground.js", Data: v.origin()})
}

// signedIn tells whether the browser sent a session, which may have ended.
func (v *visit) signedIn() bool {
	cookie, err := v.Cookie(sessionCookie)
	return err == nil && cookie.Value != ""
}
