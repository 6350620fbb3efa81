package blobs_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"parley/impl/blobs"
)

// A server of S3's protocol that others wrote keeps blobs as a folder does.
func TestBlobsLiveOnAnS3CompatibleServer(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	kept := s3mem.New()
	if err := kept.CreateBucket("parley"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(kept, gofakes3.WithAutoBucket(false)).Server())
	t.Cleanup(server.Close)
	s, err := blobs.Open(t.Context(), "s3://parley?region=eu-central-1&use_path_style=true&disable_https=true&endpoint="+server.URL, newBox(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	content := make([]byte, 6<<20) // more than one part of an upload
	_, _ = rand.Read(content)
	if n, err := s.Put(t.Context(), name("x"), 8<<20, writes(content)); err != nil || n != int64(len(content)) {
		t.Fatalf("stored %d, %v", n, err)
	}
	if got, err := read(s, name("x")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, err := s.Put(t.Context(), name("y"), 4, writes([]byte("too long"))); !errors.Is(err, blobs.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := read(s, name("y")); !errors.Is(err, blobs.ErrNotFound) {
		t.Errorf("left behind: %v", err)
	}
	if _, err := s.Put(t.Context(), name("z"), 64, writes([]byte(strings.Repeat("a canary", 8)))); err != nil {
		t.Fatal(err)
	}
	object, err := kept.GetObject("parley", "acct_a/exports/z", nil)
	if err != nil {
		t.Fatal(err)
	}
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(object.Contents); err != nil || strings.Contains(raw.String(), "canary") {
		t.Errorf("stored in the clear: %v", err)
	}
	if n, err := s.DeleteAll(t.Context(), "acct_a", ""); err != nil || n != 2 {
		t.Errorf("deleted %d, %v", n, err)
	}
	if _, err := read(s, name("x")); !errors.Is(err, blobs.ErrNotFound) {
		t.Errorf("after the deletion: %v", err)
	}
}
