//go:build pgvector

package knowledge_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/knowledge"
)

// vectored is a bundle with vectors of three topics, on a database with pgvector.
func vectored(t *testing.T) (*bundle, *meaning) {
	t.Helper()
	b := ownIdle(t)
	m := &meaning{model: "meaning"}
	b.Embedder = m
	if err := b.UseVectors(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !b.db.HasVectors() {
		t.Fatal("the server under this test has no pgvector: run make pgvector")
	}
	b.start(t)
	return b, m
}

// synced waits until the vectors of a collection's chunks are those that are searched.
func (b *bundle) synced(t *testing.T, collection string, vectors int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d vectors are searched", vectors), func() bool {
		b.clock.forward(time.Second)
		return b.count(t, "select count(*) from chunk_vectors where collection_id = $1", collection) == vectors
	})
}

func TestVectorsFindWhatSharesNoWord(t *testing.T) {
	t.Parallel()
	b, m := vectored(t)
	b.site.put("https://site.test/a", "Post\nA parcel that went astray is sent again.\n\nParcels wait for a week.")
	b.site.put("https://site.test/b", "Power\nThe battery lasts a day.")
	b.addSite(t, knowledge.DefaultSettings)
	b.idle(t)
	b.synced(t, b.collection, 3)
	if found := b.search(t, "Where is my shipment?"); len(found) == 0 || found[0].Title != "Post" || slices.Contains(titles(found), "Power") {
		t.Errorf("found %v", titles(found))
	}
	if found := b.search(t, "Who was Napoleon?"); len(found) > 0 { // its vector has no direction
		t.Errorf("of nothing found %v", titles(found))
	}
	m.model = "another"
	if found := b.search(t, "Where is my shipment?"); len(found) > 0 {
		t.Errorf("by vectors of another model found %v", titles(found))
	}
	m.model = "meaning"
	near, err := b.db.NearChunks(t.Context(), b.account, b.collection, "meaning", []float32{0, 1, 0, 0}, 10)
	if err != nil || len(near) > 0 {
		t.Errorf("of another length found %v, %v", near, err)
	}
}

func TestVectorsFollowTheirChunks(t *testing.T) {
	t.Parallel()
	b, m := vectored(t)
	b.site.put("https://site.test/a", "Post\nA parcel is sent.")
	b.site.put("https://site.test/b", "Power\nThe battery lasts a day.\n\nAnother battery.")
	source := b.addSite(t, knowledge.DefaultSettings)
	b.idle(t)
	b.synced(t, b.collection, 3)
	if err := b.DeletePage(t.Context(), b.account, b.page(t, source, "https://site.test/a").ID); err != nil {
		t.Fatal(err)
	}
	b.synced(t, b.collection, 2)
	m.model = "newer"
	if _, err := b.Configure(t.Context(), b.account, source.ID, knowledge.SourceSettings{Refresh: "never", RefreshExistingPages: knowledge.RefreshAlways}); err != nil {
		t.Fatal(err)
	}
	b.sync(t, source)
	eventually(t, "the vectors are the newer model's", func() bool {
		b.clock.forward(time.Second)
		return b.count(t, "select count(*) from chunk_vectors where collection_id = $1 and model = 'newer'", b.collection) == 2
	})
	var schema db.Schema
	snapshot, err := b.db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if schema, err = snapshot.Schema(t.Context()); err != nil || slices.ContainsFunc(schema.Tables, func(s db.StoredTable) bool { return s.Name == "chunk_vectors" }) {
		t.Errorf("a backup holds the vectors twice: %v", err)
	}
	if err := snapshot.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.raw.Exec("delete from accounts where account_id = $1", b.account); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "select count(*) from chunk_vectors"); n != 0 {
		t.Errorf("%d vectors outlive their account", n)
	}
}

// What was indexed before the database had pgvector is found by its vectors, too.
func TestVectorsFromBeforeAreTakenOver(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.Embedder = &meaning{model: "meaning"}
	b.site.put("https://site.test/a", "Post\nA parcel that went astray is sent again.")
	b.addSite(t, knowledge.DefaultSettings)
	b.idle(t)
	if found := b.search(t, "Where is my shipment?"); len(found) > 0 {
		t.Errorf("without pgvector found %v", titles(found))
	}
	for range 2 { // a second server
		if err := b.UseVectors(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.synced(t, b.collection, 1)
	if found := b.search(t, "Where is my shipment?"); len(found) != 1 {
		t.Errorf("found %v", titles(found))
	}
}

// direction is another vector for each n.
func direction(n int) []float32 {
	r, v := rand.New(rand.NewPCG(uint64(n), 8)), make([]float32, 8)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

// fillVectors stores chunks without words, and their vectors, on pages of 500.
func (b *bundle) fillVectors(t *testing.T, chunks int) {
	t.Helper()
	source := db.Source{AccountID: b.account, ID: id.New(id.Source), CollectionID: b.collection, Number: id.Number(), Kind: db.SourceSite, URL: "u",
		Refresh: "never", Schedule: []byte("[]"), RefreshExistingPages: "never", State: db.SourceReady, CreatedAt: b.clock.now()}
	if err := b.db.InsertSource(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	const perPage = 500
	for done := 0; done < chunks; done += perPage {
		p := db.Page{AccountID: b.account, ID: id.New(id.Page), CollectionID: b.collection, SourceID: source.ID, Number: id.Number(),
			URL: fmt.Sprint("u/", done), CrawlState: "ok", IndexState: "ok", Metadata: []byte("{}"), Chunks: perPage, CreatedAt: b.clock.now(), UpdatedAt: b.clock.now()}
		rows := make([]db.Chunk, perPage)
		for i := range rows {
			rows[i] = db.Chunk{Body: fmt.Sprint(done + i), Language: "english", Embedding: direction(done + i), EmbeddingModel: "meaning"}
		}
		if err := b.db.InTx(t.Context(), func(q *db.Queries) error {
			if err := q.InsertPage(t.Context(), p); err != nil {
				return err
			}
			return q.ReplaceChunks(t.Context(), p, rows)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.db.SyncVectors(t.Context(), b.account, b.collection); err != nil {
		t.Fatal(err)
	}
}

// nearTo are the bodies of the chunks whose vectors are like chunk n's.
func (b *bundle) nearTo(t *testing.T, account string, n int) []string {
	t.Helper()
	found, err := b.db.NearChunks(t.Context(), account, b.collection, "meaning", direction(n), 10)
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, f := range found {
		var body string
		if err := b.raw.Get(&body, "select body from chunks where account_id = $1 and page_id = $2 and seq = $3", account, f.PageID, f.Seq); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

func TestVectorsOfLargeCollectionsHaveAnIndexOfTheirOwn(t *testing.T) {
	t.Parallel()
	b, _ := vectored(t)
	const large = 20_500
	b.fillVectors(t, large)
	exact := b.nearTo(t, b.account, 777)
	index := func() error { return b.db.IndexVectors(t.Context(), b.account, b.collection) }
	const indexes = "select count(*) from pg_index x join pg_class c on c.oid = x.indexrelid where c.relname like 'chunk\\_vectors\\_near\\_%' and x.indisvalid"
	for range 2 {
		if err := index(); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, indexes); n != 1 {
			t.Fatalf("%d indexes", n)
		}
	}
	b.must(t, "analyze chunk_vectors")
	found := b.nearTo(t, b.account, 777)
	missed := slices.DeleteFunc(slices.Clone(exact), func(body string) bool { return slices.Contains(found, body) })
	if len(found) != 10 || found[0] != "777" || len(missed) > 2 {
		t.Errorf("found %v, comparing all %v", found, exact)
	}
	eventually(t, "the index is used", func() bool {
		b.nearTo(t, b.account, 777)
		return b.count(t, "select coalesce(sum(idx_scan), 0) from pg_stat_user_indexes where indexrelname like 'chunk\\_vectors\\_near\\_%'") > 0
	})
	// A server that died while it built one leaves it invalid.
	b.must(t, "update pg_index set indisvalid = false where indexrelid in (select oid from pg_class where relname like 'chunk\\_vectors\\_near\\_%')")
	if err := index(); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, indexes); n != 1 {
		t.Errorf("%d indexes after one that was not finished", n)
	}
	stranger := dbtest.Account(t, b.db, "free", 0)
	if seqs := b.nearTo(t, stranger, 777); len(seqs) > 0 {
		t.Errorf("another account finds %v", seqs)
	}
	if err := b.db.SyncVectors(t.Context(), stranger, b.collection); err != nil {
		t.Error(err)
	}
	if err := b.db.IndexVectors(t.Context(), stranger, b.collection); err != nil || b.count(t, indexes) != 1 {
		t.Errorf("another account takes the index away, %v", err)
	}
	if err := b.Delete(t.Context(), b.account, b.collection); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the index went with its collection", func() bool {
		b.clock.forward(time.Second)
		return b.count(t, indexes) == 0
	})
}
