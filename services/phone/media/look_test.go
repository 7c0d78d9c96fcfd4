package media_test

import (
	"bytes"
	"image"
	"testing"

	"phonebox/services/phone/media"
)

// ramp is a picture from black to white.
func ramp() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 90, 56))
	for i := range img.Pix {
		img.Pix[i] = uint8(i % 90 * 255 / 89)
	}
	return img
}

func average(img *image.Gray) int {
	sum := 0
	for _, v := range img.Pix {
		sum += int(v)
	}
	return sum / len(img.Pix)
}

func TestLooks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		look   media.Look
		levels int
	}{
		{media.Look{Way: media.Dither}, 4}, {media.Look{Way: media.DitherTwo}, 2}, {media.Look{Way: media.Threshold, Grey: 128}, 2},
	} {
		in := ramp()
		out := tt.look.Apply(in)
		greys := map[uint8]bool{}
		for _, v := range out.Pix {
			greys[v] = true
		}
		if len(greys) != tt.levels || !greys[0] || !greys[255] {
			t.Errorf("%+v leaves the greys %v, want %d with black and white", tt.look, greys, tt.levels)
		}
		if a, b := average(in), average(out); a-b > 4 || b-a > 4 {
			t.Errorf("%+v makes the average grey %d of %d", tt.look, b, a)
		}
		if !bytes.Equal(in.Pix, ramp().Pix) {
			t.Errorf("%+v changed what it was given", tt.look)
		}
	}
	if got := (media.Look{Invert: true}).Apply(ramp()); got.Pix[0] != 255 || got.Pix[89] != 0 {
		t.Errorf("inverted it begins with %d and ends with %d", got.Pix[0], got.Pix[89])
	}
	if got := (media.Look{}).Apply(ramp()); !bytes.Equal(got.Pix, ramp().Pix) {
		t.Error("no look changes the picture")
	}
	if (media.Look{Way: "x"}).Check() == "" || (media.Look{Grey: 300}).Check() == "" || (media.Look{Way: media.Dither, Grey: 7}).Check() != "" {
		t.Error("a look is checked wrongly")
	}
}

// What the page plays is what the phone gets: read back, the WAV gives the very bytes.
func TestARingIsPlayedAsItIs(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 480)
	for i := range raw {
		raw[i] = byte(i)
		if raw[i] == 0x7f { // minus zero, which no sample is
			raw[i] = 0xff
		}
	}
	wav, err := media.ReadWAV(bytes.NewReader(media.RingWAV(raw)))
	if err != nil || wav.Rate != 8000 || wav.Channels != 1 || wav.Bits != 16 || wav.Frames != len(raw) || wav.Short {
		t.Fatalf("the WAV is %+v, %v", wav, err)
	}
	if s := media.RingSamples([]byte{0xff, 0x80, 0x00}); s[0] != 0 || s[1] <= 0 || s[2] != -s[1] {
		t.Errorf("the samples are %v", s)
	}
}
