package media

import "testing"

func TestG711(t *testing.T) {
	t.Parallel()
	for sample, want := range map[int]byte{0: 0xff, 8: 0xfe, -8: 0x7e, 32767: 0x80, -32768: 0x00, 1000: 0xce, -1000: 0x4e} {
		if got := encodeMuLaw(sample); got != want {
			t.Errorf("mu-law of %d is %#x, wanted %#x", sample, got, want)
		}
	}
	for code, want := range map[byte]int{0xff: 0, 0x7f: 0, 0x80: 32124, 0x00: -32124, 0xfe: 8, 0x7e: -8} {
		if got := decodeMuLaw(code); got != want {
			t.Errorf("mu-law %#x is %d, wanted %d", code, got, want)
		}
	}
	for code, want := range map[byte]int{0xd5: 8, 0x55: -8, 0xaa: 32256, 0x2a: -32256, 0xd4: 24} {
		if got := decodeALaw(code); got != want {
			t.Errorf("A-law %#x is %d, wanted %d", code, got, want)
		}
	}
	for code := range 256 {
		if got := encodeMuLaw(decodeMuLaw(byte(code))); got != byte(code) && code != 0x7f {
			t.Errorf("mu-law %#x became %#x", code, got)
		}
	}
	last := encodeMuLaw(-32768)
	for sample := -32767; sample < 32768; sample++ {
		code := encodeMuLaw(sample)
		if a, b := decodeMuLaw(last), decodeMuLaw(code); b < a {
			t.Fatalf("mu-law falls at %d", sample)
		}
		if off := decodeMuLaw(code) - sample; sample > -32000 && sample < 32000 && off*off > 512*512+8 {
			t.Fatalf("mu-law of %d is off by %d", sample, off)
		}
		last = code
	}
}
