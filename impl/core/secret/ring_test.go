package secret_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/db/dbtest"
	"parley/impl/core/secret"
)

func TestSecretsOutliveTheOperatorsKey(t *testing.T) {
	t.Parallel()
	d, _ := dbtest.Own(t)
	first, second := box(t, strings.Repeat("1", 32)), box(t, strings.Repeat("2", 32))
	opened, err := secret.Open(t.Context(), d, first, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sealed := opened.Seal("sk-upstream", "prov_1")
	opens := func(master *secret.Box) bool {
		b, err := secret.Open(t.Context(), d, master, time.Now())
		if err != nil && !errors.Is(err, secret.ErrOtherKey) {
			t.Fatal(err)
		}
		if err != nil {
			return false
		}
		text, err := b.Open(sealed, "prov_1")
		return err == nil && text == "sk-upstream"
	}
	if !opens(first) || opens(second) {
		t.Error("before the rotation the first key, and no other, opens")
	}
	if _, err := secret.Retire(t.Context(), d, second); !errors.Is(err, secret.ErrOtherKey) {
		t.Errorf("a key that opens nothing retires the others: %v", err)
	}
	if err := secret.Rotate(t.Context(), d, second, first, time.Now()); !errors.Is(err, secret.ErrOtherKey) {
		t.Errorf("a key that opens nothing rotates: %v", err)
	}
	if err := secret.Rotate(t.Context(), d, first, second, time.Now()); err != nil {
		t.Fatal(err)
	}
	if !opens(first) || !opens(second) {
		t.Error("while servers change over both keys open")
	}
	if ended, err := secret.Retire(t.Context(), d, second); err != nil || ended != 1 {
		t.Errorf("ended %d, %v", ended, err)
	}
	if opens(first) || !opens(second) {
		t.Error("after the rotation the second key, and no other, opens")
	}
}

func TestServersThatStartTogetherAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	d, _ := dbtest.Own(t)
	master := box(t, strings.Repeat("1", 32))
	const servers = 8
	var sealed [servers][]byte
	var starts sync.WaitGroup
	for i := range servers {
		starts.Go(func() {
			b, err := secret.Open(t.Context(), d, master, time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			sealed[i] = b.Seal("text", "")
		})
	}
	starts.Wait()
	b, err := secret.Open(t.Context(), d, master, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i := range servers {
		if text, err := b.Open(sealed[i], ""); err != nil || text != "text" {
			t.Errorf("server %d sealed what others cannot open: %v", i, err)
		}
	}
}

func TestAKeyFileIsReplacedOnlyWhenTheNewKeyIsInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	before, err := secret.FileBox(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := before.Seal("text", "")
	refused := errors.New("refused")
	if err := secret.ReplaceFile(path, func(*secret.Box) error { return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if same, err := secret.FileBox(path); err != nil || !canOpen(same, sealed) {
		t.Errorf("a refused key replaced the file: %v", err)
	}
	var given *secret.Box
	if err := secret.ReplaceFile(path, func(b *secret.Box) error { given = b; return nil }); err != nil {
		t.Fatal(err)
	}
	now, err := secret.FileBox(path)
	if err != nil || canOpen(now, sealed) || !canOpen(now, given.Seal("text", "")) {
		t.Errorf("the file does not hold the new key: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".secret-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func canOpen(b *secret.Box, sealed []byte) bool {
	_, err := b.Open(sealed, "")
	return err == nil
}
