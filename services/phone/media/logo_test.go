package media_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/draw"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
)

// framed is black with a white square of a quarter in the upper left corner.
func framed(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Bounds(), image.Black, image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(0, 0, w/2, h/2), image.White, image.Point{}, draw.Src)
	return img
}

func encoded(t testing.TB, img image.Image, kind string) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "png":
		err = png.Encode(&b, img)
	case "jpeg":
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 95})
	case "gif":
		err = gif.Encode(&b, img, nil)
	case "bmp":
		err = bmp.Encode(&b, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// logo converts a picture and checks the form of what comes out (phones.md e).
func logo(t *testing.T, picture []byte) (*image.Paletted, string) {
	t.Helper()
	content, said, err := media.Logo(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	drawn := phone.WriteLogo("") // the same form, written by other code
	if len(content) != 6230 || !bytes.Equal(content[54:1078], drawn[54:1078]) {
		t.Fatalf("%d bytes, or not the grey palette", len(content))
	}
	le := binary.LittleEndian
	for _, field := range []struct {
		at   int
		want uint32
	}{{2, 6230}, {10, 1078}, {14, 40}, {18, 90}, {22, 56}, {26, 8<<16 | 1}, {30, 0}} {
		if got := le.Uint32(content[field.at:]); got != field.want {
			t.Errorf("the field at %d is %d, wanted %d", field.at, got, field.want)
		}
	}
	img, err := bmp.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.Paletted), strings.Join(said, " ")
}

func grey(img image.Image, x, y int) uint8 {
	return color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y
}

func TestLogoOfEachFormat(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"png", "jpeg", "gif", "bmp"} {
		for _, size := range []image.Point{{90, 56}, {900, 560}, {45, 28}} {
			img, said := logo(t, encoded(t, framed(size.X, size.Y), kind))
			for _, p := range []struct {
				x, y  int
				white bool
			}{{10, 10, true}, {35, 20, true}, {60, 10, false}, {10, 40, false}, {80, 50, false}} {
				if got := grey(img, p.x, p.y); got > 20 && got < 235 || got > 127 != p.white {
					t.Errorf("%s of %v: %d at %d,%d", kind, size, got, p.x, p.y)
				}
			}
			if strings.Contains(said, "scaled to 90x56") != (size.X != 90) || strings.Contains(said, "white") {
				t.Errorf("%s of %v: %s", kind, size, said)
			}
		}
	}
}

func TestLogoKeepsItsProportions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		w, h  int
		place image.Rectangle // of the picture
	}{
		{100, 100, image.Rect(17, 0, 73, 56)},
		{900, 90, image.Rect(0, 23, 90, 32)},
		{1, 20000, image.Rect(44, 0, 45, 56)},
		{20000, 1, image.Rect(0, 27, 90, 28)},
		{1, 1, image.Rect(17, 0, 73, 56)},
	} {
		black := image.NewGray(image.Rect(0, 0, tt.w, tt.h))
		img, said := logo(t, encoded(t, black, "png"))
		var got image.Rectangle
		for y := range 56 {
			for x := range 90 {
				if grey(img, x, y) < 128 {
					got = got.Union(image.Rect(x, y, x+1, y+1))
				}
			}
		}
		if got != tt.place || !strings.Contains(said, "white") {
			t.Errorf("%dx%d stands at %v, wanted %v: %s", tt.w, tt.h, got, tt.place, said)
		}
	}
}

func TestTransparentBecomesWhite(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(0, 0, 180, 112)) // all transparent black
	draw.Draw(img, image.Rect(90, 0, 180, 112), image.NewUniform(color.NRGBA{0, 0, 0, 128}), image.Point{}, draw.Src)
	got, _ := logo(t, encoded(t, img, "png"))
	if a, b := grey(got, 10, 10), grey(got, 80, 50); a != 255 || b < 120 || b > 135 {
		t.Errorf("transparent is %d, half black %d", a, b)
	}
	small := image.NewNRGBA(image.Rect(0, 0, 90, 56))
	if got, _ := logo(t, encoded(t, small, "png")); grey(got, 0, 0) != 255 {
		t.Error("without scaling, transparent is not white")
	}
}

func TestColoursBecomeGreys(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(0, 0, 90, 56))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.NRGBA{0, 255, 0, 255}), image.Point{}, draw.Src)
	got, said := logo(t, encoded(t, img, "png"))
	if g := grey(got, 5, 5); g < 140 || g > 160 || !strings.Contains(said, "greys") {
		t.Errorf("green is %d: %s", g, said)
	}
	drawn := phone.WriteLogo("Harbour")
	same, _, err := media.Logo(bytes.NewReader(drawn))
	if err != nil || !bytes.Equal(same[54:], drawn[54:]) {
		t.Errorf("a logo of a phone was changed: %v", err)
	}
}

// sized is a PNG whose header states a size and a depth, and nothing behind it.
func sized(w, h uint32, depth, kind byte) []byte {
	small := encoded16()
	binary.BigEndian.PutUint32(small[16:], w)
	binary.BigEndian.PutUint32(small[20:], h)
	small[24], small[25] = depth, kind
	binary.BigEndian.PutUint32(small[29:], crc(small[12:29]))
	return small
}

func encoded16() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)))
	return b.Bytes()
}

func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, v := range b {
		c ^= uint32(v)
		for range 8 {
			c = c>>1 ^ 0xedb88320&-(c&1)
		}
	}
	return ^c
}

func TestWhatIsNoPicture(t *testing.T) {
	t.Parallel()
	good := encoded(t, framed(100, 100), "jpeg")
	for name, tt := range map[string]struct {
		content []byte
		words   string
	}{
		"nothing":      {nil, "empty"},
		"text":         {[]byte("<svg></svg>"), "PNG, JPEG, GIF and BMP"},
		"cut off":      {good[:len(good)/2], "JPEG is damaged"},
		"no header":    {[]byte("GIF8"), "GIF is damaged"},
		"too wide":     {sized(20001, 1, 8, 0), "20001x1"},
		"too large":    {sized(10000, 5001, 8, 0), "50 million"},
		"too deep":     {sized(6000, 6000, 16, 6), "26 million"},
		"no colour":    {shortPalette(), "BMP is damaged"},
		"progressive":  {jpegHeader(0xc2), "13 million"},
		"baseline":     {jpegHeader(0xc0), "JPEG is damaged"},
		"no pixel":     {sized(0, 1, 8, 0), "damaged"},
		"over 10 MB":   {append(bytes.Clone(good), make([]byte, 10<<20)...), "10 MB"},
		"a BMP in RLE": {rle(), "BMP is damaged, or of a kind"},
	} {
		content, said, err := media.Logo(bytes.NewReader(tt.content))
		if err == nil || content != nil || said != nil || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %d bytes, %v", name, len(content), err)
		}
	}
}

// jpegHeader is the beginning of a grey JPEG of 6000x6000; marker tells in how many passes it is sent.
func jpegHeader(marker byte) []byte {
	return []byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 'x', 'x', 0xff, marker, 0, 11, 8, 0x17, 0x70, 0x17, 0x70, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0}
}

// shortPalette is a BMP whose pixels name colours that its palette does not have.
func shortPalette() []byte {
	content := phone.WriteLogo("")
	le := binary.LittleEndian
	le.PutUint32(content[10:], 54+8)
	le.PutUint32(content[46:], 2)
	short := append(bytes.Clone(content[:54]), 0, 0, 0, 0, 255, 255, 255, 0)
	return append(short, bytes.Repeat([]byte{9}, 92*56)...)
}

func rle() []byte {
	b := phone.WriteLogo("x")
	b[30] = 1
	return b
}

func TestPreview(t *testing.T) {
	t.Parallel()
	content, _, err := media.Logo(bytes.NewReader(encoded(t, framed(90, 56), "png")))
	if err != nil {
		t.Fatal(err)
	}
	preview, err := media.Preview(content)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(preview))
	if err != nil || img.Bounds() != image.Rect(0, 0, 270, 168) {
		t.Fatalf("%v %v", img.Bounds(), err)
	}
	for _, p := range []struct{ x, y, want int }{{0, 0, 255}, {134, 83, 255}, {135, 83, 0}, {134, 84, 0}, {269, 167, 0}} {
		if got := grey(img, p.x, p.y); int(got) != p.want {
			t.Errorf("%d,%d is %d, wanted %d", p.x, p.y, got, p.want)
		}
	}
	for _, bad := range [][]byte{nil, []byte("BM"), preview, encoded(t, image.NewGray(image.Rect(0, 0, 1001, 1)), "bmp")} {
		if got, err := media.Preview(bad); err == nil || got != nil {
			t.Errorf("a preview of %.10q", bad)
		}
	}
}

// FuzzLogo: whatever is taken for a picture gives a logo that has a preview.
func FuzzLogo(f *testing.F) {
	img := framed(7, 5)
	for _, kind := range []string{"png", "jpeg", "gif", "bmp"} {
		f.Add(encoded(f, img, kind))
	}
	short := encoded(f, image.NewPaletted(image.Rect(0, 0, 3, 3), color.Palette{color.White, color.Black}), "bmp")
	f.Add(short)
	f.Add(shortPalette())
	f.Add(phone.WriteLogo("x"))
	f.Add(rle())
	f.Add(sized(6000, 6000, 16, 6))
	f.Fuzz(func(t *testing.T, picture []byte) {
		content, _, err := media.Logo(bytes.NewReader(picture))
		if err != nil {
			return
		}
		if len(content) != phone.LogoSize {
			t.Errorf("%d bytes", len(content))
		}
		if _, err := media.Preview(content); err != nil {
			t.Error(err)
		}
		_, _ = media.Preview(picture)
	})
}
