package knowledge_test

import (
	"context"
	"errors"
	"fmt"

	"testing"
	"time"

	"parley/db"

	"parley/impl/core/fault"
	"parley/impl/core/knowledge"
)

func TestEveryPageEndsIndexedOrWithAReason(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.site.put("u/good", "Good\nUseful words.")
	b.site.put("u/empty", "Empty\n")
	b.site.put("u/broken", "%BROKEN")
	b.site.put("u/private", "noindex\nHidden words.")
	b.site.answer("u/gone", 404)
	b.site.answer("u/secret", 403)
	b.site.put("u/slow", "Slow\nPatient words.")
	b.site.faults["u/slow"] = []error{fault.New(fault.Unavailable, "The site does not answer."), errors.New("some bug")}
	b.site.faults["u/refused"] = []error{fault.New(fault.Forbidden, "The site's robots.txt forbids it.")}
	b.site.put("u/refused", "Refused\nWords.")
	source := b.addSite(t, knowledge.DefaultSettings)
	eventually(t, "the slow page was tried again", func() bool {
		b.clock.forward(time.Second)
		return b.page0(t, source, "u/slow").IndexState == db.PageOK
	})
	p := b.idle(t)
	if p.Found != 8 || p.Indexed != 2 || p.Failed != 5 || p.Queued != 0 || !p.Ready {
		t.Errorf("progress %+v", p)
	}
	for url, want := range map[string][3]string{
		"u/good": {"ok", "ok", ""}, "u/empty": {"ok", "failed", "The page has no text."}, "u/broken": {"ok", "failed", "The file is damaged."},
		"u/private": {"ok", "n/a", "The page asks not to be found."}, "u/gone": {"failed", "failed", "The site answers 404: the page is gone."},
		"u/secret": {"failed", "failed", "The site answers 403."}, "u/slow": {"ok", "ok", ""}, "u/refused": {"failed", "failed", "The site's robots.txt forbids it."},
	} {
		if got := b.page(t, source, url); got.CrawlState != want[0] || got.IndexState != want[1] || got.Reason != want[2] || got.DueAt != nil {
			t.Errorf("%s ended %s, %s, %q", url, got.CrawlState, got.IndexState, got.Reason)
		}
	}
	if ended, err := b.Source(t.Context(), b.account, source.ID); err != nil || ended.State != db.SourceReady || ended.RefreshedAt == nil {
		t.Errorf("source %+v, %v", ended, err)
	}
}

// page0 is page before it may be there.
func (b *bundle) page0(t testing.TB, source db.Source, url string) db.Page {
	t.Helper()
	p, err := b.db.PageByURL(t.Context(), b.account, source.ID, url)
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		t.Fatal(err)
	}
	return p
}

func TestAPageThatNeverAnswersFailsInTheEnd(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.site.answer("u/down", 503)
	source := b.addSite(t, knowledge.DefaultSettings)
	eventually(t, "it failed", func() bool {
		b.clock.forward(time.Second)
		return b.page0(t, source, "u/down").CrawlState == db.PageFailed
	})
	b.idle(t)
	ended, err := b.Source(t.Context(), b.account, source.ID)
	if err != nil || ended.State != db.SourceFailed || ended.Reason == "" || b.site.fetched("u/down") != 5 {
		t.Errorf("source %+v, %v after %d fetches", ended, err, b.site.fetched("u/down"))
	}
}

func TestASiteThatCannotBeListedSaysWhy(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.site.listing = fault.New(fault.Invalid, "The address is in a private network.")
	source := b.addSite(t, knowledge.DefaultSettings)
	if p := b.idle(t); p.Ready {
		t.Errorf("progress %+v", p)
	}
	if ended, _ := b.Source(t.Context(), b.account, source.ID); ended.State != db.SourceFailed || ended.Reason != "The address is in a private network." {
		t.Errorf("source %+v", ended)
	}
}

// sync refreshes a source and waits for the end.
func (b *bundle) sync(t *testing.T, source db.Source) {
	t.Helper()
	if _, err := b.Sync(t.Context(), b.account, source.ID); err != nil {
		t.Fatal(err)
	}
	b.idle(t)
}

func TestRefreshTouchesOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	b := own(t)
	for i := range 5 {
		b.site.put(fmt.Sprintf("u/%d", i), fmt.Sprintf("Page %d\nWords of number %d.", i, i))
	}
	set := knowledge.DefaultSettings
	set.RemoveMissingPages = true
	source := b.addSite(t, set)
	b.idle(t)
	first := b.page(t, source, "u/0")
	b.clock.forward(time.Hour)
	b.site.put("u/1", "Page 1\nEntirely other words.")
	b.site.put("u/new", "New\nFresh words.")
	b.site.unlist("u/2")
	b.site.answer("u/3", 410)
	same := b.site.pages["u/4"] // a site without validators, whose text is the same
	same.ETag = ""
	b.site.pages["u/4"] = same
	b.sync(t, source)
	if again := b.page(t, source, "u/0"); !again.IndexedAt.Equal(*first.IndexedAt) || again.CrawledAt.Equal(*first.CrawledAt) || b.site.fetched("u/0") != 2 {
		t.Errorf("unchanged page before %+v, after %+v", first, again)
	}
	if same := b.page(t, source, "u/4"); !same.IndexedAt.Before(*b.page(t, source, "u/new").IndexedAt) {
		t.Errorf("the same text was indexed again: %+v", same)
	}
	if found := b.search(t, "entirely other"); len(found) != 1 {
		t.Errorf("changed page: found %v", found)
	}
	for _, url := range []string{"u/2", "u/3"} {
		if _, err := b.db.PageByURL(t.Context(), b.account, source.ID, url); !errors.Is(err, db.ErrNotFound) {
			t.Errorf("%s is still there: %v", url, err)
		}
	}
	if n := b.count(t, "select count(*) from chunks where collection_id = $1", b.collection); n != 4 {
		t.Errorf("%d chunks", n)
	}
}

func TestSettingsDecideWhatARefreshDoes(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.site.put("u/old", "Old\nOld words.")
	b.site.put("u/leaves", "Leaves\nLeaving words.")
	source := b.addSite(t, knowledge.SourceSettings{Refresh: knowledge.Never, RefreshExistingPages: knowledge.RefreshNever})
	b.idle(t)
	b.site.put("u/old", "Old\nChanged words.")
	b.site.put("u/new", "New\nNew words.")
	b.site.unlist("u/leaves")
	b.sync(t, source)
	if len(b.search(t, "changed")) != 0 || len(b.search(t, "new")) != 0 || len(b.search(t, "leaving")) != 1 || b.site.fetched("u/old") != 1 {
		t.Errorf("more than nothing was refreshed, after %d fetches", b.site.fetched("u/old"))
	}
	set := knowledge.DefaultSettings
	set.RefreshExistingPages = knowledge.RefreshAlways
	if _, err := b.Configure(t.Context(), b.account, source.ID, set); err != nil {
		t.Fatal(err)
	}
	b.sync(t, source)
	if len(b.search(t, "changed")) != 1 || len(b.search(t, "new")) != 1 {
		t.Error("not everything was refreshed")
	}
}

func TestOneIngestionAtATime(t *testing.T) {
	t.Parallel()
	b := own(t)
	gate := make(chan struct{})
	b.site.put("u/a", "A\nWords.")
	b.site.before = func(string) { <-gate }
	source := b.addSite(t, knowledge.DefaultSettings)
	_, err := b.Sync(t.Context(), b.account, source.ID)
	wantKind(t, err, fault.Conflict)
	close(gate)
	b.idle(t)
	b.sync(t, source)
}

// A listing that had to read the pages is not followed by a second reading.
func TestPagesThatTheListingBroughtAreNotFetched(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.site.inline = true
	b.site.put("u/a", "A\nWords of a.")
	b.site.put("u/b", "B\nWords of b.")
	source := b.addSite(t, knowledge.DefaultSettings)
	if p := b.idle(t); p.Indexed != 2 || b.site.fetched("u/a") != 0 {
		t.Errorf("progress %+v after %d fetches", p, b.site.fetched("u/a"))
	}
	b.sync(t, source)
	if p := b.idle(t); p.Indexed != 2 {
		t.Errorf("after a refresh %+v", p)
	}
}

func TestSchedulesBeginRefreshes(t *testing.T) {
	t.Parallel()
	b := own(t)
	b.site.put("u/a", "A\nWords.")
	set := knowledge.DefaultSettings
	set.Refresh = knowledge.Daily
	source := b.addSite(t, set)
	b.idle(t)
	b.site.put("u/a", "A\nTomorrow's words.")
	b.clock.forward(25 * time.Hour)
	eventually(t, "the refresh has run", func() bool { return len(b.search(t, "tomorrow")) == 1 })
	b.idle(t)
	after, err := b.Source(t.Context(), b.account, source.ID)
	if err != nil || after.Run != 2 || !after.NextRefreshAt.After(b.clock.now()) {
		t.Errorf("source %+v, %v", after, err)
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, set := range []knowledge.SourceSettings{
		{}, {Refresh: "hourly", RefreshExistingPages: "never"}, {Refresh: knowledge.Advanced, RefreshExistingPages: "never"},
		{Refresh: knowledge.Advanced, RefreshExistingPages: "never", Schedule: []knowledge.Slot{{Days: []int{8}, Hours: []string{"10:00"}}}},
		{Refresh: knowledge.Advanced, RefreshExistingPages: "never", Schedule: []knowledge.Slot{{Days: []int{1}, Hours: []string{"25:00"}}}},
	} {
		_, err := b.AddSite(t.Context(), b.account, b.collection, "https://site.test", set)
		wantKind(t, err, fault.Invalid)
	}
	_, err := b.AddSite(t.Context(), b.account, "col_none", "https://site.test", knowledge.DefaultSettings)
	wantKind(t, err, fault.NotFound)
}

// A worker that lost its claim, however late it comes back, stores nothing.
func TestALostClaimStoresNothing(t *testing.T) {
	t.Parallel()
	b := own(t)
	held, release := make(chan struct{}), make(chan struct{})
	var times int
	b.site.put("u/a", "A\nThe old words.")
	b.site.before = func(string) {
		if times++; times == 1 {
			close(held)
			<-release
		}
	}
	source := b.addSite(t, knowledge.DefaultSettings)
	<-held
	p := b.page(t, source, "u/a")
	if _, err := b.db.ClaimPage(t.Context(), b.account, p.ID, b.clock.now(), b.clock.now().Add(time.Minute), true); err != nil {
		t.Fatal(err)
	}
	close(release)
	eventually(t, "the part is over", func() bool {
		return b.count(t, "select count(*) from jobs where kind = 'knowledge.refresh' and finished_at is null and run_at > now() + interval '20 seconds' and owner is null") == 1
	})
	if now := b.page(t, source, "u/a"); now.IndexState != db.PageQueued {
		t.Errorf("the lost claim stored %+v", now)
	}
	b.clock.forward(2 * time.Minute)
	if done := b.idle(t); done.Indexed != 1 {
		t.Errorf("the next claim: %+v", done)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := own(t)
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	b.site.put("u/a", "A\nWords.")
	b.site.before = func(string) { <-gate }
	b.addSite(t, knowledge.DefaultSettings)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for p, err := range b.Watch(ctx, b.account, b.collection, time.Millisecond) {
		if err == nil && !p.Running {
			t.Errorf("progress %+v", p)
		}
		cancel()
	}
	for _, err := range b.Watch(t.Context(), b.account, "col_none", time.Millisecond) {
		wantKind(t, err, fault.NotFound)
	}
}
