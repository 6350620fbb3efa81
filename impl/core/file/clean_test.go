package file_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"parley/impl/core/fault"
	"parley/impl/core/file"
)

// sample is a picture whose left half is red and whose right half is blue, of 32 by 16 pixels.
func sample() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 32, 16))
	for y := range 16 {
		for x := range 32 {
			c := color.RGBA{R: 255, A: 255}
			if x >= 16 {
				c = color.RGBA{B: 255, A: 255}
			}
			m.Set(x, y, c)
		}
	}
	return m
}

func encoded(t *testing.T, encode func(io.Writer, image.Image) error) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := encode(&out, sample()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asJPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, &jpeg.Options{Quality: 95}) }
func asGIF(w io.Writer, m image.Image) error  { return gif.Encode(w, m, nil) }

// withExif puts a camera's notes into a JPEG: an orientation and a text.
func withExif(raw []byte, orientation uint16) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01")
	tiff = binary.BigEndian.AppendUint16(tiff, orientation)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	segment := append([]byte("Exif\x00\x00"), append(tiff, "52.5200 N 13.4050 E, taken by Ada"...)...)
	head := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(segment)+2))...)
	return append(append(head, segment...), raw[2:]...)
}

// chunk is a part of a PNG.
func chunk(kind, data string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(out, kind+data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(kind+data)))
}

// claiming is a PNG that says it is of these sides, and holds next to nothing.
func claiming(width, height uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", string(append(head, 8, 6, 0, 0, 0)))...)
}

func TestOnlyPixelsRemainOfAPicture(t *testing.T) {
	t.Parallel()
	const script = "<script>alert(document.cookie)</script>"
	plain := encoded(t, png.Encode)
	noted := append(append(append([]byte{}, plain[:33]...), chunk("tEXt", "Comment\x00"+script)...), plain[33:]...)
	for what, c := range map[string]struct {
		raw   []byte
		media string
	}{
		"a PNG":                 {plain, "image/png"},
		"a GIF":                 {encoded(t, asGIF), "image/png"},
		"a JPEG":                {encoded(t, asJPEG), "image/jpeg"},
		"a PNG with notes":      {noted, "image/png"},
		"a page behind a PNG":   {append(bytes.Clone(plain), "<html>"+script...), "image/png"},
		"a zip behind a JPEG":   {append(encoded(t, asJPEG), "PK\x03\x04"+script...), "image/jpeg"},
		"a script behind a GIF": {append(encoded(t, asGIF), script...), "image/png"},
		"a JPEG with its place": {withExif(encoded(t, asJPEG), 1), "image/jpeg"},
	} {
		got, err := file.Clean(c.raw)
		if err != nil || got.MediaType != c.media || got.Width != 32 || got.Height != 16 {
			t.Errorf("%s: %s of %d by %d, %v", what, got.MediaType, got.Width, got.Height, err)
			continue
		}
		for _, left := range []string{"script", "html", "PK\x03", "Exif", "13.4050", "Ada"} {
			if bytes.Contains(got.Content, []byte(left)) {
				t.Errorf("%s: %q is left", what, left)
			}
		}
		m, _, err := image.Decode(bytes.NewReader(got.Content))
		if err != nil {
			t.Fatal(err)
		}
		if r, _, b, _ := m.At(4, 8).RGBA(); r < 0xe000 || b > 0x2000 {
			t.Errorf("%s: the left is no longer red: %x %x", what, r, b)
		}
	}
}

func TestAPhotographIsTurnedUpright(t *testing.T) {
	t.Parallel()
	// Where the red half is to be found, by the orientation that a camera notes.
	for orientation, at := range map[uint16]image.Point{
		1: {4, 8}, 2: {28, 8}, 3: {28, 8}, 4: {4, 8}, 5: {8, 4}, 6: {8, 4}, 7: {8, 28}, 8: {8, 28},
	} {
		got, err := file.Clean(withExif(encoded(t, asJPEG), orientation))
		if err != nil {
			t.Fatal(err)
		}
		m, err := jpeg.Decode(bytes.NewReader(got.Content))
		if err != nil {
			t.Fatal(err)
		}
		if r, _, b, _ := m.At(at.X, at.Y).RGBA(); r < 0xc000 || b > 0x4000 {
			t.Errorf("orientation %d: %v is not red in %v", orientation, at, m.Bounds())
		}
	}
}

func TestWhatIsNoBoundedPictureIsRefused(t *testing.T) {
	t.Parallel()
	plain := encoded(t, png.Encode)
	for what, raw := range map[string][]byte{
		"nothing":              nil,
		"an SVG":               []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
		"an SVG behind a head": []byte("GIF89a" + `<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"a page":               []byte("<!doctype html><script>alert(1)</script>"),
		"a PDF":                []byte("%PDF-1.7\n1 0 obj"),
		"half a picture":       plain[:len(plain)/2],
		"a bitmap":             append([]byte("BM"), make([]byte, 100)...),
		"too wide":             claiming(file.SideMax+1, 1),
		"a bomb":               claiming(16_000, 16_000),
		"an overflowing bomb":  claiming(1<<31-1, 1<<31-1),
		"an empty picture":     claiming(0, 0),
		"broken":               []byte(strings.Replace(string(plain), "IDAT", "IDAX", 1)),
	} {
		if got, err := file.Clean(raw); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: taken as %s, %v", what, got.MediaType, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	var t testing.T
	for _, encode := range []func(io.Writer, image.Image) error{png.Encode, asJPEG, asGIF} {
		f.Add(encoded(&t, encode))
	}
	f.Add(withExif(encoded(&t, asJPEG), 6))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := file.Clean(raw)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := file.Clean(got.Content); err != nil || again.Width != got.Width || again.Height != got.Height {
			t.Errorf("what was cleaned is not clean: %v", err)
		}
	})
}
