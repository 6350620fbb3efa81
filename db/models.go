package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// Everyone is the account of what the operator offers to all accounts.
const Everyone = ""

// Provider is an upstream that runs models.
type Provider struct {
	AccountID string    `db:"account_id"`
	ID        string    `db:"provider_id"`
	Name      string    `db:"name"`
	Kind      string    `db:"kind"` // "builtin" or "openai"
	BaseURL   string    `db:"base_url"`
	SealedKey []byte    `db:"sealed_key"` // nil when the upstream wants no key
	CreatedAt time.Time `db:"created_at"`
}

// Model is something a provider offers, with its price in micro-units.
type Model struct {
	AccountID         string    `db:"account_id"`
	ID                string    `db:"model_id"`
	ProviderID        string    `db:"provider_id"`
	Kind              string    `db:"kind"` // "llm", "sd", "embedding", "transcription" or "speech"
	Name              string    `db:"name"`
	UpstreamName      string    `db:"upstream_name"`
	ContextTokens     int       `db:"context_tokens"`
	MaxOutputTokens   int       `db:"max_output_tokens"`
	InputMicrosPer1K  int64     `db:"input_micros_per_1k"`
	OutputMicrosPer1K int64     `db:"output_micros_per_1k"`
	ImageMicros       int64     `db:"image_micros"`
	Rank              int       `db:"rank"`
	Enabled           bool      `db:"enabled"`
	CreatedAt         time.Time `db:"created_at"`
	// FallbackIDs are the models that answer, in order, when this one's provider refuses or is down.
	FallbackIDs pq.StringArray `db:"fallback_ids"`
	Vision      *bool          `db:"vision"` // whether it sees pictures; nil: nobody said so
	// EnabledHere tells whether the account that asks lets it answer; only OfferedModels and OfferedModel say so.
	EnabledHere bool `db:"enabled_here"`
}

const (
	providerColumns = `account_id, provider_id, name, kind, base_url, sealed_key, created_at`
	modelColumns    = `account_id, model_id, provider_id, kind, name, upstream_name, context_tokens, max_output_tokens,
	input_micros_per_1k, output_micros_per_1k, image_micros, rank, enabled, created_at, fallback_ids, vision`
)

// usable restricts models m to the enabled ones that account $1 may use and has not switched off. A model of
// its own hides everyone's with the same id.
const usable = `m.account_id in ($1, '') and m.enabled and ` + switchedOn + ` and not exists (
			select 1 from models own
			where own.account_id = $1 and own.model_id = m.model_id and own.enabled and m.account_id <> $1)`

// switchedOn restricts models m to those that account $1 lets answer.
const switchedOn = `(m.account_id = $1 or not exists (
			select 1 from model_switches off
			where off.account_id = $1 and off.model_id = m.model_id))`

// PutProvider stores a provider or replaces its name, kind, address and key.
func (q *Queries) PutProvider(ctx context.Context, p Provider) error {
	_, err := q.exec(ctx, versioned+`
		insert into providers (`+providerColumns+`)
		select $1, $2, $3, $4, $5, $6, $7
		where `+afterVersion+`
		on conflict (account_id, provider_id) do update
		set name = excluded.name, kind = excluded.kind, base_url = excluded.base_url, sealed_key = excluded.sealed_key`,
		p.AccountID, p.ID, p.Name, p.Kind, p.BaseURL, p.SealedKey, p.CreatedAt)
	return err
}

// Provider returns a provider of the account or of everyone.
func (q *Queries) Provider(ctx context.Context, accountID, providerID string) (Provider, error) {
	var p Provider
	err := q.get(ctx, &p, `
		select `+providerColumns+`
		from providers
		where account_id = any($1) and provider_id = $2
		order by account_id desc
		limit 1`,
		pq.Array([]string{accountID, Everyone}), providerID)
	return p, err
}

// Providers lists the providers of the account and of everyone by name.
func (q *Queries) Providers(ctx context.Context, accountID string) ([]Provider, error) {
	providers := []Provider{}
	err := q.list(ctx, &providers, `
		select `+providerColumns+`
		from providers
		where account_id = any($1)
		order by name, provider_id`,
		pq.Array([]string{accountID, Everyone}))
	return providers, err
}

// PutModel stores a model, or refreshes what its provider says of it and
// enables it; a price and fallbacks that an administrator set stay, and whether
// it sees pictures when its provider does not tell.
func (q *Queries) PutModel(ctx context.Context, m Model) error {
	_, err := q.exec(ctx, versioned+`
		insert into models (`+modelColumns+`)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
		where `+afterVersion+`
		on conflict (account_id, model_id) do update
		set provider_id = excluded.provider_id, kind = excluded.kind, name = excluded.name,
			upstream_name = excluded.upstream_name, context_tokens = excluded.context_tokens,
			max_output_tokens = excluded.max_output_tokens, rank = excluded.rank, enabled = excluded.enabled,
			vision = coalesce(excluded.vision, models.vision)`,
		m.AccountID, m.ID, m.ProviderID, m.Kind, m.Name, m.UpstreamName, m.ContextTokens, m.MaxOutputTokens,
		m.InputMicrosPer1K, m.OutputMicrosPer1K, m.ImageMicros, m.Rank, m.Enabled, m.CreatedAt, pq.Array(append([]string{}, m.FallbackIDs...)), m.Vision)
	return err
}

// DisableModelsExcept hides the models of a provider that it no longer offers.
func (q *Queries) DisableModelsExcept(ctx context.Context, accountID, providerID string, offered []string) error {
	_, err := q.exec(ctx, versioned+`
		update models
		set enabled = false
		where account_id = $1 and provider_id = $2 and not model_id = any($3) and `+afterVersion,
		accountID, providerID, pq.Array(offered))
	return err
}

// SetModelPrice prices a model of the account. Prices are micro-units per 1,000 tokens or per picture.
func (q *Queries) SetModelPrice(ctx context.Context, accountID, modelID string, input, output, image int64) error {
	return q.execOne(ctx, versioned+`
		update models
		set input_micros_per_1k = $3, output_micros_per_1k = $4, image_micros = $5
		where account_id = $1 and model_id = $2 and `+afterVersion,
		accountID, modelID, input, output, image)
}

// SetModelFallbacks sets which models answer, in order, when the provider of a
// model of the account refuses or is down; at most five.
func (q *Queries) SetModelFallbacks(ctx context.Context, accountID, modelID string, fallbackIDs []string) error {
	return q.execOne(ctx, versioned+`
		update models
		set fallback_ids = $3
		where account_id = $1 and model_id = $2 and `+afterVersion,
		accountID, modelID, pq.Array(append([]string{}, fallbackIDs...)))
}

// Model returns an enabled model that the account may use, its own before everyone's.
func (q *Queries) Model(ctx context.Context, accountID, modelID string) (Model, error) {
	var m Model
	err := q.get(ctx, &m, `
		select `+modelColumns+`
		from models m
		where m.account_id in ($1, '') and m.model_id = $2 and m.enabled and `+switchedOn+`
		order by m.account_id desc
		limit 1`,
		accountID, modelID)
	return m, err
}

// ModelOnceOffered returns a model whether or not it is still enabled.
func (q *Queries) ModelOnceOffered(ctx context.Context, accountID, modelID string) (Model, error) {
	var m Model
	err := q.get(ctx, &m, `
		select `+modelColumns+`
		from models
		where account_id in ($1, '') and model_id = $2
		order by enabled desc, account_id desc
		limit 1`,
		accountID, modelID)
	return m, err
}

// DefaultModel returns the lowest ranked enabled model of a kind.
func (q *Queries) DefaultModel(ctx context.Context, accountID, kind string) (Model, error) {
	var m Model
	err := q.get(ctx, &m, `
		select `+modelColumns+`
		from models m
		where `+usable+` and kind = $2
		order by rank, model_id
		limit 1`,
		accountID, kind)
	return m, err
}

// Models lists the enabled models of a kind that the account may use, in rank
// order, from after a rank and id.
func (q *Queries) Models(ctx context.Context, accountID, kind string, afterRank int, afterID string, limit int) ([]Model, error) {
	models := []Model{}
	err := q.list(ctx, &models, `
		select `+modelColumns+`
		from models m
		where `+usable+` and kind = $2 and (rank, model_id) > ($3, $4)
		order by rank, model_id
		limit $5`,
		accountID, kind, afterRank, afterID, limit)
	return models, err
}
