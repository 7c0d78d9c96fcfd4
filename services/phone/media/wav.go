package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The encodings of samples in a WAV file: wFormatTag of the fmt chunk.
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagMuLaw      = 7
	tagExtensible = 0xfffe // the tag stands in the first two bytes of a GUID
)

// What is read.
const (
	minRate     = 4000 // samples a second
	maxRate     = 192000
	maxChannels = 8
)

// guidTail is the rest of the GUIDs that stand for a format tag.
var guidTail = []byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}

// WAV is a sound as it stands in a file.
type WAV struct {
	Rate     int    // samples a second, of each channel
	Channels int    // 1 = mono, 2 = stereo
	Bits     int    // of a sample as stored
	Encoding string // "PCM", "float", "mu-law", "A-law"
	Frames   int    // samples of each channel
	Short    bool   // the file ends before the length that it states

	tag  int
	data []byte
}

// Seconds is how long it sounds.
func (w *WAV) Seconds() float64 { return float64(w.Frames) / float64(w.Rate) }

// ReadWAV reads a WAV file of at most 10 MB: PCM of 8, 16, 24 or 32 bit, floating point, mu-law or A-law, 4 to 192 kHz,
// one to eight channels. The error is a sentence for people: what was found and what is allowed.
func ReadWAV(r io.Reader) (*WAV, error) {
	content, err := readAll(r, "reading the sound")
	if err != nil {
		return nil, err
	}
	w, err := parseWAV(content)
	if err != nil {
		return nil, fmt.Errorf("reading the sound: %w", err)
	}
	return w, nil
}

func parseWAV(content []byte) (*WAV, error) {
	if len(content) < 12 || string(content[:4]) != "RIFF" || string(content[8:12]) != "WAVE" {
		return nil, fmt.Errorf("it is %s, allowed is a WAV file", soundKind(content))
	}
	w := &WAV{}
	for rest := content[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		rest = rest[8:]
		body := rest[:min(size, uint64(len(rest)))]
		switch id {
		case "fmt ":
			if err := w.format(body); err != nil {
				return nil, err
			}
		case "data":
			if w.Rate == 0 {
				return nil, errors.New("its samples come before their format: the file is damaged")
			}
			if size == 0 || size == math.MaxUint32 { // written without knowing the end
				body = rest
			}
			w.Short = size > uint64(len(body)) && size != math.MaxUint32
			w.data = body
			w.Frames = len(body) / (w.Channels * w.Bits / 8)
			if w.Frames == 0 {
				return nil, errors.New("it holds no sound")
			}
			return w, nil
		}
		rest = rest[min(size+size&1, uint64(len(rest))):]
	}
	return nil, errors.New("it holds no sound: the file is damaged or cut off")
}

// format reads the fmt chunk.
func (w *WAV) format(b []byte) error {
	if len(b) < 16 {
		return errors.New("its format is cut off: the file is damaged")
	}
	le := binary.LittleEndian
	w.tag = int(le.Uint16(b))
	w.Channels = int(le.Uint16(b[2:]))
	rate := le.Uint32(b[4:])
	align := int(le.Uint16(b[12:]))
	w.Bits = int(le.Uint16(b[14:]))
	if w.tag == tagExtensible && len(b) >= 40 && bytes.Equal(b[26:40], guidTail) {
		w.tag = int(le.Uint16(b[24:]))
	}
	var allowed bool
	switch w.tag {
	case tagPCM:
		w.Encoding, allowed = "PCM", w.Bits == 8 || w.Bits == 16 || w.Bits == 24 || w.Bits == 32
	case tagFloat:
		w.Encoding, allowed = "float", w.Bits == 32 || w.Bits == 64
	case tagMuLaw:
		w.Encoding, allowed = "mu-law", w.Bits == 8
	case tagALaw:
		w.Encoding, allowed = "A-law", w.Bits == 8
	default:
		return fmt.Errorf("the WAV holds compressed sound of the kind %#x, allowed are PCM, floating point, mu-law and A-law", w.tag)
	}
	switch {
	case !allowed:
		return fmt.Errorf("it has %s samples of %d bits, allowed are PCM of 8, 16, 24 or 32, floating point of 32 or 64, mu-law and A-law of 8", w.Encoding, w.Bits)
	case w.Channels < 1 || w.Channels > maxChannels:
		return fmt.Errorf("it has %d channels, allowed are 1 to %d", w.Channels, maxChannels)
	case rate < minRate || rate > maxRate:
		return fmt.Errorf("it has %d samples a second, allowed are %d to %d", rate, minRate, maxRate)
	case align != w.Channels*w.Bits/8:
		return fmt.Errorf("%d bytes for %d channels of %d bits don't fit together: the file is damaged", align, w.Channels, w.Bits)
	}
	w.Rate = int(rate)
	return nil
}

// soundKind names what a file is that is no WAV, as far as its beginning tells.
func soundKind(b []byte) string {
	for _, k := range []struct{ magic, name string }{
		{"ID3", "an MP3 file"},
		{"\xff\xfb", "an MP3 file"},
		{"\xff\xf3", "an MP3 file"},
		{"OggS", "an Ogg file"},
		{"fLaC", "a FLAC file"},
		{"FORM", "an AIFF file"},
		{".snd", "an AU file"},
		{"RF64", "an RF64 file"},
		{"RIFX", "a WAV file with swapped bytes"},
	} {
		if bytes.HasPrefix(b, []byte(k.magic)) {
			return k.name
		}
	}
	return noWAV
}

const noWAV = "no WAV file"

// mono mixes the channels of the first frames into one, full scale being 1.
func (w *WAV) mono(frames int) []float64 {
	frames = min(frames, w.Frames)
	out := make([]float64, frames)
	size := w.Bits / 8
	for i := range out {
		sum := 0.0
		for c := range w.Channels {
			at := (i*w.Channels + c) * size
			sum += w.sample(w.data[at : at+size])
		}
		out[i] = sum / float64(w.Channels)
	}
	return out
}

// maxFloat bounds floating point samples: some programs scale them to 32768, and infinity is of no use.
const maxFloat = 1 << 20

// sample decodes one sample.
func (w *WAV) sample(b []byte) float64 {
	le := binary.LittleEndian
	switch {
	case w.tag == tagMuLaw:
		return float64(decodeMuLaw(b[0])) / 32768
	case w.tag == tagALaw:
		return float64(decodeALaw(b[0])) / 32768
	case w.tag == tagFloat:
		v := 0.0
		if len(b) == 8 {
			v = math.Float64frombits(le.Uint64(b))
		} else {
			v = float64(math.Float32frombits(le.Uint32(b)))
		}
		if math.IsNaN(v) {
			return 0
		}
		return min(max(v, -maxFloat), maxFloat)
	case len(b) == 1:
		return (float64(b[0]) - 128) / 128
	case len(b) == 2:
		return float64(int16(le.Uint16(b))) / (1 << 15)
	case len(b) == 3:
		return float64(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)>>8) / (1 << 23)
	}
	return float64(int32(le.Uint32(b))) / (1 << 31)
}
