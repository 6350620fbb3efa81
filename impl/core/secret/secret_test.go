package secret_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"parley/impl/core/secret"
)

func box(t *testing.T, keyText string) *secret.Box {
	t.Helper()
	b, err := secret.NewBox(keyText)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestASecretOpensWithItsKeyAndContextAlone(t *testing.T) {
	t.Parallel()
	b := box(t, strings.Repeat("k", 32))
	sealed := b.Seal("sk-upstream", "prov_1")
	if text, err := b.Open(sealed, "prov_1"); err != nil || text != "sk-upstream" {
		t.Errorf("opened %q, %v", text, err)
	}
	if bytes.Contains(sealed, []byte("upstream")) || bytes.Equal(sealed, b.Seal("sk-upstream", "prov_1")) {
		t.Error("the sealed text shows something of the secret")
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() (string, error){
		"wrong key":     func() (string, error) { return box(t, strings.Repeat("j", 32)).Open(sealed, "prov_1") },
		"wrong context": func() (string, error) { return b.Open(sealed, "prov_2") },
		"changed":       func() (string, error) { return b.Open(changed, "prov_1") },
		"cut":           func() (string, error) { return b.Open(sealed[:20], "prov_1") },
		"too short":     func() (string, error) { return b.Open(sealed[:3], "prov_1") },
		"empty":         func() (string, error) { return b.Open(nil, "prov_1") },
	} {
		if text, err := open(); err == nil || text != "" || strings.Contains(err.Error(), "upstream") {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if text, err := b.Open(b.Seal("", ""), ""); err != nil || text != "" {
		t.Errorf("an empty secret: %q, %v", text, err)
	}
}

func TestAShortKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", strings.Repeat("k", 31)} {
		if _, err := secret.NewBox(text); err == nil {
			t.Errorf("a key of %d bytes was taken", len(text))
		}
	}
}

func TestProcessesThatStartTogetherShareOneKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	sealed := make(chan []byte, 8)
	var starts sync.WaitGroup
	for range cap(sealed) {
		starts.Go(func() {
			b, err := secret.FileBox(path)
			if err != nil {
				t.Error(err)
				return
			}
			sealed <- b.Seal("text", "context")
		})
	}
	starts.Wait()
	close(sealed)
	later, err := secret.FileBox(path)
	if err != nil {
		t.Fatal(err)
	}
	for s := range sealed {
		if text, err := later.Open(s, "context"); err != nil || text != "text" {
			t.Errorf("sealed by one process, opened by another: %q, %v", text, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file is %v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestABrokenKeyFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	if err := os.WriteFile(path, []byte("cut"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.FileBox(path); err == nil {
		t.Error("a broken key file was taken")
	}
	if raw, err := os.ReadFile(path); err != nil || string(raw) != "cut" {
		t.Errorf("the file holds %q, %v", raw, err)
	}
	if _, err := secret.FileBox(filepath.Join(t.TempDir(), "missing", "secret.key")); err == nil {
		t.Error("a folder that is missing was accepted")
	}
}
