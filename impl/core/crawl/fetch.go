package crawl

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/impl/core/fault"
	"parley/impl/outbound"
)

const redirectsMax = 5

// Fetch gets a page, unless robots.txt forbids it, after its host's turn came.
// With validators of an earlier fetch an unchanged page is not sent again.
// Whatever a site answers is not an error: see Status. Errors are
// fault.Invalid for what will not change (an address that is not allowed,
// robots.txt, redirects in circles, a page too large), fault.Unavailable with
// RetryAfter for what may (no answer, a site that asked for a pause), or the
// context's.
func (c *Crawler) Fetch(ctx context.Context, address string, known Validators) (Fetched, error) {
	u, err := parse(address)
	if err != nil {
		return Fetched{}, err
	}
	return c.follow(ctx, u, known, func(u *url.URL) error { return c.admit(ctx, u) })
}

// follow gets u and what it redirects to, each after admit allowed it.
func (c *Crawler) follow(ctx context.Context, u *url.URL, known Validators, admit func(*url.URL) error) (Fetched, error) {
	seen := map[string]bool{}
	for range redirectsMax + 1 {
		if seen[u.String()] {
			return Fetched{}, fault.New(fault.Invalid, "The page redirects in a circle.")
		}
		seen[u.String()] = true
		if err := admit(u); err != nil {
			return Fetched{}, err
		}
		answer, err := c.get(ctx, u, known)
		if err != nil {
			return Fetched{}, err
		}
		next, err := target(u, answer)
		if err != nil {
			return Fetched{}, err
		}
		if next == nil {
			return c.fetched(u, answer, known)
		}
		u = next
	}
	return Fetched{}, fault.New(fault.Invalid, "The page redirects more than %d times.", redirectsMax)
}

// get makes one request in its host's turn.
func (c *Crawler) get(ctx context.Context, u *url.URL, known Validators) (outbound.Answer, error) {
	h := c.hosts.of(u)
	done, err := c.turn(ctx, h)
	if err != nil {
		return outbound.Answer{}, err
	}
	defer done()
	header := map[string]string{"User-Agent": c.o.UserAgent, "Accept": "text/html,application/xhtml+xml,*/*;q=0.5"}
	if known.ETag != "" {
		header["If-None-Match"] = known.ETag
	}
	if known.LastModified != "" {
		header["If-Modified-Since"] = known.LastModified
	}
	answer, err := c.o.Web.Get(ctx, u.String(), header)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return answer, ctx.Err()
	case errors.Is(err, outbound.ErrDenied):
		return answer, fault.New(fault.Invalid, "This address is not allowed.").Because(err)
	default:
		return answer, fault.New(fault.Unavailable, "%s", outbound.Explain(err)).Because(err)
	}
	// One page that fails says nothing about its site, unless the site says so.
	if answer.Status == 429 || answer.Status == 503 && answer.Header.Get("Retry-After") != "" {
		return answer, c.hold(ctx, h, retryAfter(answer, c.o.Now()))
	}
	return answer, nil
}

// target is where an answer redirects to; nil when it does not.
func target(u *url.URL, a outbound.Answer) (*url.URL, error) {
	location := a.Header.Get("Location")
	if location == "" || a.Status != 301 && a.Status != 302 && a.Status != 303 && a.Status != 307 && a.Status != 308 {
		return nil, nil
	}
	next, err := u.Parse(location)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The page redirects to something that is no address.").Because(err)
	}
	next, err = parse(next.String())
	if err != nil {
		return nil, err
	}
	if u.Scheme == "https" && next.Scheme != "https" {
		return nil, fault.New(fault.Invalid, "The page redirects from https to http.")
	}
	return next, nil
}

func (c *Crawler) fetched(u *url.URL, a outbound.Answer, known Validators) (Fetched, error) {
	f := Fetched{
		URL: u.String(), Status: a.Status, ContentType: a.Header.Get("Content-Type"),
		ETag: a.Header.Get("ETag"), LastModified: a.Header.Get("Last-Modified"),
	}
	f.NotModified = a.Status == 304 && known != Validators{}
	if f.NotModified {
		f.ETag, f.LastModified = known.ETag, known.LastModified
		return f, nil
	}
	if a.Status == 429 || a.Status >= 500 {
		f.RetryAfter = retryAfter(a, c.o.Now())
	}
	if a.Truncated && a.Status == 200 {
		return Fetched{}, fault.New(fault.Invalid, "The page is larger than is read.")
	}
	f.Body = a.Body
	f.NoIndex, f.NoFollow = robotsTag(a.Header.Values("X-Robots-Tag"), c.agent)
	return f, nil
}

// robotsTag reads headers such as "noindex, nofollow" and "otherbot: none".
func robotsTag(values []string, agent string) (noIndex, noFollow bool) {
	for _, value := range values {
		value = strings.ToLower(value)
		if name, rest, named := strings.Cut(value, ":"); named && !strings.Contains(name, ",") && !strings.HasPrefix(name, "unavailable_after") {
			if strings.TrimSpace(name) != strings.ToLower(agent) {
				continue
			}
			value = rest
		}
		for _, word := range strings.Split(value, ",") {
			word = strings.TrimSpace(word)
			noIndex = noIndex || word == "noindex" || word == "none"
			noFollow = noFollow || word == "nofollow" || word == "none"
		}
	}
	return noIndex, noFollow
}

// retryDefault is the pause after 429 and 5xx that do not say how long.
const retryDefault = 30 * time.Second

func retryAfter(a outbound.Answer, now time.Time) time.Duration {
	value := strings.TrimSpace(a.Header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return min(time.Duration(min(seconds, 1<<20))*time.Second, retryAfterMax)
	}
	if at, err := time.Parse(time.RFC1123, value); err == nil {
		return min(max(at.Sub(now), 0), retryAfterMax)
	}
	return retryDefault
}
