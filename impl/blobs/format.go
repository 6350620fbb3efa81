package blobs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/minio/sio"
)

const (
	// magic names the format, so that another can follow it one day.
	magic = "parley-blob-1\n"
	// keyBytes is the length of a blob's own key.
	keyBytes = 32
	// sealedBytesMax bounds the sealed key that a header may announce.
	sealedBytesMax = 1024
)

var errFormat = errors.New("not a blob of this server")

// sealContext binds a sealed key to the blob's name: another blob's key does not open it.
func sealContext(key string) string { return "blob:" + key }

func writeHeader(w io.Writer, sealed []byte) error {
	header := binary.BigEndian.AppendUint16([]byte(magic), uint16(len(sealed)))
	_, err := w.Write(append(header, sealed...))
	return err
}

func readHeader(r io.Reader) ([]byte, error) {
	header := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fmt.Errorf("%w: %w", errFormat, err)
	}
	n := binary.BigEndian.Uint16(header[len(magic):])
	if string(header[:len(magic)]) != magic || n > sealedBytesMax {
		return nil, errFormat
	}
	sealed := make([]byte, n)
	_, err := io.ReadFull(r, sealed)
	return sealed, err
}

// config takes version 2.0 alone: 1.0 does not notice a missing end.
func config(key []byte) sio.Config {
	return sio.Config{MinVersion: sio.Version20, MaxVersion: sio.Version20, Key: key}
}

// encrypter begins the content with one byte that does not belong to it: DARE
// cannot tell empty content from one that was cut off.
func encrypter(w io.Writer, key []byte) (io.WriteCloser, error) {
	// sio's writer closes what it writes to; the blob is closed by who opened it.
	sealed, err := sio.EncryptWriter(struct{ io.Writer }{w}, config(key))
	if err != nil {
		return nil, fmt.Errorf("encrypt blob: %w", err)
	}
	if _, err := sealed.Write([]byte{0}); err != nil {
		return nil, fmt.Errorf("write blob: %w", err)
	}
	return sealed, nil
}

func decrypter(r io.Reader, key []byte) (io.Reader, error) {
	plain, err := sio.DecryptReader(r, config(key))
	if err == nil {
		_, err = io.ReadFull(plain, make([]byte, 1))
	}
	if err != nil {
		return nil, fmt.Errorf("decrypt blob: %w", err)
	}
	return plain, nil
}
