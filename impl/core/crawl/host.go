package crawl

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/temoto/robotstxt"

	"parley/impl/core/fault"
)

const (
	hostsMax      = 1000
	parallelHost  = 2                // requests to one host at a time
	waitMax       = 30 * time.Second // longer than that a fetch is refused instead of kept waiting
	delayMax      = 10 * time.Second // of a site's Crawl-delay
	robotsFor     = time.Hour
	robotsRetry   = time.Minute // after robots.txt could not be had
	robotsBytes   = 500 << 10   // of robots.txt that are read
	retryAfterMax = 24 * time.Hour
)

// hosts remembers what sites asked for.
type hosts struct {
	mu   sync.Mutex
	byID map[string]*host // by scheme and host
}

// host is one origin.
type host struct {
	id    string
	slots chan struct{}
	rules chan struct{} // held while robots.txt is looked at or fetched

	robots  *robotstxt.RobotsData // nil while unknown
	fresh   time.Time             // until when robots is believed
	missing error                 // why it could not be had

	mu    sync.Mutex
	next  time.Time     // when the next request may start
	delay time.Duration // the site's own wish
}

func (h *hosts) of(u *url.URL) *host {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := u.Scheme + "://" + u.Host
	if known := h.byID[id]; known != nil {
		return known
	}
	if h.byID == nil || len(h.byID) >= hostsMax {
		// Forgetting costs some requests for robots.txt; keeping all would let
		// links to made-up hosts fill the memory.
		h.byID = map[string]*host{}
	}
	fresh := &host{id: id, slots: make(chan struct{}, parallelHost), rules: make(chan struct{}, 1)}
	h.byID[id] = fresh
	return fresh
}

// turn waits until a request to the host may start; the caller calls done after it.
func (c *Crawler) turn(ctx context.Context, h *host) (done func(), err error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done = func() { <-h.slots }
	pause, err := c.reserve(ctx, h)
	if err == nil {
		err = c.o.Wait(ctx, pause)
	}
	if err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// reserve takes the next start of a request and returns how far away it is.
func (c *Crawler) reserve(ctx context.Context, h *host) (time.Duration, error) {
	now := c.o.Now()
	h.mu.Lock()
	distance := max(c.o.Interval, 0, h.delay)
	h.mu.Unlock()
	var pace Pace = h
	if c.o.Pace != nil {
		pace = c.o.Pace
	}
	start, taken, err := pace.ReserveHost(ctx, h.id, now, distance, waitMax)
	if err != nil {
		return 0, fmt.Errorf("reserve a request to a host: %w", err)
	}
	if !taken {
		f := fault.New(fault.Unavailable, "The site asked not to be visited for a while.")
		f.RetryAfter = start.Sub(now)
		return 0, f
	}
	return max(0, start.Sub(now)), nil
}

// ReserveHost is Pace's, of a host that this crawler alone visits.
func (h *host) ReserveHost(_ context.Context, _ string, now time.Time, distance, most time.Duration) (time.Time, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next.After(now.Add(most)) {
		return h.next, false, nil
	}
	start := now
	if h.next.After(now) {
		start = h.next
	}
	h.next = start.Add(distance)
	return start, true, nil
}

// HoldHost is Pace's.
func (h *host) HoldHost(_ context.Context, _ string, until time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until.After(h.next) {
		h.next = until
	}
	return nil
}

// hold keeps requests from the host for d.
func (c *Crawler) hold(ctx context.Context, h *host, d time.Duration) error {
	var pace Pace = h
	if c.o.Pace != nil {
		pace = c.o.Pace
	}
	return pace.HoldHost(ctx, h.id, c.o.Now().Add(d))
}

// rulesOf returns the robots.txt that holds for u, fetching it when it is not
// known. A site without one allows all; one that cannot give it allows nothing
// for the moment (RFC 9309).
func (c *Crawler) rulesOf(ctx context.Context, u *url.URL) (*robotstxt.RobotsData, error) {
	h := c.hosts.of(u)
	select {
	case h.rules <- struct{}{}:
		defer func() { <-h.rules }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.o.Now().Before(h.fresh) {
		return h.robots, h.missing
	}
	rules, err := c.fetchRules(ctx, u)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	h.robots, h.missing, h.fresh = rules, err, c.o.Now().Add(robotsFor)
	if err != nil {
		h.fresh = c.o.Now().Add(robotsRetry)
		return nil, err
	}
	if group := rules.FindGroup(c.agent); group != nil {
		h.mu.Lock()
		h.delay = min(group.CrawlDelay, delayMax)
		h.mu.Unlock()
	}
	return rules, nil
}

func (c *Crawler) fetchRules(ctx context.Context, u *url.URL) (*robotstxt.RobotsData, error) {
	at := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}
	got, err := c.follow(ctx, at, Validators{}, func(*url.URL) error { return nil })
	if err != nil {
		return nil, err
	}
	switch {
	case got.Status == 200:
	case got.Status >= 500 || got.Status == 429:
		f := fault.New(fault.Unavailable, "The site's robots.txt could not be read (status %d).", got.Status)
		f.RetryAfter = max(got.RetryAfter, robotsRetry)
		return nil, f
	default:
		return robotstxt.FromBytes(nil)
	}
	rules, err := robotstxt.FromBytes(got.Body[:min(len(got.Body), robotsBytes)])
	if err != nil {
		// Nonsense, an error page for example, is no rule.
		return robotstxt.FromBytes(nil)
	}
	return rules, nil
}

// admit refuses what robots.txt does.
func (c *Crawler) admit(ctx context.Context, u *url.URL) error {
	rules, err := c.rulesOf(ctx, u)
	if err != nil {
		return err
	}
	if !rules.TestAgent(u.RequestURI(), c.agent) {
		return fault.New(fault.Invalid, "The site's robots.txt does not allow this page.").Coded(CodeRobots)
	}
	return nil
}

// CodeRobots is the code of the fault of a page that robots.txt keeps for itself.
const CodeRobots = "robots"

func agentName(userAgent string) string {
	name, _, _ := strings.Cut(userAgent, "/")
	name, _, _ = strings.Cut(name, " ")
	return name
}
