// Package backup copies an installation, rows and blobs, into one stream and
// makes an installation from it again.
//
// The stream is a gzipped tar. Manifest.json comes first and says which tables
// and migrations there are. Rows follow in parts, tables/<name>/<n>.jsonl, a row
// a line: its values in Postgres's text form, null for null. Then come the blobs
// as they are stored, blobs/<key>, and last end.json, the counts and SHA-256
// sums by which the rest is checked. A stream without its end is no backup.
//
// Rows are those of one moment. Blobs are copied after it: one that is deleted
// meanwhile is missing, which readers of it are told as they would be of any
// blob that is gone. Texts stand in the stream as in the database; secrets and
// blobs are sealed and of use only with the secret key, which is not in it.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"parley/db"
	"parley/impl/blobs"
)

const (
	// format names what the package comment describes.
	format = 1
	// partBytes is about how long a part is; that much is held in memory.
	partBytes = 4 << 20
	// lineBytesMax bounds a row when a backup is read: Postgres's own bound of a value is 1 GB.
	lineBytesMax = 1 << 30

	manifestName = "manifest.json"
	endName      = "end.json"
	tablesFolder = "tables/"
	blobsFolder  = "blobs/"
)

// Manifest describes a backup.
type Manifest struct {
	Format    int       `json:"format"`
	Version   string    `json:"version"` // of the program that made it
	CreatedAt time.Time `json:"created_at"`
	Schema    db.Schema `json:"schema"`
}

// Sum is how much of something there is and what it is.
type Sum struct {
	Count  int64  `json:"count"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Contents is what a backup holds, table by table, and of blobs.
type Contents struct {
	Tables map[string]Sum `json:"tables"`
	Blobs  Sum            `json:"blobs"`
}

// Progress is told how far a copy is: what is being copied, and how much of it has been.
type Progress func(what string, count, bytes int64)

// sums adds up what passes by.
type sums struct {
	tables map[string]*sum
	blobs  sum
}

type sum struct {
	count, bytes int64
	hash         hash.Hash
}

func newSums(m Manifest) *sums {
	s := &sums{tables: map[string]*sum{}, blobs: sum{hash: sha256.New()}}
	for _, t := range m.Schema.Tables {
		s.tables[t.Name] = &sum{hash: sha256.New()}
	}
	return s
}

func (s *sum) add(count int64, content []byte) {
	s.count += count
	s.bytes += int64(len(content))
	_, _ = s.hash.Write(content) // never fails
}

// addBlob takes in a blob's key and the digest of its content.
func (s *sum) addBlob(key string, bytes int64, digest []byte) {
	s.count++
	s.bytes += bytes
	_, _ = s.hash.Write(append([]byte(key+"\n"), digest...)) // never fails
}

func (s *sum) sum() Sum {
	return Sum{Count: s.count, Bytes: s.bytes, SHA256: hex.EncodeToString(s.hash.Sum(nil))}
}

func (s *sums) contents() Contents {
	c := Contents{Tables: map[string]Sum{}, Blobs: s.blobs.sum()}
	for name, t := range s.tables {
		c.Tables[name] = t.sum()
	}
	return c
}

// writer is the stream that is being written.
type writer struct {
	tar      *tar.Writer
	at       time.Time
	sums     *sums
	progress Progress
}

// Write copies an installation to out. The server may run meanwhile.
func Write(ctx context.Context, d *db.DB, store *blobs.Store, out io.Writer, version string, at time.Time, progress Progress) (Contents, error) {
	packed := gzip.NewWriter(out)
	w := &writer{tar: tar.NewWriter(packed), at: at, progress: progress}
	snapshot, err := d.Snapshot(ctx)
	if err != nil {
		return Contents{}, err
	}
	defer func() { _ = snapshot.Close() }() // it changed nothing
	m := Manifest{Format: format, Version: version, CreatedAt: at}
	if m.Schema, err = snapshot.Schema(ctx); err != nil {
		return Contents{}, err
	}
	if err := w.json(manifestName, m); err != nil {
		return Contents{}, err
	}
	w.sums = newSums(m)
	for _, t := range m.Schema.Tables {
		if err := w.table(ctx, snapshot, t); err != nil {
			return Contents{}, err
		}
	}
	if err := snapshot.Close(); err != nil { // vacuum need not wait for the blobs
		return Contents{}, err
	}
	if err := store.EachRaw(ctx, w.blob); err != nil {
		return Contents{}, err
	}
	c := w.sums.contents()
	return c, errors.Join(w.json(endName, c), w.tar.Close(), packed.Close())
}

func (w *writer) json(name string, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return w.entry(name, append(raw, '\n'))
}

func (w *writer) entry(name string, content []byte) error {
	if err := w.header(name, int64(len(content))); err != nil {
		return err
	}
	_, err := w.tar.Write(content)
	return err
}

func (w *writer) header(name string, bytes int64) error {
	return w.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: bytes, ModTime: w.at, Format: tar.FormatPAX})
}

// table writes a table in parts.
func (w *writer) table(ctx context.Context, snapshot *db.Snapshot, t db.StoredTable) error {
	var part []byte
	s, parts, rows := w.sums.tables[t.Name], 0, int64(0)
	flush := func() error {
		if rows == 0 {
			return nil
		}
		parts++
		s.add(rows, part)
		err := w.entry(fmt.Sprintf("%s%s/%06d.jsonl", tablesFolder, t.Name, parts), part)
		part, rows = part[:0], 0
		w.progress(t.Name, s.count, s.bytes)
		return err
	}
	err := snapshot.Rows(ctx, t, func(values []*string) error {
		line, err := json.Marshal(values)
		if err != nil {
			return err
		}
		part, rows = append(append(part, line...), '\n'), rows+1
		if len(part) < partBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (w *writer) blob(key string, bytes int64, content io.Reader) error {
	if err := w.header(blobsFolder+key, bytes); err != nil {
		return err
	}
	digest := sha256.New()
	if _, err := io.Copy(w.tar, io.TeeReader(content, digest)); err != nil {
		return fmt.Errorf("copy blob %s: %w", key, err)
	}
	w.sums.blobs.addBlob(key, bytes, digest.Sum(nil))
	w.progress("blobs", w.sums.blobs.count, w.sums.blobs.bytes)
	return nil
}
