package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/jmoiron/sqlx/types"
	"github.com/lib/pq"
)

// What became of a page, for its crawling and its indexing.
const (
	PageQueued  = "queued"
	PageOK      = "ok"
	PageFailed  = "failed"
	PageNone    = "n/a"     // it is not to be done
	PageLimited = "limited" // a ceiling stands against it
)

// Page is one document of a source: a page of a site, or an uploaded file.
type Page struct {
	AccountID    string         `db:"account_id"`
	ID           string         `db:"page_id"`
	CollectionID string         `db:"collection_id"`
	SourceID     string         `db:"source_id"`
	Number       int64          `db:"number"` // for surfaces whose ids are numbers
	URL          string         `db:"url"`    // of an upload the name under which it is kept
	IsFile       bool           `db:"is_file"`
	FileName     string         `db:"file_name"`
	FileBytes    int64          `db:"file_bytes"`
	FileType     string         `db:"file_type"` // the declared content type
	FileKept     bool           `db:"file_kept"` // the file stays after it was indexed
	Title        string         `db:"title"`     // as extracted, like Description and Image
	Description  string         `db:"description"`
	Image        string         `db:"image"`
	Metadata     types.JSONText `db:"metadata"` // what people set instead: any of title, url, description, image
	CrawlState   string         `db:"crawl_state"`
	IndexState   string         `db:"index_state"`
	Reason       string         `db:"reason"` // why it is failed, n/a or limited; for people
	HTTPStatus   *int           `db:"http_status"`
	ETag         string         `db:"etag"`
	LastModified string         `db:"last_modified"`
	Digest       string         `db:"content_digest"` // of the extracted text
	Chunks       int            `db:"chunks"`
	Words        int64          `db:"words"`
	Run          int64          `db:"run"`     // the ingestion that saw it last
	Attempt      int            `db:"attempt"` // the number of its latest claim
	Tries        int            `db:"tries"`   // claims since it was queued
	DueAt        *time.Time     `db:"due_at"`  // when it may be claimed; nil when there is nothing to do
	CrawledAt    *time.Time     `db:"crawled_at"`
	IndexedAt    *time.Time     `db:"indexed_at"`
	CreatedAt    time.Time      `db:"created_at"`
	UpdatedAt    time.Time      `db:"updated_at"`
}

const pageColumns = `account_id, page_id, collection_id, source_id, number, url, is_file, file_name, file_bytes, file_type,
	file_kept, title, description, image, metadata, crawl_state, index_state, reason, http_status, etag, last_modified,
	content_digest, chunks, words, run, attempt, tries, due_at, crawled_at, indexed_at, created_at, updated_at`

// InsertPage stores a page of a source that is there; otherwise it is ErrNotFound.
func (q *Queries) InsertPage(ctx context.Context, p Page) error {
	return q.execOne(ctx, `
		insert into pages (account_id, page_id, collection_id, source_id, number, url, is_file, file_name, file_bytes,
			file_type, file_kept, crawl_state, index_state, reason, run, due_at, created_at, updated_at)
		select account_id, $2, collection_id, source_id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $16
		from sources
		where account_id = $1 and source_id = $3 and state <> 'deleting'
		on conflict (account_id, page_id) do update
		set updated_at = excluded.updated_at`,
		p.AccountID, p.ID, p.SourceID, p.Number, p.URL, p.IsFile, p.FileName, p.FileBytes, p.FileType, p.FileKept,
		p.CrawlState, p.IndexState, p.Reason, p.Run, p.DueAt, p.CreatedAt)
}

// SeenPage is a page that an ingestion came across. ID and Number are for the case that it is new.
type SeenPage struct {
	ID       string
	Number   int64
	URL      string
	Modified *time.Time // as the site says; nil when it does not
}

// SeePages notes that an ingestion of a source came across pages, each once, and queues those that
// are new, that failed, or that may have changed: with always all of them, without
// their validators; otherwise those not known to be older than the latest look at
// them. With create false, unknown pages are left out; with refresh false, indexed ones are left as they are.
func (q *Queries) SeePages(ctx context.Context, s Source, pages []SeenPage, create, refresh, always bool, now time.Time) error {
	ids, numbers, urls, modified := make([]string, len(pages)), make([]int64, len(pages)), make([]string, len(pages)), make([]sql.NullTime, len(pages))
	for i, p := range pages {
		ids[i], numbers[i], urls[i] = p.ID, p.Number, p.URL
		if p.Modified != nil {
			modified[i] = sql.NullTime{Time: p.Modified.UTC(), Valid: true}
		}
	}
	_, err := q.exec(ctx, `
		with seen as (
			select * from unnest($4::text[], $5::bigint[], $6::text[], $7::timestamptz[]) as t (page_id, number, url, modified)
		), known as (
			update pages p
			set run = $3, updated_at = $11,
				attempt = case when stale then p.attempt + 1 else p.attempt end,
				tries = case when stale then 0 else p.tries end,
				due_at = case when stale then $11 else p.due_at end,
				crawl_state = case when stale then 'queued' else p.crawl_state end,
				index_state = case when stale and p.index_state <> 'ok' then 'queued' else p.index_state end,
				etag = case when $10 then '' else p.etag end,
				last_modified = case when $10 then '' else p.last_modified end
			from (
				select k.page_id, k.index_state <> 'ok' or ($9 and ($10 or seen.modified is null or k.crawled_at is null
					or seen.modified > k.crawled_at - interval '1 day')) as stale
				from seen
				join pages k on k.account_id = $1 and k.source_id = $2 and k.url = seen.url
				where k.run < $3
				order by k.page_id
				for update of k
			) old
			where p.account_id = $1 and p.page_id = old.page_id
		)
		insert into pages (account_id, page_id, collection_id, source_id, number, url, is_file, crawl_state, index_state,
			run, due_at, created_at, updated_at)
		select $1, page_id, $12, $2, number, url, false, 'queued', 'queued', $3, $11, $11, $11
		from seen
		where $8 and exists (select 1 from sources where account_id = $1 and source_id = $2 and run = $3 and state <> 'deleting')
		on conflict (account_id, source_id, url) do nothing`,
		s.AccountID, s.ID, s.Run, pq.Array(ids), pq.Array(numbers), pq.Array(urls), pq.Array(modified), create, refresh,
		always, now, s.CollectionID)
	return err
}

// Page returns one page of the account.
func (q *Queries) Page(ctx context.Context, accountID, pageID string) (Page, error) {
	var p Page
	err := q.get(ctx, &p, `
		select `+pageColumns+`
		from pages p
		where account_id = $1 and page_id = $2 and `+notHidden,
		accountID, pageID)
	return p, err
}

const notHidden = `not exists (
	select 1 from sources s where s.account_id = p.account_id and s.source_id = p.source_id and s.state = 'deleting')`

// PageByNumber returns one page of a collection by its number.
func (q *Queries) PageByNumber(ctx context.Context, accountID, collectionID string, number int64) (Page, error) {
	var p Page
	err := q.get(ctx, &p, `
		select `+pageColumns+`
		from pages p
		where account_id = $1 and number = $2 and collection_id = $3 and `+notHidden,
		accountID, number, collectionID)
	return p, err
}

// PageByURL returns the page of a source at a URL.
func (q *Queries) PageByURL(ctx context.Context, accountID, sourceID, url string) (Page, error) {
	var p Page
	err := q.get(ctx, &p, `
		select `+pageColumns+`
		from pages
		where account_id = $1 and source_id = $2 and url = $3`,
		accountID, sourceID, url)
	return p, err
}

// PageFilter picks pages of a collection. Empty fields pick all.
type PageFilter struct {
	CollectionID string
	SourceID     string
	CrawlState   string
	IndexState   string
	Oldest       bool // the oldest first; otherwise the newest
	Offset       int
	Limit        int
}

const pagesPicked = `account_id = $1 and collection_id = $2 and ($3 = '' or source_id = $3) and ($4 = '' or crawl_state = $4)
	and ($5 = '' or index_state = $5) and ` + notHidden

// Pages lists pages in the order of their making.
func (q *Queries) Pages(ctx context.Context, accountID string, f PageFilter) ([]Page, error) {
	order := "desc"
	if f.Oldest {
		order = "asc"
	}
	found := []Page{}
	err := q.list(ctx, &found, `
		select `+pageColumns+`
		from pages p
		where `+pagesPicked+`
		order by page_id `+order+`
		offset $6 limit $7`,
		accountID, f.CollectionID, f.SourceID, f.CrawlState, f.IndexState, f.Offset, f.Limit)
	return found, err
}

// PagesTotal is how many pages a filter picks on all its sheets.
func (q *Queries) PagesTotal(ctx context.Context, accountID string, f PageFilter) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from pages p
		where `+pagesPicked,
		accountID, f.CollectionID, f.SourceID, f.CrawlState, f.IndexState)
	return n, err
}

// SetPageMetadata stores what people say of a page, as a JSON object.
func (q *Queries) SetPageMetadata(ctx context.Context, accountID, pageID string, metadata types.JSONText, now time.Time) error {
	return q.execOne(ctx, `
		update pages
		set metadata = $3, updated_at = $4
		where account_id = $1 and page_id = $2`,
		accountID, pageID, metadata, now)
}

// QueuePage makes a page come due, as if it had never been looked at: without
// validators and digest. Who works on it at the moment can store nothing any more.
func (q *Queries) QueuePage(ctx context.Context, accountID, pageID string, now time.Time) error {
	return q.execOne(ctx, `
		update pages
		set crawl_state = 'queued', index_state = case when index_state = 'ok' then 'ok' else 'queued' end, reason = '',
			etag = '', last_modified = '', content_digest = '', attempt = attempt + 1, tries = 0, due_at = $3, updated_at = $3
		where account_id = $1 and page_id = $2`,
		accountID, pageID, now)
}

// ClaimPages gives the caller due pages of a source until a time. Each carries the number of its claim.
// A claim whose reply is lost comes due again.
func (q *Queries) ClaimPages(ctx context.Context, accountID, sourceID string, now, until time.Time, limit int) ([]Page, error) {
	pages := []Page{}
	err := q.list(ctx, &pages, `
		with due as materialized ( -- once: a subquery that is run again claims more than the limit
			select page_id
			from pages
			where account_id = $1 and source_id = $2 and due_at <= $3
			order by due_at, page_id
			limit $5
			for update skip locked
		)
		update pages
		set attempt = attempt + 1, tries = tries + 1, due_at = $4
		where account_id = $1 and source_id = $2 and page_id in (select page_id from due)
		returning `+pageColumns,
		accountID, sourceID, now, until, limit)
	return pages, err
}

// ClaimPage gives the caller one due page until a time, with force also one that somebody else has
// claimed; ErrNotFound when nothing is to be done about it or it is not there.
func (q *Queries) ClaimPage(ctx context.Context, accountID, pageID string, now, until time.Time, force bool) (Page, error) {
	var p Page
	err := q.get(ctx, &p, `
		update pages
		set attempt = attempt + 1, tries = tries + 1, due_at = $4
		where account_id = $1 and page_id = $2 and (due_at <= $3 or $5)
			and due_at is not null
		returning `+pageColumns,
		accountID, pageID, now, until, force)
	return p, err
}

// ReleasePages makes the claimed pages of a source come due at once: whoever claimed them is known to be gone.
func (q *Queries) ReleasePages(ctx context.Context, accountID, sourceID string, now time.Time) error {
	_, err := q.exec(ctx, `
		update pages
		set due_at = $3
		where account_id = $1 and source_id = $2 and tries > 0 and due_at > $3 and reason = ''`,
		accountID, sourceID, now)
	return err
}

// NextPageDue is when the next page of a source comes due; nil when none will.
func (q *Queries) NextPageDue(ctx context.Context, accountID, sourceID string) (*time.Time, error) {
	var at *time.Time
	err := q.get(ctx, &at, `
		select min(due_at)
		from pages
		where account_id = $1 and source_id = $2`,
		accountID, sourceID)
	return at, err
}

// FinishPage stores what a claim of a page led to. A claim that is not the
// latest any more is ErrNotFound and changes nothing.
func (q *Queries) FinishPage(ctx context.Context, p Page) error {
	return q.execOne(ctx, `
		update pages
		set title = $4, description = $5, image = $6, crawl_state = $7, index_state = $8, reason = $9, http_status = $10,
			etag = $11, last_modified = $12, content_digest = $13, chunks = $14, words = $15, due_at = $16,
			crawled_at = $17, indexed_at = $18, updated_at = $19, file_bytes = $20
		where account_id = $1 and page_id = $2 and attempt = $3`,
		p.AccountID, p.ID, p.Attempt, p.Title, p.Description, p.Image, p.CrawlState, p.IndexState, p.Reason, p.HTTPStatus,
		p.ETag, p.LastModified, p.Digest, p.Chunks, p.Words, p.DueAt, p.CrawledAt, p.IndexedAt, p.UpdatedAt, p.FileBytes)
}

// DeletePages removes pages of a source with their chunks.
func (q *Queries) DeletePages(ctx context.Context, accountID, sourceID string, pageIDs []string) error {
	_, err := q.exec(ctx, `
		delete from pages
		where account_id = $1 and source_id = $2 and page_id = any($3)`,
		accountID, sourceID, pq.Array(pageIDs))
	return err
}

// PageRef is a page and whether it may have a file.
type PageRef struct {
	ID     string `db:"page_id"`
	IsFile bool   `db:"is_file"`
}

// PagesToDelete returns pages of a source that no ingestion since beforeRun saw, at most limit.
func (q *Queries) PagesToDelete(ctx context.Context, accountID, sourceID string, beforeRun int64, limit int) ([]PageRef, error) {
	refs := []PageRef{}
	err := q.list(ctx, &refs, `
		select page_id, is_file
		from pages
		where account_id = $1 and source_id = $2 and run < $3
		order by page_id
		limit $4`,
		accountID, sourceID, beforeRun, limit)
	return refs, err
}
