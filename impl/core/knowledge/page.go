package knowledge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/chunk"
	"parley/impl/core/crawl"
	"parley/impl/core/extract"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

// pageTries is how often a page is tried until it has failed.
const pageTries = 5

// languages are the text search configurations of Postgres that chunks may name.
var languages = strings.Fields(`arabic armenian basque catalan danish dutch english finnish french german greek hindi hungarian
	indonesian irish italian lithuanian nepali norwegian portuguese romanian russian serbian simple spanish swedish tamil turkish yiddish`)

// claimsMax is how many claims of a page may end without a word: then it is the page that ends the servers.
const claimsMax = 12

var (
	errGone   = errors.New("the page is gone")
	errPoison = fault.New(fault.Invalid, "The server stopped each time it worked on the page.")
)

// work does everything about one claimed page and stores what came of it. Its
// error is one of the database or of an ending context, never the page's.
func (s *Service) work(ctx context.Context, source db.Source, p db.Page, fetched *crawl.Fetched) error {
	limited, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	before := p
	var chunks []db.Chunk
	err := error(errPoison)
	if p.Tries <= claimsMax {
		chunks, err = s.prepare(limited, &p, fetched)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the work is given up, which is no failure of the page
	}
	if errors.Is(err, errGone) && source.RemoveMissingPages {
		return s.DB.DeletePages(ctx, p.AccountID, p.SourceID, []string{p.ID})
	}
	now := s.Now()
	p.UpdatedAt, p.DueAt = now, nil
	switch {
	case err == nil:
	case retryable(err) && p.Tries < pageTries:
		p = before // what was half done does not count
		again := now.Add(max(job.Backoff(p.Tries), retryAfter(err)))
		p.UpdatedAt, p.DueAt, p.Reason = now, &again, reason(err)
	default:
		s.Log.Info("a page failed", "account", p.AccountID, "page", p.ID, "error", err)
		p.Reason = reason(err)
		fail(&p)
	}
	stored, err := s.finish(ctx, p, chunks, err == nil && chunks != nil)
	if err != nil || !stored || !p.IsFile || p.FileKept || p.DueAt != nil {
		return err
	}
	return s.Blobs.Delete(ctx, fileName(p.AccountID, p.ID))
}

// fail marks what was still to be done as failed. What is indexed stays: an old text is better than none.
func fail(p *db.Page) {
	if p.CrawlState == db.PageQueued {
		p.CrawlState = db.PageFailed
	}
	if p.IndexState == db.PageQueued {
		p.IndexState = db.PageFailed
	}
}

// finish stores what a claim led to, with the chunks if they are to be
// replaced. A claim that was taken over stores nothing.
func (s *Service) finish(ctx context.Context, p db.Page, chunks []db.Chunk, replace bool) (stored bool, err error) {
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.FinishPage(ctx, p); err != nil || p.DueAt != nil {
			return err
		}
		if replace {
			if err := q.ReplaceChunks(ctx, p, chunks); err != nil {
				return err
			}
		}
		return q.ReadyCollection(ctx, p.AccountID, p.CollectionID, p.UpdatedAt)
	})
	return err == nil, missing(err, nil)
}

// prepare fetches and reads a page, fills in what is known of it, and returns its chunks: nil when
// those stored are to stay, an empty list when it shall have none.
func (s *Service) prepare(ctx context.Context, p *db.Page, fetched *crawl.Fetched) ([]db.Chunk, error) {
	content, same, err := s.content(ctx, p, fetched)
	if err != nil || same {
		return nil, err
	}
	now := s.Now()
	p.CrawlState, p.CrawledAt, p.Reason = db.PageOK, &now, ""
	d := extract.Document{NoIndex: content.noIndex}
	if !d.NoIndex {
		if d, err = s.Reader.Extract(ctx, content.name, content.kind, content.body); err != nil {
			return nil, err
		}
	}
	p.Title, p.Description, p.Image = field(d.Title, 500), field(d.Description, 1000), field(d.Image, 2000)
	if d.NoIndex {
		p.IndexState, p.Reason, p.Chunks, p.Words, p.Digest = db.PageNone, "The page asks not to be found.", 0, 0, ""
		return []db.Chunk{}, nil
	}
	return s.index(ctx, p, d)
}

// index cuts a document into chunks, unless they are those that are stored.
func (s *Service) index(ctx context.Context, p *db.Page, d extract.Document) ([]db.Chunk, error) {
	cut := s.Split(d, chunk.Limits{})
	if len(cut) == 0 {
		p.IndexState, p.Chunks, p.Words, p.Digest = db.PageFailed, 0, 0, ""
		p.Reason = "The page has no text."
		return []db.Chunk{}, nil
	}
	if len(cut) > s.chunksMax() {
		cut = cut[:s.chunksMax()]
		p.Reason = fmt.Sprintf("Only the first %d passages are searched.", len(cut))
	}
	model, err := s.embedModel(ctx, p.AccountID)
	if err != nil {
		return nil, err
	}
	digest := digestOf(p.Title, model, cut)
	if digest == p.Digest && p.IndexState == db.PageOK {
		return nil, nil
	}
	chunks := make([]db.Chunk, len(cut))
	words := 0
	for i, c := range cut {
		chunks[i] = db.Chunk{Heading: c.Heading, Body: c.Text, Tokens: c.Tokens, Language: c.Language,
			Title: Searchable(p.Title), Above: Searchable(c.Heading), Words: Searchable(c.Text)}
		if !slices.Contains(languages, c.Language) {
			chunks[i].Language = "simple"
		}
		words += len(strings.Fields(c.Text))
	}
	if used, err := s.embedOrNot(ctx, p, model, chunks); err != nil {
		return nil, err
	} else if used != model {
		digest = digestOf(p.Title, used, cut) // so that the next refresh tries again
	}
	now := s.Now()
	p.IndexState, p.IndexedAt, p.Chunks, p.Words, p.Digest = db.PageOK, &now, len(chunks), int64(words), digest
	return chunks, nil
}

// digestOf stands for what is stored of a page: its text, and the model of its vectors.
func digestOf(title, model string, chunks []chunk.Chunk) string {
	h := sha256.New()
	_, _ = io.WriteString(h, title)
	if model != "" {
		_, _ = fmt.Fprintf(h, "\x00\x00%s", model)
	}
	for _, c := range chunks {
		_, _ = fmt.Fprintf(h, "\x00%s\x00%s\x00%s", c.Language, c.Heading, c.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// field is a text within what its column takes.
func field(text string, runes int) string {
	return cut(strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", ""), runes)
}

// content is what is to be read of a page.
type content struct {
	name, kind string
	body       []byte
	noIndex    bool
}

// content gets a page's bytes; same tells that they are those that were read before.
func (s *Service) content(ctx context.Context, p *db.Page, fetched *crawl.Fetched) (c content, same bool, err error) {
	if p.IsFile {
		in, err := s.Blobs.Get(ctx, fileName(p.AccountID, p.ID))
		if errors.Is(err, blobs.ErrNotFound) {
			return c, false, fault.New(fault.Invalid, "The file was not kept.")
		}
		if err != nil {
			return c, false, err
		}
		defer in.Close()
		c = content{name: p.FileName, kind: p.FileType}
		c.body, err = io.ReadAll(in)
		return c, false, err
	}
	if fetched == nil {
		var known crawl.Validators
		if p.IndexState == db.PageOK {
			known = crawl.Validators{ETag: p.ETag, LastModified: p.LastModified}
		}
		got, err := s.Crawler.Fetch(ctx, p.URL, known)
		if err != nil {
			return c, false, err
		}
		fetched = &got
	}
	p.HTTPStatus = &fetched.Status
	if fetched.NotModified {
		now := s.Now()
		p.CrawlState, p.CrawledAt, p.Reason = db.PageOK, &now, ""
		return c, true, nil
	}
	if err := answered(fetched); err != nil {
		return c, false, err
	}
	p.ETag, p.LastModified = field(fetched.ETag, 1000), field(fetched.LastModified, 100)
	p.FileType, p.FileBytes = field(fetched.ContentType, 255), int64(len(fetched.Body))
	return content{fetched.URL, fetched.ContentType, fetched.Body, fetched.NoIndex}, false, nil
}

// answered is what a site's status says against reading the page.
func answered(f *crawl.Fetched) error {
	switch {
	case f.Status == 200:
		return nil
	case f.Status == 404 || f.Status == 410:
		return fmt.Errorf("%w: %w", errGone, fault.New(fault.NotFound, "The site answers %d: the page is gone.", f.Status))
	case f.Status == 429 || f.Status == 408 || f.Status >= 500:
		busy := fault.New(fault.Unavailable, "The site answers %d.", f.Status)
		busy.RetryAfter = min(f.RetryAfter, time.Hour)
		return busy
	}
	return fault.New(fault.Invalid, "The site answers %d.", f.Status)
}

// retryable tells whether another attempt may mend an error.
func retryable(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return true
	}
	switch f.Kind {
	case fault.Internal, fault.Unavailable, fault.Upstream, fault.RateLimited, fault.Canceled:
		return true
	}
	return false
}

func retryAfter(err error) time.Duration {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.RetryAfter
	}
	return 0
}

// reason is what people are told of an error.
func reason(err error) string {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return cut(f.Message, 500)
	case errors.Is(err, context.DeadlineExceeded):
		return "It took too long."
	}
	return "Internal error; the log tells more."
}
