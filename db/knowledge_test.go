package db_test

import (
	"context"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
)

// knowledgeNumber is the number of the tenant's source and page: numbers are each account's own.
const knowledgeNumber = 4711

// storeKnowledge gives the tenant a collection with a source, a page and a chunk.
func (n tenant) storeKnowledge(t testing.TB, d *db.DB) {
	t.Helper()
	for _, store := range []func(context.Context) error{
		func(ctx context.Context) error {
			return d.InsertCollection(ctx, db.Collection{AccountID: n.account, ID: n.collection, Name: "c", CreatedAt: now()})
		},
		func(ctx context.Context) error {
			return d.LinkCollection(ctx, n.account, db.HolderAgent, n.agent, n.collection)
		},
		func(ctx context.Context) error { return d.InsertSource(ctx, n.sourceRow()) },
		func(ctx context.Context) error { return d.InsertPage(ctx, n.pageRow()) },
		func(ctx context.Context) error {
			return d.ReplaceChunks(ctx, n.pageRow(), []db.Chunk{{Body: "canary", Words: "canary", Language: "english"}})
		},
	} {
		if err := store(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (n tenant) sourceRow() db.Source {
	return db.Source{AccountID: n.account, ID: n.source, CollectionID: n.collection, Number: knowledgeNumber, Kind: db.SourceSite, URL: "u",
		Refresh: "never", Schedule: []byte("[]"), RefreshExistingPages: "never", State: db.SourceReady, CreatedAt: now(), UpdatedAt: now()}
}

func (n tenant) pageRow() db.Page {
	due := now().Add(-time.Minute)
	return db.Page{AccountID: n.account, ID: n.page, CollectionID: n.collection, SourceID: n.source, Number: knowledgeNumber, URL: "u", IsFile: true,
		CrawlState: db.PageQueued, IndexState: db.PageQueued, Metadata: []byte("{}"), DueAt: &due, CreatedAt: now(), UpdatedAt: now()}
}

func (n tenant) knowledgeCalls() []call {
	until := now().Add(time.Hour)
	source := func(a string) db.Source { s := n.sourceRow(); s.AccountID, s.Run = a, 1; return s }
	page := func(a string) db.Page { p := n.pageRow(); p.AccountID, p.Title = a, "changed"; return p }
	filter := db.PageFilter{CollectionID: n.collection, Limit: 10}
	return []call{
		{"Collection", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Collection(ctx, a, n.collection) }},
		{"Collections", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Collections(ctx, a, "", 10) }},
		{"LockCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.LockCollection(ctx, a, n.collection))
		}},
		{"LinkCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.LinkCollection(ctx, a, db.HolderApp, n.app, n.collection))
		}},
		{"MarkHolder", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.MarkHolder(ctx, a, db.HolderAgent, n.agent))
		}},
		{"Files", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Files(ctx, a, n.collection, "", 0, 10)
		}},
		{"HeldCollections", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.HeldCollections(ctx, a, n.agent, n.app)
		}},
		{"RenameCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.RenameCollection(ctx, a, n.collection, "changed"))
		}},
		{"ReadyCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.ReadyCollection(ctx, a, n.collection, now()))
		}},
		{"CountPages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.CountPages(ctx, a, n.collection, "")
		}},
		{"CountTerms", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.CountTerms(ctx, a, n.collection, now()))
		}},
		{"QuestionTerms", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.QuestionTerms(ctx, a, n.collection, []string{"canary"})
		}},
		{"MatchChunks", func(ctx context.Context, d *db.DB, a string) (any, error) {
			terms, err := d.QuestionTerms(ctx, n.account, n.collection, []string{"canary"})
			if err != nil {
				return nil, err
			}
			word := db.Quoted(terms[0].Term, false)
			return d.MatchChunks(ctx, a, n.collection, db.ChunkQuery{Match: word, Rank: word, Terms: []string{word}, Cap: 10, Top: 10}, "model")
		}},
		{"Passages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Passages(ctx, a, []db.ChunkRef{{PageID: n.page, Seq: 1}})
		}},
		{"Source", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Source(ctx, a, n.source) }},
		{"SourceByNumber", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.SourceByNumber(ctx, a, n.collection, knowledgeNumber)
		}},
		{"Sources", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Sources(ctx, a, n.collection) }},
		{"HiddenSources", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.HiddenSources(ctx, a, n.collection)
		}},
		{"UpdateSource", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.UpdateSource(ctx, source(a))) }},
		{"BeginRefresh", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.BeginRefresh(ctx, a, n.source, 1, nil, now()))
		}},
		{"ProgressSource", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.ProgressSource(ctx, a, n.source, 0, true, "r", now()))
		}},
		{"EndRefresh", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EndRefresh(ctx, a, n.source, 0, db.SourceFailed, "r", now()))
		}},
		{"SeePages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.SeePages(ctx, source(a), []db.SeenPage{{ID: unique("page_"), Number: 1, URL: "u"}}, true, true, true, now()))
		}},
		{"Page", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Page(ctx, a, n.page) }},
		{"PageByNumber", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.PageByNumber(ctx, a, n.collection, knowledgeNumber)
		}},
		{"PageByURL", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.PageByURL(ctx, a, n.source, "u") }},
		{"Pages", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Pages(ctx, a, filter) }},
		{"PagesTotal", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.PagesTotal(ctx, a, filter) }},
		{"SetPageMetadata", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.SetPageMetadata(ctx, a, n.page, []byte(`{"title": "changed"}`), now()))
		}},
		{"QueuePage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.QueuePage(ctx, a, n.page, now()))
		}},
		{"ClaimPages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ClaimPages(ctx, a, n.source, now(), until, 10)
		}},
		{"ClaimPage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ClaimPage(ctx, a, n.page, now(), until, true)
		}},
		{"ReleasePages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.ReleasePages(ctx, a, n.source, now()))
		}},
		{"NextPageDue", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.NextPageDue(ctx, a, n.source) }},
		{"FinishPage", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.FinishPage(ctx, page(a))) }},
		{"PagesToDelete", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.PagesToDelete(ctx, a, n.source, 9, 10)
		}},
		{"UnlinkCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UnlinkCollection(ctx, a, db.HolderAgent, n.agent, n.collection))
		}},
		{"HideSource", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.HideSource(ctx, a, n.source)) }},
		{"HideCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.HideCollection(ctx, a, n.collection))
		}},
		{"DeletePages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeletePages(ctx, a, n.source, []string{n.page}))
		}},
		{"DeleteSource", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteSource(ctx, a, n.source))
		}},
		{"DeleteCollection", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteCollection(ctx, a, n.collection))
		}},
		{"InsertSource", func(ctx context.Context, d *db.DB, a string) (any, error) {
			s := source(a)
			s.ID = unique("src_")
			return did(d.InsertSource(ctx, s))
		}},
		{"InsertPage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			p := page(a)
			p.ID = unique("page_")
			return did(d.InsertPage(ctx, p))
		}},
	}
}

// knowledgeApart are the methods about knowledge that no account could abuse, with the reason.
var knowledgeApart = map[string]string{
	"DueSources": "the server's clockwork over all accounts",
	"UseVectors": "schema", "HasVectors": "no rows", "EmbeddedCollections": "for the start that makes the table of vectors",
	"NearChunks": "needs pgvector: pgvector_test.go of package knowledge", "SyncVectors": "the same", "IndexVectors": "the same",
	"InsertCollection": "makes a row of the account",
	"ReplaceChunks":    "follows FinishPage in one transaction; a page of another account breaks its foreign key",
}

// A write whose reply was lost is repeated by the driver, and must change nothing the second time.
func TestSeeingPagesTwiceIsSeeingThemOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	n := newTenant(t, d)
	s := n.sourceRow()
	if err := d.BeginRefresh(t.Context(), n.account, n.source, 1, nil, now()); err != nil {
		t.Fatal(err)
	}
	s.Run = 1
	seen := []db.SeenPage{{ID: unique("page_"), Number: 1, URL: "u"}, {ID: unique("page_"), Number: 2, URL: "new"}}
	at := now()
	for range 2 {
		if err := d.SeePages(t.Context(), s, seen, true, true, false, at); err != nil {
			t.Fatal(err)
		}
	}
	pages, err := d.Pages(t.Context(), n.account, db.PageFilter{CollectionID: n.collection, Limit: 10, Oldest: true})
	if err != nil || len(pages) != 2 {
		t.Fatalf("pages %+v, %v", pages, err)
	}
	for _, p := range pages {
		if p.Run != 1 || p.Attempt > 1 {
			t.Errorf("page %+v", p)
		}
	}
}
