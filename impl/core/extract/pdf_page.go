package extract

import (
	"errors"
	"math"
	"strings"

	"github.com/ledongthuc/pdf"
)

// glyph is a drawn piece of text, mostly one character.
type glyph struct {
	text  string
	x, y  float64
	width float64
	size  float64 // of the type as it is drawn
}

const (
	glyphsPageMax = 200_000 // a page can draw the same text for ever
	formDepthMax  = 5
	treeDepthMax  = 50
	statesMax     = 100
)

// errPageFull ends the drawing of a page that draws too much.
var errPageFull = errors.New("the page draws too much text")

// pdfPages lists the pages in order. The library's way to page n starts at the
// root each time, which makes long documents quadratic.
func pdfPages(r *pdf.Reader, pagesMax int) (pages []pdf.Page, err error) {
	visited := 0
	var walk func(node pdf.Value, depth int) error
	walk = func(node pdf.Value, depth int) error {
		if visited++; depth > treeDepthMax || visited > 4*pagesMax+100 {
			return refuse("The PDF's pages form no tree.")
		}
		kids := node.Key("Kids")
		if kids.Kind() != pdf.Array {
			if pages = append(pages, pdf.Page{V: node}); len(pages) > pagesMax {
				return refuse("The PDF has more than the %d pages that are read.", pagesMax)
			}
			return nil
		}
		for i := range kids.Len() {
			if err := walk(kids.Index(i), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return pages, walk(r.Trailer().Key("Root").Key("Pages"), 0)
}

// matrix is a transformation as PDF writes it: a b c d e f.
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

// times applies m before n.
func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// textState is what the operators of a content stream set and q saves.
type textState struct {
	page, text, line     matrix
	font                 *pdfFont
	size, stretch, rise  float64
	charGap, wordGap, dy float64
}

// drawing interprets the operators of a page that place text.
type drawing struct {
	fonts  map[string]*pdfFont // of embedded fonts, shared by the pages
	here   map[string]*pdfFont // of this page, by name
	glyphs []glyph
	state  textState
	saved  []textState
}

func (d *drawing) page(p pdf.Page) {
	d.state = textState{page: identity, text: identity, line: identity, stretch: 1}
	d.here = map[string]*pdfFont{}
	d.draw(p.V.Key("Contents"), p.Resources(), 0)
}

func (d *drawing) draw(content, resources pdf.Value, depth int) {
	if k := content.Kind(); k != pdf.Stream && k != pdf.Array {
		return
	}
	pdf.Interpret(content, func(stack *pdf.Stack, op string) {
		args := make([]pdf.Value, stack.Len())
		for i := len(args) - 1; i >= 0; i-- {
			args[i] = stack.Pop()
		}
		if d.place(op, args) || d.set(op, args) {
			return
		}
		switch {
		case op == "Tf" && len(args) == 2:
			d.state.font, d.state.size = d.font(resources, args[0].Name()), args[1].Float64()
		case op == "Do" && len(args) == 1 && depth < formDepthMax:
			d.form(resources.Key("XObject").Key(args[0].Name()), resources, depth)
		default:
			d.show(op, args)
		}
	})
}

// form draws a stream that pages refer to, with its own fonts.
func (d *drawing) form(x, resources pdf.Value, depth int) {
	if x.Key("Subtype").Name() != "Form" {
		return
	}
	outer, fonts := d.state, d.here
	if m := x.Key("Matrix"); m.Len() == 6 {
		var by matrix
		for i := range by {
			by[i] = m.Index(i).Float64()
		}
		d.state.page = by.times(d.state.page)
	}
	if own := x.Key("Resources"); own.Kind() == pdf.Dict {
		resources, d.here = own, map[string]*pdfFont{}
	}
	d.draw(x, resources, depth+1)
	d.state, d.here = outer, fonts
}

// place handles the operators that move.
func (d *drawing) place(op string, args []pdf.Value) bool {
	s := &d.state
	n := numbers(args)
	switch {
	case op == "q" && len(d.saved) < statesMax:
		d.saved = append(d.saved, *s)
	case op == "Q" && len(d.saved) > 0:
		*s, d.saved = d.saved[len(d.saved)-1], d.saved[:len(d.saved)-1]
	case op == "cm" && len(n) == 6:
		s.page = matrix(n).times(s.page)
	case op == "BT":
		s.text, s.line = identity, identity
	case op == "Tm" && len(n) == 6:
		s.text, s.line = matrix(n), matrix(n)
	case op == "Td" && len(n) == 2:
		s.move(n[0], n[1])
	case op == "TD" && len(n) == 2:
		s.dy = -n[1]
		s.move(n[0], n[1])
	case op == "T*":
		s.move(0, -s.dy)
	default:
		return false
	}
	return true
}

// set handles the operators that take one number.
func (d *drawing) set(op string, args []pdf.Value) bool {
	n := numbers(args)
	if len(n) != 1 {
		return false
	}
	switch op {
	case "Tc":
		d.state.charGap = n[0]
	case "Tw":
		d.state.wordGap = n[0]
	case "Tz":
		d.state.stretch = n[0] / 100
	case "TL":
		d.state.dy = n[0]
	case "Ts":
		d.state.rise = n[0]
	default:
		return false
	}
	return true
}

func (s *textState) move(x, y float64) {
	s.line = matrix{1, 0, 0, 1, x, y}.times(s.line)
	s.text = s.line
}

func (d *drawing) show(op string, args []pdf.Value) {
	s := &d.state
	switch {
	case op == "Tj" && len(args) == 1:
		d.write(args[0].RawString())
	case op == "'" && len(args) == 1:
		s.move(0, -s.dy)
		d.write(args[0].RawString())
	case op == "\"" && len(args) == 3:
		s.wordGap, s.charGap = args[0].Float64(), args[1].Float64()
		s.move(0, -s.dy)
		d.write(args[2].RawString())
	case op == "TJ" && len(args) == 1:
		for i := range args[0].Len() {
			if part := args[0].Index(i); part.Kind() == pdf.String {
				d.write(part.RawString())
			} else {
				s.advance(-part.Float64() / 1000 * s.size * s.stretch)
			}
		}
	}
}

func (s *textState) advance(x float64) { s.text = matrix{1, 0, 0, 1, x, 0}.times(s.text) }

// write places the characters of one string.
func (d *drawing) write(raw string) {
	s := &d.state
	if s.font == nil {
		return
	}
	for raw != "" {
		text, width, n := s.font.next(raw)
		at := matrix{s.size * s.stretch, 0, 0, s.size, 0, s.rise}.times(s.text).times(s.page)
		if len(d.glyphs) >= glyphsPageMax {
			panic(errPageFull)
		}
		d.glyphs = append(d.glyphs, glyph{text: text, x: at[4], y: at[5], width: width * math.Hypot(at[0], at[1]), size: math.Hypot(at[2], at[3])})
		x := width*s.size + s.charGap
		if n == 1 && raw[0] == ' ' {
			x += s.wordGap
		}
		s.advance(x * s.stretch)
		raw = raw[n:]
	}
}

// font returns the font that a name stands for among resources.
func (d *drawing) font(resources pdf.Value, name string) *pdfFont {
	if f := d.here[name]; f != nil {
		return f
	}
	v := resources.Key("Font").Key(name)
	base := v.Key("BaseFont").Name()
	// Only the names of embedded parts of fonts are unique in a file.
	shared := strings.Contains(base, "+")
	f := d.fonts[name+" "+base]
	if !shared || f == nil {
		f = newPDFFont(v)
	}
	if shared {
		d.fonts[name+" "+base] = f
	}
	d.here[name] = f
	return f
}

// numbers returns args as numbers; nil when one is not.
func numbers(args []pdf.Value) []float64 {
	n := make([]float64, len(args))
	for i, a := range args {
		if k := a.Kind(); k != pdf.Integer && k != pdf.Real {
			return nil
		}
		n[i] = a.Float64()
	}
	return n
}
