package media

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
)

// What a ring file is (phones.md g.2): raw mu-law, 8000 samples a second. That larger files are refused by the
// 7940/7960 is not confirmed; they are never made here.
const (
	ringRate  = 8000
	ringBlock = 240   // samples: the length is a multiple of it, and at least one
	ringMax   = 16080 // samples: 2.01 s
)

// Ring makes a ring file of a WAV: mono, 8000 samples a second, mu-law, 30 ms to 2.01 s from the beginning of the sound.
// It begins and ends at zero, so that it does not click when the phone repeats it. It is made softer only where it would
// be distorted. said tells what was changed, a sentence each; the error is a sentence for people.
func Ring(wav io.Reader) (raw []byte, said []string, err error) {
	w, err := ReadWAV(wav)
	if err != nil {
		return nil, nil, err
	}
	if w.Short {
		said = append(said, "The file is cut off; what is there was taken.")
	}
	if what := described(w); what != "" {
		said = append(said, what)
	}
	need := (ringMax+ringRate/100)*w.Rate/ringRate + 1 // the filter looks a little ahead
	samples := resample(w.mono(need), w.Rate, ringMax)
	samples, trimmed := trim(samples, w.Seconds())
	said = append(said, trimmed...)
	if peak := loudest(samples); peak > 1 {
		for i := range samples {
			samples[i] *= 0.99 / peak
		}
		said = append(said, "Made softer, because it would have been distorted.")
	} else if peak < 1.0/256 {
		said = append(said, "It is silent, or almost: this ring can't be heard.")
	}
	raw = make([]byte, len(samples))
	for i, v := range samples {
		raw[i] = encodeMuLaw(int(math.Round(v * 32767)))
	}
	return raw, said, nil
}

// described says how the sound was stored, where that is not the way of rings.
func described(w *WAV) string {
	var was []string
	if w.Channels == 2 {
		was = append(was, "stereo")
	} else if w.Channels > 2 {
		was = append(was, fmt.Sprintf("%d channels", w.Channels))
	}
	if w.Rate != ringRate {
		was = append(was, fmt.Sprintf("%g kHz", float64(w.Rate)/1000))
	}
	if w.Encoding != "mu-law" {
		was = append(was, fmt.Sprintf("%d-bit %s", w.Bits, w.Encoding))
	}
	if len(was) == 0 {
		return ""
	}
	return "Converted from " + strings.Join(was, ", ") + " to mono, 8 kHz, mu-law."
}

func loudest(samples []float64) float64 {
	peak := 0.0
	for _, v := range samples {
		peak = max(peak, math.Abs(v))
	}
	return peak
}

const (
	fadeIn  = 16  // samples: 2 ms
	fadeOut = 40  // samples: 5 ms
	seek    = 160 // samples in which a zero crossing is looked for: 20 ms
)

// trim brings the sound to a length that phones take. It ends at a zero crossing near the cut; the rest up to the next
// multiple is silence.
func trim(samples []float64, seconds float64) (out []float64, said []string) {
	n := max(len(samples)/ringBlock, 1) * ringBlock
	end := n
	switch {
	case len(samples) < ringBlock:
		end = len(samples)
		said = append(said, fmt.Sprintf("Lengthened with silence to %g s, the shortest that phones take.", float64(ringBlock)/ringRate))
	case n == ringMax && seconds*ringRate >= ringMax+1:
		said = append(said, fmt.Sprintf("Cut from %.2f s to %.2f s, the longest that phones take.", seconds, float64(ringMax)/ringRate))
	case n < len(samples):
		said = append(said, fmt.Sprintf("Cut from %.3g s to %.3g s, because phones take multiples of %d ms.", seconds, float64(n)/ringRate, ringBlock*1000/ringRate))
	}
	out = make([]float64, n)
	copy(out, samples[:min(n, end)])
	if loudest(out[:1]) > 0.01 {
		for i := range min(fadeIn, end) {
			out[i] *= float64(i) / fadeIn
		}
	}
	if loudest(out[max(0, end-2):end]) <= 0.01 {
		return out, said
	}
	for i := end - 1; i > max(end-seek, end/2); i-- {
		if out[i-1] <= 0 && out[i] > 0 || out[i-1] >= 0 && out[i] < 0 {
			end = i
			break
		}
	}
	clear(out[end:])
	for i := range min(fadeOut, end) {
		out[end-1-i] *= float64(i) / fadeOut
	}
	return out, said
}

// CheckRing says how long an existing ring file sounds, in seconds, and what is wrong with it ("" = nothing): its length
// in bytes, or that it is no raw sound at all.
func CheckRing(raw []byte) (seconds float64, fault string) {
	kind := soundKind(raw)
	if bytes.HasPrefix(raw, []byte("RIFF")) {
		kind = "a WAV file"
	}
	if kind != noWAV && raw[0] < 0x80 { // an MP3 without a tag begins with what is silence in a ring
		return 0, fmt.Sprintf("This is %s under the name of a ring; phones take raw mu-law sound. Upload it as a WAV, and it is converted.", kind)
	}
	seconds = float64(len(raw)) / ringRate
	switch n := len(raw); {
	case n < ringBlock:
		return seconds, fmt.Sprintf("It has %d bytes; phones take %d to %d.", n, ringBlock, ringMax)
	case n > ringMax:
		return seconds, fmt.Sprintf("It has %d bytes (%.2f s); phones take at most %d (%.2f s).", n, seconds, ringMax, float64(ringMax)/ringRate)
	case n%ringBlock != 0:
		return seconds, fmt.Sprintf("It has %d bytes; phones take multiples of %d, such as %d.", n, ringBlock, n/ringBlock*ringBlock)
	}
	return seconds, ""
}
