package speech_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"parley/impl/core/speech"
)

// tone is PCM16 of a sine; amplitude 0 is silence.
func tone(ms int, amplitude float64) []byte {
	var out []byte
	for i := range ms * speech.Rate / 1000 {
		v := amplitude * math.MaxInt16 * math.Sin(2*math.Pi*440*float64(i)/speech.Rate)
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(v)))
	}
	return out
}

func TestDetectorFindsSpeechBetweenSilences(t *testing.T) {
	t.Parallel()
	by := speech.Detection{Threshold: 0.5, SilenceMs: 500}
	for _, piece := range []int{7, 960, 1 << 20} { // however the sound is cut
		for _, format := range []string{speech.PCM16, speech.G711Ulaw, speech.G711Alaw} {
			pcm := append(append(tone(1000, 0), tone(800, 0.3)...), tone(2000, 0)...)
			e := speech.Encoder{Format: format}
			raw := e.Encode(pcm)
			var d speech.Detector
			var changes []speech.Change
			for at := 0; at < len(raw); {
				n, c := d.Hear(format, raw[at:min(len(raw), at+piece)], by)
				at += n
				if c != nil {
					changes = append(changes, *c)
				}
			}
			if len(changes) != 2 || !changes[0].Began || changes[1].Began {
				t.Fatalf("%s in pieces of %d: %+v", format, piece, changes)
			}
			if began, ended := changes[0].AtMs, changes[1].AtMs; began != 1000 || ended < 2300 || ended > 2320 {
				t.Errorf("%s: speech from %d to %d ms", format, began, ended)
			}
		}
	}
}

func TestDetectorHearsNoSpeechInNoise(t *testing.T) {
	t.Parallel()
	for name, pcm := range map[string][]byte{
		"silence": tone(3000, 0), "a quiet room": tone(3000, 0.01), "a click": append(append(tone(500, 0), tone(20, 0.9)...), tone(500, 0)...),
	} {
		var d speech.Detector
		if n, c := d.Hear(speech.PCM16, pcm, speech.Detection{Threshold: 0.5, SilenceMs: 200}); c != nil || n != len(pcm) {
			t.Errorf("%s: %+v after %d bytes", name, c, n)
		}
	}
	var d speech.Detector
	if _, c := d.Hear(speech.PCM16, tone(1000, 0), speech.Detection{}); c != nil {
		t.Error("with a threshold of 0 digital silence is speech")
	}
}

// What telephones hear is what was said, but for the law's own coarseness.
func TestNarrowEncodingsKeepTheSound(t *testing.T) {
	t.Parallel()
	pcm := tone(200, 0.5)
	for _, format := range []string{speech.G711Ulaw, speech.G711Alaw} {
		e := speech.Encoder{Format: format}
		var raw []byte
		for piece := range bytes.SplitSeq(pcm, nil) { // one byte at a time
			raw = append(raw, e.Encode(piece)...)
		}
		if speech.Milliseconds(format, len(raw)) != 200 {
			t.Fatalf("%s: %d bytes", format, len(raw))
		}
		wav := speech.WAV(format, raw)
		if string(wav[:4]) != "RIFF" || binary.LittleEndian.Uint32(wav[24:]) != 8000 || len(wav) != 44+2*len(raw) {
			t.Fatalf("%s: header %q", format, wav[:44])
		}
		for i := range len(raw) {
			want := 0
			for j := range 3 {
				want += int(int16(binary.LittleEndian.Uint16(pcm[6*i+2*j:])))
			}
			got := int(int16(binary.LittleEndian.Uint16(wav[44+2*i:])))
			if off := math.Abs(float64(got - want/3)); off > 40+math.Abs(float64(want/3))/16 {
				t.Fatalf("%s: sample %d is %d, was %d", format, i, got, want/3)
			}
		}
	}
}

func TestSoundIsCounted(t *testing.T) {
	t.Parallel()
	if n := speech.HeardTokens(1050 * time.Millisecond); n != 11 {
		t.Errorf("heard %d", n)
	}
	if n := speech.SpokenTokens(time.Second); n != 20 || speech.SpokenTime(n) != time.Second {
		t.Errorf("spoken %d", n)
	}
	if raw := tone(1000, 0); speech.Milliseconds(speech.PCM16, len(raw)) != 1000 {
		t.Error("a second is no second")
	}
}
