package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// post sends JSON to an upstream and returns the body of its 200, within bounds.
func post(ctx context.Context, c *http.Client, url, apiKey string, body any, bytesMax int64) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	return fetch(c, r, apiKey, bytesMax)
}

// get reads a body of an upstream.
func get(ctx context.Context, c *http.Client, url, apiKey string, bytesMax int64) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	return fetch(c, r, apiKey, bytesMax)
}

func fetch(c *http.Client, r *http.Request, apiKey string, bytesMax int64) ([]byte, error) {
	if apiKey != "" {
		r.Header.Set("Authorization", "Bearer "+apiKey)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, readStatus(res)
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	content, err := io.ReadAll(io.LimitReader(res.Body, bytesMax+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > bytesMax {
		return nil, errAnswerTooLarge
	}
	return content, nil
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
