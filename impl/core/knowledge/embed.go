package knowledge

import (
	"context"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

const (
	// embedBatch is how many texts are sent to the embedding model at once.
	embedBatch = 64
	// questionPatience is how long a search waits for its question's vector before it does without.
	questionPatience = 2 * time.Second
)

// embedQuestion returns the question's vector; nil when the model does not
// answer: then text search has to do.
func (s *Service) embedQuestion(ctx context.Context, accountID, question string) []float32 {
	ctx, cancel := context.WithTimeout(ctx, questionPatience)
	defer cancel()
	vectors, err := s.Embedder.Embed(ctx, accountID, []string{question})
	if err == nil && len(vectors) == 1 {
		return vectors[0]
	}
	s.Log.Warn("a question got no vector; searching its text alone", "account", accountID, "error", err)
	return nil
}

// embed gives chunks their vectors.
func (s *Service) embed(ctx context.Context, accountID string, chunks []db.Chunk) error {
	if s.Embedder == nil {
		return nil
	}
	for begin := 0; begin < len(chunks); begin += embedBatch {
		batch := chunks[begin:min(len(chunks), begin+embedBatch)]
		texts := make([]string, len(batch))
		for i, c := range batch {
			texts[i] = c.Body
			if c.Heading != "" {
				texts[i] = c.Heading + "\n" + c.Body
			}
		}
		vectors, err := s.Embedder.Embed(ctx, accountID, texts)
		if err != nil {
			return fmt.Errorf("embed chunks: %w", err)
		}
		if len(vectors) != len(batch) {
			return fault.New(fault.Upstream, "The embedding model returned %d vectors for %d texts.", len(vectors), len(batch))
		}
		for i := range batch {
			batch[i].Embedding = vectors[i]
		}
	}
	return nil
}
