package card

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

const (
	signature = "\x89PNG\r\n\x1a\n"
	// chunkFrame is what a chunk has around its data: length, type and checksum.
	chunkFrame = 12
	// cardBytesMax bounds a card in base64.
	cardBytesMax = 2 << 20
)

func isPNG(raw []byte) bool { return bytes.HasPrefix(raw, []byte(signature)) }

// carried returns the JSON of the card that a PNG carries: of its chunk chara, or
// else of ccv3, where cards of V3 are.
func carried(raw []byte) ([]byte, bool) {
	var later []byte
	for at := len(signature); at+chunkFrame <= len(raw); {
		size := int64(binary.BigEndian.Uint32(raw[at:]))
		if size > int64(len(raw)-at-chunkFrame) {
			break
		}
		kind, data := string(raw[at+4:at+8]), raw[at+8:at+8+int(size)]
		at += chunkFrame + int(size)
		if kind != "tEXt" {
			continue
		}
		keyword, text, found := bytes.Cut(data, []byte{0})
		switch {
		case found && string(keyword) == "chara":
			return decoded(text)
		case found && string(keyword) == "ccv3":
			later = text
		}
	}
	if later == nil {
		return nil, false
	}
	return decoded(later)
}

func decoded(text []byte) ([]byte, bool) {
	if len(text) > cardBytesMax {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	return raw, err == nil
}
