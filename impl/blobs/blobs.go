// Package blobs keeps what is too large for rows: exports, uploads, images. It
// stores them through gocloud.dev/blob, in a folder by default, by URL in S3 or what
// speaks its protocol, in Google Cloud Storage or in Azure, and encrypts every one of them.
//
// A blob begins with its own random key, sealed by the server's secret key and
// bound to the blob's name; the content follows in DARE 2.0 (minio/sio), which
// authenticates it piece by piece, so that a truncated, reordered or exchanged
// blob is an error and never wrong content.
package blobs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // s3:// URLs
	"gocloud.dev/gcerrors"

	"parley/impl/core/secret"
)

// ErrNotFound says that there is no such blob.
var ErrNotFound = errors.New("blob not found")

// ErrTooLarge says that a blob would exceed its ceiling; nothing is stored of it.
var ErrTooLarge = errors.New("blob too large")

// Name names a blob. The account comes first, so that all of an account's blobs are found together.
type Name struct {
	AccountID string
	Kind      string // a noun: "exports"
	ID        string
}

var part = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (n Name) key() (string, error) {
	for _, text := range []string{n.AccountID, n.Kind, n.ID} {
		if !part.MatchString(text) {
			return "", fmt.Errorf("a blob's name cannot have the part %q", text)
		}
	}
	return n.AccountID + "/" + n.Kind + "/" + n.ID, nil
}

// Store keeps blobs. It is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	box    *secret.Box
	full   atomic.Bool // there was no room for the blob that was written last
}

// New returns a store on an open bucket. Close ends the bucket.
func New(bucket *blob.Bucket, box *secret.Box) *Store { return &Store{bucket: bucket, box: box} }

// Open opens the store at a URL: s3://bucket?region=…, gs://bucket, azblob://container, file:///folder. A text
// without a scheme is a folder, which is made when it does not exist.
func Open(ctx context.Context, where string, box *secret.Box) (*Store, error) {
	bucket, err := open(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("open the blob store: %w", err)
	}
	return New(bucket, box), nil
}

func open(ctx context.Context, where string) (*blob.Bucket, error) {
	if strings.Contains(where, "://") {
		return blob.OpenBucket(ctx, where)
	}
	return fileblob.OpenBucket(where, &fileblob.Options{
		CreateDir: true, DirFileMode: 0o700,
		NoTempDir: true, // a file is renamed into place on the same file system
		Metadata:  fileblob.MetadataDontWrite,
	})
}

// Check is nil when the store can be reached and, after it had no room for a blob, has some again.
func (s *Store) Check(ctx context.Context) error {
	there, err := s.bucket.IsAccessible(ctx)
	if err == nil && !there {
		err = errors.New("there is no such bucket or folder")
	}
	if err != nil {
		return fmt.Errorf("reach the blob store: %w", err)
	}
	if s.full.Load() {
		return s.tryRoom(ctx)
	}
	return nil
}

// tryRoomBytes are more than what is left of a disk that is called full.
const tryRoomBytes = 1 << 20

// tryRoom writes a blob that belongs to nobody and removes it.
func (s *Store) tryRoom(ctx context.Context) error {
	key := "server/room/" + rand.Text()
	if err := s.PutRaw(ctx, key, bytes.NewReader(make([]byte, tryRoomBytes))); err != nil {
		return err
	}
	return s.remove(ctx, key)
}

// wrote remembers whether there was room for a blob.
func (s *Store) wrote(err error) {
	switch {
	case err == nil:
		s.full.Store(false)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		s.full.Store(true)
	}
}

// Close ends the store.
func (s *Store) Close() error { return s.bucket.Close() }

// Put stores what write writes, at most bytesMax, and returns how much that was.
// When write fails, or writes more (ErrTooLarge), nothing is stored. An existing blob is replaced at once.
func (s *Store) Put(ctx context.Context, name Name, bytesMax int64, write func(io.Writer) error) (stored int64, err error) {
	defer func() { s.wrote(err) }()
	key, err := name.key()
	if err != nil {
		return 0, err
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	out, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return 0, fmt.Errorf("write blob: %w", err)
	}
	n, err := s.encrypt(out, key, bytesMax, write)
	if err != nil {
		abort() // makes Close throw away what was written
		_ = closed(out)
		return 0, err
	}
	if err := closed(out); err != nil {
		return 0, fmt.Errorf("write blob: %w", err)
	}
	return n, nil
}

// closed ends a blob's writer. Azure's of gocloud.dev v0.47 panics there when
// the upload had failed or was aborted: it closes a pipe that it has given up.
func closed(out io.Closer) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the upload failed: %v", p)
		}
	}()
	return out.Close()
}

func (s *Store) encrypt(out io.Writer, key string, bytesMax int64, write func(io.Writer) error) (int64, error) {
	var dataKey [keyBytes]byte
	_, _ = rand.Read(dataKey[:]) // never fails: crypto/rand ends the process instead
	if err := writeHeader(out, s.box.Seal(string(dataKey[:]), sealContext(key))); err != nil {
		return 0, fmt.Errorf("write blob: %w", err)
	}
	sealed, err := encrypter(out, dataKey[:])
	if err != nil {
		return 0, err
	}
	bounded := &boundedWriter{w: sealed, left: bytesMax}
	if err := write(bounded); err != nil {
		return 0, err
	}
	if bounded.left < 0 { // write may have ignored it
		return 0, ErrTooLarge
	}
	if err := sealed.Close(); err != nil {
		return 0, fmt.Errorf("write blob: %w", err)
	}
	return bytesMax - bounded.left, nil
}

type boundedWriter struct {
	w    io.Writer
	left int64
}

func (b *boundedWriter) Write(p []byte) (int, error) {
	if b.left < 0 || int64(len(p)) > b.left {
		b.left = -1
		return 0, ErrTooLarge
	}
	n, err := b.w.Write(p)
	b.left -= int64(n)
	return n, err
}

// Get opens a blob for reading; the caller closes it. A blob that was changed
// fails to be read at the latest where it was changed. A missing one is ErrNotFound.
func (s *Store) Get(ctx context.Context, name Name) (io.ReadCloser, error) {
	key, err := name.key()
	if err != nil {
		return nil, err
	}
	in, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	plain, err := s.decrypt(in, key)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{plain, in}, nil
}

func (s *Store) decrypt(in io.Reader, key string) (io.Reader, error) {
	sealed, err := readHeader(in)
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	dataKey, err := s.box.Open(sealed, sealContext(key))
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	return decrypter(in, []byte(dataKey))
}

// Delete removes a blob. One that is not there is no error: what shall be gone is gone.
func (s *Store) Delete(ctx context.Context, name Name) error {
	key, err := name.key()
	if err != nil {
		return err
	}
	return s.remove(ctx, key)
}

func (s *Store) remove(ctx context.Context, key string) error {
	if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}

// DeleteAll removes all of an account's blobs of a kind, "" for every kind,
// and returns how many there were.
func (s *Store) DeleteAll(ctx context.Context, accountID, kind string) (int, error) {
	if !part.MatchString(accountID) || (kind != "" && !part.MatchString(kind)) {
		return 0, fmt.Errorf("no account has the id %q", accountID)
	}
	prefix := accountID + "/"
	if kind != "" {
		prefix += kind + "/"
	}
	removed := 0
	for list := s.bucket.List(&blob.ListOptions{Prefix: prefix}); ; removed++ {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return removed, nil
		}
		if err != nil {
			return removed, fmt.Errorf("list blobs: %w", err)
		}
		if err := s.remove(ctx, object.Key); err != nil {
			return removed, err
		}
	}
}
