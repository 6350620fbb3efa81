package credential

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"strings"
)

// signatureChars are those of a whole HMAC: what is signed is found nowhere
// else, so the signature alone guards it.
const signatureChars = 43

var payloads = base64.RawURLEncoding.Strict()

// Sign returns a credential that carries payload: everybody can read it and
// nobody can change it. After the prefix come the payload in base64url, the
// signature and the public checksum. Nothing needs to be stored of it.
func (m *Minter) Sign(kind Kind, payload []byte) string {
	text := append([]byte(kind), payloads.EncodeToString(payload)...)
	text = m.appendSignature(text)
	return string(appendChecksum(text))
}

// Payload returns what a credential of the kind carries; false when it was not
// signed with this secret.
func (m *Minter) Payload(kind Kind, text string) ([]byte, bool) {
	encoded, ok := strings.CutPrefix(text, string(kind))
	end := len(text) - signatureChars - checksumChars
	if !ok || end < len(kind) {
		return nil, false
	}
	var sum [checksumChars]byte
	split := len(text) - checksumChars
	if text[split:] != string(appendBase62(sum[:0], uint64(crc32.ChecksumIEEE([]byte(text[:split]))), checksumChars)) {
		return nil, false
	}
	signed := m.appendSignature([]byte(text[:end]))
	if !hmac.Equal(signed[end:], []byte(text[end:split])) {
		return nil, false
	}
	payload, err := payloads.DecodeString(encoded[:end-len(kind)])
	return payload, err == nil
}

// appendSignature appends HMAC-SHA256 over what is there, under a name of its
// own: no code of Mint is ever part of a signature.
func (m *Minter) appendSignature(text []byte) []byte {
	mac := m.macs.Get().(hash.Hash)
	defer m.macs.Put(mac)
	mac.Reset()
	_, _ = mac.Write([]byte("signed ")) // a hash takes everything
	_, _ = mac.Write(text)
	var sum [sha256.Size]byte
	return appendBig(text, mac.Sum(sum[:0]), signatureChars)
}
