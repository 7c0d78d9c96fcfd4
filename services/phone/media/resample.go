package media

import "math"

// The resampling filter: a sinc under a Kaiser window. With 32 crossings to each side and the cut at 3700 Hz, what is
// above 4 kHz, and would come back as other tones, is lowered by some 80 dB, and speech up to 3.4 kHz is kept.
const (
	crossings = 32   // of zero, to each side
	fineness  = 512  // steps of the table between two crossings
	kaiser    = 8.0  // the shape of the window
	cutoff    = 3700 // Hz
)

// kernel is one side of the filter by crossings*fineness steps.
type kernel []float64

func newKernel() kernel {
	k := make(kernel, crossings*fineness+2)
	for i := range crossings * fineness {
		x := float64(i) / fineness
		k[i] = bessel(kaiser*math.Sqrt(1-x*x/(crossings*crossings))) / bessel(kaiser)
		if i > 0 {
			k[i] *= math.Sin(math.Pi*x) / (math.Pi * x)
		}
	}
	return k
}

// at interpolates; x counts crossings.
func (k kernel) at(x float64) float64 {
	x = math.Abs(x) * fineness
	i := int(x)
	if i >= crossings*fineness {
		return 0
	}
	part := x - float64(i)
	return k[i]*(1-part) + k[i+1]*part
}

// bessel is the modified Bessel function of the first kind and order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for n := 1.0; term > sum*1e-12; n++ {
		term *= x / 2 / n * x / 2 / n
		sum += term
	}
	return sum
}

// resample makes at most limit samples of 8000 a second of samples of another rate. It is the identity for 8000.
func resample(in []float64, rate, limit int) []float64 {
	if rate == ringRate {
		return in[:min(len(in), limit)]
	}
	n := min(limit, int((int64(len(in))*ringRate+int64(rate)-1)/int64(rate)))
	cut := min(cutoff, 0.46*float64(rate)) // from lower rates everything that is there is kept
	scale := 2 * cut / float64(rate)       // crossings per sample of in
	reach := int(crossings/scale) + 1
	k := newKernel()
	out := make([]float64, n)
	for i := range out {
		centre := float64(i) * float64(rate) / ringRate
		first, last := max(0, int(centre)-reach), min(len(in)-1, int(centre)+reach)
		sum := 0.0
		for j := first; j <= last; j++ {
			sum += in[j] * k.at((float64(j)-centre)*scale)
		}
		out[i] = sum * scale
	}
	return out
}
