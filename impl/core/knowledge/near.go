package knowledge

import (
	"context"
	"fmt"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

// vectorsKind indexes the vectors of a large collection, where the database has pgvector.
const vectorsKind = "knowledge.vectors"

const (
	// nearMax is how many chunks a search finds by their vectors, beside those that it finds by words.
	nearMax = 40
	// likenessMin is the least likeness to the question of a chunk that shares no word with it.
	likenessMin = 0.3
)

// UseVectors lets searches use pgvector where the database has it, and otherwise says in the log why they put
// what text search finds in order by vectors instead. Call it once, before jobs are taken.
func (s *Service) UseVectors(ctx context.Context) error {
	made, why, err := s.DB.UseVectors(ctx)
	if err != nil {
		return fmt.Errorf("look for pgvector: %w", err)
	}
	if why != "" {
		s.Log.Info("searches by vectors reach what text search finds", "reason", why)
	}
	if !made {
		return nil
	}
	embedded, err := s.DB.EmbeddedCollections(ctx)
	if err != nil {
		return fmt.Errorf("list collections with vectors: %w", err)
	}
	for _, c := range embedded {
		if err := s.enqueueCount(ctx, s.DB.Queries, c.AccountID, c.ID, s.Now()); err != nil {
			return err
		}
	}
	return nil
}

// syncVectors follows a change of a collection's vectors.
func (s *Service) syncVectors(ctx context.Context, accountID, collectionID string) error {
	if !s.DB.HasVectors() {
		return nil
	}
	if err := s.DB.SyncVectors(ctx, accountID, collectionID); err != nil {
		return err
	}
	return job.Enqueue(ctx, s.DB.Queries, s.Now(), job.New{
		AccountID: accountID, Kind: vectorsKind, Args: countArgs{collectionID}, UniqueKey: collectionID,
	})
}

// indexVectors is the job that follows syncVectors.
func (s *Service) indexVectors(ctx context.Context, r job.Run, args countArgs) error {
	return s.DB.IndexVectors(ctx, r.AccountID, args.CollectionID)
}

// near returns the chunks whose vectors are the nearest to the question's. What fails leaves text search.
func (s *Service) near(ctx context.Context, accountID, collectionID string, meant meaning) []db.NearChunk {
	if meant.vector == nil {
		return nil
	}
	found, err := s.DB.NearChunks(ctx, accountID, collectionID, meant.model, meant.vector, nearMax)
	if err != nil {
		if fault.KindOf(err) != fault.Canceled {
			s.Log.Warn("a search by vectors failed; searching by words", "account", accountID, "error", err)
		}
		return nil
	}
	return found
}
