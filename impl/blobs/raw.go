package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// rawKey is the form of every blob's key.
var rawKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){2}$`)

// EachRaw hands every blob to each as it is stored, encrypted and with its key
// sealed: it is of use only with the same secret key. One that is deleted
// meanwhile is left out.
func (s *Store) EachRaw(ctx context.Context, each func(key string, bytes int64, content io.Reader) error) error {
	for list := s.bucket.List(nil); ; {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		if object.IsDir || !rawKey.MatchString(object.Key) {
			continue // not ours
		}
		if err := s.eachOne(ctx, object.Key, each); err != nil {
			return err
		}
	}
}

func (s *Store) eachOne(ctx context.Context, key string, each func(string, int64, io.Reader) error) error {
	in, err := s.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read blob: %w", err)
	}
	defer func() { _ = in.Close() }() // it was only read
	return each(key, in.Size(), in)
}

// PutRaw stores a blob as EachRaw gave it, in place of one that is there.
func (s *Store) PutRaw(ctx context.Context, key string, content io.Reader) (err error) {
	defer func() { s.wrote(err) }()
	if !rawKey.MatchString(key) {
		return fmt.Errorf("no blob has the key %q", key)
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	out, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	if _, err := io.Copy(out, content); err != nil {
		abort() // makes Close throw away what was written
		_ = closed(out)
		return fmt.Errorf("write blob: %w", err)
	}
	if err := closed(out); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	return nil
}
