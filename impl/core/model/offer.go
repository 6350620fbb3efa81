package model

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"parley/db"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/provider"
)

const (
	// Assumed of an upstream's model that does not tell.
	defaultContextTokens = 128_000
	defaultOutputTokens  = 4_096
	builtInContextTokens = 32_768
	builtInOutputTokens  = 1_024
	// Models for embeddings write nothing; the table wants one token.
	embeddingOutputTokens  = 1
	embeddingContextTokens = 8_192
	// modelsMax bounds what one upstream can put into the table.
	modelsMax = 1_000
)

// OfferBuiltIn stores the built-in models, free of charge.
func (c *Catalog) OfferBuiltIn(ctx context.Context) error {
	now := c.Now()
	p := db.Provider{ID: BuiltInProvider, Name: "Built-in", Kind: "builtin", CreatedAt: now}
	models := []db.Model{
		{ID: BuiltInLLM, Kind: KindLLM, Name: "Parley built-in (offline)", ContextTokens: builtInContextTokens, Vision: new(bool)},
		{ID: BuiltInSD, Kind: KindSD, Name: "Parley built-in drawing (offline)", ContextTokens: builtInContextTokens},
		{ID: BuiltInEmbedding, Kind: KindEmbedding, Name: "Parley built-in word hashing (offline)", ContextTokens: builtInContextTokens},
	}
	return c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.PutProvider(ctx, p); err != nil {
			return err
		}
		for i, m := range models {
			m.ProviderID, m.UpstreamName, m.MaxOutputTokens = p.ID, m.ID, builtInOutputTokens
			m.Rank, m.Enabled, m.CreatedAt = rankBuiltIn+i, true, now
			if m.Kind == KindEmbedding {
				m.MaxOutputTokens = embeddingOutputTokens
			}
			if err := q.PutModel(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// OfferUpstream asks the operator's upstream for its models and offers them
// under their own ids; those it no longer has are withdrawn. Without an
// upstream, all that an earlier one offered are withdrawn.
func (c *Catalog) OfferUpstream(ctx context.Context, baseURL string) (int, error) {
	if c.Upstream == nil {
		return 0, c.DB.DisableModelsExcept(ctx, db.Everyone, UpstreamProvider, []string{})
	}
	p := db.Provider{ID: UpstreamProvider, Name: "Upstream", Kind: "openai", BaseURL: baseURL, CreatedAt: c.Now()}
	return c.offer(ctx, p, c.Upstream, rankUpstream, nil)
}

// AddInput describes a provider to store. AccountID "" offers it to every account.
type AddInput struct {
	AccountID string
	Name      string
	BaseURL   string // including /v1
	Key       string // "" when the upstream wants none
}

// Add stores an OpenAI-compatible provider, its key sealed, and offers its
// models. It returns the provider's id and how many models it has.
func (c *Catalog) Add(ctx context.Context, in AddInput) (string, int, error) {
	u, err := url.Parse(in.BaseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return "", 0, fault.New(fault.Invalid, "The base URL of a provider is an http or https URL without credentials.")
	}
	p := db.Provider{
		AccountID: in.AccountID, ID: id.New(id.Provider), Name: strings.TrimSpace(in.Name), Kind: "openai",
		BaseURL: in.BaseURL, CreatedAt: c.Now(),
	}
	if p.Name == "" || len(p.Name) > 200 {
		return "", 0, fault.New(fault.Invalid, "The name of a provider has 1 to 200 bytes.")
	}
	if in.Key != "" {
		p.SealedKey = c.Box.Seal(in.Key, p.ID)
	}
	upstream, err := c.connect(p)
	if err != nil {
		return "", 0, err
	}
	n, err := c.offer(ctx, p, upstream, rankStored, func(q *db.Queries, models int) error {
		return record(ctx, q, p.AccountID, "provider.created", p.ID, map[string]any{"name": p.Name, "base_url": p.BaseURL, "models": models})
	})
	return p.ID, n, err
}

// record books what was done to a model or a provider, in the account that owns it or
// the server's books.
func record(ctx context.Context, q *db.Queries, accountID, action, target string, details map[string]any) error {
	return audit.Record(ctx, q, audit.Event{AccountID: accountID, Action: action, Target: target, Details: details})
}

// offer stores a provider with the models that it has; book, within the transaction, may be nil.
func (c *Catalog) offer(ctx context.Context, p db.Provider, upstream provider.Provider, firstRank int, book func(*db.Queries, int) error) (int, error) {
	found, err := upstream.Models(ctx)
	if err != nil {
		return 0, fmt.Errorf("discover models: %w", err)
	}
	if len(found) > modelsMax {
		found = found[:modelsMax]
	}
	ids := make([]string, len(found))
	err = c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.PutProvider(ctx, p); err != nil {
			return err
		}
		for i, m := range found {
			ids[i] = m.ID
			if err := q.PutModel(ctx, c.row(p, m, firstRank+i)); err != nil {
				return err
			}
		}
		if err := q.DisableModelsExcept(ctx, p.AccountID, p.ID, ids); err != nil || book == nil {
			return err
		}
		return book(q, len(found))
	})
	return len(found), err
}

func (c *Catalog) row(p db.Provider, m provider.Model, rank int) db.Model {
	row := db.Model{
		AccountID: p.AccountID, ID: m.ID, ProviderID: p.ID, Kind: kindOf(p, m.ID), Name: m.Name, UpstreamName: m.ID,
		ContextTokens: m.ContextTokens, MaxOutputTokens: defaultOutputTokens, Rank: rank, Enabled: true, CreatedAt: c.Now(), Vision: m.Vision,
	}
	if row.Name == "" {
		row.Name = m.ID
	}
	if row.ContextTokens <= 0 {
		row.ContextTokens = defaultContextTokens
	}
	row.MaxOutputTokens = min(row.MaxOutputTokens, max(1, row.ContextTokens/2))
	if spoken := soundKind(m.ID); row.Kind == KindLLM && spoken != "" {
		row.Kind = spoken
		return row
	}
	if embeds(m.ID) {
		row.Kind, row.MaxOutputTokens = KindEmbedding, embeddingOutputTokens
		if m.ContextTokens <= 0 {
			row.ContextTokens = embeddingContextTokens
		}
	}
	return row
}

// embeds tells by its name whether an upstream's model makes embeddings, as
// upstreams list their models without a kind.
func embeds(modelID string) bool {
	name := strings.ToLower(modelID[strings.LastIndexByte(modelID, '/')+1:])
	if strings.Contains(name, "embed") {
		return true
	}
	for _, family := range []string{"bge-", "e5-", "gte-", "all-minilm", "multilingual-e5"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}

// SetPrice prices a model: micro-units per 1,000 input and output tokens, and per picture.
func (c *Catalog) SetPrice(ctx context.Context, accountID, modelID string, input, output, image int64) error {
	const priceMax = 1_000_000_000
	if min(input, output, image) < 0 || max(input, output, image) > priceMax {
		return fault.New(fault.Invalid, "A price is from 0 to %d micro-units.", priceMax)
	}
	err := c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.SetModelPrice(ctx, accountID, modelID, input, output, image); err != nil {
			return err
		}
		return record(ctx, q, accountID, "model.priced", modelID, map[string]any{
			"input_micros_per_1k": input, "output_micros_per_1k": output, "image_micros": image,
		})
	})
	if errors.Is(err, db.ErrNotFound) {
		return fault.New(fault.NotFound, "No model has the id %q.", modelID)
	}
	return err
}

// fallbacksMax is how many models may stand in for one.
const fallbacksMax = 5

// SetFallbacks sets which models answer, in order, when the provider of a model
// refuses or is down; none ends that. They are others of the same kind that the
// account may use; anything else is an Invalid fault.
func (c *Catalog) SetFallbacks(ctx context.Context, accountID, modelID string, fallbackIDs []string) error {
	unknown := fault.New(fault.NotFound, "No model has the id %q.", modelID)
	m, err := c.DB.Model(ctx, accountID, modelID)
	if errors.Is(err, db.ErrNotFound) || err == nil && m.AccountID != accountID {
		return unknown
	}
	if err != nil {
		return err
	}
	if len(fallbackIDs) > fallbacksMax {
		return fault.New(fault.Invalid, "A model has %d fallbacks at most.", fallbacksMax)
	}
	for i, fallbackID := range fallbackIDs {
		if fallbackID == modelID || slices.Contains(fallbackIDs[:i], fallbackID) {
			return fault.New(fault.Invalid, "A fallback is another model, named once: %q.", fallbackID)
		}
		if err := c.Check(ctx, accountID, m.Kind, fallbackID); err != nil {
			return err
		}
	}
	err = c.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.SetModelFallbacks(ctx, accountID, modelID, fallbackIDs); err != nil {
			return err
		}
		return record(ctx, q, accountID, "model.fallbacks_set", modelID, map[string]any{"fallback_ids": fallbackIDs})
	})
	if errors.Is(err, db.ErrNotFound) {
		return unknown
	}
	return err
}
