package speech

import "math"

// Detection is how the beginning and the end of speech are found.
type Detection struct {
	Threshold float64 // from 0 to 1, see loudness
	SilenceMs int     // after so much silence the speech has ended
}

const (
	frameMs = 20
	// loudest is the root mean square of a frame, as a part of full scale, that a
	// threshold of 1 asks for. A threshold of 0.5 is 2 % (-34 dB): quiet speech at a
	// microphone is above it, the noise of a room below.
	loudest = 0.04
	// onsetFrames is how many frames in a row must be loud: a click is no speech.
	onsetFrames = 3
)

// Detector finds speech in sound by its energy alone. The zero value is silent.
type Detector struct {
	Speaking bool
	loud     int // frames in a row
	quietMs  int // since the last loud frame
	rest     []byte
	heardMs  int // of all frames
}

// Change is the beginning or the end of speech.
type Change struct {
	Began bool
	AtMs  int // since the detector began to listen
}

// Hear takes the next sound and returns what changed in it. It stops at the first
// change and returns how many bytes it took: the caller calls again with the others.
func (d *Detector) Hear(format string, raw []byte, by Detection) (taken int, change *Change) {
	frame := frameMs * BytesPerMs(format)
	for taken < len(raw) {
		n := min(frame-len(d.rest), len(raw)-taken)
		d.rest = append(d.rest, raw[taken:taken+n]...)
		taken += n
		if len(d.rest) < frame {
			break
		}
		loud := loudness(format, d.rest) >= max(by.Threshold, minThreshold)
		d.rest = d.rest[:0]
		d.heardMs += frameMs
		if c := d.take(loud, by); c != nil {
			return taken, c
		}
	}
	return taken, nil
}

// minThreshold keeps digital silence from being speech.
const minThreshold = 0.01

func (d *Detector) take(loud bool, by Detection) *Change {
	if loud {
		d.loud++
		d.quietMs = 0
	} else {
		d.loud = 0
		d.quietMs += frameMs
	}
	switch {
	case !d.Speaking && d.loud >= onsetFrames:
		d.Speaking = true
		return &Change{Began: true, AtMs: d.heardMs - onsetFrames*frameMs}
	case d.Speaking && d.quietMs >= by.SilenceMs:
		d.Speaking = false
		return &Change{AtMs: d.heardMs}
	}
	return nil
}

// Forget ends what was being said, without a change.
func (d *Detector) Forget() { d.Speaking, d.loud, d.quietMs, d.rest = false, 0, 0, nil }

// HeardMs is how much the detector has listened to.
func (d *Detector) HeardMs() int { return d.heardMs }

// loudness is a frame's energy on the scale of thresholds.
func loudness(format string, frame []byte) float64 {
	all := samples(format, frame)
	sum := 0.0
	for _, s := range all {
		v := float64(s) / math.MaxInt16
		sum += v * v
	}
	return math.Sqrt(sum/float64(max(1, len(all)))) / loudest
}
