package phonesim

import (
	"context"
	"math/rand/v2"
	"time"

	"phonebox/services/phone"
)

// The times that a phone spends on itself (phones.md a.4, a.5, a.7, f.1), measured on real phones; Speed divides them.
const (
	appStart    = 24 * time.Second        // .loads of what is already in flash to SIPDefault.cnf
	resetTime   = 2 * time.Second         // a reset without flashing, to the first DHCP packet
	huntPause   = 51 * time.Second        // of the loader, after SEP<MAC>.cnf.xml got no answer either
	extrasWait  = 1500 * time.Millisecond // SIP<MAC>.cnf to RINGLIST.DAT and the dial plan: 1-2 s
	idleWait    = 20 * time.Second        // a check-sync waits until the phone was idle for so long
	badSEPPause = time.Second             // an unusable SEP<MAC>.cnf.xml is asked for again about once a second
	declineWait = 10 * time.Second        // between a DHCPDECLINE and the next DHCPDISCOVER (RFC 2131, 3.1)
	dallyTime   = 4 * time.Second         // for which a port still acknowledges the last block again; not known of the real phones
	oldWait     = 10 * time.Second        // between requests of SEPDefault.cnf by an image that knows no XML; not known of the real phones
	oldAsks     = 6                       // how often it asks before it begins again with OS79XX.TXT; not known of the real phones
)

// between is a time that differs from one occasion to the next.
type between struct{ least, most time.Duration }

// How long writing an image takes, until the phone resets (phones.md a.4).
var (
	loaderFlash = between{25*time.Second - resetTime, 37*time.Second - resetTime} // to the repeated hunt
	appFlash    = between{45*time.Second - resetTime, 69*time.Second - resetTime} // to SIPDefault.cnf
	oldFlash    = between{85*time.Second - resetTime, 95*time.Second - resetTime} // an image from before the universal loader: about 90 s
	idleHunt    = between{60 * time.Second, 171 * time.Second}                    // a phone on SCCP that no call agent answers looks for a new configuration
)

// some draws one of the times between.
func (p *Phone) some(t between) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.least + time.Duration(p.rand.Int64N(int64(t.most-t.least)+1))
}

// Retransmission schedules of TFTP: the waits after each read request from one port, and how many ports (phones.md a.7).
type schedule struct {
	waits []time.Duration
	ports int
}

// loaderSchedule is the universal loader's: every 4 s, 5 a port, 3 ports, 60 s in all. Older images are assumed alike.
func loaderSchedule() schedule {
	const s = 4 * time.Second
	return schedule{waits: []time.Duration{s, s, s, s, s}, ports: 3}
}

// applicationSchedule is the SIP application's: repeats after 1, 4 and 4 s, and one more port.
func applicationSchedule() schedule {
	const s = time.Second
	return schedule{waits: []time.Duration{s, 4 * s, 4 * s, 4 * s}, ports: 2}
}

// stuckAfter says how long a phone may stay in a step before it counts as stuck: what the phone itself needs, plus half.
// polls tells that a SIP application runs, which asks every 31 s.
func stuckAfter(step phone.Step, polls bool) time.Duration {
	const half = 2
	switch {
	case step == phone.Ready:
		return 0 // never
	case step == phone.Upgrading:
		return phone.FlashTime + phone.FlashTime/half
	case step == phone.Loading && polls:
		return phone.PollInterval + phone.PollInterval/half
	}
	return phone.LoaderHunt + phone.LoaderHunt/half
}

// own scales a time that the phone spends on itself.
func (p *Phone) own(d time.Duration) time.Duration { return time.Duration(float64(d) / p.cfg.Speed) }

// pause waits for one of the phone's own times, or until ctx ends (its cause).
func (p *Phone) pause(ctx context.Context, d time.Duration) error { return sleep(ctx, p.own(d)) }

// sleep waits for d or until ctx ends (its cause).
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// jitter returns d, at most one second shorter or longer (RFC 2131, 4.1).
func jitter(r *rand.Rand, d time.Duration) time.Duration {
	return d + time.Duration(r.Int64N(int64(2*time.Second))) - time.Second
}
