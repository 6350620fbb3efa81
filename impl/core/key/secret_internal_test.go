package key

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestMintedKeysAreWellFormedAndDiffer(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^parley_(sk|pk)_[0-9A-Za-z]{49}$`)
	seen := map[string]bool{}
	for range 500 {
		for kind, prefix := range map[Kind]string{Secret: secretPrefix, Publishable: publishablePrefix} {
			text := mint(kind)
			if !form.MatchString(text) || !strings.HasPrefix(text, prefix) || !wellFormed(text) || seen[text] {
				t.Fatalf("minted %q", text)
			}
			seen[text] = true
		}
	}
}

// Leak scanners and the edge rely on the form: one changed byte is noticed.
func FuzzWellFormed(f *testing.F) {
	f.Add("", 0, byte(0))
	f.Add("parley_sk_", 3, byte('x'))
	f.Add(strings.Repeat("a", 59), 58, byte('0'))
	good := mint(Secret)
	f.Add(good, 12, byte('Z'))
	f.Add("parley_pk_"+strings.Repeat("\x00", 49), 0, byte(0))
	f.Fuzz(func(t *testing.T, text string, at int, b byte) {
		if wellFormed(text) && (len(text) != len(good) || text[len(text)-checksumChars:] != checksum(text[:len(text)-checksumChars])) {
			t.Errorf("%q passes for a key", text)
		}
		if at < 0 {
			at = -(at + 1)
		}
		changed := []byte(good)
		changed[at%len(good)] = b
		if !bytes.Equal(changed, []byte(good)) && wellFormed(string(changed)) {
			t.Errorf("%q passes for a key though one byte of %q changed", changed, good)
		}
	})
}
