package key

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
)

// A key reads parley_sk_ or parley_pk_, 43 characters of 256 random bits, then
// 6 of a checksum: leak scanners can find it, and a mistyped or invented key
// is refused without asking the database.
const (
	secretPrefix      = "parley_sk_"
	publishablePrefix = "parley_pk_"
	randomChars       = 43
	checksumChars     = 6
	shownChars        = len(secretPrefix) + 6
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// mint returns a fresh key of the kind.
func mint(kind Kind) string {
	prefix := secretPrefix
	if kind == Publishable {
		prefix = publishablePrefix
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	body := prefix + base62(new(big.Int).SetBytes(raw[:]), randomChars)
	return body + checksum(body)
}

// wellFormed tells whether text has the form and the checksum of a key.
func wellFormed(text string) bool {
	if !strings.HasPrefix(text, secretPrefix) && !strings.HasPrefix(text, publishablePrefix) {
		return false
	}
	split := len(text) - checksumChars
	return split == len(secretPrefix)+randomChars && text[split:] == checksum(text[:split])
}

func checksum(body string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), checksumChars)
}

// digest is what is stored of a key. A plain hash is enough: 256 random bits
// cannot be guessed, so slowing the hash down would only slow requests down.
func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func base62(n *big.Int, width int) string {
	out := make([]byte, width)
	base, digit := big.NewInt(int64(len(alphabet))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = alphabet[digit.Int64()]
	}
	return string(out)
}
