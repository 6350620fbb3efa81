// Package model knows which models there are, what they cost and which
// provider runs them.
//
// Three sources feed the table: the built-in models (always there), the
// operator's upstream (PARLEY_UPSTREAM, discovered at start) and providers
// that administrators store. The lowest ranked llm is the default: the
// upstream's first, the built-in one when there is no upstream.
package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/secret"
)

// The kinds of models, in the words of seed 002.
const (
	KindLLM = "llm"
	KindSD  = "sd"
	// KindEmbedding is of OpenAI's API: what texts become vectors by.
	KindEmbedding = "embedding"
	// KindTranscription writes down what was said; KindSpeech speaks. Sound is counted in tokens, see package speech.
	KindTranscription = "transcription"
	KindSpeech        = "speech"
)

// Ranks order models: the operator's upstream, stored providers, the built-in.
const (
	rankUpstream = 1_000
	rankStored   = 100_000
	rankBuiltIn  = 1_000_000
)

// Ids of what every server offers.
const (
	BuiltInProvider  = "builtin"
	UpstreamProvider = "upstream"
	BuiltInLLM       = "parley-builtin"
	BuiltInSD        = "parley-builtin-drawing"
	BuiltInEmbedding = "parley-builtin-embedding"
)

// Catalog finds models and the providers that run them. It is safe for concurrent use.
type Catalog struct {
	DB  *db.DB
	Box *secret.Box
	Now func() time.Time
	// Connect makes the provider of an OpenAI-compatible upstream. trusted is
	// true for the operator's own upstream, which may be on a private network.
	Connect func(baseURL, key string, trusted bool) (provider.Provider, error)
	// ConnectWebUI makes the provider of a Stable Diffusion web UI, likewise.
	ConnectWebUI func(baseURL, key string, trusted bool) (provider.Provider, error)
	// Upstream is the operator's, nil when there is none.
	Upstream provider.Provider

	offered offered

	mu        sync.Mutex
	connected map[string]provider.Provider // by account, provider id, address and sealed key
}

// Resolve returns the llm with an id, or the default for "", and its provider.
// An unknown id, or one of another kind, is an Invalid fault; no default yet is Unavailable.
func (c *Catalog) Resolve(ctx context.Context, accountID, modelID string) (db.Model, provider.Provider, error) {
	return c.ResolveKind(ctx, accountID, KindLLM, modelID)
}

// ResolveKind is Resolve for models of a kind.
func (c *Catalog) ResolveKind(ctx context.Context, accountID, kind, modelID string) (db.Model, provider.Provider, error) {
	m, err := c.find(ctx, accountID, kind, modelID)
	if err != nil {
		return db.Model{}, nil, err
	}
	p, err := c.ProviderOf(ctx, accountID, m)
	return m, p, err
}

// named is what users read of a kind.
var named = map[string]string{KindLLM: "language model", KindEmbedding: "model for embeddings", KindTranscription: "model for transcription", KindSpeech: "model for speech"}

func (c *Catalog) find(ctx context.Context, accountID, kind, modelID string) (db.Model, error) {
	if modelID == "" {
		m, err := c.Default(ctx, accountID, kind)
		if err == nil && c.Upstream != nil && m.ProviderID == BuiltInProvider && kind == KindLLM {
			return db.Model{}, fault.New(fault.Unavailable, "The upstream has not told its models yet.")
		}
		if errors.Is(err, db.ErrNotFound) {
			return db.Model{}, fault.New(fault.Unavailable, "No %s is offered yet.", named[kind])
		}
		return m, err
	}
	m, err := c.model(ctx, accountID, modelID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && m.Kind != kind) {
		return db.Model{}, fault.New(fault.Invalid, "There is no %s with this id", named[kind])
	}
	return m, err
}

// Fallbacks returns the models that may answer in m's place, in order, and
// their providers. Those that are no longer offered are left out. It asks
// nothing of the database when m has none.
func (c *Catalog) Fallbacks(ctx context.Context, accountID string, m db.Model) ([]db.Model, []provider.Provider, error) {
	var models []db.Model
	var providers []provider.Provider
	for _, fallbackID := range m.FallbackIDs {
		f, p, err := c.Resolve(ctx, accountID, fallbackID)
		if err != nil && fault.KindOf(err) == fault.Invalid {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		models, providers = append(models, f), append(providers, p)
	}
	return models, providers, nil
}

// Named returns the model with an id whose kind is one of kinds; any other is a NotFound fault.
func (c *Catalog) Named(ctx context.Context, accountID, modelID string, kinds ...string) (db.Model, error) {
	m, err := c.model(ctx, accountID, modelID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && !slices.Contains(kinds, m.Kind)) {
		return db.Model{}, fault.New(fault.NotFound, "There is no %s with this id", named[kinds[0]])
	}
	return m, err
}

// Offline returns the built-in model of a kind while built-in ones are all there
// are: it answers to any name then. With an upstream, the server's or the account's, it is a NotFound
// fault, and Unavailable before that has told its models.
func (c *Catalog) Offline(ctx context.Context, accountID, kind string) (db.Model, error) {
	chat, err := c.find(ctx, accountID, KindLLM, "")
	if err != nil {
		return db.Model{}, err
	}
	m := chat
	if kind != KindLLM {
		m, err = c.find(ctx, accountID, kind, "")
	}
	if err == nil && (chat.ProviderID != BuiltInProvider || m.ProviderID != BuiltInProvider) {
		return db.Model{}, fault.New(fault.NotFound, "There is no %s with this id", named[kind])
	}
	return m, err
}

// Check returns nil when the account may use a model of the kind with the id,
// otherwise an Invalid fault.
func (c *Catalog) Check(ctx context.Context, accountID, kind, modelID string) error {
	m, err := c.model(ctx, accountID, modelID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && m.Kind != kind) {
		return fault.New(fault.Invalid, "There is no %s model with this id", kind)
	}
	return err
}

// List returns the models of a kind in rank order, after a rank and id.
func (c *Catalog) List(ctx context.Context, accountID, kind string, afterRank int, afterID string, limit int) ([]db.Model, error) {
	return c.DB.Models(ctx, accountID, kind, afterRank, afterID, limit)
}

// Priced returns a model for settling what it did, also one no longer offered;
// a model that is gone costs nothing.
func (c *Catalog) Priced(ctx context.Context, accountID, modelID string) (db.Model, error) {
	m, err := c.DB.ModelOnceOffered(ctx, accountID, modelID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Model{ID: modelID, UpstreamName: modelID}, nil
	}
	return m, err
}

// ProviderOf returns what runs a model that an account uses; Unavailable when its upstream is not configured.
func (c *Catalog) ProviderOf(ctx context.Context, accountID string, m db.Model) (provider.Provider, error) {
	switch {
	case m.ProviderID == BuiltInProvider:
		return provider.BuiltIn{}, nil
	case m.ProviderID == UpstreamProvider && m.AccountID == db.Everyone:
		if c.Upstream == nil {
			return nil, fault.New(fault.Unavailable, "The model's upstream is not configured.")
		}
		return c.Upstream, nil
	}
	row, err := c.provider(ctx, accountID, m)
	if err != nil {
		return nil, fmt.Errorf("load provider %s: %w", m.ProviderID, err)
	}
	return c.connect(row)
}

// connect keeps one provider per stored state of a row, so that its connections are reused.
func (c *Catalog) connect(row db.Provider) (provider.Provider, error) {
	cacheKey := row.AccountID + "\x00" + row.ID + "\x00" + row.BaseURL + "\x00" + string(row.SealedKey)
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.connected[cacheKey]; ok {
		return p, nil
	}
	var apiKey string
	if row.SealedKey != nil {
		var err error
		if apiKey, err = c.Box.Open(row.SealedKey, row.ID); err != nil {
			return nil, fmt.Errorf("open key of provider %s: %w", row.ID, err)
		}
	}
	connect := c.Connect
	if row.Kind == ProviderWebUI {
		connect = c.ConnectWebUI
	}
	p, err := connect(row.BaseURL, apiKey, row.AccountID == db.Everyone)
	if err != nil {
		return nil, err
	}
	if c.connected == nil {
		c.connected = map[string]provider.Provider{}
	}
	c.connected[cacheKey] = p
	return p, nil
}

// Providers lists the providers of the account and of everyone.
func (c *Catalog) Providers(ctx context.Context, accountID string) ([]db.Provider, error) {
	return c.DB.Providers(ctx, accountID)
}
