package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// The kinds of sources.
const (
	SourceSite   = "site"
	SourceUpload = "upload"
)

// The states of a source.
const (
	SourceWaiting  = "waiting"  // an ingestion is to begin
	SourceRunning  = "running"  // an ingestion is under way
	SourceReady    = "ready"    // the latest ingestion has ended
	SourceFailed   = "failed"   // the latest ingestion found nothing
	SourceDeleting = "deleting" // it is being removed: nobody sees it
)

// Source is where pages of a collection come from: a site, or uploads.
type Source struct {
	AccountID            string         `db:"account_id"`
	ID                   string         `db:"source_id"`
	CollectionID         string         `db:"collection_id"`
	Number               int64          `db:"number"` // for surfaces whose ids are numbers
	Kind                 string         `db:"kind"`
	URL                  string         `db:"url"`      // of the site or its sitemap; "" for uploads
	Refresh              string         `db:"refresh"`  // never, daily, weekly, monthly or advanced
	Schedule             types.JSONText `db:"schedule"` // of advanced: an array of {days, hours}
	CreateNewPages       bool           `db:"create_new_pages"`
	RemoveMissingPages   bool           `db:"remove_missing_pages"`
	RefreshExistingPages string         `db:"refresh_existing_pages"` // never, always or if_updated
	State                string         `db:"state"`
	Reason               string         `db:"reason"`     // why it failed, for people
	Run                  int64          `db:"run"`        // which ingestion this is
	Discovered           bool           `db:"discovered"` // this ingestion has listed the pages
	RefreshedAt          *time.Time     `db:"refreshed_at"`
	NextRefreshAt        *time.Time     `db:"next_refresh_at"`
	CreatedAt            time.Time      `db:"created_at"`
	UpdatedAt            time.Time      `db:"updated_at"`
}

const sourceColumns = `account_id, source_id, collection_id, number, kind, url, refresh, schedule, create_new_pages,
	remove_missing_pages, refresh_existing_pages, state, reason, run, discovered, refreshed_at, next_refresh_at,
	created_at, updated_at`

// InsertSource stores a source in a collection that is there; otherwise it is ErrNotFound.
func (q *Queries) InsertSource(ctx context.Context, s Source) error {
	return q.execOne(ctx, `
		insert into sources (`+sourceColumns+`)
		select account_id, $2, collection_id, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 0, false, null, $13, $14, $14
		from collections
		where account_id = $1 and collection_id = $3 and not deleting
		on conflict (account_id, source_id) do update
		set updated_at = excluded.updated_at`,
		s.AccountID, s.ID, s.CollectionID, s.Number, s.Kind, s.URL, s.Refresh, s.Schedule, s.CreateNewPages,
		s.RemoveMissingPages, s.RefreshExistingPages, s.State, s.NextRefreshAt, s.CreatedAt)
}

// Source returns one source of the account.
func (q *Queries) Source(ctx context.Context, accountID, sourceID string) (Source, error) {
	var s Source
	err := q.get(ctx, &s, `
		select `+sourceColumns+`
		from sources
		where account_id = $1 and source_id = $2 and state <> 'deleting'`,
		accountID, sourceID)
	return s, err
}

// SourceByNumber returns one source of a collection by its number.
func (q *Queries) SourceByNumber(ctx context.Context, accountID, collectionID string, number int64) (Source, error) {
	var s Source
	err := q.get(ctx, &s, `
		select `+sourceColumns+`
		from sources
		where account_id = $1 and number = $2 and collection_id = $3 and state <> 'deleting'`,
		accountID, number, collectionID)
	return s, err
}

// Sources lists the sources of a collection, the oldest first.
func (q *Queries) Sources(ctx context.Context, accountID, collectionID string) ([]Source, error) {
	found := []Source{}
	err := q.list(ctx, &found, `
		select `+sourceColumns+`
		from sources
		where account_id = $1 and collection_id = $2 and state <> 'deleting'
		order by source_id`,
		accountID, collectionID)
	return found, err
}

// UpdateSource stores how and when a source is refreshed.
func (q *Queries) UpdateSource(ctx context.Context, s Source) error {
	return q.execOne(ctx, `
		update sources
		set refresh = $3, schedule = $4, create_new_pages = $5, remove_missing_pages = $6, refresh_existing_pages = $7,
			next_refresh_at = $8, updated_at = $9
		where account_id = $1 and source_id = $2 and state <> 'deleting'`,
		s.AccountID, s.ID, s.Refresh, s.Schedule, s.CreateNewPages, s.RemoveMissingPages, s.RefreshExistingPages,
		s.NextRefreshAt, s.UpdatedAt)
}

// BeginRefresh begins the ingestion numbered run of a source, whose latest one has ended;
// while it has not, or when another one began it, it is ErrNotFound.
func (q *Queries) BeginRefresh(ctx context.Context, accountID, sourceID string, run int64, next *time.Time, now time.Time) error {
	return q.execOne(ctx, `
		update sources
		set state = 'waiting', reason = '', run = $3, discovered = false, next_refresh_at = $4, updated_at = $5
		where account_id = $1 and source_id = $2 and state in ('ready', 'failed') and run = $3 - 1`,
		accountID, sourceID, run, next, now)
}

// ProgressSource notes that an ingestion of a source is at work, and that it
// has listed the pages. One that is not the present ingestion is ErrNotFound.
func (q *Queries) ProgressSource(ctx context.Context, accountID, sourceID string, run int64, discovered bool, reason string, now time.Time) error {
	return q.execOne(ctx, `
		update sources
		set state = 'running', discovered = discovered or $4, reason = case when $5::text = '' then reason else $5 end, updated_at = $6
		where account_id = $1 and source_id = $2 and run = $3 and state in ('waiting', 'running')`,
		accountID, sourceID, run, discovered, reason, now)
}

// EndRefresh ends an ingestion: state SourceReady or SourceFailed. One that is
// not the present ingestion, or has ended, is ErrNotFound.
func (q *Queries) EndRefresh(ctx context.Context, accountID, sourceID string, run int64, state, reason string, now time.Time) error {
	return q.execOne(ctx, `
		update sources
		set state = $4, reason = case when $5::text = '' then reason else $5 end, refreshed_at = $6, updated_at = $6
		where account_id = $1 and source_id = $2 and run = $3 and state in ('waiting', 'running')`,
		accountID, sourceID, run, state, reason, now)
}

// DueSources returns sources whose time to be refreshed has come. It crosses
// accounts: it is the server's clockwork.
func (q *Queries) DueSources(ctx context.Context, now time.Time, limit int) ([]Source, error) {
	found := []Source{}
	err := q.list(ctx, &found, `
		select `+sourceColumns+`
		from sources
		where next_refresh_at <= $1 and state in ('ready', 'failed')
		order by next_refresh_at
		limit $2`,
		now, limit)
	return found, err
}

// HideSource makes a source that is to be removed invisible, with its pages.
func (q *Queries) HideSource(ctx context.Context, accountID, sourceID string) error {
	return q.execOne(ctx, `
		update sources
		set state = 'deleting', next_refresh_at = null
		where account_id = $1 and source_id = $2 and state <> 'deleting'`,
		accountID, sourceID)
}

// HiddenSources returns the sources of a collection that are to be removed.
func (q *Queries) HiddenSources(ctx context.Context, accountID, collectionID string) ([]string, error) {
	ids := []string{}
	err := q.list(ctx, &ids, `
		select source_id
		from sources
		where account_id = $1 and collection_id = $2 and state = 'deleting'`,
		accountID, collectionID)
	return ids, err
}

// DeleteSource removes a hidden source.
func (q *Queries) DeleteSource(ctx context.Context, accountID, sourceID string) error {
	_, err := q.exec(ctx, `
		delete from sources
		where account_id = $1 and source_id = $2 and state = 'deleting'`,
		accountID, sourceID)
	return err
}
