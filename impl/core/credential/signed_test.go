package credential_test

import (
	"bytes"
	"regexp"
	"testing"

	"parley/impl/core/credential"
)

func TestSignedCredentialsCarryTheirPayload(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^parley_eu_[0-9A-Za-z_-]{49,}$`)
	for size := range 200 {
		payload := bytes.Repeat([]byte{0, 0xff, 'x'}, size)[:size]
		text := minter.Sign(credential.EndUser, payload)
		got, ok := minter.Payload(credential.EndUser, text)
		if !ok || !bytes.Equal(got, payload) || !form.MatchString(text) {
			t.Fatalf("signed %x, read %x of %q", payload, got, text)
		}
	}
}

// What is signed is found nowhere else: nothing but the very text passes.
func TestNothingElsePassesForSigned(t *testing.T) {
	t.Parallel()
	good := minter.Sign(credential.EndUser, []byte(`{"u":"ada"}`))
	bad := []string{
		"", "parley_eu_", good[:len(good)-1], good + "0", good[:10] + good[11:],
		credential.NewMinter([]byte("another secret")).Sign(credential.EndUser, []byte(`{"u":"ada"}`)),
		minter.Sign(credential.SecretKey, []byte(`{"u":"ada"}`)), minter.Mint(credential.SecretKey), minter.Mint(credential.PublishableKey),
	}
	for i := range good {
		changed := []byte(good)
		changed[i] ^= 1
		bad = append(bad, string(changed))
	}
	for _, text := range bad {
		if payload, ok := minter.Payload(credential.EndUser, text); ok {
			t.Errorf("%q passes with %q", text, payload)
		}
	}
	if _, genuine := minter.Genuine(good); genuine {
		t.Error("a signed credential passes for a minted one")
	}
}
