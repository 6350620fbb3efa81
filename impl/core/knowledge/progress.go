package knowledge

import (
	"context"
	"iter"
	"time"

	"parley/db"
)

// Progress is how far a collection's ingestion is.
type Progress struct {
	Ready   bool // it can answer
	Running bool // pages are being listed, fetched or indexed
	db.PageCounts
}

// Progress tells how far a collection's ingestion is.
func (s *Service) Progress(ctx context.Context, accountID, collectionID string) (Progress, error) {
	var p Progress
	// Read first: what a source that has ended brought is among the pages then.
	sources, err := s.DB.Sources(ctx, accountID, collectionID)
	if err != nil {
		return p, err
	}
	if p.PageCounts, err = s.DB.CountPages(ctx, accountID, collectionID, ""); err != nil {
		return p, err
	}
	p.Running = p.Queued > 0
	for _, source := range sources {
		p.Running = p.Running || source.State == db.SourceWaiting || source.State == db.SourceRunning
	}
	// Read last: what ended before has decided it.
	c, err := s.Get(ctx, accountID, collectionID)
	p.Ready = err == nil && c.ReadyAt != nil
	return p, err
}

// Watch yields the progress of a collection at once and whenever it has
// changed, looking every so often, until nothing is under way any more or ctx ends.
func (s *Service) Watch(ctx context.Context, accountID, collectionID string, every time.Duration) iter.Seq2[Progress, error] {
	return func(yield func(Progress, error) bool) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		var last Progress
		for first := true; ; first = false {
			p, err := s.Progress(ctx, accountID, collectionID)
			if err != nil {
				yield(p, err)
				return
			}
			if (first || p != last) && !yield(p, nil) || !p.Running {
				return
			}
			last = p
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}
