package web

import (
	"bytes"
	"fmt"
	"html/template"
	"image"
	"strconv"
)

// The display of the 7940/7960 as its XML objects know it: pixels of two bits (phones.md e).
const (
	screenWidth  = 133
	screenHeight = 65
	inks         = 4 // 0 is paper, 3 is black
)

// screenGreys are the four greys of the display, from paper to ink. They are those of a phone: dark mode leaves them alone.
var screenGreys = [inks]string{"#d9ded5", "#a0a89d", "#5f665e", "#191d19"}

// Screen is a drawing of the phone's display. The template "screen" shows it on any page: as SVG of whole pixels, with Alt for
// who can't see it.
type Screen struct {
	Alt string // what stands on it, a few sentences
	pix [screenHeight][screenWidth]uint8
}

// set draws a pixel; what lies outside is cut off.
func (s *Screen) set(x, y int, ink uint8) {
	if x >= 0 && x < screenWidth && y >= 0 && y < screenHeight {
		s.pix[y][x] = ink
	}
}

// fill draws a box.
func (s *Screen) fill(x, y, w, h int, ink uint8) {
	for row := y; row < y+h; row++ {
		for col := x; col < x+w; col++ {
			s.set(col, row, ink)
		}
	}
}

// advance is how much room a character takes, the gap behind it included.
func advance(r rune) int { return shape(r).width + 1 }

// shape is the drawing of a character as phones show it: what Latin-1 lacks is a question mark.
func shape(r rune) glyph {
	font := screenFont()
	if g, ok := font[r]; ok {
		return g
	}
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return font[' ']
	}
	return font['?']
}

// textWidth is how many pixels a text takes.
func textWidth(text string) int {
	w := 0
	for _, r := range text {
		w += advance(r)
	}
	return max(0, w-1)
}

// text writes a line in a box of w pixels and cuts what does not fit; y is its top. It returns where the text ends.
func (s *Screen) text(x, y, w int, ink uint8, text string) int {
	end := x + w
	for _, r := range text {
		g := shape(r)
		if x+g.width > end {
			break
		}
		for row, bits := range g.rows {
			for col := range g.width {
				if bits>>col&1 != 0 {
					s.set(x+col, y+row, ink)
				}
			}
		}
		x += g.width + 1
	}
	return x
}

// large writes a line at twice the size, from the right where it is too long: of a number the last digits count.
func (s *Screen) large(x, y, w int, ink uint8, text string) {
	r := []rune(text)
	for len(r) > 0 && 2*textWidth(string(r)) > w {
		r = r[1:]
	}
	for _, c := range r {
		g := shape(c)
		for row, bits := range g.rows {
			for col := range g.width {
				if bits>>col&1 != 0 {
					s.fill(x+2*col, y+2*row, 2, 2, ink)
				}
			}
		}
		x += 2 * (g.width + 1)
	}
}

// picture draws greys as the display shows them: it has four, and each pixel takes the nearest.
func (s *Screen) picture(x, y int, img *image.Gray) {
	b := img.Bounds()
	for row := range b.Dy() {
		for col := range b.Dx() {
			s.set(x+col, y+row, inkOf(img.GrayAt(b.Min.X+col, b.Min.Y+row).Y))
		}
	}
}

// inkOf is the nearest of the display's greys.
func inkOf(grey uint8) uint8 { return uint8(inks-1) - uint8((int(grey)*(inks-1)+127)/255) }

// SVG is the drawing: a path for each grey, in which each run of pixels is a stroke. It is the same for the same pixels.
func (s *Screen) SVG() template.HTML {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" shape-rendering="crispEdges" aria-hidden="true"><path fill="%s" d="M0 0h%[1]dv%[2]dH0z"/>`,
		screenWidth, screenHeight, screenGreys[0])
	for ink := uint8(1); ink < inks; ink++ {
		d := s.strokes(ink)
		if len(d) > 0 {
			fmt.Fprintf(&b, `<path stroke="%s" transform="translate(0 .5)" d="%s"/>`, screenGreys[ink], d)
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers and colours of ours
}

// strokes writes the runs of one grey, row by row.
func (s *Screen) strokes(ink uint8) []byte {
	var d []byte
	for y := range screenHeight {
		end := -1 // of the run before, in this row
		for x := 0; x < screenWidth; x++ {
			if s.pix[y][x] != ink {
				continue
			}
			from := x
			for x < screenWidth && s.pix[y][x] == ink {
				x++
			}
			if end < 0 {
				d = strconv.AppendInt(append(d, 'M'), int64(from), 10)
				d = strconv.AppendInt(append(d, ' '), int64(y), 10)
			} else {
				d = append(strconv.AppendInt(append(d, 'm'), int64(from-end), 10), " 0"...)
			}
			d = strconv.AppendInt(append(d, 'h'), int64(x-from), 10)
			end = x
		}
	}
	return d
}
