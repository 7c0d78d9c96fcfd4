package convert_test

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAMixedPalletArrivesAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := []string{sccp31, sccp5, sccp8, sip23, sip44, sip53, sip63, sip74, sip89, "", sip812}
		w := newWorld(t, listed(24, sip812))
		for i := 1; i <= 24; i++ {
			w.plug(i, from[i%len(from)])
		}
		w.allArrive(6 * time.Hour)
		if w.most > parallel {
			t.Errorf("%d phones were in a step at once, allowed are %d", w.most, parallel)
		}
	})
}
