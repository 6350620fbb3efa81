package blobs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"parley/impl/blobs"
	"parley/impl/core/secret"
)

// stores are the same store on every kind of bucket that tests can open.
func stores(t *testing.T) map[string]*blobs.Store {
	t.Helper()
	box := newBox(t)
	folder, err := blobs.Open(t.Context(), t.TempDir(), box)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*blobs.Store{"folder": folder, "memory": blobs.New(memblob.OpenBucket(nil), box)}
	for _, s := range all {
		t.Cleanup(func() { _ = s.Close() })
	}
	return all
}

func newBox(t *testing.T) *secret.Box {
	t.Helper()
	box, err := secret.NewBox(rand.Text() + rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func writes(content []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(content); return err }
}

func read(s *blobs.Store, n blobs.Name) ([]byte, error) {
	r, err := s.Get(context.Background(), n)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}

func name(id string) blobs.Name { return blobs.Name{AccountID: "acct_a", Kind: "exports", ID: id} }

func TestABlobIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	for kind, s := range stores(t) {
		for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, most} {
			content := make([]byte, size)
			_, _ = rand.Read(content)
			n, err := s.Put(t.Context(), name("x"), most, writes(content))
			if err != nil || n != int64(size) {
				t.Fatalf("%s: stored %d of %d, %v", kind, n, size, err)
			}
			if got, err := read(s, name("x")); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: read %d of %d bytes, %v", kind, len(got), size, err)
			}
		}
	}
}

func TestWhatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	for kind, s := range stores(t) {
		if _, err := s.Put(t.Context(), name("x"), 9, writes([]byte("ten bytes!"))); !errors.Is(err, blobs.ErrTooLarge) {
			t.Errorf("%s: too large: %v", kind, err)
		}
		ignoring := func(w io.Writer) error { _, _ = w.Write([]byte("ten bytes!")); return nil }
		if _, err := s.Put(t.Context(), name("x"), 9, ignoring); !errors.Is(err, blobs.ErrTooLarge) {
			t.Errorf("%s: too large and ignored: %v", kind, err)
		}
		broken := errors.New("broken")
		half := func(w io.Writer) error { _, _ = w.Write(make([]byte, 200<<10)); return broken }
		if _, err := s.Put(t.Context(), name("x"), 1<<20, half); !errors.Is(err, broken) {
			t.Errorf("%s: broken: %v", kind, err)
		}
		if _, err := read(s, name("x")); !errors.Is(err, blobs.ErrNotFound) {
			t.Errorf("%s: left behind: %v", kind, err)
		}
	}
}

func TestBlobsAreDeletedByAccountAndKind(t *testing.T) {
	t.Parallel()
	for kind, s := range stores(t) {
		other := blobs.Name{AccountID: "acct_ab", Kind: "exports", ID: "x"} // its id begins like the account's
		image := blobs.Name{AccountID: "acct_a", Kind: "images", ID: "x"}
		for _, n := range []blobs.Name{name("x"), name("y"), image, other} {
			if _, err := s.Put(t.Context(), n, 10, writes([]byte("text"))); err != nil {
				t.Fatal(err)
			}
		}
		for i, step := range []struct {
			kind string
			want int
		}{{"exports", 2}, {"", 1}, {"", 0}} {
			if n, err := s.DeleteAll(t.Context(), "acct_a", step.kind); err != nil || n != step.want {
				t.Errorf("%s: step %d removed %d, %v", kind, i, n, err)
			}
		}
		if _, err := read(s, image); !errors.Is(err, blobs.ErrNotFound) {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := read(s, other); err != nil {
			t.Errorf("%s: another account's: %v", kind, err)
		}
		if err := errors.Join(s.Delete(t.Context(), other), s.Delete(t.Context(), other)); err != nil {
			t.Errorf("%s: deleted twice: %v", kind, err)
		}
	}
}

func TestNamesCannotLeaveTheirAccount(t *testing.T) {
	t.Parallel()
	for kind, s := range stores(t) {
		for _, text := range []string{"", "..", "a/b", "a\\b", "é", strings.Repeat("a", 65), "a\x00"} {
			for _, n := range []blobs.Name{{text, "k", "i"}, {"a", text, "i"}, {"a", "k", text}} {
				if _, err := s.Put(t.Context(), n, 10, writes(nil)); err == nil {
					t.Errorf("%s: stored %q", kind, n)
				}
			}
		}
		if _, err := s.DeleteAll(t.Context(), "", ""); err == nil {
			t.Errorf("%s: deleted every account's blobs", kind)
		}
	}
}

// files are the stored blobs of a folder by the end of their path.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found[d.Name()] = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAtRestABlobTellsNothingAndBearsNoChange(t *testing.T) {
	t.Parallel()
	folder, box := t.TempDir(), newBox(t)
	s, err := blobs.Open(t.Context(), folder, box)
	if err != nil {
		t.Fatal(err)
	}
	content := []byte(strings.Repeat("a canary in a cage. ", 10_000))
	for _, id := range []string{"x", "y"} {
		if _, err := s.Put(t.Context(), name(id), 1<<20, writes(content)); err != nil {
			t.Fatal(err)
		}
	}
	paths := files(t, folder)
	stored, err := os.ReadFile(paths["x"])
	if err != nil || bytes.Contains(stored, []byte("canary")) {
		t.Fatalf("stored in the clear: %v", err)
	}
	changes := map[string][]byte{"empty": nil, "of another name": must(os.ReadFile(paths["y"]))}
	for _, at := range []int{0, 20, 90, 100, len(stored) / 2, len(stored) - 1} {
		changed := bytes.Clone(stored)
		changed[at] ^= 1
		changes[fmt.Sprint("changed at ", at)] = changed
	}
	const piece = 64<<10 + 32
	header := len(stored) % piece
	for _, length := range []int{10, len(stored) - 1, header, len(stored) - len(stored)/3, 1 + len(stored)/2} {
		changes[fmt.Sprint("cut to ", length)] = stored[:length]
	}
	for what, raw := range changes {
		if err := os.WriteFile(paths["x"], raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(s, name("x")); err == nil {
			t.Errorf("%s: read %d bytes", what, len(got))
		}
	}
	if err := os.WriteFile(paths["x"], stored, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := read(s, name("x")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("as it was: %v", err)
	}
	stranger, err := blobs.Open(t.Context(), folder, newBox(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(stranger, name("x")); err == nil {
		t.Error("another server's secret key opens it")
	}
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}
