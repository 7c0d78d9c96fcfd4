package phone

import (
	"encoding/binary"
	"image"
	"image/draw"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

// The logo of the 7940/7960: 90x56 pixels of 8 bits in a plain Windows BMP (phones.md e).
const (
	LogoWidth  = 90
	LogoHeight = 56
	LogoSize   = bmpHeader + 256*4 + (LogoWidth+2)*LogoHeight // bytes: 6230

	bmpHeader = 14 + 40
)

// WriteLogo draws a name, wrapped and centred, in black on white, and returns it as the BMP that logo_url points to.
// What does not fit is cut.
func WriteLogo(name string) []byte {
	img := image.NewGray(image.Rect(0, 0, LogoWidth, LogoHeight))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	face := basicfont.Face7x13
	lines := wrap(plainASCII(name), LogoWidth/face.Advance, LogoHeight/face.Height)
	d := font.Drawer{Dst: img, Src: image.Black, Face: face}
	top := (LogoHeight - len(lines)*face.Height) / 2
	for i, line := range lines {
		d.Dot = fixed.P((LogoWidth-len(line)*face.Advance)/2, top+i*face.Height+face.Ascent)
		d.DrawString(line)
	}
	return encodeBMP(img)
}

// plainASCII strips accents, because the font has none; what is then not ASCII becomes a question mark.
func plainASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsSpace(r), r < ' ':
			return ' '
		case r > '~':
			return '?'
		}
		return r
	}, norm.NFD.String(NearestLatin1(s)))
}

// wrap breaks text at blanks into at most rows lines of at most columns characters; longer words are broken.
func wrap(text string, columns, rows int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= columns {
			lines[last] += " " + word
			continue
		}
		for len(word) > columns {
			lines, word = append(lines, word[:columns]), word[columns:]
		}
		lines = append(lines, word)
	}
	return lines[:min(len(lines), rows)]
}

// encodeBMP writes an uncompressed 8-bit BMP with a grey palette, bottom row first, rows padded to four bytes.
func encodeBMP(img *image.Gray) []byte {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	stride := (width + 3) &^ 3
	le := binary.LittleEndian
	offset := bmpHeader + 256*4
	b := make([]byte, 0, offset+stride*height)
	b = append(b, 'B', 'M')
	b = le.AppendUint32(b, uint32(offset+stride*height))
	b = le.AppendUint32(b, 0) // reserved
	b = le.AppendUint32(b, uint32(offset))
	b = le.AppendUint32(b, 40) // BITMAPINFOHEADER
	b = le.AppendUint32(b, uint32(width))
	b = le.AppendUint32(b, uint32(height)) // positive: bottom row first
	b = le.AppendUint16(b, 1)              // planes
	b = le.AppendUint16(b, 8)              // bits per pixel
	b = le.AppendUint32(b, 0)              // not compressed
	b = le.AppendUint32(b, uint32(stride*height))
	b = le.AppendUint32(b, 2835) // 72 dpi
	b = le.AppendUint32(b, 2835)
	b = le.AppendUint32(b, 256) // colours
	b = le.AppendUint32(b, 0)   // all are important
	for i := range 256 {
		b = append(b, byte(i), byte(i), byte(i), 0)
	}
	for y := height - 1; y >= 0; y-- {
		b = append(b, img.Pix[y*img.Stride:y*img.Stride+width]...)
		b = append(b, make([]byte, stride-width)...)
	}
	return b
}
