package knowledge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/crawl"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
)

// An ingestion of a source is a chain of jobs, its parts, one at a time, so
// that many sources take turns. The first parts list the pages, the others work on those that are due.
// The pages themselves are the queue: a claim is a lease with a number, and only the latest claim can store
// anything, so a part that was repeated, or came back from the dead, indexes nothing twice.
const (
	refreshKind  = "knowledge.refresh"
	pageKind     = "knowledge.page"
	removeKind   = "knowledge.remove"
	countKind    = "knowledge.count"
	orphanKind   = "knowledge.orphan"
	scheduleKind = "knowledge.schedule"

	// partTime is how long a part works on pages before it lets other sources have a turn.
	partTime = 2 * time.Minute
	// discoverTime bounds the listing of a site, with room for storing what was found.
	discoverTime = 40 * time.Minute
	// pageTime bounds the work on one page, pageLease how long nobody else touches it.
	pageTime, pageLease = 3 * time.Minute, 4 * time.Minute
	// parallel is how many pages of one source are worked on at once.
	parallel = 4
	// seenBatch is how many found pages are stored at once.
	seenBatch = 100
	// listAttempts is how often the listing of a site is tried. That servers died meanwhile is no reason to give up,
	// so the jobs themselves have more.
	listAttempts, partAttempts = 6, 100
	// countDelay lets many changes be counted at once.
	countDelay = 5 * time.Second
	// scheduleEvery is how late a refresh may begin.
	scheduleEvery = time.Minute
)

type refreshArgs struct {
	SourceID string `json:"source_id"`
	Run      int64  `json:"run"`
	Part     int    `json:"part"`
	// Asked tells that a person wants it: then no page is passed over because its sitemap says that
	// it is old. Scheduled ones believe it.
	Asked bool `json:"asked,omitempty"`
}

type pageArgs struct {
	PageID string `json:"page_id"`
}

// Handle registers the jobs of ingestion.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(refreshKind, job.Handler{Do: job.Typed(s.refresh), Slots: 4, Timeout: discoverTime + partTime + pageTime})
	r.Handle(pageKind, job.Handler{Do: job.Typed(s.indexPage), Slots: 2, Timeout: pageTime})
	r.Handle(removeKind, job.Handler{Do: job.Typed(s.remove), Timeout: 10 * time.Minute})
	r.Handle(countKind, job.Handler{Do: job.Typed(s.count), Slots: 1, Timeout: 5 * time.Minute})
	r.Handle(vectorsKind, job.Handler{Do: job.Typed(s.indexVectors), Slots: 1, Timeout: 35 * time.Minute})
	r.Handle(orphanKind, job.Handler{Do: job.Typed(s.removeOrphan), Slots: 1})
	r.Handle(scheduleKind, job.Handler{Do: s.refreshDue, Slots: 1, Timeout: 5 * time.Minute})
	r.Every(scheduleKind, scheduleEvery)
}

// enqueuePart stores the next part of an ingestion, once however often it is called.
func (s *Service) enqueuePart(ctx context.Context, q *db.Queries, accountID string, args refreshArgs, at time.Time) error {
	return job.Enqueue(ctx, q, s.Now(), job.New{
		AccountID: accountID, ID: fmt.Sprintf("%s@%d.%d", args.SourceID, args.Run, args.Part), Kind: refreshKind, Args: args,
		MaxAttempts: partAttempts, RunAt: at,
	})
}

// refresh is one part of an ingestion.
func (s *Service) refresh(ctx context.Context, r job.Run, args refreshArgs) error {
	source, err := s.DB.Source(ctx, r.AccountID, args.SourceID)
	if errors.Is(err, db.ErrNotFound) || err == nil && (source.Run != args.Run || source.State == db.SourceReady || source.State == db.SourceFailed) {
		return nil // removed, or ended by a part that this one repeats
	}
	if err != nil {
		return err
	}
	now := s.Now()
	if err := s.DB.ProgressSource(ctx, r.AccountID, source.ID, args.Run, false, "", now); err != nil {
		return missing(err, nil)
	}
	// One part is at work at a time: what is claimed was claimed by one that died.
	if err := s.DB.ReleasePages(ctx, r.AccountID, source.ID, now); err != nil {
		return err
	}
	if !source.Discovered {
		if err := s.discover(ctx, source, args.Asked); err != nil {
			return s.failed(ctx, r, source, err)
		}
	}
	return s.workThrough(ctx, source, args)
}

// failed ends an ingestion whose listing failed for good; other errors make the part be tried again.
func (s *Service) failed(ctx context.Context, r job.Run, source db.Source, err error) error {
	if errors.Is(err, db.ErrNotFound) {
		return nil // the source was removed, or another ingestion began
	}
	if ctx.Err() != nil || (retryable(err) && r.Attempt < listAttempts) {
		return err
	}
	s.Log.Info("a source could not be listed", "account", source.AccountID, "source", source.ID, "error", err)
	return s.endAs(ctx, source, db.SourceFailed, reason(err))
}

// discover lists the pages of a source and removes those that are gone.
func (s *Service) discover(ctx context.Context, source db.Source, asked bool) error {
	d := &discovery{service: s, source: source, asked: asked}
	ctx, cancel := context.WithTimeout(ctx, discoverTime)
	defer cancel()
	if err := s.Crawler.Discover(ctx, source.URL, crawl.Limits{Pages: s.pagesMax()}, func(l crawl.Link) error { return d.found(ctx, l) }); err != nil {
		return err
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	if d.count == 0 {
		return fault.New(fault.Invalid, "No pages were found there.")
	}
	if source.RemoveMissingPages {
		if err := s.removePages(ctx, source.AccountID, source.ID, source.Run); err != nil {
			return err
		}
	}
	note := ""
	if d.count >= s.pagesMax() {
		note = fmt.Sprintf("Only the first %d pages are taken.", s.pagesMax())
	}
	return s.DB.ProgressSource(ctx, source.AccountID, source.ID, source.Run, true, note, s.Now())
}

// discovery collects what a listing finds.
type discovery struct {
	service *Service
	source  db.Source
	asked   bool
	seen    []db.SeenPage
	count   int
}

func (d *discovery) found(ctx context.Context, l crawl.Link) error {
	if l.URL == "" || len(l.URL) > urlBytesMax || d.count >= d.service.pagesMax() {
		return nil
	}
	page := db.SeenPage{ID: id.New(id.Page), Number: id.Number(), URL: l.URL}
	if !l.LastModified.IsZero() && !d.asked {
		page.Modified = &l.LastModified
	}
	d.seen = append(d.seen, page)
	d.count++
	if l.Page == nil && len(d.seen) < seenBatch {
		return nil
	}
	if err := d.flush(ctx); err != nil {
		return err
	}
	if l.Page == nil {
		return nil
	}
	return d.service.workOn(ctx, d.source, l)
}

func (d *discovery) flush(ctx context.Context) error {
	if len(d.seen) == 0 {
		return nil
	}
	set := d.source
	err := d.service.DB.SeePages(ctx, set, d.seen, set.CreateNewPages || set.Run == 1, set.RefreshExistingPages != RefreshNever,
		set.RefreshExistingPages == RefreshAlways, d.service.Now())
	d.seen = nil
	return err
}

// workOn works on a page that the listing had to fetch anyway.
func (s *Service) workOn(ctx context.Context, source db.Source, l crawl.Link) error {
	p, err := s.DB.PageByURL(ctx, source.AccountID, source.ID, l.URL)
	if err == nil {
		now := s.Now()
		p, err = s.DB.ClaimPage(ctx, source.AccountID, p.ID, now, now.Add(pageLease), false)
	}
	if errors.Is(err, db.ErrNotFound) {
		return nil // not taken in, not changed, or somebody is on it
	}
	if err != nil {
		return err
	}
	return s.work(ctx, source, p, l.Page)
}

// workThrough works on due pages until there are none, or the part's time is
// over; then another part follows, or the ingestion ends.
func (s *Service) workThrough(ctx context.Context, source db.Source, args refreshArgs) error {
	until := s.Now().Add(partTime)
	for now := s.Now(); now.Before(until); now = s.Now() {
		pages, err := s.DB.ClaimPages(ctx, source.AccountID, source.ID, now, now.Add(pageLease), parallel)
		if err != nil {
			return err
		}
		if len(pages) == 0 {
			break
		}
		if err := s.workAll(ctx, source, pages); err != nil {
			return err
		}
	}
	due, err := s.DB.NextPageDue(ctx, source.AccountID, source.ID)
	if err != nil {
		return err
	}
	if due == nil {
		return s.end(ctx, source)
	}
	args.Part++
	return s.enqueuePart(ctx, s.DB.Queries, source.AccountID, args, *due)
}

func (s *Service) workAll(ctx context.Context, source db.Source, pages []db.Page) error {
	errs := make([]error, len(pages))
	var wg sync.WaitGroup
	for i, p := range pages {
		wg.Go(func() { errs[i] = s.work(ctx, source, p, nil) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// end ends an ingestion: it has failed when no page at all could be searched.
func (s *Service) end(ctx context.Context, source db.Source) error {
	counts, err := s.DB.CountPages(ctx, source.AccountID, source.CollectionID, source.ID)
	if err != nil {
		return err
	}
	state, why := db.SourceReady, ""
	if counts.Indexed == 0 {
		state, why = db.SourceFailed, "None of its pages could be indexed."
	}
	return s.endAs(ctx, source, state, why)
}

func (s *Service) endAs(ctx context.Context, source db.Source, state, why string) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.EndRefresh(ctx, source.AccountID, source.ID, source.Run, state, why, s.Now()); err != nil {
			return err
		}
		return s.settle(ctx, q, source.AccountID, source.CollectionID)
	})
	return missing(err, nil)
}

// indexPage works on one page, for uploads and pages to be indexed anew.
func (s *Service) indexPage(ctx context.Context, r job.Run, args pageArgs) error {
	now := s.Now()
	// An earlier attempt of this job is dead, or will find its claim taken.
	p, err := s.DB.ClaimPage(ctx, r.AccountID, args.PageID, now, now.Add(pageLease), r.Attempt > 1)
	if errors.Is(err, db.ErrNotFound) {
		return nil // removed, done, or somebody is on it
	}
	if err != nil {
		return err
	}
	source, err := s.DB.Source(ctx, r.AccountID, p.SourceID)
	if err != nil {
		return missing(err, nil)
	}
	if err := s.work(ctx, source, p, nil); err != nil {
		return err
	}
	if p, err = s.DB.Page(ctx, r.AccountID, args.PageID); err == nil && p.DueAt != nil {
		return job.Retry(fault.New(fault.Unavailable, "%s", p.Reason), max(0, p.DueAt.Sub(s.Now())))
	}
	if err = missing(err, nil); err != nil {
		return err
	}
	return s.settle(ctx, s.DB.Queries, r.AccountID, source.CollectionID)
}
