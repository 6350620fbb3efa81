package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchPause is the least time between two looks at the issuer's keys: however
	// many tokens name keys that nobody knows, the issuer is asked this seldom.
	fetchPause = 5 * time.Second
	// fetchEvery is how old keys get before they are looked at again, so that a
	// key that was withdrawn stops working.
	fetchEvery = 10 * time.Minute
	// fetchTimeout bounds one look.
	fetchTimeout = 5 * time.Second
	// answerMax bounds what the issuer may answer.
	answerMax = 1 << 20
)

// keySet holds the issuer's signing keys. When the issuer does not answer, the
// keys it had keep working.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	fetching sync.Mutex // held while one asks

	mu    sync.Mutex
	found configuration
	keys  []jose.JSONWebKey
	good  time.Time // of the latest answer
	tried time.Time // of the latest question
	err   error     // of the latest question
}

// configuration is what the issuer says of itself.
type configuration struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	TokenAuth     []string `json:"token_endpoint_auth_methods_supported"`
}

// secretInBody tells whether clients send their secret in the body, the header
// being what is meant when nothing is said.
func (c configuration) secretInBody() bool {
	return len(c.TokenAuth) > 0 && !slices.Contains(c.TokenAuth, "client_secret_basic") && slices.Contains(c.TokenAuth, "client_secret_post")
}

// endpoints returns what the issuer says of itself, and asks it when it has not
// been heard or its word has become old.
func (k *keySet) endpoints(ctx context.Context) (configuration, error) {
	k.renew(ctx)
	if k.empty() {
		k.fetch(ctx)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found.Authorization == "" || k.found.Token == "" {
		return configuration{}, errors.Join(errors.New("the issuer names no endpoints to sign in"), k.err)
	}
	return k.found, nil
}

var errNoKey = errors.New("no key of the issuer signed the token")

// VerifySignature returns the payload of a token that one of the keys signed.
// It implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, text string) ([]byte, error) {
	signed, err := jose.ParseSigned(text, algorithms)
	if err != nil {
		return nil, fmt.Errorf("parse token: %w", err)
	}
	if len(signed.Signatures) != 1 {
		return nil, errors.New("the token has not exactly one signature")
	}
	k.renew(ctx)
	payload, known, err := k.verify(signed)
	if known {
		return payload, err
	}
	k.fetch(ctx) // the issuer may have new keys
	payload, _, err = k.verify(signed)
	return payload, err
}

// verify tries the keys that the token's header admits; known tells whether there was one.
func (k *keySet) verify(signed *jose.JSONWebSignature) (payload []byte, known bool, err error) {
	k.mu.Lock()
	keys := k.keys
	k.mu.Unlock()
	header := signed.Signatures[0].Header
	for _, key := range keys {
		named := header.KeyID == "" || key.KeyID == header.KeyID
		fits := key.Use != "enc" && (key.Algorithm == "" || key.Algorithm == header.Algorithm)
		if !named || !fits {
			continue
		}
		known = header.KeyID != ""
		if payload, err := signed.Verify(&key); err == nil {
			return payload, true, nil
		}
	}
	return nil, known, errNoKey
}

func (k *keySet) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.keys) == 0
}

func (k *keySet) lastError() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// renew looks at keys that have become old, beside the requests that use them.
func (k *keySet) renew(ctx context.Context) {
	k.mu.Lock()
	old := len(k.keys) > 0 && k.now().Sub(k.good) > fetchEvery && k.now().Sub(k.tried) > fetchPause
	k.mu.Unlock()
	if old {
		go k.fetch(context.WithoutCancel(ctx))
	}
}

// fetch asks the issuer for its keys unless somebody just did. Who comes while
// another asks waits for that answer.
func (k *keySet) fetch(ctx context.Context) {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	k.mu.Lock()
	recent := !k.tried.IsZero() && k.now().Sub(k.tried) < fetchPause
	k.mu.Unlock()
	if recent {
		return
	}
	// The answer serves others too: it does not end with the request that wanted it first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	found, keys, err := k.ask(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.err = k.now(), err
	if err == nil {
		k.found, k.keys, k.good = found, keys, k.tried
	}
}

// ask reads the issuer's configuration and the keys that it names.
func (k *keySet) ask(ctx context.Context) (found configuration, keys []jose.JSONWebKey, err error) {
	if err := k.get(ctx, strings.TrimSuffix(k.url, "/")+"/.well-known/openid-configuration", &found); err != nil {
		return found, nil, err
	}
	if found.Issuer != k.url {
		return found, nil, fmt.Errorf("the issuer calls itself %q, PARLEY_OIDC_ISSUER says %q", found.Issuer, k.url)
	}
	var set jose.JSONWebKeySet
	if err := k.get(ctx, found.JWKSURI, &set); err != nil {
		return found, nil, err
	}
	for _, key := range set.Keys {
		if key.Valid() && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return found, nil, errors.New("the issuer publishes no key")
	}
	return found, keys, nil
}

func (k *keySet) get(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask the issuer: %w", err)
	}
	res, err := k.client.Do(r)
	if err != nil {
		return fmt.Errorf("ask the issuer: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read as far as it is wanted
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the issuer answers %s with %d", url, res.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, answerMax)).Decode(into); err != nil {
		return fmt.Errorf("read the issuer's answer: %w", err)
	}
	return nil
}
