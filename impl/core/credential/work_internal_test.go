package credential

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"
	"testing"
)

// counting counts the work of an HMAC.
type counting struct {
	hash.Hash
	work *work
}

type work struct{ Sums, Bytes int }

func (c counting) Write(p []byte) (int, error) {
	c.work.Bytes += len(p)
	return c.Hash.Write(p)
}

func (c counting) Sum(b []byte) []byte {
	c.work.Sums++
	return c.Hash.Sum(b)
}

// However a well-formed text came about, telling whether it was minted here
// takes the same hash over as many bytes: nothing of a real one shows in the work.
func TestEveryTextTakesTheSameWork(t *testing.T) {
	secret := []byte("a secret of the tests")
	done := &work{}
	m := &Minter{macs: sync.Pool{New: func() any { return counting{hmac.New(sha256.New, secret), done} }}}
	real := m.Mint(SecretKey)
	remade := func(text string) string { return string(appendChecksum([]byte(text[:Chars-checksumChars]))) }
	wrongRest := remade(real[:ShownChars] + m.Mint(SecretKey)[ShownChars:])
	wrongCode := []byte(real)
	wrongCode[prefixChars+randomChars+codeChars-1] ^= 1
	want := work{Sums: 1, Bytes: prefixChars + randomChars}
	for name, c := range map[string]struct {
		text    string
		genuine bool
	}{
		"good or revoked":                 {real, true},
		"never stored":                    {m.Mint(SecretKey), true},
		"of another installation":         {NewMinter([]byte("another secret")).Mint(SecretKey), false},
		"what is shown and another rest":  {wrongRest, false},
		"all but the last of the code":    {remade(string(wrongCode)), false},
		"invented, with the checksum":     {remade(string(SecretKey) + "00000000000000000000000000000000000000000000000000000000000000"), false},
		"another kind of what was minted": {remade(string(AccessToken) + real[prefixChars:]), false},
	} {
		*done = work{}
		if _, genuine := m.Genuine(c.text); genuine != c.genuine || *done != want {
			t.Errorf("%s: genuine %v after %+v, want %+v", name, genuine, *done, want)
		}
	}
}
