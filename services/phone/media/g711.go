package media

import "math/bits"

// The companding laws of ITU-T G.711. Each sample has a sign, a segment of three bits and a step of four bits; mu-law adds
// a bias of 33 (of 14 bits; 132 of 16) before it looks for the segment, A-law has a linear first segment.

const (
	muBias = 132
	muClip = 32635
)

// encodeMuLaw encodes a 16-bit sample; silence is 0xff.
func encodeMuLaw(sample int) byte {
	sign := 0
	if sample < 0 {
		sign, sample = 0x80, -sample
	}
	sample = min(sample, muClip) + muBias
	segment := bits.Len(uint(sample)) - 8
	step := sample >> (segment + 3) & 0x0f
	return ^byte(sign | segment<<4 | step)
}

// decodeMuLaw decodes to 16 bits.
func decodeMuLaw(b byte) int {
	b = ^b
	v := (int(b&0x0f)<<3+muBias)<<(b>>4&7) - muBias
	if b&0x80 != 0 {
		return -v
	}
	return v
}

// decodeALaw decodes to 16 bits; every second bit is inverted on the line.
func decodeALaw(b byte) int {
	b ^= 0x55
	segment, v := b>>4&7, int(b&0x0f)<<4+8
	if segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}
