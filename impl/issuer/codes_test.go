package issuer_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"
)

// The console as a client of the issuer's process.
const (
	clientID     = "parley console"
	clientSecret = "a secret of the console"
)

// codes is the authorization code flow of the issuer's process: whoever
// comes is the person that the test made them, and is asked nothing.
type codes struct {
	person map[string]any
	given  map[string]grant
}

// grant is what a code stands for, once.
type grant struct {
	redirect, challenge string
	claims              map[string]any
}

// become sets the claims of whoever signs in next.
func (c *codes) become(w http.ResponseWriter, r *http.Request) {
	c.person = nil
	if err := json.NewDecoder(r.Body).Decode(&c.person); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (c *codes) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != clientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	claims := map[string]any{"aud": clientID, "sub": "ada", "nonce": q.Get("nonce")}
	maps.Copy(claims, c.person)
	code := rand.Text()
	if c.given == nil {
		c.given = map[string]grant{}
	}
	c.given[code] = grant{redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"), claims: claims}
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

// token exchanges a code as RFC 6749 and RFC 7636 have it.
func (i *issuing) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if plain, err := url.QueryUnescape(id); err != nil || plain != clientID || secret != url.QueryEscape(clientSecret) {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	code := r.PostFormValue("code")
	g, known := i.codes.given[code]
	delete(i.codes.given, code)
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(challenge[:]) {
		refuse(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	claims := map[string]any{"iss": i.url, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(claims, g.claims)
	raw, err := json.Marshal(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	token := oidctest.SignIDToken(i.key, i.kid, i.alg, string(raw))
	fmt.Fprintf(w, `{"access_token":"none","token_type":"Bearer","expires_in":60,"id_token":%q}`, token)
}

func refuse(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":%q}`, word)
}
