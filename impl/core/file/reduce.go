package file

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"
)

const (
	// Models look at pictures in less than this many pixels on a side; more only costs.
	shownSideMax  = 2048
	shownBytesMax = 1 << 20
	shownQuality  = 85
)

// Reduce returns a picture that Clean made as a model is to see it: as it is, or smaller, on white and as a
// JPEG, when it is large.
func Reduce(ctx context.Context, p Picture) (Picture, error) {
	if max(p.Width, p.Height) <= shownSideMax && len(p.Content) <= shownBytesMax {
		return p, nil
	}
	leave, err := enter(ctx)
	if err != nil {
		return p, err
	}
	defer leave()
	large, err := decode(p.Content)
	if err != nil {
		return p, err
	}
	width, height := within(p.Width, p.Height, shownSideMax)
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src)
	draw.ApproxBiLinear.Scale(small, small.Bounds(), large, large.Bounds(), draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: shownQuality}); err != nil {
		return p, err
	}
	return Picture{Content: out.Bytes(), MediaType: "image/jpeg", Width: width, Height: height}, nil
}

// within are the sides of a picture of the same shape that has at most so many pixels on a side.
func within(width, height, side int) (int, int) {
	longest := max(width, height)
	if longest <= side {
		return width, height
	}
	return max(1, width*side/longest), max(1, height*side/longest)
}
