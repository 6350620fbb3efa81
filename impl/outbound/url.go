package outbound

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL refuses URLs that no client of NewClient would fetch: schemes other
// than http and https, user information, zones, and host names that are numbers
// in disguise (0x7f.1, 2130706433), which some resolvers take for addresses. It
// does not resolve: use it to refuse early what a caller stores for later.
// Its errors wrap ErrDenied.
func CheckURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: scheme %q", ErrDenied, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%w: user information in the URL", ErrDenied)
	case host == "" || strings.ContainsAny(host, "%\\"):
		return fmt.Errorf("%w: host %q", ErrDenied, host)
	case disguisedNumber(host):
		return fmt.Errorf("%w: host %q is a number", ErrDenied, host)
	}
	return nil
}

// disguisedNumber follows the rule of the WHATWG URL standard: a host whose last
// label is numeric is an IPv4 address, and only the plain form is accepted.
func disguisedNumber(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() != ""
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// crossOriginHeaders are the headers that may follow a redirect to another
// origin. It is a list of what stays, as any other may carry a secret.
var crossOriginHeaders = []string{
	"Accept", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Type", "If-Modified-Since", "If-None-Match", "User-Agent",
}

func redirectRule(redirectsMax int) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		if redirectsMax < 0 {
			return http.ErrUseLastResponse
		}
		if len(via) > redirectsMax {
			return fmt.Errorf("%w: more than %d redirects", ErrDenied, redirectsMax)
		}
		if via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
			return fmt.Errorf("%w: redirect from https to %s", ErrDenied, next.URL.Scheme)
		}
		// The previous URL can hold a token in its query.
		next.Header.Del("Referer")
		if next.URL.Scheme != via[0].URL.Scheme || !strings.EqualFold(next.URL.Host, via[0].URL.Host) {
			keepOnly(next.Header, crossOriginHeaders)
		}
		return CheckURL(next.URL)
	}
}

func keepOnly(h http.Header, names []string) {
	kept := make(http.Header, len(names))
	for _, name := range names {
		if v := h.Values(name); v != nil {
			kept[name] = v
		}
	}
	clear(h)
	for name, v := range kept {
		h[name] = v
	}
}
