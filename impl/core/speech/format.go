// Package speech knows sound as realtime sessions carry it: how it is encoded,
// how long it lasts, and where in it somebody speaks. It knows no model.
package speech

import (
	"encoding/binary"
	"time"
)

// The encodings of sound, all of one channel.
const (
	PCM16    = "pcm16"     // 16 bits, little-endian, 24,000 samples a second
	G711Ulaw = "g711_ulaw" // 8,000 samples a second
	G711Alaw = "g711_alaw"
)

const (
	// Rate is how many samples a second of PCM16 has, and what is spoken by models.
	Rate = 24_000
	// narrowRate is that of telephones.
	narrowRate = 8_000
)

// The tokens by which sound is counted and paid, as OpenAI counts them.
const (
	heardTokenTime  = 100 * time.Millisecond
	spokenTokenTime = 50 * time.Millisecond
)

// HeardTokens is what so much sound of a user counts.
func HeardTokens(d time.Duration) int { return int((d + heardTokenTime - 1) / heardTokenTime) }

// SpokenTokens is what so much sound of a model counts.
func SpokenTokens(d time.Duration) int { return int((d + spokenTokenTime - 1) / spokenTokenTime) }

// SpokenTime is how long a model may speak for so many tokens.
func SpokenTime(tokens int) time.Duration { return time.Duration(tokens) * spokenTokenTime }

// BytesPerMs is how many bytes of an encoding a millisecond takes.
func BytesPerMs(format string) int {
	if format == PCM16 {
		return 2 * Rate / 1000
	}
	return narrowRate / 1000
}

// Milliseconds is how long so many bytes of an encoding last.
func Milliseconds(format string, bytes int) int { return bytes / BytesPerMs(format) }

// samples returns the amplitudes of encoded sound; half a sample at its end is left out.
func samples(format string, raw []byte) []int16 {
	if format == PCM16 {
		out := make([]int16, len(raw)/2)
		for i := range out {
			out[i] = int16(binary.LittleEndian.Uint16(raw[2*i:])) //nolint:gosec // the same bits
		}
		return out
	}
	decode := fromUlaw
	if format == G711Alaw {
		decode = fromAlaw
	}
	out := make([]int16, len(raw))
	for i, b := range raw {
		out[i] = decode(b)
	}
	return out
}

// WAV returns encoded sound as a file that models for transcription read.
func WAV(format string, raw []byte) []byte {
	const header = 44
	rate := Rate
	if format != PCM16 {
		rate = narrowRate
	}
	all := samples(format, raw)
	size := 2 * len(all)
	out := make([]byte, 0, header+size)
	out = append(out, "RIFF"...)
	out = le32(out, header-8+size)
	out = append(out, "WAVEfmt "...)
	out = le32(out, 16)
	out = append(out, 1, 0, 1, 0) // PCM, one channel
	out = le32(out, rate)
	out = le32(out, 2*rate)
	out = append(out, 2, 0, 16, 0) // bytes and bits of a sample
	out = append(out, "data"...)
	out = le32(out, size)
	for _, s := range all {
		out = binary.LittleEndian.AppendUint16(out, uint16(s)) //nolint:gosec // the same bits
	}
	return out
}

func le32(out []byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(out, uint32(n)) //nolint:gosec // buffers are far smaller
}

// Encoder turns PCM16 that comes in pieces of any length into an encoding.
type Encoder struct {
	Format string
	rest   []byte // what is no whole sample yet
}

// Encode returns the next piece. Narrow encodings take the mean of three samples for one.
func (e *Encoder) Encode(pcm []byte) []byte {
	whole := 2
	if e.Format != PCM16 {
		whole = 2 * Rate / narrowRate
	}
	all := append(e.rest, pcm...) //nolint:gocritic // rest is not read again
	n := len(all) / whole * whole
	e.rest = append([]byte(nil), all[n:]...)
	if e.Format == PCM16 {
		return all[:n]
	}
	encode := toUlaw
	if e.Format == G711Alaw {
		encode = toAlaw
	}
	wide := samples(PCM16, all[:n])
	out := make([]byte, 0, len(wide)/3)
	for i := 0; i+2 < len(wide); i += 3 {
		out = append(out, encode(int16((int(wide[i])+int(wide[i+1])+int(wide[i+2]))/3))) //nolint:gosec // a mean of such numbers
	}
	return out
}

// The two laws of G.711: a sign, three bits of exponent, four of mantissa.
const (
	ulawBias = 0x84
	ulawMax  = 32635
)

func fromUlaw(b byte) int16 {
	b = ^b
	magnitude := ((int(b&0x0f) << 3) + ulawBias) << (b >> 4 & 7)
	magnitude -= ulawBias
	if b&0x80 != 0 {
		magnitude = -magnitude
	}
	return int16(magnitude) //nolint:gosec // at most 32124
}

func toUlaw(sample int16) byte {
	sign, magnitude := byte(0), int(sample)
	if magnitude < 0 {
		sign, magnitude = 0x80, -magnitude
	}
	magnitude = min(magnitude, ulawMax) + ulawBias
	exponent := 7
	for mask := 0x4000; exponent > 0 && magnitude&mask == 0; mask >>= 1 {
		exponent--
	}
	return ^(sign | byte(exponent)<<4 | byte(magnitude>>(exponent+3)&0x0f)) //nolint:gosec // seven bits
}

func fromAlaw(b byte) int16 {
	b ^= 0x55
	exponent, magnitude := b>>4&7, int(b&0x0f)<<4+8
	if exponent > 0 {
		magnitude = (magnitude + 0x100) << (exponent - 1)
	}
	if b&0x80 == 0 {
		magnitude = -magnitude
	}
	return int16(magnitude) //nolint:gosec // at most 32256
}

func toAlaw(sample int16) byte {
	sign, magnitude := byte(0x80), int(sample)
	if magnitude < 0 {
		sign, magnitude = 0, -magnitude-1
	}
	exponent := 7
	for mask := 0x4000; exponent > 0 && magnitude&mask == 0; mask >>= 1 {
		exponent--
	}
	mantissa := magnitude >> 4
	if exponent > 0 {
		mantissa = magnitude >> (exponent + 3)
	}
	return (sign | byte(exponent)<<4 | byte(mantissa&0x0f)) ^ 0x55 //nolint:gosec // seven bits
}
