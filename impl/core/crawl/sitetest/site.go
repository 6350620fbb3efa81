// Package sitetest is a web site for tests of what visits sites: 500 addresses,
// most of them pages, with redirects, circles, doubles, broken and hostile ones.
// It is for tests only.
//
// The site listens on 127.0.0.2, which a test's outbound options have to allow
// ([Allow]), so that 127.0.0.1 can stand for a private network that no visit
// may reach.
package sitetest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The numbers of addresses by kind. Together with the start page, the hostile,
// broken and special ones they are 500.
const (
	Articles   = 400 // /p/1 … /p/400, linked from /section/1 … /section/20
	Sections   = 20
	Redirects  = 20 // /r/n leads to /p/n
	Canonicals = 20 // /c/n shows /p/n and names it as canonical
	Copies     = 20 // /copy/n shows /p/n and does not say so
)

// Allow is the network that the site stands in.
var Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}

// Options choose what the site has. The zero value has no sitemap.
type Options struct {
	Sitemap   bool   // robots.txt names an index with plain, packed, looping and broken sitemaps
	Feed      bool   // /feed names /only-in-feed
	Forbidden string // a URL on a forbidden address that hostile pages lead to
}

// Site is the running site. Its methods may be called while it is visited.
type Site struct {
	URL  string // without a slash at the end
	Host string // with port, without scheme

	options Options
	mu      sync.Mutex
	hits    map[string]int
	agents  map[string]bool
	now     int
	most    int
	changed map[string]string
	gone    map[string]bool
}

// Start runs the site until the test ends.
func Start(t testing.TB, o Options) *Site {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatalf("listen on 127.0.0.2: %v", err)
	}
	s := &Site{Host: l.Addr().String(), options: o, hits: map[string]int{}, agents: map[string]bool{}, changed: map[string]string{}, gone: map[string]bool{}}
	s.URL = "http://" + s.Host
	server := httptest.NewUnstartedServer(s)
	_ = server.Listener.Close() // replaced by the one on the other address
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// Hits returns how often a path was asked for.
func (s *Site) Hits(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[path]
}

// Agents returns the user agents that came.
func (s *Site) Agents() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for agent := range s.agents {
		all = append(all, agent)
	}
	return all
}

// Most returns how many requests were in progress at once, at most.
func (s *Site) Most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

// Change replaces the text of article n.
func (s *Site) Change(n int, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed[fmt.Sprintf("/p/%d", n)] = text
}

// Remove takes article n from the site and its sitemap.
func (s *Site) Remove(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone[fmt.Sprintf("/p/%d", n)] = true
}

// Text is the sentence that only article n has.
func Text(n int) string {
	return fmt.Sprintf("The code word of article %d is %s.", n, Word(n))
}

// Word is a made-up word, another for each n.
func Word(n int) string {
	syllables := []string{"ba", "do", "fi", "gu", "ke", "lo", "mi", "na", "pe", "ru", "sa", "ti", "vo", "wu", "xe", "zo", "cha", "tri", "plo", "que"}
	return syllables[n%20] + syllables[n/20%20] + syllables[(n*7+3)%20] + syllables[n/400%20] + "n"
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.hits[r.URL.Path]++
	s.agents[r.UserAgent()] = true
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}()
	name, number, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	n, _ := strconv.Atoi(number)
	if handle := s.page(name); handle != nil {
		handle(w, r, n)
		return
	}
	http.NotFound(w, r)
}

type handler func(w http.ResponseWriter, r *http.Request, n int)

func (s *Site) page(name string) handler {
	return map[string]handler{
		"": s.home, "section": s.section, "p": s.article, "c": s.canonical, "copy": s.copy,
		"r":          func(w http.ResponseWriter, r *http.Request, n int) { redirect(w, fmt.Sprintf("/p/%d", n), 301) },
		"loop":       func(w http.ResponseWriter, _ *http.Request, n int) { redirect(w, fmt.Sprintf("/loop/%d", 1-n), 302) },
		"deep":       func(w http.ResponseWriter, _ *http.Request, n int) { redirect(w, fmt.Sprintf("/deep/%d", n+1), 307) },
		"robots.txt": s.robots, "sitemap": s.sitemap, "feed": s.feed,
		"only-in-feed": plain("Feed", "Only the feed leads here."),
		"broken":       broken, "hostile": s.hostile,
		"noindex":       html(`<meta name="robots" content="noindex"><a href="/from-noindex">on</a><p>Not to be found.`),
		"from-noindex":  plain("Behind noindex", "Reached by a page that is not to be found."),
		"nofollow":      html(`<meta name="robots" content="nofollow"><a href="/from-nofollow">on</a><p>A page whose links are private.`),
		"from-nofollow": plain("Behind nofollow", "No link that may be followed leads here."),
		"header": func(w http.ResponseWriter, r *http.Request, n int) {
			w.Header().Set("X-Robots-Tag", "noindex, nofollow")
			plain("Header", "Kept away by a header.")(w, r, n)
		},
		"private": plain("Private", "Robots may not read this."),
		"latin": func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
			_, _ = io.WriteString(w, "<html><p>Stra\xdfe und Gr\xf6\xdfe")
		},
		"calendar": func(w http.ResponseWriter, r *http.Request, n int) {
			html(fmt.Sprintf(`<p>Day %d<a href="/calendar/%d">next</a>`, n, n+1))(w, r, n)
		},
	}[name]
}

func redirect(w http.ResponseWriter, to string, status int) {
	w.Header().Set("Location", to)
	w.WriteHeader(status)
}

func html(body string) handler {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><html lang=en>"+body)
	}
}

func plain(title, text string) handler {
	return html("<title>" + title + "</title><body><h1>" + title + "</h1><p>" + text + "</p>")
}

func links(prefix string, from, to int) string {
	var out strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&out, `<li><a href="%s%d">%s%d</a>`, prefix, n, prefix, n)
	}
	return "<nav><ul>" + out.String() + "</ul></nav>"
}

func (s *Site) home(w http.ResponseWriter, r *http.Request, n int) {
	more := `<a href="/noindex">a</a><a href="/nofollow">b</a><a href="/header">c</a><a href="/private/x">d</a><a href="/latin">e</a>
		<a rel="nofollow" href="/from-nofollow">f</a><a href="/loop/0">g</a><a href="/deep/1">h</a><a href="http://other.invalid/">i</a><a href="/picture.jpg">j</a>
		<a href="/#top">k</a><a href="/?utm_source=x">l</a><a href="mailto:a@b.c">m</a>` + links("/broken/", 1, 5)
	if s.options.Forbidden != "" {
		more += links("/hostile/", 1, 9)
	}
	html("<title>The site</title><body>"+links("/section/", 1, Sections)+links("/r/", 1, Redirects)+links("/c/", 1, Canonicals)+links("/copy/", 1, Copies)+more+
		"<main><h1>Welcome</h1><p>This site has articles about code words.</p></main>")(w, r, n)
}

func (s *Site) section(w http.ResponseWriter, r *http.Request, n int) {
	if n < 1 || n > Sections {
		http.NotFound(w, r)
		return
	}
	size := Articles / Sections
	html(fmt.Sprintf("<title>Section %d</title><body>", n)+links("/p/", (n-1)*size+1, n*size)+fmt.Sprintf("<main><h1>Section %d</h1><p>Articles from %d on.</p></main>", n, (n-1)*size+1))(w, r, n)
}

// modified is when articles changed last.
var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// article answers conditional requests.
func (s *Site) article(w http.ResponseWriter, r *http.Request, n int) {
	s.mu.Lock()
	changed, gone := s.changed[r.URL.Path], s.gone[r.URL.Path]
	s.mu.Unlock()
	if n < 1 || n > Articles || gone {
		http.NotFound(w, r)
		return
	}
	tag := fmt.Sprintf(`"%d-%d"`, n, len(changed))
	w.Header().Set("ETag", tag)
	w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	html(s.articlePage(n, ""))(w, r, n)
}

func (s *Site) articlePage(n int, head string) string {
	s.mu.Lock()
	text := s.changed[fmt.Sprintf("/p/%d", n)]
	s.mu.Unlock()
	if text == "" {
		text = Text(n)
	}
	return fmt.Sprintf(`<title>Article %d</title>%s<body><nav><a href="/">Home</a></nav><main><h1>Article %d</h1><p>%s</p><h2>More</h2><p>See also <a href="/p/%d">the next</a>.</p></main>`,
		n, head, n, text, n%Articles+1)
}

func (s *Site) canonical(w http.ResponseWriter, r *http.Request, n int) {
	html(s.articlePage(n, fmt.Sprintf(`<link rel="canonical" href="/p/%d">`, n)))(w, r, n)
}

func (s *Site) copy(w http.ResponseWriter, r *http.Request, n int) {
	html(s.articlePage(n, ""))(w, r, n)
}

func broken(w http.ResponseWriter, r *http.Request, n int) {
	switch n {
	case 1:
		http.Error(w, "no", http.StatusInternalServerError)
	case 2:
		http.Error(w, "gone", http.StatusGone)
	case 3: // the connection ends in the middle of the answer
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "<html>cut")
		panic(http.ErrAbortHandler)
	case 4: // no answer at all
		panic(http.ErrAbortHandler)
	default:
		http.NotFound(w, r)
	}
}

func (s *Site) hostile(w http.ResponseWriter, r *http.Request, n int) {
	switch n {
	case 1, 2, 3:
		redirect(w, s.options.Forbidden, []int{302, 307, 301}[n-1])
	case 4:
		redirect(w, "file:///etc/passwd", 302)
	case 5:
		redirect(w, "gopher://127.0.0.1:70/", 302)
	case 6:
		html(`<meta http-equiv="refresh" content="0; url=`+s.options.Forbidden+`"><p>Go on there.`)(w, r, n)
	case 7: // a page that unpacks to 64 MB
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		blank := make([]byte, 1<<20)
		for range 64 {
			if _, err := z.Write(blank); err != nil {
				return
			}
		}
		_ = z.Close() // a visitor that went away is no failure
	case 8:
		html(strings.Repeat("<div>", 10_000)+"deep")(w, r, n)
	case 9:
		html(links("/calendar/", 1_000_000, 1_020_000)+"<p>Very many links.")(w, r, n)
	default:
		http.NotFound(w, r)
	}
}
