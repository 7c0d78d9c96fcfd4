package media_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"strings"
	"testing"

	"phonebox/services/phone/media"
)

// wav makes a WAV file; tag 0xfffe makes the extensible form of PCM.
func wav(tag, channels, rate, bits int, data []byte) []byte {
	le := binary.LittleEndian
	f := le.AppendUint16(nil, uint16(tag))
	f = le.AppendUint16(f, uint16(channels))
	f = le.AppendUint32(f, uint32(rate))
	f = le.AppendUint32(f, uint32(rate*channels*bits/8))
	f = le.AppendUint16(f, uint16(channels*bits/8))
	f = le.AppendUint16(f, uint16(bits))
	if tag == 0xfffe {
		f = le.AppendUint16(f, 22)
		f = le.AppendUint16(f, uint16(bits))
		f = le.AppendUint32(f, 3)
		f = append(f, 1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)
	}
	out := append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk("fmt ", f)...)
	out = append(out, chunk("LIST", []byte("odd"))...)
	return append(out, chunk("data", data)...)
}

func chunk(id string, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	out = append(out, body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

// sine is a tone of so many samples, full scale being 1.
func sine(hertz float64, rate, samples int, level float64) []float64 {
	out := make([]float64, samples)
	for i := range out {
		out[i] = level * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate))
	}
	return out
}

// pcm stores samples; each of channels gets the same.
func pcm(samples []float64, bits, channels int) []byte {
	var out []byte
	for _, v := range samples {
		for range channels {
			switch bits {
			case 8:
				out = append(out, byte(math.Round(v*127)+128))
			default:
				n := uint32(int32(math.Round(v * (1<<31 - 1))))
				for b := 32 - bits; b < 32; b += 8 {
					out = append(out, byte(n>>b))
				}
			}
		}
	}
	return out
}

// decoded reads mu-law by the definition of G.711, not by the code under test.
func decoded(raw []byte) []float64 {
	out := make([]float64, len(raw))
	for i, b := range raw {
		b = ^b
		magnitude := (math.Ldexp(float64(b&0x0f)+16.5, int(b>>4&7)) - 16.5) / 4096
		if b&0x80 != 0 {
			magnitude = -magnitude
		}
		out[i] = magnitude
	}
	return out
}

// level is the strength of one tone in the middle of a sound of 8000 samples a second (Goertzel), full scale being 1.
func level(samples []float64, hertz float64) float64 {
	samples = samples[len(samples)/4 : len(samples)*3/4]
	var re, im float64
	for i, v := range samples {
		re += v * math.Cos(2*math.Pi*hertz*float64(i)/8000)
		im += v * math.Sin(2*math.Pi*hertz*float64(i)/8000)
	}
	return 2 * math.Hypot(re, im) / float64(len(samples))
}

func decibel(a, b float64) float64 { return 20 * math.Log10(a/b) }

func ring(t *testing.T, content []byte) ([]byte, string) {
	t.Helper()
	raw, said, err := media.Ring(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if seconds, fault := media.CheckRing(raw); fault != "" || seconds != float64(len(raw))/8000 {
		t.Errorf("the ring of %d bytes: %s", len(raw), fault)
	}
	return raw, strings.Join(said, " ")
}

func TestAToneSurvives(t *testing.T) {
	t.Parallel()
	float := func(v []float64) []byte {
		var b []byte
		for _, s := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(s)))
		}
		return b
	}
	for name, content := range map[string][]byte{
		"4 kHz":             wav(1, 1, 4000, 16, pcm(sine(1000, 4000, 4000, 0.5), 16, 1)),
		"8 kHz":             wav(1, 1, 8000, 16, pcm(sine(1000, 8000, 8000, 0.5), 16, 1)),
		"8 bit, 11.025 kHz": wav(1, 1, 11025, 8, pcm(sine(1000, 11025, 11025, 0.5), 8, 1)),
		"stereo, 22.05 kHz": wav(1, 2, 22050, 16, pcm(sine(1000, 22050, 22050, 0.5), 16, 2)),
		"44.1 kHz":          wav(1, 1, 44100, 16, pcm(sine(1000, 44100, 44100, 0.5), 16, 1)),
		"24 bit, 48 kHz":    wav(0xfffe, 2, 48000, 24, pcm(sine(1000, 48000, 48000, 0.5), 24, 2)),
		"32 bit, 96 kHz":    wav(1, 1, 96000, 32, pcm(sine(1000, 96000, 96000, 0.5), 32, 1)),
		"192 kHz":           wav(1, 6, 192000, 16, pcm(sine(1000, 192000, 192000, 0.5), 16, 6)),
		"float, 44.101 kHz": wav(3, 1, 44101, 32, float(sine(1000, 44101, 44101, 0.5))),
		"mu-law":            wav(7, 1, 8000, 8, bytes.Repeat([]byte{0xff, 0x96, 0x90, 0x96, 0xff, 0x16, 0x10, 0x16}, 1000)),
		"A-law":             wav(6, 1, 8000, 8, bytes.Repeat([]byte{0xd5, 0xbd, 0xba, 0xbd, 0xd5, 0x3d, 0x3a, 0x3d}, 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, said := ring(t, content)
			if len(raw) != 7920 {
				t.Errorf("%d bytes: %s", len(raw), said)
			}
			sound := decoded(raw)
			if d := decibel(level(sound, 1000), 0.5); math.Abs(d) > 0.5 {
				t.Errorf("the tone of 1 kHz comes out %.1f dB louder", d)
			}
			for _, other := range []float64{500, 1500, 2500, 3300} {
				if d := decibel(level(sound, other), 0.5); d > -38 {
					t.Errorf("%g Hz is only %.1f dB below the tone", other, -d)
				}
			}
			if strings.Contains(said, "Converted from") != (name != "mu-law") {
				t.Errorf("said: %s", said)
			}
		})
	}
}

func TestWhatIsTooHighDoesNotFoldBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rate       int
		high, back float64
	}{{44100, 6000, 2000}, {44100, 4400, 3600}, {44100, 7500, 500}, {48000, 15000, 1000}, {192000, 5000, 3000}, {11025, 5000, 3000}} {
		raw, _ := ring(t, wav(1, 1, tt.rate, 16, pcm(sine(tt.high, tt.rate, tt.rate, 0.9), 16, 1)))
		sound := decoded(raw)
		peak := 0.0
		for _, v := range sound[200:7000] {
			peak = max(peak, math.Abs(v))
		}
		if a, b := decibel(level(sound, tt.back)+1e-9, 0.9), decibel(peak+1e-9, 0.9); a > -50 || b > -50 {
			t.Errorf("%g Hz at %d a second: %.1f dB come back at %g Hz, the loudest sample has %.1f dB", tt.high, tt.rate, a, tt.back, b)
		}
	}
	raw, _ := ring(t, wav(1, 1, 44100, 16, pcm(sine(3300, 44100, 44100, 0.5), 16, 1)))
	if d := decibel(level(decoded(raw), 3300), 0.5); d < -1 {
		t.Errorf("speech at 3.3 kHz is lowered by %.1f dB", -d)
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		samples, want int
		words         string
	}{
		{16080, 16080, ""},
		{16079, 15840, "multiples of 30 ms"},
		{16081, 16080, "Cut from 2.01 s to 2.01 s"},
		{100000, 16080, "Cut from 12.50 s to 2.01 s"},
		{240, 240, ""},
		{239, 240, "Lengthened"},
		{1, 240, "Lengthened"},
		{8000, 7920, "multiples"},
	} {
		raw, said := ring(t, wav(1, 1, 8000, 16, pcm(sine(440, 8000, tt.samples, 0.8), 16, 1)))
		if len(raw) != tt.want || !strings.Contains(said, tt.words) || tt.words == "" && strings.Count(said, ".") != 1 {
			t.Errorf("of %d samples %d became: %s", tt.samples, len(raw), said)
		}
		if last := math.Abs(decoded(raw)[len(raw)-1]); last > 0.01 {
			t.Errorf("of %d samples the last is %.3f: it clicks", tt.samples, last)
		}
	}
}

func TestItDoesNotClick(t *testing.T) {
	t.Parallel()
	for _, hertz := range []float64{5, 100, 443, 2000} {
		samples := sine(hertz, 8000, 20000, 0.9)
		for i := range samples { // begins at its loudest
			samples[i] = 0.9 * math.Cos(2*math.Pi*hertz*float64(i)/8000)
		}
		raw, _ := ring(t, wav(1, 1, 8000, 16, pcm(samples, 16, 1)))
		sound := decoded(raw)
		if math.Abs(sound[0]) > 0.01 || math.Abs(sound[len(sound)-1]) > 0.01 {
			t.Errorf("%g Hz begins with %.3f and ends with %.3f", hertz, sound[0], sound[len(sound)-1])
		}
		if end := sound[len(sound)-400 : len(sound)-200]; hertz >= 100 && level(end, hertz) < 0.5 {
			t.Errorf("%g Hz: more than the end was faded", hertz)
		}
	}
}

func TestLoudness(t *testing.T) {
	t.Parallel()
	var b []byte
	for _, v := range sine(1000, 8000, 8000, 3) {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	raw, said := ring(t, wav(3, 1, 8000, 64, b))
	sound := decoded(raw)
	if d := decibel(level(sound, 1000), 1); math.Abs(d) > 0.5 || level(sound, 3000) > 0.02 || !strings.Contains(said, "softer") {
		t.Errorf("%.1f dB, third harmonic %.3f: %s", d, level(sound, 3000), said)
	}
	if raw, said := ring(t, wav(1, 1, 8000, 16, make([]byte, 8000))); !strings.Contains(said, "silent") || raw[0] != 0xff {
		t.Errorf("silence: % x, %s", raw[:4], said)
	}
	if raw, said := ring(t, wav(1, 1, 8000, 16, pcm(sine(1000, 8000, 8000, 0.05), 16, 1))); strings.Contains(said, "softer") || level(decoded(raw), 1000) > 0.06 {
		t.Errorf("a soft sound was changed: %s", said)
	}
}

func TestARingStaysAsItIs(t *testing.T) {
	t.Parallel()
	first, _ := ring(t, wav(1, 1, 44100, 16, pcm(sine(700, 44100, 90000, 0.7), 16, 1)))
	second, said := ring(t, wav(7, 1, 8000, 8, first))
	first = bytes.ReplaceAll(first, []byte{0x7f}, []byte{0xff}) // both are zero
	if !bytes.Equal(first, second) || said != "" {
		t.Errorf("a ring in a WAV was changed: %s", said)
	}
}

func TestWhatIsNoSound(t *testing.T) {
	t.Parallel()
	good := wav(1, 1, 8000, 16, make([]byte, 800))
	for name, tt := range map[string]struct {
		content []byte
		words   string
	}{
		"nothing":        {nil, "empty"},
		"MP3":            {[]byte("ID3\x03aaaaaaaaaaaaaaaa"), "MP3"},
		"Ogg":            {[]byte("OggSaaaaaaaaaaaaaa"), "Ogg"},
		"text":           {[]byte("hello, this is no sound"), "no WAV file"},
		"compressed":     {wav(0x55, 1, 8000, 16, make([]byte, 800)), "0x55"},
		"12 bits":        {wav(1, 1, 8000, 12, make([]byte, 800)), "12 bits"},
		"no channel":     {wav(1, 0, 8000, 16, make([]byte, 800)), "0 channels"},
		"9 channels":     {wav(1, 9, 8000, 16, make([]byte, 900)), "9 channels"},
		"too slow":       {wav(1, 1, 3999, 16, make([]byte, 800)), "3999"},
		"too fast":       {wav(1, 1, 192001, 16, make([]byte, 800)), "192001"},
		"no samples":     {wav(1, 1, 8000, 16, nil), "no sound"},
		"no data":        {good[:40], "no sound"},
		"cut format":     {good[:24], "cut off"},
		"data first":     {append([]byte("RIFF\x00\x00\x00\x00WAVE"), chunk("data", make([]byte, 100))...), "damaged"},
		"more than 10MB": {append(bytes.Clone(good), make([]byte, 10<<20)...), "10 MB"},
	} {
		raw, said, err := media.Ring(bytes.NewReader(tt.content))
		if err == nil || raw != nil || said != nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %d bytes, %v", name, len(raw), err)
		}
	}
	if raw, said := ring(t, good[:len(good)-200]); len(raw) != 240 || !strings.Contains(said, "cut off") {
		t.Errorf("a file that is cut off: %d bytes, %s", len(raw), said)
	}
	if _, _, err := media.Ring(io.MultiReader(bytes.NewReader(good[:50]), broken{})); err == nil || !strings.Contains(err.Error(), "multiple Read calls") {
		t.Errorf("an upload that breaks off: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func TestCheckRing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		raw     []byte
		seconds float64
		words   string
	}{
		{bytes.Repeat([]byte{0xff}, 8160), 1.02, ""},
		{bytes.Repeat([]byte{0xff}, 16080), 2.01, ""},
		{append([]byte{0xff, 0xfb}, make([]byte, 238)...), 0.03, ""}, // how some MP3 begin, and some rings
		{nil, 0, "240 to 16080"},
		{make([]byte, 16320), 2.04, "at most 16080"},
		{make([]byte, 8000), 1, "such as 7920"},
		{wav(1, 1, 8000, 8, make([]byte, 16080)), 0, "WAV"},
		{append([]byte("ID3"), make([]byte, 237)...), 0, "MP3"},
	} {
		seconds, fault := media.CheckRing(tt.raw)
		if seconds != tt.seconds || (fault == "") != (tt.words == "") || !strings.Contains(fault, tt.words) {
			t.Errorf("%d bytes: %g s, %q", len(tt.raw), seconds, fault)
		}
	}
}

// FuzzRing: whatever is taken for a sound gives a ring that phones take.
func FuzzRing(f *testing.F) {
	f.Add(wav(1, 2, 44100, 16, pcm(sine(440, 44100, 2000, 0.5), 16, 2)))
	f.Add(wav(0xfffe, 1, 48000, 24, pcm(sine(440, 48000, 1000, 0.5), 24, 1)))
	f.Add(wav(3, 1, 8000, 32, []byte("\x00\x00\x80\x7f\x00\x00\xc0\x7f\xff\xff\xff\xff")))
	f.Add(wav(7, 1, 8000, 8, bytes.Repeat([]byte{0xff, 0}, 300)))
	f.Add(wav(6, 1, 4000, 8, bytes.Repeat([]byte{0xd5, 0x80}, 300)))
	f.Add(wav(1, 1, 192000, 8, bytes.Repeat([]byte{0, 255}, 300))[:50])
	f.Fuzz(func(t *testing.T, content []byte) {
		raw, said, err := media.Ring(bytes.NewReader(content))
		if err != nil {
			if raw != nil || said != nil {
				t.Errorf("an error with a ring: %v", err)
			}
			return
		}
		if _, fault := media.CheckRing(raw); fault != "" && !strings.Contains(fault, "under the name of") {
			t.Error(fault)
		}
		for _, s := range said {
			if strings.Contains(s, "%!") || !strings.HasSuffix(s, ".") {
				t.Errorf("said: %q", s)
			}
		}
	})
}
