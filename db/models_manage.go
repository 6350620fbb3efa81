package db

import (
	"context"
	"time"
)

// OfferedModels lists the account's own models and everyone's, also disabled
// ones, from after an id and owner; "" starts with the first.
func (q *Queries) OfferedModels(ctx context.Context, accountID, afterID string, limit int) ([]Model, error) {
	models := []Model{}
	err := q.list(ctx, &models, `
		select `+modelColumns+`, `+switchedOn+` as enabled_here
		from (
			select distinct on (model_id) `+modelColumns+`
			from models
			where account_id in ($1, '') and model_id > $2
			order by model_id, account_id desc
		) m
		order by model_id
		limit $3`,
		accountID, afterID, limit)
	return models, err
}

// OfferedModel returns a model of the account or everyone's, enabled or not, its own first.
func (q *Queries) OfferedModel(ctx context.Context, accountID, modelID string) (Model, error) {
	var m Model
	err := q.get(ctx, &m, `
		select `+modelColumns+`, `+switchedOn+` as enabled_here
		from models m
		where account_id in ($1, '') and model_id = $2
		order by account_id desc
		limit 1`,
		accountID, modelID)
	return m, err
}

// InsertModel stores a new model. One with its id is a ConflictError.
func (q *Queries) InsertModel(ctx context.Context, m Model) error {
	_, err := q.exec(ctx, versioned+`
		insert into models (`+modelColumns+`)
		select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '{}', $15
		where `+afterVersion,
		m.AccountID, m.ID, m.ProviderID, m.Kind, m.Name, m.UpstreamName, m.ContextTokens, m.MaxOutputTokens,
		m.InputMicrosPer1K, m.OutputMicrosPer1K, m.ImageMicros, m.Rank, m.Enabled, m.CreatedAt, m.Vision)
	return err
}

// UpdateModel replaces name, prices, whether a model answers and whether it sees pictures.
func (q *Queries) UpdateModel(ctx context.Context, m Model) error {
	return q.execOne(ctx, versioned+`
		update models
		set name = $3, input_micros_per_1k = $4, output_micros_per_1k = $5, image_micros = $6, enabled = $7, vision = $8
		where account_id = $1 and model_id = $2 and `+afterVersion,
		m.AccountID, m.ID, m.Name, m.InputMicrosPer1K, m.OutputMicrosPer1K, m.ImageMicros, m.Enabled, m.Vision)
}

// SwitchModel lets a model of everyone answer the account, or no longer.
func (q *Queries) SwitchModel(ctx context.Context, accountID, modelID string, on bool, at time.Time) error {
	if on {
		_, err := q.exec(ctx, versioned+`
			delete from model_switches
			where account_id = $1 and model_id = $2 and `+afterVersion,
			accountID, modelID)
		return err
	}
	_, err := q.exec(ctx, versioned+`
		insert into model_switches (account_id, model_id, created_at)
		select $1, $2, $3
		where `+afterVersion+`
		on conflict do nothing`,
		accountID, modelID, at)
	return err
}

// DeleteModel removes a model.
func (q *Queries) DeleteModel(ctx context.Context, accountID, modelID string) error {
	return q.execOne(ctx, versioned+`
		delete from models
		where account_id = $1 and model_id = $2 and `+afterVersion,
		accountID, modelID)
}

// DeleteProvider removes a provider with its models.
func (q *Queries) DeleteProvider(ctx context.Context, accountID, providerID string) error {
	return q.execOne(ctx, versioned+`
		delete from providers
		where account_id = $1 and provider_id = $2 and `+afterVersion,
		accountID, providerID)
}

// ProvidersAfter lists the providers of the account and of everyone by id, from after an id.
func (q *Queries) ProvidersAfter(ctx context.Context, accountID, afterID string, limit int) ([]Provider, error) {
	providers := []Provider{}
	err := q.list(ctx, &providers, `
		select `+providerColumns+`
		from (
			select distinct on (provider_id) `+providerColumns+`
			from providers
			where account_id in ($1, '') and provider_id > $2
			order by provider_id, account_id desc
		) p
		order by provider_id
		limit $3`,
		accountID, afterID, limit)
	return providers, err
}
