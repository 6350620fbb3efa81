package backup

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"parley/db"
	"parley/impl/blobs"
)

// ErrDamaged says that a backup is not what was written: cut off, changed, or something else.
var ErrDamaged = errors.New("this is no whole backup")

func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

// reader is the stream that is being read.
type reader struct {
	tar      *tar.Reader
	packed   *gzip.Reader
	sums     *sums
	progress Progress

	row  func(table string, values []*string) error
	blob func(key string, content io.Reader) error
}

// Verify reads a backup to its end and checks all of it. It needs no database.
func Verify(in io.Reader, progress Progress) (Manifest, Contents, error) {
	r, m, err := open(in, progress)
	if err != nil {
		return m, Contents{}, err
	}
	r.row = func(string, []*string) error { return nil }
	r.blob = func(_ string, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return err
	}
	c, err := r.read()
	return m, c, err
}

// Restore makes an installation of a backup, in a database without accounts.
// Rows are stored all together, after the backup has been read and checked to
// its end and check has agreed with them; blobs as they come.
func Restore(ctx context.Context, d *db.DB, store *blobs.Store, in io.Reader, check func(*db.Queries) error, progress Progress) (Manifest, Contents, error) {
	r, m, err := open(in, progress)
	if err != nil {
		return m, Contents{}, err
	}
	var c Contents
	err = d.Restore(ctx, m.Schema, func(l *db.Loader) error {
		r.row = func(table string, values []*string) error { return l.Row(ctx, table, values) }
		r.blob = func(key string, content io.Reader) error { return store.PutRaw(ctx, key, content) }
		var err error
		if c, err = r.read(); err != nil {
			return err
		}
		q, err := l.Queries(ctx, d)
		if err != nil {
			return err
		}
		return check(q)
	})
	return m, c, err
}

func open(in io.Reader, progress Progress) (*reader, Manifest, error) {
	var m Manifest
	packed, err := gzip.NewReader(in)
	if err != nil {
		return nil, m, damaged(err)
	}
	r := &reader{tar: tar.NewReader(packed), packed: packed, progress: progress}
	h, err := r.tar.Next()
	if err != nil {
		return nil, m, damaged(err)
	}
	if h.Name != manifestName {
		return nil, m, damaged(errors.New("it does not begin with its manifest"))
	}
	if err := json.NewDecoder(r.tar).Decode(&m); err != nil {
		return nil, m, damaged(err)
	}
	if m.Format != format {
		return nil, m, fmt.Errorf("a backup of format %d: use a newer version of Parley", m.Format)
	}
	r.sums = newSums(m)
	return r, m, nil
}

// read passes everything on and compares it with the end.
func (r *reader) read() (Contents, error) {
	for {
		h, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			return Contents{}, damaged(errors.New("it has no end"))
		}
		if err != nil {
			return Contents{}, damaged(err)
		}
		switch {
		case h.Name == endName:
			return r.end()
		case strings.HasPrefix(h.Name, tablesFolder):
			table, _, _ := strings.Cut(strings.TrimPrefix(h.Name, tablesFolder), "/")
			err = r.rows(table)
		case strings.HasPrefix(h.Name, blobsFolder):
			err = r.content(strings.TrimPrefix(h.Name, blobsFolder), h.Size)
		default:
			err = damaged(fmt.Errorf("it holds %q", h.Name))
		}
		if err != nil {
			return Contents{}, err
		}
	}
}

func (r *reader) rows(table string) error {
	s := r.sums.tables[table]
	if s == nil {
		return damaged(fmt.Errorf("it holds rows of %q, of which its manifest knows nothing", table))
	}
	lines := bufio.NewScanner(r.tar)
	lines.Buffer(make([]byte, 0, 64<<10), lineBytesMax)
	for lines.Scan() {
		var values []*string
		if err := json.Unmarshal(lines.Bytes(), &values); err != nil {
			return damaged(err)
		}
		s.add(1, lines.Bytes())
		s.add(0, []byte("\n"))
		if err := r.row(table, values); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return damaged(err)
	}
	r.progress(table, s.count, s.bytes)
	return nil
}

// marked says of what cannot be read that the backup is to blame, not who stores it.
type marked struct{ of io.Reader }

// Read implements io.Reader.
func (m marked) Read(p []byte) (int, error) {
	n, err := m.of.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return it as it is
		err = damaged(err)
	}
	return n, err
}

func (r *reader) content(key string, bytes int64) error {
	digest := sha256.New()
	if err := r.blob(key, io.TeeReader(marked{r.tar}, digest)); err != nil {
		return err
	}
	r.sums.blobs.addBlob(key, bytes, digest.Sum(nil))
	r.progress("blobs", r.sums.blobs.count, r.sums.blobs.bytes)
	return nil
}

// end compares what was read with what was written, and reads the rest: the
// archive's own check sum stands behind it.
func (r *reader) end() (Contents, error) {
	var written Contents
	if err := json.NewDecoder(r.tar).Decode(&written); err != nil {
		return Contents{}, damaged(err)
	}
	got := r.sums.contents()
	for name, want := range written.Tables {
		if got.Tables[name] != want {
			return Contents{}, damaged(fmt.Errorf("the rows of %s are not those that were written", name))
		}
	}
	if !maps.Equal(got.Tables, written.Tables) || got.Blobs != written.Blobs {
		return Contents{}, damaged(errors.New("it does not hold what was written"))
	}
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return Contents{}, damaged(errors.New("something follows its end"))
	}
	if _, err := io.Copy(io.Discard, r.packed); err != nil {
		return Contents{}, damaged(err)
	}
	return got, nil
}
