package media

import "encoding/binary"

// RingSeconds is the longest and the shortest ring that phones take, in seconds (phones.md g.2).
const (
	ShortestRing = float64(ringBlock) / ringRate
	LongestRing  = float64(ringMax) / ringRate
)

// RingSamples decodes a ring file: 16-bit samples, 8000 a second.
func RingSamples(raw []byte) []int16 {
	out := make([]int16, len(raw))
	for i, b := range raw {
		out[i] = int16(decodeMuLaw(b))
	}
	return out
}

// RingWAV makes of a ring file a WAV that browsers play: the same samples in 16-bit PCM, for not every browser knows mu-law.
func RingWAV(raw []byte) []byte {
	const header = 44
	le := binary.LittleEndian
	data := 2 * len(raw)
	b := make([]byte, 0, header+data)
	b = le.AppendUint32(append(b, "RIFF"...), uint32(header-8+data))
	b = le.AppendUint32(append(b, "WAVEfmt "...), 16)
	b = le.AppendUint16(b, tagPCM)
	b = le.AppendUint16(b, 1) // mono
	b = le.AppendUint32(b, ringRate)
	b = le.AppendUint32(b, 2*ringRate) // bytes a second
	b = le.AppendUint16(b, 2)          // bytes of a sample
	b = le.AppendUint16(b, 16)
	b = le.AppendUint32(append(b, "data"...), uint32(data))
	for _, v := range RingSamples(raw) {
		b = le.AppendUint16(b, uint16(v))
	}
	return b
}
