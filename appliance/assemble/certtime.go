package assemble

import "time"

// certificateTime is the time against which the certificates of name servers are checked, and whether it is trusted. While
// it is not, the latest of all that is known counts: the clock of the box, which begins with the last known time, that of
// the system and that of the build. None of them can be later than the truth, unless a real-time clock lies.
func (b *Box) certificateTime() (now time.Time, trusted bool) {
	now = b.clock.Now()
	if b.clock.Trusted() {
		return now, true
	}
	for _, t := range []time.Time{time.Now(), b.opt.Built} {
		if t.After(now) {
			now = t
		}
	}
	return now, false
}
