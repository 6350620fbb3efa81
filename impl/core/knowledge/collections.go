package knowledge

import (
	"context"
	"errors"
	"time"

	"parley/db"
	"parley/impl/core/id"
	"parley/impl/core/job"
)

// Create stores an empty collection.
func (s *Service) Create(ctx context.Context, accountID, name string) (db.Collection, error) {
	c := db.Collection{AccountID: accountID, ID: id.New(id.Collection), Name: name, CreatedAt: s.Now()}
	return c, s.DB.InsertCollection(ctx, c)
}

// Get returns a collection of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, collectionID string) (db.Collection, error) {
	c, err := s.DB.Collection(ctx, accountID, collectionID)
	return c, missing(err, errNoCollection)
}

// missing is err, or the fault when err says that there is no such row.
func missing(err, fault error) error {
	if errors.Is(err, db.ErrNotFound) {
		return fault
	}
	return err
}

// Delete removes a collection: at once for everybody who looks, and by a job
// from the tables and the blob store.
func (s *Service) Delete(ctx context.Context, accountID, collectionID string) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.HideCollection(ctx, accountID, collectionID); err != nil {
			return err
		}
		return s.enqueueRemoval(ctx, q, accountID, removalArgs{CollectionID: collectionID})
	})
	return missing(err, errNoCollection)
}

func (s *Service) enqueueRemoval(ctx context.Context, q *db.Queries, accountID string, args removalArgs) error {
	return job.Enqueue(ctx, q, s.Now(), job.New{AccountID: accountID, Kind: removeKind, Args: args, MaxAttempts: 100})
}

// Link lets an agent or app (db.HolderAgent, db.HolderApp) answer from a
// collection; a collection that is not there is a NotFound fault. The caller has checked the holder.
func (s *Service) Link(ctx context.Context, accountID, kind, holderID, collectionID string) error {
	return missing(s.DB.LinkCollection(ctx, accountID, kind, holderID, collectionID), errNoCollection)
}

// ScopeOf is what an agent and an app answer from together; "" for none of them.
func (s *Service) ScopeOf(ctx context.Context, accountID, agentID, appID string) (Scope, error) {
	ids, err := s.DB.HeldCollections(ctx, accountID, agentID, appID)
	return Scope{AccountID: accountID, Collections: ids}, err
}

// removeBatch bounds how many pages one statement removes.
const removeBatch = 100

type removalArgs struct {
	CollectionID string `json:"collection_id"`
	SourceID     string `json:"source_id,omitempty"` // "": the whole collection
}

// remove removes what was hidden. Each step can be repeated.
func (s *Service) remove(ctx context.Context, r job.Run, args removalArgs) error {
	sources := []string{args.SourceID}
	if args.SourceID == "" {
		var err error
		if sources, err = s.DB.HiddenSources(ctx, r.AccountID, args.CollectionID); err != nil {
			return err
		}
	}
	for _, sourceID := range sources {
		if err := s.removePages(ctx, r.AccountID, sourceID, everyRun); err != nil {
			return err
		}
		if err := s.DB.DeleteSource(ctx, r.AccountID, sourceID); err != nil {
			return err
		}
	}
	if args.SourceID != "" {
		return s.settle(ctx, s.DB.Queries, r.AccountID, args.CollectionID)
	}
	if err := s.DB.DeleteCollection(ctx, r.AccountID, args.CollectionID); err != nil {
		return err
	}
	return s.DB.IndexVectors(ctx, r.AccountID, args.CollectionID)
}

// everyRun is beyond the number of any ingestion.
const everyRun = 1 << 62

// removePages removes pages of a source that no ingestion since beforeRun saw: files first, so
// that none is left without a page to find it by.
func (s *Service) removePages(ctx context.Context, accountID, sourceID string, beforeRun int64) error {
	for {
		refs, err := s.DB.PagesToDelete(ctx, accountID, sourceID, beforeRun, removeBatch)
		if err != nil || len(refs) == 0 {
			return err
		}
		ids := make([]string, len(refs))
		for i, ref := range refs {
			ids[i] = ref.ID
			if !ref.IsFile {
				continue
			}
			if err := s.Blobs.Delete(ctx, fileName(accountID, ref.ID)); err != nil {
				return err
			}
		}
		if err := s.DB.DeletePages(ctx, accountID, sourceID, ids); err != nil {
			return err
		}
	}
}

// settle follows a change of what a collection holds: whether it can answer,
// and, a little later and for many changes at once, which of its words are common.
func (s *Service) settle(ctx context.Context, q *db.Queries, accountID, collectionID string) error {
	now := s.Now()
	if err := q.ReadyCollection(ctx, accountID, collectionID, now); err != nil {
		return err
	}
	return s.enqueueCount(ctx, q, accountID, collectionID, now.Add(countDelay))
}

func (s *Service) enqueueCount(ctx context.Context, q *db.Queries, accountID, collectionID string, at time.Time) error {
	return job.Enqueue(ctx, q, s.Now(), job.New{AccountID: accountID, Kind: countKind, Args: countArgs{collectionID}, UniqueKey: collectionID, RunAt: at})
}

type countArgs struct {
	CollectionID string `json:"collection_id"`
}

func (s *Service) count(ctx context.Context, r job.Run, args countArgs) error {
	err := s.DB.CountTerms(ctx, r.AccountID, args.CollectionID, s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.syncVectors(ctx, r.AccountID, args.CollectionID)
}
