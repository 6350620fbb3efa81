package extract

import (
	"strings"

	"github.com/ledongthuc/pdf"
)

// pdfFont knows which text the codes of a string stand for, and how wide they are.
type pdfFont struct {
	wide     bool // codes of two bytes
	texts    map[int]string
	widths   map[int]float64 // in ems
	width    float64         // of codes without an entry
	fallback pdf.TextEncoding
}

// codesMax bounds a font's tables.
const codesMax = 1 << 16

func newPDFFont(v pdf.Value) *pdfFont {
	f := &pdfFont{texts: map[int]string{}, widths: map[int]float64{}, wide: v.Key("Subtype").Name() == "Type0"}
	if table := v.Key("ToUnicode"); table.Kind() == pdf.Stream {
		readToUnicode(table, f.texts)
	}
	font := pdf.Font{V: v}
	f.fallback = font.Encoder()
	if f.wide {
		f.readWideWidths(v.Key("DescendantFonts").Index(0))
		return f
	}
	f.width = v.Key("FontDescriptor").Key("MissingWidth").Float64() / 1000
	first, widths := int(v.Key("FirstChar").Int64()), v.Key("Widths")
	for i := range min(widths.Len(), 256) {
		f.widths[first+i] = widths.Index(i).Float64() / 1000
	}
	if widths.Len() == 0 {
		f.width = averageWidth // one of the 14 fonts that every reader brings along
	}
	return f
}

// averageWidth of a character in ems, where a file does not say.
const averageWidth = 0.5

// readWideWidths reads W: "first [w w w]" and "first last w".
func (f *pdfFont) readWideWidths(v pdf.Value) {
	f.width = 1
	if dw := v.Key("DW"); dw.Kind() == pdf.Integer || dw.Kind() == pdf.Real {
		f.width = dw.Float64() / 1000
	}
	w := v.Key("W")
	for i := 0; i+1 < w.Len() && len(f.widths) < codesMax; {
		first := int(w.Index(i).Int64())
		if list := w.Index(i + 1); list.Kind() == pdf.Array {
			for j := range list.Len() {
				f.widths[first+j] = list.Index(j).Float64() / 1000
			}
			i += 2
			continue
		}
		last := min(int(w.Index(i+1).Int64()), first+codesMax)
		for code := first; code <= last && len(f.widths) < codesMax; code++ {
			f.widths[code] = w.Index(i+2).Float64() / 1000
		}
		i += 3
	}
}

// next takes the first code of raw.
func (f *pdfFont) next(raw string) (text string, width float64, size int) {
	size = 1
	code := int(raw[0])
	if f.wide && len(raw) > 1 {
		size, code = 2, code<<8|int(raw[1])
	}
	width, known := f.widths[code]
	if !known {
		width = f.width
	}
	text, known = f.texts[code]
	if !known {
		text = strings.ToValidUTF8(f.fallback.Decode(raw[:size]), "")
		f.texts[code] = text
	}
	return text, width, size
}
