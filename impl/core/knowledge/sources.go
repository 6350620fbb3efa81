package knowledge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
)

// How a source treats pages that it has already.
const (
	RefreshNever     = "never"
	RefreshAlways    = "always"
	RefreshIfUpdated = "if_updated"
)

// SourceSettings are how and when a source is refreshed.
type SourceSettings struct {
	Refresh              string // Never, Daily, Weekly, Monthly or Advanced
	Schedule             []Slot // of Advanced
	CreateNewPages       bool   // pages that appeared since are taken in
	RemoveMissingPages   bool   // pages that vanished are removed
	RefreshExistingPages string // RefreshNever, RefreshAlways or RefreshIfUpdated
}

// DefaultSettings are those of a source that was only given its address.
var DefaultSettings = SourceSettings{Refresh: Never, CreateNewPages: true, RefreshExistingPages: RefreshIfUpdated}

// AddSite stores a site or sitemap as a source of a collection and begins to
// ingest it. A collection that is not there is a NotFound fault.
func (s *Service) AddSite(ctx context.Context, accountID, collectionID, url string, set SourceSettings) (db.Source, error) {
	if url == "" || len(url) > urlBytesMax {
		return db.Source{}, fault.New(fault.Invalid, "The address of a site has between 1 and %d bytes.", urlBytesMax)
	}
	now := s.Now()
	source := db.Source{
		AccountID: accountID, ID: id.New(id.Source), CollectionID: collectionID, Number: id.Number(), Kind: db.SourceSite, URL: url,
		State: db.SourceReady, CreatedAt: now, UpdatedAt: now,
	}
	if err := set.apply(&source, now); err != nil {
		return db.Source{}, err
	}
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.InsertSource(ctx, source); err != nil {
			return err
		}
		return s.begin(ctx, q, &source, true)
	})
	return source, missing(err, errNoCollection)
}

const urlBytesMax = 2000

// begin begins the next ingestion of a source and counts it in the row. One
// that is under way is db.ErrNotFound.
func (s *Service) begin(ctx context.Context, q *db.Queries, source *db.Source, asked bool) error {
	now := s.Now()
	next := nextRefresh(settingsOf(*source), now)
	if err := q.BeginRefresh(ctx, source.AccountID, source.ID, source.Run+1, next, now); err != nil {
		return err
	}
	source.Run, source.State, source.NextRefreshAt = source.Run+1, db.SourceWaiting, next
	return s.enqueuePart(ctx, q, source.AccountID, refreshArgs{SourceID: source.ID, Run: source.Run, Asked: asked}, now)
}

// Sync begins to ingest a site anew. One whose ingestion is under way is a Conflict fault.
func (s *Service) Sync(ctx context.Context, accountID, sourceID string) (db.Source, error) {
	source, err := s.Source(ctx, accountID, sourceID)
	if err != nil {
		return source, err
	}
	if source.Kind != db.SourceSite {
		return source, fault.New(fault.Conflict, "Uploads cannot be refreshed.")
	}
	err = s.DB.InTx(ctx, func(q *db.Queries) error { return s.begin(ctx, q, &source, true) })
	return source, missing(err, fault.New(fault.Conflict, "The source is being refreshed."))
}

// Source returns a source of the account; any other is a NotFound fault.
func (s *Service) Source(ctx context.Context, accountID, sourceID string) (db.Source, error) {
	source, err := s.DB.Source(ctx, accountID, sourceID)
	return source, missing(err, errNoSource)
}

// Configure changes how and when a source is refreshed.
func (s *Service) Configure(ctx context.Context, accountID, sourceID string, set SourceSettings) (db.Source, error) {
	source, err := s.Source(ctx, accountID, sourceID)
	if err != nil {
		return source, err
	}
	now := s.Now()
	if err := set.apply(&source, now); err != nil {
		return source, err
	}
	source.UpdatedAt = now
	return source, missing(s.DB.UpdateSource(ctx, source), errNoSource)
}

// DeleteSource removes a source with its pages: at once for everybody who
// looks, and by a job from the tables and the blob store.
func (s *Service) DeleteSource(ctx context.Context, accountID, sourceID string) error {
	source, err := s.Source(ctx, accountID, sourceID)
	if err != nil {
		return err
	}
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.HideSource(ctx, accountID, sourceID); err != nil {
			return err
		}
		return s.enqueueRemoval(ctx, q, accountID, removalArgs{source.CollectionID, sourceID})
	})
	return missing(err, errNoSource)
}

// apply writes the settings into a row and says when they want the next refresh.
func (set SourceSettings) apply(source *db.Source, now time.Time) error {
	if err := set.check(); err != nil {
		return err
	}
	schedule, err := json.Marshal(append([]Slot{}, set.Schedule...))
	if err != nil {
		return fmt.Errorf("encode schedule: %w", err)
	}
	source.Refresh, source.Schedule, source.CreateNewPages = set.Refresh, schedule, set.CreateNewPages
	source.RemoveMissingPages, source.RefreshExistingPages = set.RemoveMissingPages, set.RefreshExistingPages
	source.NextRefreshAt = nextRefresh(set, now)
	return nil
}

func settingsOf(source db.Source) SourceSettings {
	set := SourceSettings{
		Refresh: source.Refresh, CreateNewPages: source.CreateNewPages,
		RemoveMissingPages: source.RemoveMissingPages, RefreshExistingPages: source.RefreshExistingPages,
	}
	if len(source.Schedule) > 0 {
		_ = json.Unmarshal(source.Schedule, &set.Schedule) // written by apply
	}
	return set
}

// SettingsOf returns the settings of a source.
func SettingsOf(source db.Source) SourceSettings { return settingsOf(source) }

// hostsKept is how long it is known when a site was visited.
const hostsKept = time.Hour

// refreshDue begins to ingest the sources whose time has come.
func (s *Service) refreshDue(ctx context.Context, _ job.Run) error {
	if err := s.DB.ForgetHosts(ctx, s.Now().Add(-hostsKept)); err != nil {
		return err
	}
	for {
		due, err := s.DB.DueSources(ctx, s.Now(), removeBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, source := range due {
			err := s.DB.InTx(ctx, func(q *db.Queries) error { return s.begin(ctx, q, &source, false) })
			if err != nil && !errors.Is(err, db.ErrNotFound) { // somebody else began it
				return err
			}
		}
	}
}
