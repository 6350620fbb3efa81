package embedding

import (
	"context"
	"errors"

	"parley/db"
	"parley/impl/core/idempotency"
	"parley/impl/core/key"
	"parley/impl/core/model"
)

// knowledgeSurface is the name under which turns of knowledge are booked: no surface that callers see.
const knowledgeSurface = "knowledge"

// ForKnowledge makes the vectors of knowledge: of what is indexed, and of what is asked.
type ForKnowledge struct {
	Service *Service
	Models  *model.Catalog
}

// Model is the account's first model for embeddings. The built-in one does not count: its
// vectors know no more than the words.
func (k ForKnowledge) Model(ctx context.Context, accountID string) (string, error) {
	m, err := k.Models.Default(ctx, accountID, model.KindEmbedding)
	if errors.Is(err, db.ErrNotFound) || err == nil && m.ProviderID == model.BuiltInProvider {
		return "", nil
	}
	return m.ID, err
}

// Embed is a turn of its own: limited, paid and booked, and never the one that the request's Idempotency-Key is for.
func (k ForKnowledge) Embed(ctx context.Context, caller key.Caller, modelID string, texts []string) ([][]float32, error) {
	a, err := k.Service.Embed(idempotency.Without(ctx), caller, knowledgeSurface, modelID, texts)
	return a.Vectors, err
}
