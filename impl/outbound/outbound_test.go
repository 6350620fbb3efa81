package outbound_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/impl/outbound"
)

// site is a server on a loopback address that counts the connections made to it.
type site struct {
	*httptest.Server
	hits atomic.Int32
	port string
}

func newSite(t *testing.T, ip string, h http.HandlerFunc) *site {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatalf("listen on %s: %v", ip, err)
	}
	s := &site{Server: httptest.NewUnstartedServer(h)}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.hits.Add(1)
		}
	}
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	return s
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "public") }

// The sites below stand for the public network on 127.0.0.2, which the tests
// free, and for a private one on 127.0.0.1, which they do not.
var public = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}

func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return "", errors.Join(outbound.ErrDenied, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// names answers like a name server with a fixed table, last answer repeating.
func names(t *testing.T) *net.Resolver {
	return newDNS(t, map[string][]string{
		"public.test.": {"127.0.0.2"}, "private.test.": {"127.0.0.1"}, "both.test.": {"127.0.0.1 127.0.0.2"},
		"rebind.test.": {"127.0.0.2", "127.0.0.1"}, "six.test.": {"::1 127.0.0.2"}, "mapped.test.": {"::ffff:127.0.0.1"},
		"cname.test.": {"=private.test."}, "localhost.": {"127.0.0.1"},
	}).resolver()
}

func TestForbiddenDestinationsAreNeverReached(t *testing.T) {
	private := newSite(t, "127.0.0.1", ok)
	client := outbound.NewClient(outbound.Options{Allow: public, Resolver: names(t), Timeout: 5 * time.Second})
	for _, host := range []string{
		"127.0.0.1", "localhost", "LOCALHOST", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "0.0.0.0", "127.0.0.1.", "localhost.",
		"[::1]", "[::]", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
		"[2001:0:0:0:0:0:80ff:fffe]", "[fe80::1%25lo]", "[::1%25lo]", "[fe80::1]", "[fc00::1]", "[fec0::1]", "[2001:db8::1]", "[ff02::1]",
		"169.254.169.254", "[::ffff:a9fe:a9fe]", "[fd00:ec2::254]", "100.64.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "192.0.0.8",
		"198.18.0.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "１２７.0.0.1", "①②⑦.0.0.1", "127。0。0。1",
		"user@127.0.0.1", "public.test@127.0.0.1", "public.test#@127.0.0.1", "public.test\\@127.0.0.1",
		"private.test", "mapped.test", "cname.test",
	} {
		url := "http://" + host + ":" + private.port + "/"
		if body, err := get(t, client, url); err == nil {
			t.Errorf("%s answered %q", url, body)
		}
	}
	if n := private.hits.Load(); n != 0 {
		t.Fatalf("%d connections reached the forbidden listener", n)
	}
}

func TestSchemesAreChecked(t *testing.T) {
	t.Parallel()
	client := outbound.NewClient(outbound.Options{})
	for _, url := range []string{"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "FILE:///etc/passwd", "http:///x", "//127.0.0.1/"} {
		if _, err := get(t, client, url); !errors.Is(err, outbound.ErrDenied) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNamesWithSeveralAnswersUseOnlyAllowedOnes(t *testing.T) {
	private := newSite(t, "127.0.0.1", ok)
	site := newSite(t, "127.0.0.2", ok)
	client := outbound.NewClient(outbound.Options{Allow: public, Resolver: names(t)})
	for _, host := range []string{"public.test", "PUBLIC.test.", "both.test", "six.test", "127.0.0.2", "[::ffff:127.0.0.2]"} {
		if body, err := get(t, client, "HTTP://"+host+":"+site.port+"/"); err != nil || body != "public" {
			t.Errorf("%s: %q, %v", host, body, err)
		}
	}
	if n := private.hits.Load(); n != 0 {
		t.Fatalf("%d connections reached the forbidden listener", n)
	}
}

// The first answer of the name server is public, every later one private.
func TestRebindingIsCheckedAtEachDial(t *testing.T) {
	private := newSite(t, "127.0.0.1", ok)
	client := outbound.NewClient(outbound.Options{Allow: public, Resolver: names(t)})
	for range 3 {
		if body, err := get(t, client, "http://rebind.test:"+private.port+"/"); err == nil {
			t.Fatalf("answered %q", body)
		}
		client.CloseIdleConnections()
	}
	if n := private.hits.Load(); n != 0 {
		t.Fatalf("%d connections reached the forbidden listener", n)
	}
}

func TestRedirectsAreRechecked(t *testing.T) {
	private := newSite(t, "127.0.0.1", ok)
	var target atomic.Value
	site := newSite(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		code := http.StatusFound
		if r.URL.Path == "/307" {
			code = http.StatusTemporaryRedirect
		}
		w.Header().Set("Location", target.Load().(string))
		w.WriteHeader(code)
	})
	client := outbound.NewClient(outbound.Options{Allow: public, Resolver: names(t), Timeout: 5 * time.Second})
	for _, to := range []string{
		"http://127.0.0.1:" + private.port, "http://localhost:" + private.port, "http://[::ffff:7f00:1]:" + private.port, "http://private.test:" + private.port,
		"http://2130706433:" + private.port, "//127.0.0.1:" + private.port, "http://a@127.0.0.2:" + private.port, "file:///etc/passwd", "gopher://127.0.0.1/", "/loop",
	} {
		target.Store(to)
		for _, path := range []string{"/302", "/307"} {
			if body, err := get(t, client, site.URL+path); !errors.Is(err, outbound.ErrDenied) {
				t.Errorf("redirect to %s: %q, %v", to, body, err)
			}
		}
	}
	if n := private.hits.Load(); n != 0 {
		t.Fatalf("%d connections reached the forbidden listener", n)
	}
}

func TestRedirectLimit(t *testing.T) {
	t.Parallel()
	var hops atomic.Int32
	site := newSite(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		http.Redirect(w, r, "/again", http.StatusFound)
	})
	_, err := get(t, outbound.NewClient(outbound.Options{Allow: public}), site.URL)
	if !errors.Is(err, outbound.ErrDenied) || hops.Load() != 6 {
		t.Fatalf("%d requests, %v; want 6", hops.Load(), err)
	}
	hops.Store(0)
	_, err = get(t, outbound.NewClient(outbound.Options{Allow: public, RedirectsMax: -1}), site.URL)
	if err != nil || hops.Load() != 1 {
		t.Fatalf("%d requests, %v; want 1", hops.Load(), err)
	}
}

func TestCredentialsStayOnTheirOrigin(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 2)
	other := newSite(t, "127.0.0.2", func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header })
	site := newSite(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here" {
			seen <- r.Header
			http.Redirect(w, r, other.URL, http.StatusFound)
			return
		}
		http.Redirect(w, r, "/here", http.StatusFound)
	})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+"/?token=secret", nil)
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Webhook-Signature"} {
		req.Header.Set(name, "secret")
	}
	req.Header.Set("Accept", "text/html")
	res, err := outbound.NewClient(outbound.Options{Allow: public}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if same := <-seen; same.Get("X-Api-Key") != "secret" || same.Get("Authorization") != "secret" {
		t.Errorf("the same origin lost its credentials: %v", same)
	}
	foreign := <-seen
	for name, v := range foreign {
		if strings.Contains(strings.Join(v, " "), "secret") {
			t.Errorf("another origin got %s", name)
		}
	}
	if foreign.Get("Accept") != "text/html" {
		t.Errorf("harmless headers were lost: %v", foreign)
	}
}

func TestDowngradeIsRefused(t *testing.T) {
	t.Parallel()
	var plainHits atomic.Int32
	plain := newSite(t, "127.0.0.2", func(http.ResponseWriter, *http.Request) { plainHits.Add(1) })
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	client := outbound.NewClient(outbound.Options{Allow: public})
	client.Transport = secure.Client().Transport // the rule is the client's, whatever carries the request
	if _, err := get(t, client, secure.URL); !errors.Is(err, outbound.ErrDenied) || plainHits.Load() != 0 {
		t.Fatalf("%d plain requests, %v", plainHits.Load(), err)
	}
}

func TestBodyIsBoundedAfterDecompression(t *testing.T) {
	t.Parallel()
	site := newSite(t, "127.0.0.2", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, strings.Repeat("0", 1<<20))
		_ = z.Close()
	})
	body, err := get(t, outbound.NewClient(outbound.Options{Allow: public, BodyBytesMax: 1000}), site.URL)
	if !errors.Is(err, outbound.ErrTooLarge) || len(body) > 1000 {
		t.Fatalf("read %d bytes, %v", len(body), err)
	}
	body, err = get(t, outbound.NewClient(outbound.Options{Allow: public, BodyBytesMax: 1 << 20}), site.URL)
	if err != nil || len(body) != 1<<20 {
		t.Fatalf("read %d bytes, %v", len(body), err)
	}
}

func TestWholeExchangeHasADeadline(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	site := newSite(t, "127.0.0.2", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(done) })
	start := time.Now()
	_, err := get(t, outbound.NewClient(outbound.Options{Allow: public, Timeout: 50 * time.Millisecond}), site.URL)
	if err == nil || time.Since(start) > 2*time.Second {
		t.Fatalf("%v after %v", err, time.Since(start))
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	proxy := newSite(t, "127.0.0.3", ok)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	for name, client := range map[string]*http.Client{
		"client": outbound.NewClient(outbound.Options{Timeout: time.Second}), "operator": outbound.NewOperatorClient(100 * time.Millisecond),
	} {
		_, _ = get(t, client, "http://name.invalid/")
		if proxy.hits.Load() != 0 {
			t.Errorf("%s used the proxy", name)
		}
	}
}

func TestOperatorClientReachesPrivateAddressesWithoutRedirects(t *testing.T) {
	t.Parallel()
	var hops atomic.Int32
	site := newSite(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	if _, err := get(t, outbound.NewOperatorClient(0), site.URL); err != nil || hops.Load() != 1 {
		t.Fatalf("%d requests, %v", hops.Load(), err)
	}
}
