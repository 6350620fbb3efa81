package drawing_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"parley/impl/core/drawing"
)

var update = flag.Bool("update", false, "write the checksums of the drawings")

// prompts are what people ask for: portraits first, then scenes.
var prompts = []drawing.Request{
	{Prompt: "35 years old, Professional, suit and tie", Portrait: true},
	{Prompt: "Professional, wearing glasses", Portrait: true},
	{Prompt: "young woman with long red hair and green eyes, freckles, blue dress", Portrait: true},
	{Prompt: "old wizard with a long white beard and purple robe", Portrait: true},
	{Prompt: "robot with headphones", Portrait: true},
	{Prompt: "curly haired man, dark skin, yellow hoodie, smiling", Portrait: true},
	{Prompt: "bald doctor in a lab coat", Portrait: true},
	{Prompt: "", Portrait: true},
	{Prompt: "A futuristic city with flying cars"},
	{Prompt: "A serene beach at sunset with palm trees"},
	{Prompt: "a black cat and two dogs in a garden"},
	{Prompt: "snowy mountains with a lake at night", Width: 640, Height: 360},
	{Prompt: "three robots in a library"},
	{Prompt: "a rocket near a ringed planet", Width: 300, Height: 700},
	{Prompt: "castle on a hill with balloons"},
	{Prompt: "自由", Seed: 7},
}

func draw(t testing.TB, r drawing.Request) []byte {
	t.Helper()
	raw, err := drawing.PNG(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Floating point differs in the last bit between processors, and so do a few pixels.
func TestTheDrawingsAreThoseThatWereLookedAt(t *testing.T) {
	t.Parallel()
	if runtime.GOARCH != "amd64" {
		t.Log("the checksums are those of amd64; here drawings are only compared with themselves")
	}
	var lines strings.Builder
	for _, r := range prompts {
		raw := draw(t, r)
		if again := draw(t, r); !bytes.Equal(raw, again) {
			t.Errorf("%q is drawn differently the second time", r.Prompt)
		}
		sum := sha256.Sum256(raw)
		fmt.Fprintf(&lines, "%s %q portrait=%v seed=%d %dx%d\n", hex.EncodeToString(sum[:16]), r.Prompt, r.Portrait, r.Seed, r.Width, r.Height)
	}
	golden := filepath.Join("testdata", "checksums.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(lines.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH == "amd64" && lines.String() != string(want) {
		t.Errorf("drawings changed; look at them, then run with -update:\n%s", lines.String())
	}
}

// different is the part of the pixels in which two drawings of one size differ visibly.
func different(t *testing.T, a, b []byte) float64 {
	t.Helper()
	x, y := decode(t, a), decode(t, b)
	differ, all := 0, 0
	for py := range x.Bounds().Dy() {
		for px := range x.Bounds().Dx() {
			r1, g1, b1, _ := x.At(px, py).RGBA()
			r2, g2, b2, _ := y.At(px, py).RGBA()
			all++
			if apart(r1, r2)+apart(g1, g2)+apart(b1, b2) > 0x3000 {
				differ++
			}
		}
	}
	return float64(differ) / float64(all)
}

func apart(a, b uint32) uint32 { return max(a, b) - min(a, b) }

func decode(t *testing.T, raw []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func TestOtherPromptsAndSeedsLookDifferent(t *testing.T) {
	t.Parallel()
	var all [][]byte
	for _, r := range []drawing.Request{
		{Prompt: "a teacher", Portrait: true}, {Prompt: "a teacher", Portrait: true, Seed: 1}, {Prompt: "a teacher.", Portrait: true},
		{Prompt: "justice"}, {Prompt: "justice", Seed: 1}, {Prompt: "Justice"}, {Prompt: "a quiet forest"}, {Prompt: "a quiet forest at night"},
	} {
		r.Width, r.Height = 128, 128
		all = append(all, draw(t, r))
	}
	for i := range all {
		for j := range i {
			if part := different(t, all[i], all[j]); part < 0.1 {
				t.Errorf("drawings %d and %d differ in %.1f %% of their pixels only", j, i, 100*part)
			}
		}
	}
}

func TestSidesAreWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ w, h, wantW, wantH int }{{0, 0, 512, 512}, {64, 2048, 64, 2048}, {2048, 64, 2048, 64}, {0, 100, 512, 100}} {
		for _, portrait := range []bool{false, true} {
			size := decode(t, draw(t, drawing.Request{Prompt: "a city", Portrait: portrait, Width: c.w, Height: c.h})).Bounds()
			if size.Dx() != c.wantW || size.Dy() != c.wantH {
				t.Errorf("asked for %d by %d, got %v", c.w, c.h, size)
			}
		}
	}
	for _, sides := range [][2]int{{63, 512}, {512, 2049}, {-1, 512}, {1 << 30, 1 << 30}} {
		if _, err := drawing.PNG(drawing.Request{Width: sides[0], Height: sides[1]}); err == nil {
			t.Errorf("drew %v", sides)
		}
	}
}

func FuzzPNG(f *testing.F) {
	for _, r := range prompts {
		f.Add(r.Prompt, r.Portrait, r.Seed)
	}
	f.Add(strings.Repeat("many birds ", 1000), false, uint64(1))
	f.Fuzz(func(t *testing.T, prompt string, portrait bool, seed uint64) {
		decode(t, draw(t, drawing.Request{Prompt: prompt, Portrait: portrait, Seed: seed, Width: 64, Height: 64}))
	})
}

func BenchmarkPNG(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		r := prompts[i%len(prompts)]
		r.Width, r.Height = 512, 512
		draw(b, r)
	}
}
