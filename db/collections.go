package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// The holders of collections: who answers from them.
const (
	HolderAgent = "agent"
	HolderApp   = "app"
)

// Collection is a body of knowledge: sources with their pages.
type Collection struct {
	AccountID     string         `db:"account_id"`
	ID            string         `db:"collection_id"`
	Name          string         `db:"name"`
	ReadyAt       *time.Time     `db:"ready_at"`       // when the first ingestion of all its sources had ended with a page indexed
	Languages     pq.StringArray `db:"languages"`      // text search configurations of its chunks
	CountedChunks int64          `db:"counted_chunks"` // how many it had when its words were last counted
	CountedAt     *time.Time     `db:"counted_at"`
	CreatedAt     time.Time      `db:"created_at"`
}

const collectionColumns = `account_id, collection_id, name, ready_at, languages, counted_chunks, counted_at, created_at`

// InsertCollection stores an empty collection.
func (q *Queries) InsertCollection(ctx context.Context, c Collection) error {
	_, err := q.exec(ctx, `
		insert into collections (account_id, collection_id, name, created_at)
		values ($1, $2, $3, $4)
		on conflict (account_id, collection_id) do nothing`,
		c.AccountID, c.ID, c.Name, c.CreatedAt)
	return err
}

// Collection returns one collection of the account.
func (q *Queries) Collection(ctx context.Context, accountID, collectionID string) (Collection, error) {
	var c Collection
	err := q.get(ctx, &c, `
		select `+collectionColumns+`
		from collections
		where account_id = $1 and collection_id = $2 and not deleting`,
		accountID, collectionID)
	return c, err
}

// Collections lists collections, the newest first, from before an id; "" starts with the newest.
func (q *Queries) Collections(ctx context.Context, accountID, beforeID string, limit int) ([]Collection, error) {
	found := []Collection{}
	err := q.list(ctx, &found, `
		select `+collectionColumns+`
		from collections
		where account_id = $1 and not deleting and `+ifGiven(beforeID, "collection_id < $3")+`
		order by collection_id desc
		limit $2`,
		accountID, limit, beforeID)
	return found, err
}

// RenameCollection gives a collection another name.
func (q *Queries) RenameCollection(ctx context.Context, accountID, collectionID, name string) error {
	return q.execOne(ctx, `
		update collections
		set name = $3
		where account_id = $1 and collection_id = $2 and not deleting`,
		accountID, collectionID, name)
}

// LockCollection keeps a collection as it is until the transaction ends.
func (q *Queries) LockCollection(ctx context.Context, accountID, collectionID string) error {
	var locked string
	return q.get(ctx, &locked, `
		select collection_id
		from collections
		where account_id = $1 and collection_id = $2 and not deleting
		for update`,
		accountID, collectionID)
}

// HideCollection makes a collection that is to be removed invisible, with its sources.
func (q *Queries) HideCollection(ctx context.Context, accountID, collectionID string) error {
	return q.execOne(ctx, `
		with hidden as (
			update sources
			set state = 'deleting', next_refresh_at = null
			where account_id = $1 and collection_id = $2
		), unlinked as (
			delete from collection_links
			where account_id = $1 and collection_id = $2
		)
		update collections
		set deleting = true
		where account_id = $1 and collection_id = $2 and not deleting`,
		accountID, collectionID)
}

// DeleteCollection removes a hidden collection with what is left below it.
func (q *Queries) DeleteCollection(ctx context.Context, accountID, collectionID string) error {
	_, err := q.exec(ctx, `
		delete from collections
		where account_id = $1 and collection_id = $2 and deleting`,
		accountID, collectionID)
	return err
}

// LinkCollection lets a holder (HolderAgent, HolderApp) answer from a collection.
// A collection that is not there is ErrNotFound.
func (q *Queries) LinkCollection(ctx context.Context, accountID, kind, holderID, collectionID string) error {
	return q.execOne(ctx, `
		insert into collection_links (account_id, holder_kind, holder_id, collection_id)
		select account_id, $3, $4, collection_id
		from collections
		where account_id = $1 and collection_id = $2 and not deleting
		on conflict (account_id, holder_kind, holder_id, collection_id) do update
		set holder_id = excluded.holder_id`,
		accountID, collectionID, kind, holderID)
}

// UnlinkCollection takes a collection away from a holder.
func (q *Queries) UnlinkCollection(ctx context.Context, accountID, kind, holderID, collectionID string) error {
	_, err := q.exec(ctx, `
		delete from collection_links
		where account_id = $1 and holder_kind = $2 and holder_id = $3 and collection_id = $4`,
		accountID, kind, holderID, collectionID)
	return err
}

// ReadyCollection notes that a collection can answer, once none of its sources
// is being ingested for the first time and a page of it is indexed.
func (q *Queries) ReadyCollection(ctx context.Context, accountID, collectionID string, now time.Time) error {
	_, err := q.exec(ctx, `
		update collections c
		set ready_at = $3
		where account_id = $1 and collection_id = $2 and ready_at is null and not deleting
			and not exists (
				select 1 from sources s
				where s.account_id = $1 and s.collection_id = $2 and s.refreshed_at is null and s.state in ('waiting', 'running'))
			and not exists (
				select 1 from pages p
				where p.account_id = $1 and p.collection_id = $2 and p.is_file and p.index_state = 'queued' and p.indexed_at is null)
			and exists (
				select 1 from pages p
				where p.account_id = $1 and p.collection_id = $2 and p.index_state = 'ok')`,
		accountID, collectionID, now)
	return err
}

// PageCounts are the pages of a collection or source by what became of them.
type PageCounts struct {
	Found   int64 `db:"found"`
	Crawled int64 `db:"crawled"`
	Indexed int64 `db:"indexed"`
	Queued  int64 `db:"queued"` // fetched or to be fetched, and not yet searched
	Failed  int64 `db:"failed"`
	Limited int64 `db:"limited"` // beyond a ceiling
	Words   int64 `db:"words"`   // indexed
	Bytes   int64 `db:"bytes"`   // of the uploaded files
}

// CountPages counts the pages of a collection, of one source unless sourceID is "".
func (q *Queries) CountPages(ctx context.Context, accountID, collectionID, sourceID string) (PageCounts, error) {
	var c PageCounts
	err := q.get(ctx, &c, `
		select count(*) as found, count(*) filter (where crawl_state = 'ok') as crawled,
			count(*) filter (where index_state = 'ok') as indexed, count(*) filter (where index_state = 'queued') as queued,
			count(*) filter (where crawl_state = 'failed' or index_state = 'failed') as failed,
			count(*) filter (where crawl_state = 'limited' or index_state = 'limited') as limited,
			coalesce(sum(words), 0) as words, coalesce(sum(file_bytes), 0) as bytes
		from pages
		where account_id = $1 and collection_id = $2 and `+ifGiven(sourceID, "source_id = $3"),
		accountID, collectionID, sourceID)
	return c, err
}
