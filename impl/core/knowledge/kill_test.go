package knowledge_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"parley/db"
	"parley/impl/core/crawl"
	"parley/impl/core/extract"
	"parley/impl/core/job"
	"parley/impl/core/knowledge"
)

const (
	childEnv   = "PARLEY_KNOWLEDGE_CHILD" // the database of a server process that this test binary plays
	aheadEnv   = "PARLEY_KNOWLEDGE_AHEAD" // how far its clock is ahead, in seconds
	killPages  = 420
	killFetch  = 15 // how many pages one life of the process can get before it hangs
	killMax    = 20
	killBroken = 7 // every seventh page cannot be read
)

func TestMain(m *testing.M) {
	extract.RunChild()
	if os.Getenv(childEnv) != "" {
		serve()
		return
	}
	os.Exit(m.Run())
}

// mortal is a site that after some pages answers no more, so that its server is killed in the middle of work.
type mortal struct{ left chan struct{} }

func (mortal) Discover(_ context.Context, _ string, _ crawl.Limits, found func(crawl.Link) error) error {
	for i := range killPages {
		if err := found(crawl.Link{URL: fmt.Sprint("u/", i)}); err != nil {
			return err
		}
	}
	return nil
}

func (m mortal) Fetch(ctx context.Context, url string, _ crawl.Validators) (crawl.Fetched, error) {
	select {
	case <-m.left:
	case <-ctx.Done():
		return crawl.Fetched{}, ctx.Err()
	}
	var n int
	if _, err := fmt.Sscanf(url, "u/%d", &n); err != nil {
		return crawl.Fetched{}, err
	}
	text := fmt.Sprintf("Page %d\nOne passage.\n\nAnother passage.\n\nThe third.", n)
	if n%killBroken == 0 {
		text = "%BROKEN"
	}
	return crawl.Fetched{URL: url, Status: 200, Body: []byte(text)}, nil
}

// serve is a server that ingests until it is killed.
func serve() {
	ahead, err := strconv.Atoi(os.Getenv(aheadEnv))
	if err != nil {
		panic(err)
	}
	d, err := db.Open(context.Background(), os.Getenv(childEnv), 8)
	if err != nil {
		panic(err)
	}
	now := func() time.Time {
		return time.Now().Add(time.Duration(ahead) * time.Second).UTC().Truncate(time.Microsecond)
	}
	m := mortal{make(chan struct{}, killPages)}
	fetches := killFetch
	if ahead > killMax*lifeSeconds {
		fetches = killPages
	}
	for range fetches {
		m.left <- struct{}{}
	}
	s := &knowledge.Service{DB: d, Crawler: m, Reader: plain{}, Split: split, Now: now, Log: slog.New(slog.DiscardHandler)}
	r := job.NewRunner(d, slog.New(slog.DiscardHandler), now)
	s.Handle(r)
	r.Start()
	select {}
}

// lifeSeconds puts each life's clock beyond the leases of the one before.
const lifeSeconds = 31

// However often servers are killed, every page ends indexed once, or with a reason.
func TestKilledServersIndexEveryPageOnce(t *testing.T) {
	t.Parallel()
	b := ownIdle(t)
	source := b.addSite(t, knowledge.DefaultSettings)
	ended := func() int {
		return b.count(t, "select count(*) from pages where account_id = $1 and due_at is null", b.account)
	}
	kills := 0
	for life := 1; life <= killMax; life++ {
		child := b.child(t, life)
		wanted := ended() + rand.IntN(killFetch-8)
		eventually(t, "some pages have ended", func() bool { return ended() >= wanted })
		if ended() < killPages {
			kills++
		}
		child.kill()
	}
	last := b.child(t, killMax+1)
	defer last.kill()
	eventually(t, "the ingestion has ended", func() bool {
		s, err := b.Source(t.Context(), b.account, source.ID)
		return err == nil && s.State == db.SourceReady
	})
	var left []string
	if err := b.raw.Select(&left, `select format('%s/%s %s: %s', crawl_state, index_state, reason, count(*)) from pages where account_id = $1
		group by crawl_state, index_state, reason`, b.account); err != nil {
		t.Fatal(err)
	}
	t.Log(left)
	broken := (killPages + killBroken - 1) / killBroken
	for what, is := range map[string][2]int{
		"pages":              {killPages, b.count(t, "select count(*) from pages where account_id = $1", b.account)},
		"indexed pages":      {killPages - broken, b.count(t, "select count(*) from pages where account_id = $1 and index_state = 'ok' and chunks = 3", b.account)},
		"failed with reason": {broken, b.count(t, "select count(*) from pages where account_id = $1 and index_state = 'failed' and reason = 'The file is damaged.'", b.account)},
		"chunks":             {3 * (killPages - broken), b.count(t, "select count(*) from chunks where account_id = $1", b.account)},
		"kills at work":      {killMax, kills},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %d, not %d", what, is[1], is[0])
		}
	}
}

type process struct{ cmd *exec.Cmd }

func (p process) kill() {
	_ = p.cmd.Process.Kill() // SIGKILL; it may have been killed before
	_ = p.cmd.Wait()
}

// child starts a server process on the bundle's database.
func (b *bundle) child(t *testing.T, life int) process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+b.dsn, aheadEnv+"="+strconv.Itoa(life*lifeSeconds))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{cmd}
	t.Cleanup(p.kill)
	return p
}
