package crawl_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"parley/impl/core/crawl"
	"parley/impl/core/crawl/sitetest"
	"parley/impl/core/fault"
)

// serve runs a site of one handler on the allowed address.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func TestRequestsToAHostKeepTheirDistance(t *testing.T) {
	t.Parallel()
	site := sitetest.Start(t, sitetest.Options{})
	c, clock := crawler(200 * time.Millisecond)
	done := make(chan error)
	for n := range 10 {
		go func() {
			_, err := c.Fetch(t.Context(), site.URL+"/section/"+string(rune('0'+n)), crawl.Validators{})
			done <- err
		}()
	}
	for range 10 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if site.Most() > 2 {
		t.Errorf("%d requests at once", site.Most())
	}
	// robots.txt and ten pages: ten pauses.
	if passed := clock.Now().Sub(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)); passed < 2*time.Second {
		t.Errorf("eleven requests within %s", passed)
	}
}

func TestSitesChooseTheirOwnPace(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/robots.txt":
			_, _ = io.WriteString(w, "User-agent: parley\nCrawl-delay: 3\nDisallow: /no\n\nUser-agent: *\nDisallow: /\n")
		case "/busy":
			w.Header().Set("Retry-After", "120")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	c, clock := crawler(-1)
	for _, path := range []string{"/a", "/b", "/c"} {
		if got, err := c.Fetch(t.Context(), url+path, crawl.Validators{}); err != nil || got.Status != 200 {
			t.Fatalf("%s: %d, %v", path, got.Status, err)
		}
	}
	if passed := clock.Now().Sub(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)); passed != 6*time.Second {
		t.Errorf("three pages within %s, with 3 s between", passed)
	}
	if _, err := c.Fetch(t.Context(), url+"/no", crawl.Validators{}); fault.From(err).Code != crawl.CodeRobots {
		t.Errorf("/no: %v", err)
	}
	if got, err := c.Fetch(t.Context(), url+"/busy", crawl.Validators{}); err != nil || got.Status != 429 || got.RetryAfter != 2*time.Minute {
		t.Errorf("busy: %d after %s, %v", got.Status, got.RetryAfter, err)
	}
	_, err := c.Fetch(t.Context(), url+"/a", crawl.Validators{})
	if f := fault.From(err); err == nil || f.Kind != fault.Unavailable || f.RetryAfter != 2*time.Minute {
		t.Errorf("while the site rests: %v", err)
	}
	_ = clock.Wait(t.Context(), 2*time.Minute)
	if got, err := c.Fetch(t.Context(), url+"/a", crawl.Validators{}); err != nil || got.Status != 200 {
		t.Errorf("after the rest: %d, %v", got.Status, err)
	}
}

func TestWithoutRobotsAnAnswerDecides(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	status.Store(http.StatusServiceUnavailable)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			w.WriteHeader(int(status.Load()))
		}
	})
	c, clock := crawler(-1)
	if _, err := c.Fetch(t.Context(), url+"/", crawl.Validators{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("robots.txt unavailable: %v", err)
	}
	status.Store(http.StatusForbidden)
	_ = clock.Wait(t.Context(), 2*time.Minute)
	if got, err := c.Fetch(t.Context(), url+"/", crawl.Validators{}); err != nil || got.Status != 200 {
		t.Errorf("no robots.txt: %d, %v", got.Status, err)
	}
}

func TestNoAddressReachesAForbiddenHost(t *testing.T) {
	t.Parallel()
	address, reached := private(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := crawler(-1)
	for _, host := range []string{
		"127.0.0.1", "LOCALHOST", "localhost.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "127.0.0.1.", "[::1]", "[::ffff:7f00:1]",
		"[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "169.254.169.254", "[fd00:ec2::254]", "100.64.0.1",
		"\uff11\uff12\uff17.\uff10.\uff10.\uff11", "user@127.0.0.1", "127.0.0.2@127.0.0.1", "127.0.0.1\\@127.0.0.2", "127.0.0.1#@127.0.0.2",
	} {
		for _, start := range []string{"http://" + host + ":" + port + "/", "HTTP://" + host + ":" + port + "/sitemap.xml"} {
			if err := c.Discover(t.Context(), start, crawl.Limits{}, func(l crawl.Link) error { t.Errorf("%s gives %s", start, l.URL); return nil }); err == nil {
				t.Errorf("%s is taken", start)
			}
		}
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/robots.txt" {
				w.Header().Set("Location", "http://"+host+":"+port+"/")
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		})
		if got, err := c.Fetch(t.Context(), url, crawl.Validators{}); err == nil {
			t.Errorf("a redirect to %s gives %d", host, got.Status)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("the forbidden address was reached %d times", reached.Load())
	}
}
