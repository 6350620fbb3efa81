// Package credential makes and recognises the texts of credentials: keys,
// tokens and one-time links. It stores nothing.
//
// A text is a prefix that names its kind, 43 characters of 256 random bits, 11
// of a code that only this installation can make, and 6 of a public checksum.
// Leak scanners find it by prefix and checksum. The code lets a server refuse
// what was never minted, however well it is formed, without asking the
// database, so that a flood of invented credentials costs the database nothing.
// It does not replace the look-up: what was minted may have been revoked since.
// The tokens of end users and ephemeral secrets are longer: they carry what they say (see Sign).
package credential

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"math/big"
	"sync"
)

// Kind is what a credential is for; it is also how its text begins.
type Kind string

// The kinds. All prefixes but that of Ephemeral have the same length.
const (
	SecretKey      Kind = "parley_sk_" // an API key for servers
	PublishableKey Kind = "parley_pk_" // an API key for web pages
	ClientSecret   Kind = "parley_cs_" // the secret of an OAuth client
	AccessToken    Kind = "parley_at_" // what an OAuth client exchanges its secret for
	UserSession    Kind = "parley_us_" // a person who signed in
	OneTimeLink    Kind = "parley_ot_" // sets a password, once
	EndUser        Kind = "parley_eu_" // a visitor of an app
	Ephemeral      Kind = "ek_"        // a page's realtime sessions; clients know it by this prefix
	ChatTicket     Kind = "parley_ct_" // opens the WebSocket of one chat
	SetUp          Kind = "parley_su_" // makes the first person of a server
)

var kinds = map[Kind]bool{
	SecretKey: true, PublishableKey: true, ClientSecret: true, AccessToken: true, UserSession: true, OneTimeLink: true,
}

const (
	prefixChars   = len(SecretKey)
	randomChars   = 43
	codeChars     = 11
	checksumChars = 6

	// Chars is the length of every credential that is not signed.
	Chars = prefixChars + randomChars + codeChars + checksumChars
	// ShownChars is how much of a text may be shown again, for people to tell credentials apart.
	ShownChars = prefixChars + 6
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Minter makes credentials and recognises those of its secret. It is safe for concurrent use.
type Minter struct{ macs sync.Pool }

// NewMinter makes a minter from the installation's minting secret.
func NewMinter(secret []byte) *Minter {
	own := append([]byte{}, secret...)
	return &Minter{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, own) }}}
}

// Mint returns a fresh credential of the kind.
func (m *Minter) Mint(kind Kind) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	text := make([]byte, 0, Chars)
	text = append(text, kind...)
	text = appendBig(text, raw[:], randomChars)
	text = m.appendCode(text)
	return string(appendChecksum(text))
}

// Genuine tells whether text was minted with this secret, and as what. The
// checksum is public; the code is compared in constant time.
func (m *Minter) Genuine(text string) (Kind, bool) {
	kind, ok := KindOf(text)
	if !ok {
		return "", false
	}
	signed := prefixChars + randomChars
	expected := make([]byte, signed, Chars)
	copy(expected, text)
	expected = m.appendCode(expected)
	return kind, hmac.Equal(expected[signed:], []byte(text[signed:signed+codeChars]))
}

// KindOf returns the kind that a well-formed text names, whoever made it.
func KindOf(text string) (Kind, bool) {
	if len(text) != Chars || !kinds[Kind(text[:prefixChars])] {
		return "", false
	}
	var sum [checksumChars]byte
	split := Chars - checksumChars
	appendBase62(sum[:0], uint64(crc32.ChecksumIEEE([]byte(text[:split]))), checksumChars)
	return Kind(text[:prefixChars]), text[split:] == string(sum[:])
}

// appendCode appends 64 bits of HMAC-SHA256 over what is there.
func (m *Minter) appendCode(text []byte) []byte {
	mac := m.macs.Get().(hash.Hash)
	defer m.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write(text) // a hash takes everything
	var sum [sha256.Size]byte
	return appendBase62(text, binary.BigEndian.Uint64(mac.Sum(sum[:0])), codeChars)
}

func appendChecksum(text []byte) []byte {
	return appendBase62(text, uint64(crc32.ChecksumIEEE(text)), checksumChars)
}

// Digest is what is stored of a credential. A plain hash is enough: 256 random
// bits cannot be guessed, so slowing the hash down would only slow requests down.
func Digest(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// appendBase62 appends n in exactly width digits.
func appendBase62(text []byte, n uint64, width int) []byte {
	start := len(text)
	for range width {
		text = append(text, '0')
	}
	for i := start + width - 1; i >= start; i-- {
		text[i] = alphabet[n%62]
		n /= 62
	}
	return text
}

func appendBig(text, raw []byte, width int) []byte {
	n, base, digit := new(big.Int).SetBytes(raw), big.NewInt(62), new(big.Int)
	start := len(text)
	for range width {
		text = append(text, '0')
	}
	for i := start + width - 1; i >= start; i-- {
		n.DivMod(n, base, digit)
		text[i] = alphabet[digit.Int64()]
	}
	return text
}
