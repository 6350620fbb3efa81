// Package issuer checks tokens (JWT) of one external OpenID Connect issuer.
// What a token may do is for package core/oidc.
package issuer

import (
	"context"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"parley/impl/core/fault"
	core "parley/impl/core/oidc"
)

// algorithms are those that a token may be signed with: asymmetric ones alone,
// so that nothing the issuer publishes can sign.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// tokenMax bounds the bytes of a token.
const tokenMax = 16 << 10

// Options say whose tokens are taken.
type Options struct {
	URL      string // of the issuer, exactly as its tokens name it
	Audience string // that tokens must be meant for
	Client   *http.Client
	Now      func() time.Time
}

// Issuer checks tokens. It asks the issuer for its keys when it first needs
// them, so that neither needs the other to start. It is safe for concurrent use.
type Issuer struct {
	keys     *keySet
	verifier *oidc.IDTokenVerifier
}

// New makes an Issuer; it does not connect.
func New(o Options) *Issuer {
	var names []string
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	keys := &keySet{url: o.URL, client: o.Client, now: o.Now}
	return &Issuer{keys: keys, verifier: oidc.NewVerifier(o.URL, keys, &oidc.Config{
		ClientID: o.Audience, SupportedSigningAlgs: names, Now: o.Now,
	})}
}

// Verify returns the claims of a token that is the issuer's, is meant for the
// audience and is in force. Any other is an Unauthenticated fault; without a
// key to check with, because the issuer never answered, it is Unavailable.
func (i *Issuer) Verify(ctx context.Context, text string) (core.Claims, error) {
	refused := fault.New(fault.Unauthenticated, "The token is not valid.")
	if len(text) > tokenMax {
		return core.Claims{}, refused
	}
	token, err := i.verifier.Verify(ctx, text)
	if err != nil {
		if i.keys.empty() {
			if away := i.keys.lastError(); away != nil {
				f := fault.New(fault.Unavailable, "The issuer of tokens does not answer.").Because(away)
				f.RetryAfter = fetchPause
				return core.Claims{}, f
			}
		}
		return core.Claims{}, refused.Because(err)
	}
	claims := core.Claims{Subject: token.Subject}
	if err := token.Claims(&claims.All); err != nil {
		return core.Claims{}, refused.Because(err)
	}
	return claims, nil
}
