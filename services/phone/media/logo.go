package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/draw"

	"phonebox/services/phone"
)

// What a picture may be before it is decoded.
const (
	maxPixels = 50_000_000
	maxSide   = 20_000    // pixels
	maxMemory = 200 << 20 // bytes that the decoded picture takes: a Pi has little
)

// format is a kind of picture.
type format struct {
	name   string
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = []format{
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"JPEG", "\xff\xd8", jpeg.DecodeConfig, jpeg.Decode},
	{"GIF", "GIF8", gif.DecodeConfig, gif.Decode}, // Decode takes the first picture alone
	{"BMP", "BM", bmp.DecodeConfig, bmp.Decode},
}

// Logo makes the logo of the display of a picture: PNG, JPEG, GIF (its first picture) or BMP of at most 10 MB and 50
// million pixels. The result is the uncompressed BMP of 90x56 in 256 greys that phones take (phones.md e), 6230 bytes; the
// picture keeps its proportions and stands on white. said tells what was changed; the error is a sentence for people.
func Logo(picture io.Reader) (logo []byte, said []string, err error) {
	canvas, said, err := LogoGreys(picture)
	if err != nil {
		return nil, nil, err
	}
	return EncodeLogo(canvas), said, nil
}

// LogoGreys is the same before it is encoded: 90x56 greys, which [Look] may change.
func LogoGreys(picture io.Reader) (canvas *image.Gray, said []string, err error) {
	const doing = "reading the picture"
	upload, err := readAll(picture, doing)
	if err != nil {
		return nil, nil, err
	}
	img, name, err := decodePicture(upload)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", doing, err)
	}
	size := img.Bounds().Size()
	canvas = image.NewGray(image.Rect(0, 0, phone.LogoWidth, phone.LogoHeight))
	draw.Draw(canvas, canvas.Bounds(), image.White, image.Point{}, draw.Src)
	target := fit(size)
	if size == target.Size() {
		draw.Draw(canvas, target, img, img.Bounds().Min, draw.Over)
	} else {
		draw.CatmullRom.Scale(canvas, target, img, img.Bounds(), draw.Over, nil)
	}
	if size != target.Size() {
		said = append(said, fmt.Sprintf("The %s of %dx%d was scaled to %dx%d.", name, size.X, size.Y, target.Dx(), target.Dy()))
	}
	if target.Size() != canvas.Bounds().Size() {
		said = append(said, fmt.Sprintf("It stands on white, because the display has %dx%d.", phone.LogoWidth, phone.LogoHeight))
	}
	if !isGrey(img.ColorModel()) {
		said = append(said, "Its colours became greys.")
	}
	return canvas, said, nil
}

// decodePicture decodes what is bounded.
func decodePicture(upload []byte) (image.Image, string, error) {
	for _, f := range formats {
		if !bytes.HasPrefix(upload, []byte(f.magic)) {
			continue
		}
		config, err := f.config(bytes.NewReader(upload))
		if err != nil {
			return nil, "", fmt.Errorf("the %s is damaged, or of a kind that can't be read: %w", f.name, err)
		}
		if err := bounded(f.name, upload, config); err != nil {
			return nil, "", err
		}
		img, err := f.decode(bytes.NewReader(upload))
		if err != nil {
			return nil, "", fmt.Errorf("the %s is damaged, or of a kind that can't be read: %w", f.name, err)
		}
		if img.Bounds().Empty() {
			return nil, "", fmt.Errorf("the %s has no pixels", f.name)
		}
		return img, f.name, nil
	}
	return nil, "", errors.New("it is no picture that can be read, allowed are PNG, JPEG, GIF and BMP")
}

// bounded refuses what would take too much memory or work.
func bounded(name string, upload []byte, c image.Config) error {
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide || c.Width*c.Height > maxPixels {
		return fmt.Errorf("it has %dx%d pixels, allowed are at most %d to a side and %d million in all", c.Width, c.Height, maxSide, maxPixels/1_000_000)
	}
	each := 4
	switch {
	case name == "PNG" && (c.ColorModel == color.RGBA64Model || c.ColorModel == color.NRGBA64Model):
		each = 8
	case name == "JPEG" && progressive(upload):
		each = 16 // its coefficients are kept until the end
	}
	if c.Width*c.Height*each > maxMemory {
		return fmt.Errorf("it has %dx%d pixels, too many for a %s of this kind: allowed are %d million; save it smaller", c.Width, c.Height, name, maxMemory/each/1_000_000)
	}
	return nil
}

// progressive reports whether a JPEG is sent in several passes: its frame header is SOF2 (ITU-T T.81, B.1.1.3).
func progressive(b []byte) bool {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		switch marker := b[at+1]; {
		case marker == 0xc2:
			return true
		case marker == 0xff: // fill
			at++
			continue
		case marker == 0xc0 || marker == 0xc1 || marker == 0xda:
			return false
		}
		at += 2 + int(binary.BigEndian.Uint16(b[at+2:]))
	}
	return true // what can't be told is taken for the costlier kind
}

// fit is the largest place on the display with the proportions of the picture, centred.
func fit(size image.Point) image.Rectangle {
	w, h := phone.LogoWidth, max(1, (size.Y*phone.LogoWidth+size.X/2)/size.X)
	if h > phone.LogoHeight {
		w, h = max(1, (size.X*phone.LogoHeight+size.Y/2)/size.Y), phone.LogoHeight
	}
	corner := image.Pt((phone.LogoWidth-w)/2, (phone.LogoHeight-h)/2)
	return image.Rectangle{corner, corner.Add(image.Pt(w, h))}
}

func isGrey(m color.Model) bool {
	if p, ok := m.(color.Palette); ok {
		for _, c := range p {
			if r, g, b, _ := c.RGBA(); r != g || g != b {
				return false
			}
		}
		return true
	}
	return m == color.GrayModel || m == color.Gray16Model
}

// logoHeader is where the pixels begin in what [phone.WriteLogo] writes: headers and the grey palette stand before them.
const (
	logoStride = (phone.LogoWidth + 3) &^ 3
	logoHeader = phone.LogoSize - logoStride*phone.LogoHeight
)

// EncodeLogo puts pixels, which must be 90x56, into the BMP in which phonebox draws its own logos, bottom row first.
func EncodeLogo(img *image.Gray) []byte {
	content := phone.WriteLogo("")
	for y := range phone.LogoHeight {
		at := logoHeader + (phone.LogoHeight-1-y)*logoStride
		copy(content[at:at+phone.LogoWidth], img.Pix[y*img.Stride:])
	}
	return content
}

// previewScale is how much larger than the display a preview is.
const previewScale = 3

// Preview makes a PNG for the page of a BMP as phones get it: each pixel becomes nine. A logo that somebody put there by
// hand may be up to 1000 pixels wide and high.
func Preview(logo []byte) ([]byte, error) {
	const side = 1000
	config, err := bmp.DecodeConfig(bytes.NewReader(logo))
	if err != nil {
		return nil, fmt.Errorf("reading the logo: %w", err)
	}
	if config.Width < 1 || config.Height < 1 || config.Width > side || config.Height > side {
		return nil, fmt.Errorf("reading the logo: it has %dx%d pixels, allowed are %d to a side", config.Width, config.Height, side)
	}
	img, err := bmp.Decode(bytes.NewReader(logo))
	if err != nil {
		return nil, fmt.Errorf("reading the logo: %w", err)
	}
	large := image.NewGray(image.Rect(0, 0, previewScale*config.Width, previewScale*config.Height))
	draw.NearestNeighbor.Scale(large, large.Bounds(), img, img.Bounds(), draw.Src, nil)
	var b bytes.Buffer
	if err := png.Encode(&b, large); err != nil {
		return nil, fmt.Errorf("writing the preview: %w", err)
	}
	return b.Bytes(), nil
}
