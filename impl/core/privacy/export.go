package privacy

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/job"
)

const (
	// keepExports is how long an archive can be downloaded.
	keepExports = 7 * 24 * time.Hour
	// exportBytesMax bounds an archive, compressed.
	exportBytesMax = 50 << 30
	blobKind       = "exports"
)

func blobOf(e db.Export) blobs.Name {
	return blobs.Name{AccountID: e.AccountID, Kind: blobKind, ID: e.ID}
}

// Download opens the archive of an export. One that waits, failed or has expired is a Conflict.
func (s *Service) Download(ctx context.Context, accountID, exportID string) (io.ReadCloser, db.Export, error) {
	e, err := s.Export(ctx, accountID, exportID)
	if err != nil {
		return nil, e, err
	}
	gone := fault.New(fault.Conflict, "The export is %s: there is nothing to download.", e.State)
	if e.State != db.PrivacyReady {
		return nil, e, gone
	}
	archive, err := s.Blobs.Get(ctx, blobOf(e))
	if errors.Is(err, blobs.ErrNotFound) {
		return nil, e, gone
	}
	return archive, e, err
}

// export makes an archive. A repetition replaces what an earlier attempt left.
func (s *Service) export(ctx context.Context, r job.Run, args exportArgs) error {
	e, err := s.DB.Export(ctx, r.AccountID, args.ExportID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && e.State != db.PrivacyWaiting) {
		return nil // erased, or ended by an attempt whose server died
	}
	if err != nil {
		return err
	}
	e.Bytes, err = s.Blobs.Put(ctx, blobOf(e), exportBytesMax, func(w io.Writer) error {
		var err error
		e.Records, err = s.archive(ctx, e, w)
		return err
	})
	now := s.Now()
	e.FinishedAt = &now
	if err != nil {
		return errors.Join(err, s.failExport(ctx, r, e))
	}
	expires := now.Add(keepExports)
	e.State, e.ExpiresAt = db.PrivacyReady, &expires
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.EndExport(ctx, e); err != nil {
			return err
		}
		return event.Record(ctx, q, e.AccountID, event.ExportReady, now, map[string]string{"export_id": e.ID})
	})
	if errors.Is(err, db.ErrNotFound) { // an erasure has made it void meanwhile
		return s.Blobs.Delete(ctx, blobOf(e))
	}
	return err
}

func (s *Service) failExport(ctx context.Context, r job.Run, e db.Export) error {
	if !r.Last() {
		return nil
	}
	e.State, e.Records, e.Bytes = db.PrivacyFailed, 0, 0
	return s.DB.EndExport(context.WithoutCancel(ctx), e)
}

// manifest says what an archive is.
type manifest struct {
	AccountID string           `json:"account_id"`
	Scope     string           `json:"scope"`
	Subject   string           `json:"subject,omitempty"`
	CreatedAt time.Time        `json:"created_at"`
	Records   map[string]int64 `json:"records"`  // by file
	Pictures  int              `json:"pictures"` // under images/, by the ids in images.jsonl
}

// archive writes a zip with a file of JSON lines for each table, and the pictures, and returns how many lines there are.
func (s *Service) archive(ctx context.Context, e db.Export, w io.Writer) (int64, error) {
	z := zip.NewWriter(w)
	m := manifest{AccountID: e.AccountID, Scope: e.Scope, Subject: e.Subject, CreatedAt: s.Now(), Records: map[string]int64{}}
	var file io.Writer
	var pictures []picture
	total := int64(0)
	err := s.DB.ExportRows(ctx, e.AccountID, e.Scope, e.Subject, func(table string, row []byte) error {
		name := table + ".jsonl"
		if m.Records[name] == 0 {
			var err error
			if file, err = z.Create(name); err != nil {
				return err
			}
		}
		m.Records[name]++
		total++
		if p, ok := pictureOf(table, row); ok {
			pictures = append(pictures, p)
		}
		_, err := file.Write(append(row, '\n'))
		return err
	})
	if err != nil {
		return 0, err
	}
	if m.Pictures, err = s.addPictures(ctx, z, e.AccountID, pictures); err != nil {
		return 0, err
	}
	if file, err = z.Create("manifest.json"); err != nil {
		return 0, err
	}
	if err := json.NewEncoder(file).Encode(m); err != nil {
		return 0, err
	}
	return total, z.Close()
}

const expiryBatch = 100

// expire removes archives whose time is over.
func (s *Service) expire(ctx context.Context, _ job.Run) error {
	for {
		over, err := s.DB.ExpiredExports(ctx, s.Now(), expiryBatch)
		if err != nil {
			return err
		}
		for _, e := range over {
			// The blob goes first: an expired export whose blob is left would never be looked at again.
			if err := s.Blobs.Delete(ctx, blobOf(e)); err != nil {
				return err
			}
			if err := s.DB.ExpireExport(ctx, e.AccountID, e.ID); err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
		}
		if len(over) < expiryBatch {
			return nil
		}
	}
}
