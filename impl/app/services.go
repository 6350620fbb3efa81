package app

import (
	"context"
	"log/slog"
	"time"

	"parley/db"
	"parley/impl/core/account"
	"parley/impl/core/credential"
	"parley/impl/core/idempotency"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/oauth"
	"parley/impl/core/provider"
	"parley/impl/core/secret"
	"parley/impl/core/user"
	"parley/impl/outbound"
)

// Services are what the command line and the server share.
type Services struct {
	Accounts *account.Service
	Keys     *key.Service
	OAuth    *oauth.Service
	Users    *user.Service
	Models   *model.Catalog
	Repeats  *idempotency.Service

	box *secret.Box
}

// NewServices makes the services on a migrated database, for a command line: they go by the machine's clock.
func NewServices(ctx context.Context, cfg Config, database *db.DB) (*Services, error) {
	return newServices(ctx, cfg, database, now)
}

func newServices(ctx context.Context, cfg Config, database *db.DB, now func() time.Time) (*Services, error) {
	master, err := secretBox(cfg)
	if err != nil {
		return nil, err
	}
	box, err := secret.Open(ctx, database, master, now())
	if err != nil {
		return nil, err
	}
	credentials, err := credential.Load(ctx, database, box, now())
	if err != nil {
		return nil, err
	}
	s := &Services{
		box:      box,
		Accounts: &account.Service{DB: database, Now: now},
		Keys:     &key.Service{DB: database, Credentials: credentials, Now: now},
		OAuth:    &oauth.Service{DB: database, Credentials: credentials, Now: now},
		Users:    user.New(database, credentials, now),
		Models:   &model.Catalog{DB: database, Box: box, Now: now, Connect: connector(cfg), ConnectWebUI: webUIConnector(cfg)},
		Repeats:  &idempotency.Service{DB: database, Box: box, Now: now},
	}
	s.Keys.Confirm = s.Models.Confirm
	s.Users.Admission = user.Admission{Domains: cfg.OIDCDomains, AccountID: cfg.OIDCDomainsIn, Role: key.Role(cfg.OIDCDomainsRole)}
	if cfg.AddressRate > 0 {
		s.Users.NetworkGuesses = user.NetworkGuesses
	}
	if cfg.Upstream != "" {
		s.Models.Upstream = provider.NewOpenAI(provider.OpenAIOptions{BaseURL: cfg.Upstream, Key: cfg.UpstreamKey})
	}
	return s, nil
}

// now is the machine's time, as it is stored: UTC, in Postgres's resolution.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// connector makes providers: an operator's may be anywhere, an account's only
// where outgoing requests are allowed.
func connector(cfg Config) func(baseURL, apiKey string, trusted bool) (provider.Provider, error) {
	return func(baseURL, apiKey string, trusted bool) (provider.Provider, error) {
		o := provider.OpenAIOptions{BaseURL: baseURL, Key: apiKey}
		if !trusted {
			o.Client = outbound.NewClient(outbound.Options{
				Allow: cfg.allowed, Timeout: provider.AnswerTimeout, BodyBytesMax: 2 * provider.PictureBytesMax, RedirectsMax: -1,
			})
		}
		return provider.NewOpenAI(o), nil
	}
}

// webUIConnector makes providers of Stable Diffusion web UIs, likewise.
func webUIConnector(cfg Config) func(baseURL, apiKey string, trusted bool) (provider.Provider, error) {
	return func(baseURL, apiKey string, trusted bool) (provider.Provider, error) {
		o := provider.WebUIOptions{BaseURL: baseURL, Key: apiKey}
		if !trusted {
			o.Client = outbound.NewClient(outbound.Options{
				Allow: cfg.allowed, Timeout: provider.PictureTimeout, BodyBytesMax: 2 * provider.PictureBytesMax, RedirectsMax: -1,
			})
		}
		return provider.NewWebUI(o), nil
	}
}

const (
	// discoverTimeout bounds how long a start waits for the upstream's list of models.
	discoverTimeout = 5 * time.Second
	// discoverRetry is the pause between attempts while the upstream does not answer.
	discoverRetry = 5 * time.Second
)

// offerModels stores the built-in models and the upstream's. An upstream that
// does not answer is asked again in the background until ctx ends.
func offerModels(ctx context.Context, models *model.Catalog, upstream string, log *slog.Logger) error {
	if err := models.OfferBuiltIn(ctx); err != nil {
		return err
	}
	discover := func() error {
		attempt, cancel := context.WithTimeout(ctx, discoverTimeout)
		defer cancel()
		n, err := models.OfferUpstream(attempt, upstream)
		if err == nil && models.Upstream != nil {
			log.Info("offering the upstream's models", "models", n)
		}
		return err
	}
	err := discover()
	if err == nil || models.Upstream == nil {
		return err
	}
	log.Warn("the upstream does not tell its models; asking again", "error", err, "every", discoverRetry)
	go func() {
		tick := time.NewTicker(discoverRetry)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if discover() == nil {
					return
				}
			}
		}
	}()
	return nil
}
