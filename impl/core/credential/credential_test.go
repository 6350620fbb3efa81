package credential_test

import (
	"regexp"
	"strings"
	"testing"

	"parley/impl/core/credential"
)

var minter = credential.NewMinter([]byte("a secret of the tests"))

func TestMintedCredentialsAreGenuineAndDiffer(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^parley_(sk|pk|cs|at|us|ot)_[0-9A-Za-z]{60}$`)
	seen := map[string]bool{}
	for range 200 {
		for _, kind := range []credential.Kind{credential.SecretKey, credential.PublishableKey, credential.ClientSecret,
			credential.AccessToken, credential.UserSession, credential.OneTimeLink} {
			text := minter.Mint(kind)
			got, genuine := minter.Genuine(text)
			if !form.MatchString(text) || !strings.HasPrefix(text, string(kind)) || !genuine || got != kind || seen[text] {
				t.Fatalf("minted %q", text)
			}
			seen[text] = true
		}
	}
}

// The checksum is public, the code is not: another installation's credential
// is well formed and still not genuine.
func TestOnlyTheSecretMakesGenuineCredentials(t *testing.T) {
	t.Parallel()
	other := credential.NewMinter([]byte("another secret"))
	for range 1000 {
		text := other.Mint(credential.SecretKey)
		if _, wellFormed := credential.KindOf(text); !wellFormed {
			t.Fatalf("%q is not well formed", text)
		}
		if _, genuine := minter.Genuine(text); genuine {
			t.Fatalf("%q passes for ours", text)
		}
	}
}

// Leak scanners and servers rely on the form: one changed byte is noticed.
func FuzzGenuine(f *testing.F) {
	good := minter.Mint(credential.SecretKey)
	f.Add("", 0, byte(0))
	f.Add("parley_sk_", 3, byte('x'))
	f.Add(strings.Repeat("a", len(good)), 58, byte('0'))
	f.Add(good, 12, byte('Z'))
	f.Add("parley_pk_"+strings.Repeat("\x00", 60), 0, byte(0))
	f.Fuzz(func(t *testing.T, text string, at int, b byte) {
		if _, genuine := minter.Genuine(text); genuine && text != good {
			t.Errorf("%q passes for a credential", text)
		}
		if at < 0 {
			at = -(at + 1)
		}
		changed := []byte(good)
		changed[at%len(good)] = b
		if _, wellFormed := credential.KindOf(string(changed)); wellFormed && string(changed) != good {
			t.Errorf("%q passes though one byte of %q changed", changed, good)
		}
	})
}

func BenchmarkGenuine(b *testing.B) {
	text := minter.Mint(credential.SecretKey)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := minter.Genuine(text); !ok {
			b.Fatal("not genuine")
		}
	}
}
