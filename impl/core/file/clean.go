package file

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	_ "image/gif" // a kind that is taken
	"image/jpeg"
	"image/png"
	"slices"

	_ "golang.org/x/image/webp" // a kind that is taken

	"parley/impl/core/fault"
)

const (
	// pixelsMax bounds what a picture unpacks to: 4 bytes each, and a copy.
	pixelsMax = 24_000_000
	// SideMax bounds a side of a picture in pixels.
	SideMax     = 16_384
	jpegQuality = 90
)

// Picture is a picture that was unpacked and packed anew: it holds pixels and nothing else.
type Picture struct {
	Content       []byte
	MediaType     string // "image/png" or "image/jpeg"
	Width, Height int
}

// cleaning admits few pictures at a time: each may take a hundred megabytes while it is unpacked.
var cleaning = make(chan struct{}, 2)

var (
	errNoPicture = fault.New(fault.Invalid, "The picture is none that can be read. PNG, JPEG, GIF and WebP are taken.")
	errTooBig    = fault.New(fault.Invalid, "The picture has too many pixels: %d at most, %d on a side.", pixelsMax, SideMax)
)

// kinds are what is taken, by what the content itself begins with; what its sender calls it does not matter.
var kinds = []string{"png", "jpeg", "gif", "webp"}

// Clean unpacks a picture and packs its pixels anew, turned upright: what else
// the bytes may hold (places and cameras, scripts, other files behind the
// picture, frames after the first) is left behind. Anything but a PNG, JPEG, GIF or WebP of
// bounded size is an Invalid fault, found before it is unpacked.
func Clean(raw []byte) (Picture, error) {
	head, format, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || !slices.Contains(kinds, format) {
		return Picture{}, errNoPicture
	}
	if head.Width < 1 || head.Height < 1 || max(head.Width, head.Height) > SideMax || head.Width*head.Height > pixelsMax {
		return Picture{}, errTooBig
	}
	picture, err := decode(raw)
	if err != nil {
		return Picture{}, errNoPicture.Because(err)
	}
	if format == "jpeg" {
		picture = upright(picture, orientation(raw))
	}
	return pack(picture, format)
}

// CleanInTurn is Clean for pictures of people, who may send many at once: it waits for its turn.
func CleanInTurn(ctx context.Context, raw []byte) (Picture, error) {
	leave, err := enter(ctx)
	if err != nil {
		return Picture{}, err
	}
	defer leave()
	return Clean(raw)
}

// enter waits until a picture may be unpacked. Call leave after it.
func enter(ctx context.Context) (leave func(), err error) {
	select {
	case cleaning <- struct{}{}:
		return func() { <-cleaning }, nil
	case <-ctx.Done():
		return nil, fault.New(fault.Canceled, "The request was canceled.").Because(ctx.Err())
	}
}

var errPanicked = errors.New("decoder panicked")

// decode unpacks the first frame. A decoder that panics on hostile bytes must not take the server with it.
func decode(raw []byte) (picture image.Image, err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	picture, _, err = image.Decode(bytes.NewReader(raw))
	return picture, err
}

func pack(picture image.Image, format string) (Picture, error) {
	var out bytes.Buffer
	size := picture.Bounds().Size()
	p := Picture{MediaType: "image/png", Width: size.X, Height: size.Y}
	var err error
	if format == "jpeg" {
		p.MediaType = "image/jpeg"
		err = jpeg.Encode(&out, picture, &jpeg.Options{Quality: jpegQuality})
	} else {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture)
	}
	p.Content = out.Bytes()
	return p, err
}

// turned shows a picture as its Exif orientation says.
type turned struct {
	image.Image
	how int
}

func upright(p image.Image, how int) image.Image {
	if how < 2 || how > 8 {
		return p
	}
	return turned{p, how}
}

// Bounds implements image.Image.
func (t turned) Bounds() image.Rectangle {
	size := t.Image.Bounds().Size()
	if t.how >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	return image.Rectangle{Max: size}
}

// At implements image.Image.
func (t turned) At(x, y int) color.Color {
	b := t.Image.Bounds()
	w, h := b.Dx()-1, b.Dy()-1
	if t.how >= 5 {
		x, y = y, x
	}
	if t.how == 2 || t.how == 3 || t.how == 7 || t.how == 8 {
		x = w - x
	}
	if t.how == 3 || t.how == 4 || t.how == 6 || t.how == 7 {
		y = h - y
	}
	return t.Image.At(b.Min.X+x, b.Min.Y+y)
}
