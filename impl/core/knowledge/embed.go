package knowledge

import (
	"context"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

const (
	// embedBatch is how many texts are sent to the embedding model at once.
	embedBatch = 64
	// questionPatience is how long a search waits for its question's vector before it does without.
	questionPatience = 2 * time.Second
)

// meaning is a question's vector with the model that made it; no vector when there is no model, or it does not answer.
type meaning struct {
	model  string
	vector []float32
}

// embedQuestion returns the question's vector. Without one text search has to do.
func (s *Service) embedQuestion(ctx context.Context, accountID string, caller key.Caller, question string) meaning {
	if s.Embedder == nil {
		return meaning{}
	}
	ctx, cancel := context.WithTimeout(ctx, questionPatience)
	defer cancel()
	model, err := s.Embedder.Model(ctx, accountID)
	if err == nil && model == "" {
		return meaning{}
	}
	var vectors [][]float32
	if err == nil {
		caller.AccountID, caller.Agents = accountID, nil // an embedding is no agent's answer
		vectors, err = s.Embedder.Embed(ctx, caller, model, []string{question})
	}
	if err != nil || len(vectors) != 1 {
		s.Log.Warn("a question got no vector; searching its text alone", "account", accountID, "error", err)
		return meaning{}
	}
	return meaning{model, vectors[0]}
}

// embedModel is the model that gives chunks of an account their vectors; "" without one.
func (s *Service) embedModel(ctx context.Context, accountID string) (string, error) {
	if s.Embedder == nil {
		return "", nil
	}
	return s.Embedder.Model(ctx, accountID)
}

// embed gives chunks their vectors, at the account's expense.
func (s *Service) embed(ctx context.Context, accountID, model string, chunks []db.Chunk) error {
	for begin := 0; begin < len(chunks); begin += embedBatch {
		batch := chunks[begin:min(len(chunks), begin+embedBatch)]
		texts := make([]string, len(batch))
		for i, c := range batch {
			texts[i] = c.Body
			if c.Heading != "" {
				texts[i] = c.Heading + "\n" + c.Body
			}
		}
		vectors, err := s.Embedder.Embed(ctx, key.Server(accountID), model, texts)
		if err != nil {
			return fmt.Errorf("embed chunks: %w", err)
		}
		if len(vectors) != len(batch) {
			return fault.New(fault.Upstream, "The embedding model returned %d vectors for %d texts.", len(vectors), len(batch))
		}
		for i := range batch {
			batch[i].Embedding, batch[i].EmbeddingModel = vectors[i], model
		}
	}
	return nil
}

// unpaid is what people read of a page whose vectors the balance did not cover.
const unpaid = "Searched by its words alone: the balance does not cover the embedding model."

// embedOrNot gives a page's chunks their vectors; those that the balance does not cover are left out, and the page says so.
// It returns the model, "" when there are no vectors.
func (s *Service) embedOrNot(ctx context.Context, p *db.Page, model string, chunks []db.Chunk) (string, error) {
	if model == "" {
		return "", nil
	}
	err := s.embed(ctx, p.AccountID, model, chunks)
	if err == nil {
		return model, nil
	}
	if fault.KindOf(err) != fault.NoFunds {
		return "", err
	}
	for i := range chunks {
		chunks[i].Embedding, chunks[i].EmbeddingModel = nil, ""
	}
	p.Reason = unpaid
	return "", nil
}
