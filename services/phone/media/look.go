package media

import (
	"fmt"
	"image"
)

// The ways in which greys become those of the display, which has four (phones.md e).
const (
	Smooth    = "smooth"    // as they are: each pixel takes the nearest of the four
	Dither    = "dither"    // the four greys, mixed in dots
	Threshold = "threshold" // black and white, parted at a grey
	DitherTwo = "dots"      // black and white, mixed in dots
)

// Look is what is done to a picture before it becomes the logo; the zero value does nothing.
type Look struct {
	Way    string // one of the above; "" is Smooth
	Grey   int    // for Threshold: from this grey on it is white, 1 to 255; 0 = 128
	Invert bool   // black becomes white, before all else
}

// Check says what is wrong with a look, a sentence; "" = nothing.
func (l Look) Check() string {
	switch l.Way {
	case "", Smooth, Dither, Threshold, DitherTwo:
	default:
		return fmt.Sprintf("The way is %.20q; allowed are smooth, dither, threshold and dots.", l.Way)
	}
	if l.Grey < 0 || l.Grey > 255 {
		return fmt.Sprintf("The threshold is %d; allowed are 1 to 255.", l.Grey)
	}
	return ""
}

// Apply makes a changed copy of greys.
func (l Look) Apply(in *image.Gray) *image.Gray {
	b := in.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			v := in.GrayAt(b.Min.X+x, b.Min.Y+y).Y
			if l.Invert {
				v = 255 - v
			}
			out.Pix[y*out.Stride+x] = v
		}
	}
	switch l.Way {
	case Dither:
		diffuse(out, 4)
	case DitherTwo:
		diffuse(out, 2)
	case Threshold:
		at := l.Grey
		if at == 0 {
			at = 128
		}
		for i, v := range out.Pix {
			out.Pix[i] = 0
			if int(v) >= at {
				out.Pix[i] = 255
			}
		}
	}
	return out
}

// diffuse rounds to so many greys and hands what it was off by to the pixels that follow (Floyd and Steinberg, 1976).
func diffuse(img *image.Gray, levels int) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	off := make([]int, w*h) // in sixteenths
	for y := range h {
		for x := range w {
			at := y*w + x
			v := int(img.Pix[y*img.Stride+x])*16 + off[at]
			level := min(max((v*(levels-1)+255*8)/(255*16), 0), levels-1)
			if v < 0 {
				level = 0
			}
			grey := level * 255 / (levels - 1)
			img.Pix[y*img.Stride+x] = uint8(grey)
			left := v/16 - grey
			if x+1 < w {
				off[at+1] += left * 7
			}
			if y+1 < h {
				if x > 0 {
					off[at+w-1] += left * 3
				}
				off[at+w] += left * 5
				if x+1 < w {
					off[at+w+1] += left
				}
			}
		}
	}
}
