package crawl

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/url"

	"parley/impl/core/extract"
	"parley/impl/core/fault"
)

// step is a page to read.
type step struct {
	address *url.URL
	depth   int      // clicks from the start
	page    *Fetched // when it was read already
}

// queueMax bounds the pages that wait: a page with very many links must not
// fill the memory.
const queueMax = 100_000

func (s *search) enqueue(at *url.URL, depth int) {
	u, err := parse(at.String())
	if err != nil || depth > s.limits.Depth || len(s.queue) >= queueMax || s.seen[u.String()] || !s.scope.holds(u) || !looksLikePage(u) {
		return
	}
	s.seen[u.String()], s.waiting[u.String()] = true, true
	s.queue = append(s.queue, step{address: u, depth: depth})
}

// crawl follows links, nearest pages first. Pages read count against a ceiling
// too, as a site may have many that are not worth reporting.
func (s *search) crawl(ctx context.Context) error {
	for read := 0; len(s.queue) > 0 && read < 4*s.limits.Pages+100; read++ {
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.seen[next.address.String()] = true
		delete(s.waiting, next.address.String())
		if err := s.visit(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) visit(ctx context.Context, next step) error {
	if next.page == nil {
		page, err := s.c.Fetch(ctx, next.address.String(), Validators{})
		var f *fault.Error
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &f) && f.Code == CodeRobots:
			return nil
		case err != nil || page.Status != 200:
			return s.report(ctx, next.address, Link{})
		}
		next.page = &page
	}
	u, err := parse(next.page.URL)
	if err != nil || !s.scope.holds(u) {
		return nil
	}
	if s.reported[u.String()] || s.seen[u.String()] && u.String() != next.address.String() {
		return nil // a redirect to a page that has its own turn
	}
	s.seen[u.String()] = true
	return s.read(ctx, u, next)
}

// read takes a page's links, and reports it unless it is another's double.
func (s *search) read(ctx context.Context, u *url.URL, next step) error {
	page := *next.page
	doc, err := s.c.o.Pages.Extract(ctx, page.URL, page.ContentType, page.Body)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return s.report(ctx, u, Link{Page: whole(page)})
	}
	if !page.NoFollow {
		for _, link := range doc.Links {
			if to, err := url.Parse(link); err == nil {
				s.enqueue(to, next.depth+1)
			}
		}
	}
	if doc.NoIndex || page.NoIndex || s.double(u, doc, next.depth) {
		return nil
	}
	return s.report(ctx, u, Link{Page: whole(page)})
}

// double says whether a page is the same as another: by the address it names as
// its own, or by its text.
func (s *search) double(u *url.URL, doc extract.Document, depth int) bool {
	if canonical, err := parse(doc.Canonical); err == nil && canonical.String() != u.String() && s.scope.holds(canonical) {
		s.enqueue(canonical, depth)
		// Of two pages that name each other the second is kept.
		if s.reported[canonical.String()] || s.waiting[canonical.String()] {
			return true
		}
	}
	sum := sha256.New()
	for _, b := range doc.Blocks {
		_, _ = io.WriteString(sum, string(b.Kind)+"\x00"+b.Text+"\x00") // a hash's writes do not fail
	}
	key := [32]byte(sum.Sum(nil))
	if s.contents[key] {
		return true
	}
	s.contents[key] = true
	return false
}
