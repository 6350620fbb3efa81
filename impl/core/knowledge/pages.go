package knowledge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/job"
)

const (
	blobKind         = "files"
	fileNameRunesMax = 255
	// orphanAfter is when a file must have its page.
	orphanAfter = time.Hour
)

func fileName(accountID, pageID string) blobs.Name {
	return blobs.Name{AccountID: accountID, Kind: blobKind, ID: pageID}
}

// File is an upload.
type File struct {
	Name    string // as the person calls it
	Type    string // the declared content type; "" when unknown
	Keep    bool   // it stays after it was indexed, so that it can be shown and indexed anew
	Content io.Reader
}

// AddFile stores an uploaded file as a page of the collection's uploads and
// begins to index it. A file over the ceiling is a TooLarge fault, a collection that is not
// there NotFound.
func (s *Service) AddFile(ctx context.Context, accountID, collectionID string, f File) (db.Page, error) {
	if _, err := s.Get(ctx, accountID, collectionID); err != nil {
		return db.Page{}, err
	}
	now := s.Now()
	p := db.Page{
		AccountID: accountID, ID: id.New(id.Page), CollectionID: collectionID, Number: id.Number(), IsFile: true, FileKept: f.Keep,
		FileName: cut(strings.ToValidUTF8(strings.ReplaceAll(f.Name, "\x00", ""), "\ufffd"), fileNameRunesMax), FileType: cut(f.Type, fileNameRunesMax),
		CrawlState: db.PageQueued, IndexState: db.PageQueued, DueAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	if !utf8.ValidString(p.FileType) || p.FileName == "" {
		return db.Page{}, fault.New(fault.Invalid, "A file has a name, and its content type is text.")
	}
	p.URL = "upload:" + p.ID
	// Should this server die before the page is stored, the file is found and removed by this job.
	if err := job.Enqueue(ctx, s.DB.Queries, now, job.New{
		AccountID: accountID, ID: "orphan_" + p.ID, Kind: orphanKind, Args: pageArgs{p.ID}, RunAt: now.Add(orphanAfter),
	}); err != nil {
		return db.Page{}, err
	}
	n, err := s.Blobs.Put(ctx, fileName(accountID, p.ID), s.fileBytesMax(), func(w io.Writer) error {
		_, err := io.Copy(w, f.Content)
		return err
	})
	if errors.Is(err, blobs.ErrTooLarge) {
		return db.Page{}, fault.New(fault.TooLarge, "A file has at most %d bytes.", s.fileBytesMax())
	}
	if err != nil {
		return db.Page{}, err
	}
	p.FileBytes = n
	if err := s.insertFile(ctx, &p); err != nil {
		return db.Page{}, errors.Join(missing(err, errNoCollection), s.Blobs.Delete(context.WithoutCancel(ctx), fileName(accountID, p.ID)))
	}
	return p, nil
}

// insertFile stores the page of an upload in the source of the collection's uploads, which the first one makes.
func (s *Service) insertFile(ctx context.Context, p *db.Page) error {
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.LockCollection(ctx, p.AccountID, p.CollectionID); err != nil {
			return err
		}
		sources, err := q.Sources(ctx, p.AccountID, p.CollectionID)
		if err != nil {
			return err
		}
		for _, source := range sources {
			if source.Kind == db.SourceUpload {
				p.SourceID = source.ID
			}
		}
		if p.SourceID == "" {
			p.SourceID = id.New(id.Source)
			uploads := db.Source{AccountID: p.AccountID, ID: p.SourceID, CollectionID: p.CollectionID, Number: id.Number(),
				Kind: db.SourceUpload, State: db.SourceReady, CreatedAt: p.CreatedAt}
			if err := DefaultSettings.apply(&uploads, p.CreatedAt); err != nil {
				return err
			}
			if err := q.InsertSource(ctx, uploads); err != nil {
				return err
			}
		}
		if err := q.InsertPage(ctx, *p); err != nil {
			return err
		}
		return s.enqueuePage(ctx, q, p.AccountID, p.ID)
	})
}

func (s *Service) enqueuePage(ctx context.Context, q *db.Queries, accountID, pageID string) error {
	return job.Enqueue(ctx, q, s.Now(), job.New{AccountID: accountID, Kind: pageKind, Args: pageArgs{pageID}, MaxAttempts: 100})
}

// removeOrphan removes a file whose page was never stored.
func (s *Service) removeOrphan(ctx context.Context, r job.Run, args pageArgs) error {
	_, err := s.DB.Page(ctx, r.AccountID, args.PageID)
	if errors.Is(err, db.ErrNotFound) {
		return s.Blobs.Delete(ctx, fileName(r.AccountID, args.PageID))
	}
	return err
}

// Page returns a page of the account; any other is a NotFound fault.
func (s *Service) Page(ctx context.Context, accountID, pageID string) (db.Page, error) {
	p, err := s.DB.Page(ctx, accountID, pageID)
	return p, missing(err, errNoPage)
}

// DeletePage removes a page with its chunks and its file.
func (s *Service) DeletePage(ctx context.Context, accountID, pageID string) error {
	p, err := s.Page(ctx, accountID, pageID)
	if err != nil {
		return err
	}
	if p.IsFile {
		if err := s.Blobs.Delete(ctx, fileName(accountID, pageID)); err != nil {
			return err
		}
	}
	if err := s.DB.DeletePages(ctx, accountID, p.SourceID, []string{pageID}); err != nil {
		return err
	}
	return s.settle(ctx, s.DB.Queries, accountID, p.CollectionID)
}

// Reindex fetches, reads and indexes a page anew. A file that was not kept is a Conflict fault.
func (s *Service) Reindex(ctx context.Context, accountID, pageID string) error {
	p, err := s.Page(ctx, accountID, pageID)
	if err != nil {
		return err
	}
	if p.IsFile && !p.FileKept && p.IndexedAt != nil {
		return fault.New(fault.Conflict, "The file was not kept.")
	}
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.QueuePage(ctx, accountID, pageID, s.Now()); err != nil {
			return err
		}
		return s.enqueuePage(ctx, q, accountID, pageID)
	})
	return missing(err, errNoPage)
}

// SetMetadata stores what people say of a page; nil members keep what they said before.
func (s *Service) SetMetadata(ctx context.Context, accountID, pageID string, m Metadata) (db.Page, error) {
	p, err := s.Page(ctx, accountID, pageID)
	if err != nil {
		return p, err
	}
	said := metadataOf(p.Metadata)
	for to, from := range map[**string]*string{&said.Title: m.Title, &said.URL: m.URL, &said.Description: m.Description, &said.Image: m.Image} {
		if from != nil {
			*to = from
		}
	}
	if p.Metadata, err = json.Marshal(said); err != nil {
		return p, fmt.Errorf("encode metadata: %w", err)
	}
	return p, missing(s.DB.SetPageMetadata(ctx, accountID, pageID, p.Metadata, s.Now()), errNoPage)
}

// Shown is what citations show of a page: what was extracted, with what people say in its place.
func Shown(p db.Page) (title, url, description, image string) {
	m := metadataOf(p.Metadata)
	title, url, description, image = p.Title, p.URL, p.Description, p.Image
	if p.IsFile {
		url = ""
	}
	if title == "" && p.IsFile {
		title = p.FileName
	}
	replace(&title, m.Title)
	replace(&url, m.URL)
	replace(&description, m.Description)
	replace(&image, m.Image)
	return title, url, description, image
}

// Open opens the kept file of a page for reading; the caller closes it. One that is no
// file, or was not kept, is a NotFound fault.
func (s *Service) Open(ctx context.Context, p db.Page) (io.ReadCloser, error) {
	in, err := s.Blobs.Get(ctx, fileName(p.AccountID, p.ID))
	if errors.Is(err, blobs.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "File not found")
	}
	return in, err
}
