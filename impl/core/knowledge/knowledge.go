// Package knowledge is what answers are made from: collections of pages that
// were fetched from sites or uploaded, cut into chunks, and searched.
//
//	collection   what an agent, an app or a project answers from
//	source       a site with its schedule, or the uploads
//	page         one document, and what became of it
//	chunk        the passage that is searched and cited
//
// Ingestion is work of package job: it survives its server, and each page ends
// indexed once or with a reason (see ingest.go). Search reads Postgres's text
// search index, matches on the rarest words of a question and ranks by all of
// them (see search.go); with an Embedder its results are fused with those of
// vectors. A surface gives what Search finds to turn.Input.Knowledge.
package knowledge

import (
	"context"
	"log/slog"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/chunk"
	"parley/impl/core/crawl"
	"parley/impl/core/extract"
	"parley/impl/core/fault"
	"parley/impl/core/key"
)

// Crawler reaches sites; crawl.Crawler is one.
type Crawler interface {
	// Discover tells found of each page of a site or sitemap, and ends with found's error.
	Discover(ctx context.Context, start string, limits crawl.Limits, found func(crawl.Link) error) error
	// Fetch gets a page, unless it is still what the validators stand for.
	Fetch(ctx context.Context, url string, known crawl.Validators) (crawl.Fetched, error)
}

// Reader reads documents; extract.Extractor is one.
type Reader interface {
	Extract(ctx context.Context, name, declaredType string, content []byte) (extract.Document, error)
}

// Embedder makes vectors of texts.
type Embedder interface {
	// Model is the id of the model that makes an account's vectors; "" when it has none, which leaves it with text search.
	Model(ctx context.Context, accountID string) (string, error)
	// Embed returns one vector a text, all of one length, at the caller's expense. Errors that a retry may
	// mend are Unavailable or Upstream faults; a balance that does not cover it is NoFunds.
	Embed(ctx context.Context, caller key.Caller, model string, texts []string) ([][]float32, error)
}

// Limits are the ceilings of a collection. Zero fields take the defaults.
type Limits struct {
	Pages     int   // of one source; 5,000 by default
	FileBytes int64 // of one upload; 50 MB by default
	Chunks    int   // of one page; 2,000 by default
}

const (
	pagesMax     = 5000
	fileBytesMax = 50 << 20
	chunksMax    = 2000
)

// Service keeps collections. Fields without a default must be set.
type Service struct {
	DB       *db.DB
	Blobs    *blobs.Store
	Crawler  Crawler
	Reader   Reader
	Split    func(extract.Document, chunk.Limits) []chunk.Chunk
	Embedder Embedder // nil: text search alone
	Limits   Limits
	Now      func() time.Time
	Log      *slog.Logger
}

func (s *Service) pagesMax() int       { return orElse(s.Limits.Pages, pagesMax) }
func (s *Service) chunksMax() int      { return orElse(s.Limits.Chunks, chunksMax) }
func (s *Service) fileBytesMax() int64 { return orElse(s.Limits.FileBytes, fileBytesMax) }
func orElse[N int | int64](given, n N) N { // the default where nothing is given
	if given == 0 {
		return n
	}
	return given
}

var (
	errNoCollection = fault.New(fault.NotFound, "Collection not found")
	errNoSource     = fault.New(fault.NotFound, "Source not found")
	errNoPage       = fault.New(fault.NotFound, "Page not found")
)
