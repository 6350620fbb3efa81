package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"time"

	"parley/impl/core/drawing"
	"parley/impl/core/fault"
)

// Drawing asks for one picture.
type Drawing struct {
	Model         string // as the provider calls it
	Prompt        string
	Width, Height int    // in pixels; 0 leaves it to the model
	Portrait      bool   // somebody's head and shoulders
	Variant       uint64 // another one asks for another picture of the same prompt
	EndUser       string // as in Request
}

// Painter makes pictures. Implementations are safe for concurrent use.
type Painter interface {
	// Paint returns an encoded picture of any kind, which the caller must not
	// trust. It tells its progress in per cent where it knows any, from one
	// goroutine and never after it returned. Errors are faults: Canceled when
	// ctx was, Invalid for what the model refuses to draw, Upstream, Unavailable.
	Paint(ctx context.Context, d Drawing, progress func(percent int)) ([]byte, error)
}

const (
	// PictureBytesMax bounds an encoded picture, of an upstream or a person.
	PictureBytesMax = 24 << 20
	// PictureTimeout bounds the making of one picture.
	PictureTimeout = 10 * time.Minute
)

// Paint implements Painter by drawing: offline, at once, the same picture for the same prompt and variant.
func (BuiltIn) Paint(ctx context.Context, d Drawing, progress func(int)) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, fault.New(fault.Canceled, "The request was canceled.").Because(ctx.Err())
	}
	raw, err := drawing.PNG(drawing.Request{
		Prompt: d.Prompt, Portrait: d.Portrait, Seed: d.Variant, Width: d.Width, Height: d.Height,
	})
	if err != nil {
		return nil, fault.New(fault.Invalid, "The size is not one that the model can draw.").Because(err)
	}
	progress(100)
	return raw, nil
}

// paintFault says what a failure to make a picture means to the caller.
func paintFault(ctx, caller context.Context, failure error) error {
	if own, ok := errors.AsType[*fault.Error](failure); ok {
		return own
	}
	switch {
	case errors.Is(caller.Err(), context.Canceled):
		return fault.New(fault.Canceled, "The request was canceled.").Because(caller.Err())
	case ctx.Err() != nil:
		return fault.New(fault.Upstream, "The model did not answer in time.").Because(ctx.Err())
	}
	if e, ok := errors.AsType[*statusError](failure); ok && e.status == http.StatusBadRequest {
		if e.mentions([]byte("safety"), []byte("moderation"), []byte("content_policy"), []byte("content policy")) {
			return fault.New(fault.Invalid, "The model's provider refuses to make this picture.").Because(e.loggable())
		}
	}
	return faultOf(failure)
}

// decodePicture reads base64, with or without the head of a data URL.
func decodePicture(text string) ([]byte, error) {
	if head, rest, ok := strings.Cut(text, ","); ok && strings.HasPrefix(head, "data:") {
		text = rest
	}
	if base64.StdEncoding.DecodedLen(len(text)) > PictureBytesMax {
		return nil, errAnswerTooLarge
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, errBadPicture
	}
	return raw, nil
}

var errBadPicture = errors.New("answer holds no picture")

// seed is a drawing's own number for samplers that want one.
func (d Drawing) seed() uint32 {
	digest := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(d.Prompt), d.Variant))
	return binary.BigEndian.Uint32(digest[:4]) & 0x7fffffff
}
