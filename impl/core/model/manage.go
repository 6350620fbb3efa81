package model

import (
	"context"
	"errors"
	"net/url"
	"time"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/provider"
)

// testTimeout bounds how long a test waits for a provider.
const testTimeout = 20 * time.Second

var (
	errNoProvider = fault.New(fault.NotFound, "Provider not found")
	errNoModel    = fault.New(fault.NotFound, "Model not found")
	errShared     = fault.New(fault.Forbidden, "What the server offers to everybody is the operator's: the credential needs the scope operator.")
	errOwnServer  = fault.New(fault.Conflict, "The server's own provider and models stay: they are offered anew at each start.")
)

// owner is whose a new thing is: the caller's account's, or everyone's, which only the operator may make.
func owner(by key.Caller, shared bool) (string, error) {
	if !shared {
		return by.AccountID, nil
	}
	return db.Everyone, mayRule(by, db.Everyone)
}

// mayRule is a Forbidden fault when the caller may see but not change what an account owns.
func mayRule(by key.Caller, accountID string) error {
	if accountID == db.Everyone && !by.May(key.ScopeOperator+":write") {
		return errShared
	}
	return nil
}

// ProviderInput describes a provider to store.
type ProviderInput struct {
	Name    string
	Kind    string // ProviderOpenAI or ProviderWebUI
	BaseURL string
	Key     string // "" when it wants none
	Shared  bool   // offered to every account, by the operator
}

// CreateProvider stores a provider, its key sealed, without asking it anything.
func (c *Catalog) CreateProvider(ctx context.Context, by key.Caller, in ProviderInput) (db.Provider, error) {
	accountID, err := owner(by, in.Shared)
	if err != nil {
		return db.Provider{}, err
	}
	if u, err := url.Parse(in.BaseURL); err != nil || u.Host == "" || u.User != nil {
		return db.Provider{}, fault.New(fault.Invalid, "The base URL of a provider is an http or https URL without credentials.")
	}
	p := db.Provider{AccountID: accountID, ID: id.New(id.Provider), Name: in.Name, Kind: in.Kind, BaseURL: in.BaseURL, CreatedAt: c.Now()}
	if in.Key != "" {
		p.SealedKey = c.Box.Seal(in.Key, p.ID)
	}
	return p, c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.PutProvider(ctx, p); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{
			AccountID: by.AccountID, Action: "provider.created", Target: p.ID, Details: map[string]any{"kind": p.Kind, "shared": in.Shared},
		})
	})
}

// ProvidersAfter lists the providers that the account sees, from after an id.
func (c *Catalog) ProvidersAfter(ctx context.Context, accountID, afterID string, limit int) ([]db.Provider, error) {
	return c.DB.ProvidersAfter(ctx, accountID, afterID, limit)
}

// Provider returns a provider that the account sees; any other is a NotFound fault.
func (c *Catalog) Provider(ctx context.Context, accountID, providerID string) (db.Provider, error) {
	p, err := c.DB.Provider(ctx, accountID, providerID)
	if errors.Is(err, db.ErrNotFound) {
		return p, errNoProvider
	}
	return p, err
}

// DeleteProvider removes a provider with its models.
func (c *Catalog) DeleteProvider(ctx context.Context, by key.Caller, providerID string) error {
	p, err := c.Provider(ctx, by.AccountID, providerID)
	if err != nil {
		return err
	}
	if err := mayRule(by, p.AccountID); err != nil {
		return err
	}
	if p.AccountID == db.Everyone && (p.ID == BuiltInProvider || p.ID == UpstreamProvider) {
		return errOwnServer
	}
	err = c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.DeleteProvider(ctx, p.AccountID, p.ID); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: by.AccountID, Action: "provider.deleted", Target: p.ID})
	})
	if errors.Is(err, db.ErrNotFound) {
		return errNoProvider
	}
	return err
}

// Test is how asking a provider for its models went.
type Test struct {
	Took    time.Duration
	Models  []string
	Offered bool
	Failure error // nil when it answered
}

// TestProvider asks a provider for its models and, when offer is set, offers
// them. That it does not answer is no error but the test's Failure.
func (c *Catalog) TestProvider(ctx context.Context, by key.Caller, providerID string, offer bool) (Test, error) {
	p, err := c.Provider(ctx, by.AccountID, providerID)
	if err != nil {
		return Test{}, err
	}
	if err := mayRule(by, p.AccountID); err != nil {
		return Test{}, err
	}
	upstream, err := c.ProviderOf(ctx, p.AccountID, db.Model{AccountID: p.AccountID, ProviderID: p.ID})
	if err != nil {
		return Test{}, err
	}
	limited, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	began := time.Now()
	found, err := upstream.Models(limited)
	t := Test{Took: time.Since(began), Failure: err, Models: []string{}}
	for _, m := range found[:min(len(found), modelsMax)] {
		t.Models = append(t.Models, m.ID)
	}
	t.Offered = err == nil && offer && p.ID != BuiltInProvider
	return t, c.offerTested(ctx, by, p, t, found)
}

// offerTested records a test and offers the models that it found, when it shall.
func (c *Catalog) offerTested(ctx context.Context, by key.Caller, p db.Provider, t Test, found []provider.Model) error {
	record := audit.Event{
		AccountID: by.AccountID, Action: "provider.tested", Target: p.ID, Details: map[string]any{"models": len(t.Models), "offered": t.Offered},
	}
	return c.DB.InTx(ctx, func(q *db.Queries) error {
		if !t.Offered {
			return audit.Record(ctx, q, record)
		}
		for i, m := range found[:len(t.Models)] {
			if err := q.PutModel(ctx, c.row(p, m, rankStored+i)); err != nil {
				return err
			}
		}
		if err := q.DisableModelsExcept(ctx, p.AccountID, p.ID, t.Models); err != nil {
			return err
		}
		return audit.Record(ctx, q, record)
	})
}

// Offered lists the models that the account sees, also disabled ones, from after an id.
func (c *Catalog) Offered(ctx context.Context, accountID, afterID string, limit int) ([]db.Model, error) {
	return c.DB.OfferedModels(ctx, accountID, afterID, limit)
}

// CreateModel offers a model of a provider; it belongs to whom the provider
// belongs to. An id that is taken there is a Conflict fault.
func (c *Catalog) CreateModel(ctx context.Context, by key.Caller, m db.Model) (db.Model, error) {
	p, err := c.Provider(ctx, by.AccountID, m.ProviderID)
	if err != nil {
		return m, err
	}
	if err := mayRule(by, p.AccountID); err != nil {
		return m, err
	}
	m.AccountID, m.Rank, m.Enabled, m.EnabledHere, m.CreatedAt = p.AccountID, rankStored, true, true, c.Now()
	err = c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertModel(ctx, m); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: by.AccountID, Action: "model.created", Target: m.ID, Details: terms(m)})
	})
	if _, taken := errors.AsType[*db.ConflictError](err); taken {
		return m, fault.New(fault.Conflict, "There is a model with this id.")
	}
	return m, err
}

func terms(m db.Model) map[string]any {
	return map[string]any{
		"enabled": m.Enabled, "vision": m.Vision, "input_micros_per_1k": m.InputMicrosPer1K, "output_micros_per_1k": m.OutputMicrosPer1K, "image_micros": m.ImageMicros,
	}
}

// ModelChange is what to change of a model; nil members stay.
type ModelChange struct {
	Name                             *string
	InputMicros, OutputMicros, Image *int64
	Enabled                          *bool
	Vision                           *bool // whether it sees pictures
	EnabledHere                      *bool // whether the caller's account lets a model of everyone answer
}

// UpdateModel changes a model that the account sees and returns it. Only what
// everyone shares takes the operator; each account switches such a model for itself.
func (c *Catalog) UpdateModel(ctx context.Context, by key.Caller, modelID string, change ModelChange) (db.Model, error) {
	if change.EnabledHere != nil {
		m, err := c.switchModel(ctx, by, modelID, *change.EnabledHere)
		if err != nil || change.onlySwitches() {
			return m, err
		}
	}
	m, err := c.ruled(ctx, by, modelID)
	if err != nil {
		return m, err
	}
	if change.Vision != nil {
		m.Vision = change.Vision
	}
	set(&m.Name, change.Name)
	set(&m.InputMicrosPer1K, change.InputMicros)
	set(&m.OutputMicrosPer1K, change.OutputMicros)
	set(&m.ImageMicros, change.Image)
	set(&m.Enabled, change.Enabled)
	return m, c.act(ctx, by, m, "model.changed", terms(m), func(q *db.Queries) error { return q.UpdateModel(ctx, m) })
}

func set[T any](member, to *T) {
	if to != nil {
		*member = *to
	}
}

// DeleteModel withdraws a model.
func (c *Catalog) DeleteModel(ctx context.Context, by key.Caller, modelID string) error {
	m, err := c.ruled(ctx, by, modelID)
	if err != nil {
		return err
	}
	return c.act(ctx, by, m, "model.deleted", nil, func(q *db.Queries) error { return q.DeleteModel(ctx, m.AccountID, m.ID) })
}

// ruled returns a model that the caller sees and may change.
func (c *Catalog) ruled(ctx context.Context, by key.Caller, modelID string) (db.Model, error) {
	m, err := c.DB.OfferedModel(ctx, by.AccountID, modelID)
	if errors.Is(err, db.ErrNotFound) {
		return m, errNoModel
	}
	if err != nil {
		return m, err
	}
	return m, mayRule(by, m.AccountID)
}

func (c *Catalog) act(ctx context.Context, by key.Caller, m db.Model, action string, details map[string]any, do func(*db.Queries) error) error {
	err := c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := do(q); err != nil {
			return err
		}
		return audit.Record(ctx, q, audit.Event{AccountID: by.AccountID, Action: action, Target: m.ID, Details: details})
	})
	if errors.Is(err, db.ErrNotFound) {
		return errNoModel
	}
	return err
}
