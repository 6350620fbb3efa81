package knowledge_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/knowledge"
)

func (b *bundle) addFile(t testing.TB, name, text string, keep bool) db.Page {
	t.Helper()
	p, err := b.AddFile(t.Context(), b.account, b.collection, knowledge.File{Name: name, Type: "text/plain", Keep: keep, Content: strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *bundle) files(t testing.TB) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.folder, b.account, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func TestUploadsAreIndexedAndKeptAsAsked(t *testing.T) {
	t.Parallel()
	b := own(t)
	kept := b.addFile(t, "kept.txt", "Kept\nWords that stay.", true)
	gone := b.addFile(t, "gone.txt", "Gone\nWords without a file.", false)
	broken := b.addFile(t, "broken.txt", "%BROKEN", false)
	if p := b.idle(t); !p.Ready || p.Indexed != 2 || p.Failed != 1 {
		t.Fatalf("progress %+v", p)
	}
	eventually(t, "files that are not to be kept are gone", func() bool { return b.files(t) == 1 })
	if found := b.search(t, "without a file"); len(found) == 0 || found[0].PageID != gone.ID || found[0].URL != "" {
		t.Errorf("found %+v", found)
	}
	in, err := b.Open(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(in); err != nil || text.String() != "Kept\nWords that stay." {
		t.Errorf("read %q, %v", text.String(), err)
	}
	_, err = b.Open(t.Context(), broken)
	wantKind(t, err, fault.NotFound)
	if err := b.Reindex(t.Context(), b.account, kept.ID); err != nil {
		t.Error(err)
	}
	wantKind(t, b.Reindex(t.Context(), b.account, gone.ID), fault.Conflict)
	b.idle(t)
	if sources, err := b.db.Sources(t.Context(), b.account, b.collection); err != nil || len(sources) != 1 {
		t.Errorf("sources %+v, %v", sources, err)
	}
}

func TestAFileOverTheCeilingLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Limits.FileBytes = 10
	_, err := b.AddFile(t.Context(), b.account, b.collection, knowledge.File{Name: "a", Content: strings.NewReader("0123456789a")})
	wantKind(t, err, fault.TooLarge)
	if n := b.files(t); n != 0 {
		t.Errorf("%d files", n)
	}
}

// What was deleted is nowhere: not in a table, not in the blob store.
func TestDeletionLeavesNoTrace(t *testing.T) {
	t.Parallel()
	const canary = "xylophagous"
	b := own(t)
	b.site.put("u/a", "A "+canary+"\nSite words "+canary+".")
	source := b.addSite(t, knowledge.DefaultSettings)
	page := b.addFile(t, canary+".txt", "File\nFirst "+canary+".", true)
	b.addFile(t, canary+"2.txt", "File\nSecond "+canary+".", true)
	b.idle(t)
	if err := b.DeletePage(t.Context(), b.account, page.ID); err != nil || b.files(t) != 1 {
		t.Errorf("after a page: %d files, %v", b.files(t), err)
	}
	if err := b.DeleteSource(t.Context(), b.account, source.ID); err != nil {
		t.Fatal(err)
	}
	if found := b.search(t, canary); len(found) != 1 || !found[0].IsFile {
		t.Errorf("after the source: found %+v", found)
	}
	if err := b.Delete(t.Context(), b.account, b.collection); err != nil {
		t.Fatal(err)
	}
	if found := b.search(t, canary); len(found) != 0 {
		t.Errorf("after the collection: found %+v", found)
	}
	_, err := b.AddFile(t.Context(), b.account, b.collection, knowledge.File{Name: "late", Content: strings.NewReader("late")})
	wantKind(t, err, fault.NotFound)
	eventually(t, "all is removed", func() bool {
		return b.count(t, "select count(*) from collections where account_id = $1", b.account) == 0
	})
	for _, table := range []string{"collections", "collection_links", "collection_terms", "sources", "pages", "chunks"} {
		if n := b.count(t, "select count(*) from "+table+" where account_id = $1", b.account); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if n := b.count(t, "select count(*) from jobs where args::text || coalesce(last_error, '') like $1", "%"+canary+"%"); n != 0 {
		t.Errorf("%d jobs name it", n)
	}
	if n := b.files(t); n != 0 {
		t.Errorf("%d files", n)
	}
}

// An upload whose server died before its page was stored is found and removed.
func TestOrphanedFilesAreRemoved(t *testing.T) {
	t.Parallel()
	b := own(t)
	p := b.addFile(t, "a.txt", "A\nWords.", true)
	b.idle(t)
	// What a crash between the blob and the page leaves.
	if err := b.db.DeletePages(t.Context(), b.account, p.SourceID, []string{p.ID}); err != nil {
		t.Fatal(err)
	}
	b.clock.forward(2 * time.Hour)
	eventually(t, "the file is gone", func() bool { return b.files(t) == 0 })
}

func TestErasingAnAccountErasesItsKnowledge(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.addFile(t, "a.txt", "A\nWords.", true)
	b.idle(t)
	if err := b.db.EraseAccount(t.Context(), b.account, ""); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"collections", "sources", "pages", "chunks"} {
		if n := b.count(t, "select count(*) from "+table+" where account_id = $1", b.account); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
}
