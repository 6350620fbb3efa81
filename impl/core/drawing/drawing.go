// Package drawing makes pictures without a model: flat drawings with ink
// outlines, chosen by the words of a prompt. It is offline, takes a fraction of
// a second, and does not pretend to be more. The same prompt and seed give the
// same bytes; what the words leave open is decided by a digest of them, so that
// different prompts look different.
//
// Start with PNG. portrait.go draws people, scene.go places; words.go is what
// they understand.
package drawing

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"

	"github.com/fogleman/gg"
)

// SideMin and SideMax bound the sides of a drawing in pixels, SideDefault is that of one which names none.
const (
	SideMin     = 64
	SideMax     = 2048
	SideDefault = 512
)

// Request says what to draw.
type Request struct {
	Prompt        string
	Portrait      bool   // somebody's head and shoulders; otherwise the prompt decides
	Seed          uint64 // another one gives another drawing of the same prompt
	Width, Height int    // in pixels, from SideMin to SideMax; 0 is SideDefault
}

// PNG draws. Sides out of bounds are an error, nothing else is.
func PNG(r Request) ([]byte, error) {
	if r.Width == 0 {
		r.Width = SideDefault
	}
	if r.Height == 0 {
		r.Height = SideDefault
	}
	if min(r.Width, r.Height) < SideMin || max(r.Width, r.Height) > SideMax {
		return nil, fmt.Errorf("a drawing of %d by %d pixels: sides are from %d to %d", r.Width, r.Height, SideMin, SideMax)
	}
	s := newSheet(r)
	if r.Portrait || s.words.any("portrait", "headshot", "avatar", "selfie", "face") {
		s.portrait()
	} else {
		s.scene()
	}
	s.frame()
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&out, s.Image()); err != nil {
		return nil, fmt.Errorf("encode drawing: %w", err)
	}
	return out.Bytes(), nil
}

// sheet is a drawing at work. Its coordinates make the shorter side 512 long, whatever the pixels.
type sheet struct {
	*gg.Context
	words vocabulary
	dice  *rand.Rand
	w, h  float64
	line  float64 // width of an outline
}

const shortSide = 512

var ink = hex(0x2b2233)

func newSheet(r Request) *sheet {
	digest := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(r.Prompt), r.Seed))
	scale := float64(min(r.Width, r.Height)) / shortSide
	s := &sheet{
		Context: gg.NewContext(r.Width, r.Height), words: read(r.Prompt),
		dice: rand.New(rand.NewPCG(binary.BigEndian.Uint64(digest[:8]), binary.BigEndian.Uint64(digest[8:16]))),
		w:    float64(r.Width) / scale, h: float64(r.Height) / scale, line: 4,
	}
	s.Scale(scale, scale)
	s.SetLineCapRound()
	s.SetLineJoinRound()
	return s
}

// frame is a paper margin with a thin line inside: the picture says that it is drawn.
func (s *sheet) frame() {
	s.SetLineWidth(20)
	s.SetColor(hex(0xfbf7ee))
	s.DrawRectangle(0, 0, s.w, s.h)
	s.Stroke()
	s.SetLineWidth(2)
	s.SetColor(ink)
	s.DrawRoundedRectangle(10, 10, s.w-20, s.h-20, 3)
	s.Stroke()
}

// between is a random number from low to high.
func (s *sheet) between(low, high float64) float64 { return low + s.dice.Float64()*(high-low) }

// chance is true with a probability.
func (s *sheet) chance(p float64) bool { return s.dice.Float64() < p }

// one is a random one of the choices.
func one[T any](s *sheet, choices []T) T { return choices[s.dice.IntN(len(choices))] }

// inked fills the path with a colour and outlines it.
func (s *sheet) inked(fill color.Color) { s.lined(fill, s.line) }

func (s *sheet) lined(fill color.Color, width float64) {
	s.SetColor(fill)
	s.FillPreserve()
	s.SetColor(ink)
	s.SetLineWidth(width)
	s.Stroke()
}

func (s *sheet) filled(fill color.Color) {
	s.SetColor(fill)
	s.Fill()
}

// stroke draws the path as a line.
func (s *sheet) stroke(c color.Color, width float64) {
	s.SetColor(c)
	s.SetLineWidth(width)
	s.Stroke()
}

// polygon begins a closed path through points given as x, y, x, y …
func (s *sheet) polygon(at ...float64) {
	s.MoveTo(at[0], at[1])
	for i := 2; i < len(at); i += 2 {
		s.LineTo(at[i], at[i+1])
	}
	s.ClosePath()
}

// wash fills a rectangle with a gradient from top to bottom.
func (s *sheet) wash(x, y, w, h float64, top, bottom color.Color) {
	const bands = 48 // visible as such: a wash, not a photograph
	for i := range bands {
		s.DrawRectangle(x, y+h*float64(i)/bands, w, h/bands+1)
		s.filled(mix(top, bottom, float64(i)/(bands-1)))
	}
}

// hex is a colour written as 0xrrggbb.
func hex(rgb uint32) color.NRGBA {
	return color.NRGBA{R: uint8(rgb >> 16), G: uint8(rgb >> 8), B: uint8(rgb), A: 255} //nolint:gosec // the parts of a number
}

func alpha(c color.Color, a uint8) color.NRGBA {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = a
	return n
}

// mix is a colour between two: the first at 0, the second at 1.
func mix(a, b color.Color, part float64) color.NRGBA {
	x, y := color.NRGBAModel.Convert(a).(color.NRGBA), color.NRGBAModel.Convert(b).(color.NRGBA)
	blend := func(p, q uint8) uint8 { return uint8(math.Round(float64(p) + (float64(q)-float64(p))*part)) }
	return color.NRGBA{R: blend(x.R, y.R), G: blend(x.G, y.G), B: blend(x.B, y.B), A: blend(x.A, y.A)}
}

func darker(c color.Color, part float64) color.NRGBA  { return mix(c, hex(0x1a1026), part) }
func lighter(c color.Color, part float64) color.NRGBA { return mix(c, hex(0xffffff), part) }
