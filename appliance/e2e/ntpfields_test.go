package e2e_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"phonebox/services/testkit"
)

// ntpHeader is the header of RFC 5905, figure 8.
type ntpHeader struct {
	leap, version, mode, stratum uint8
	poll, precision              int8
	delay, dispersion            time.Duration
	refid                        [4]byte
	reference                    uint64
	receive, transmit            time.Time
	asked, got                   time.Time // when the request left and the answer came
	origin                       bool      // what was sent as transmit came back
	length                       int
}

func (h ntpHeader) String() string {
	return fmt.Sprintf("leap %d version %d mode %d stratum %d poll %d precision %d delay %s dispersion %s refid %v (%q) reference %x",
		h.leap, h.version, h.mode, h.stratum, h.poll, h.precision, h.delay, h.dispersion, h.refid, h.refid, h.reference)
}

// askHeader asks a server and reads every field by hand.
func askHeader(t *testing.T, n *testkit.Node, server string, version byte) (h ntpHeader) {
	t.Helper()
	testkit.Eventually(t, patience, "an answer of "+server, func() bool {
		var err error
		n.Do(t, func() error { h, err = tryHeader(server, version); return nil })
		return err == nil
	})
	return h
}

func tryHeader(server string, version byte) (h ntpHeader, err error) {
	c, err := net.Dial("udp4", server+":123")
	if err != nil {
		return h, err
	}
	defer c.Close()
	q := make([]byte, 48)
	q[0], q[2] = version<<3|3, 6
	copy(q[40:], "transmit")
	h.asked = time.Now()
	if _, err := c.Write(q); err != nil {
		return h, err
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	b := make([]byte, 200)
	if h.length, err = c.Read(b); err != nil || h.length < 48 {
		return h, fmt.Errorf("%d bytes: %w", h.length, err)
	}
	h.got = time.Now()
	short := func(b []byte) time.Duration {
		return time.Duration(binary.BigEndian.Uint32(b)) * time.Second >> 16
	}
	stamp := func(b []byte) time.Time {
		return time.Unix(int64(binary.BigEndian.Uint32(b))-2208988800, int64(binary.BigEndian.Uint32(b[4:]))*1e9>>32)
	}
	h.leap, h.version, h.mode, h.stratum = b[0]>>6, b[0]>>3&7, b[0]&7, b[1]
	h.poll, h.precision, h.delay, h.dispersion, h.refid = int8(b[2]), int8(b[3]), short(b[4:]), short(b[8:]), [4]byte(b[12:16])
	h.reference, h.receive, h.transmit = binary.BigEndian.Uint64(b[16:]), stamp(b[32:]), stamp(b[40:])
	h.origin = string(b[24:32]) == "transmit"
	return h, nil
}

// sameAs compares the fields that must be alike in whatever state both are.
func (h ntpHeader) sameAs(t *testing.T, theirs ntpHeader, slack time.Duration) {
	t.Helper()
	t.Logf("phonebox %s", h)
	t.Logf("chronyd  %s", theirs)
	for name, pair := range map[string][2]any{
		"length": {h.length, theirs.length}, "leap": {h.leap, theirs.leap}, "version": {h.version, theirs.version}, "mode": {h.mode, theirs.mode},
		"stratum": {h.stratum, theirs.stratum}, "poll": {h.poll, theirs.poll}, "origin": {h.origin, theirs.origin},
		"whether there is a reference time": {h.reference != 0, theirs.reference != 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: phonebox says %v, chronyd %v", name, pair[0], pair[1])
		}
	}
	for who, x := range map[string]ntpHeader{"phonebox": h, "chronyd": theirs} {
		if x.precision > -10 || x.precision < -31 {
			t.Errorf("%s: precision %d", who, x.precision)
		}
		off := (x.receive.Sub(x.asked) + x.transmit.Sub(x.got)) / 2
		if x.transmit.Before(x.receive) || off.Abs() > slack {
			t.Errorf("%s: asked at %s, received %s, transmitted %s, got at %s: %s off", who, x.asked, x.receive, x.transmit, x.got, off)
		}
	}
}

// ago is how long ago the clock was set.
func (h ntpHeader) ago() time.Duration {
	sec, frac := int64(h.reference>>32)-2208988800, int64(h.reference&(1<<32-1))
	return h.transmit.Sub(time.Unix(sec, frac*1e9>>32))
}

// peerChronyd runs chronyd as a server on the host; -x keeps it from the clock.
func peerChronyd(t *testing.T, n *testkit.Node, lines ...string) *testkit.Process {
	t.Helper()
	return n.Start(t, "chronyd", append([]string{"-x", "-d", "-u", "root", "allow", "cmdport 0", "bindcmdaddress /", "pidfile " + filepath.Join(t.TempDir(), "pid")}, lines...)...)
}

// TestTheFieldsAreThoseOfChronyd compares every field of RFC 5905 with chronyd's, which has the same upstream, in the same
// state.
func TestTheFieldsAreThoseOfChronyd(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "chronyd")
	upstream := netip.MustParsePrefix("10.77.0.30/16")
	lan := office(t, testkit.Host{Name: "ntp", Addr: upstream}, testkit.Host{Name: "peer", Addr: netip.MustParsePrefix("10.77.0.40/16")})
	b := startBox(t, lan, site{time: `upstream = ["10.77.0.30"]`}.text(), nil)
	peerChronyd(t, lan.Node("peer"), "server 10.77.0.30 iburst minpoll 0 maxpoll 2")
	laptop := lan.Node("laptop")
	both := func(version byte) (ours, theirs ntpHeader) {
		return askHeader(t, laptop, boxAddr, version), askHeader(t, laptop, "10.77.0.40", version)
	}

	if b.status().Clock.Trusted {
		t.Log("the clock of this machine is synchronised: the box has no unsynchronised state here")
	} else {
		for version := byte(1); version <= 4; version++ {
			ours, theirs := both(version)
			ours.sameAs(t, theirs, time.Second)
			if ours.leap != 3 || ours.stratum != 0 || string(ours.refid[:]) != "INIT" || ours.dispersion < theirs.dispersion || theirs.refid != [4]byte{} {
				t.Errorf("unsynchronised: phonebox %s, chronyd %s", ours, theirs)
			}
		}
	}

	up := peerChronyd(t, lan.Node("ntp"), "local stratum 3")
	testkit.Eventually(t, 2*time.Minute, "both follow the upstream", func() bool {
		ours, theirs := both(4)
		return ours.stratum == 4 && theirs.stratum == 4
	})
	synced, theirs := both(4)
	synced.sameAs(t, theirs, 100*time.Millisecond)
	synced.follows(t, "phonebox", upstream.Addr())
	theirs.follows(t, "chronyd", upstream.Addr())

	if err := up.Stop(); err != nil {
		t.Logf("the upstream ended with %v", err)
	}
	// Both go on with what they had, and grow less sure.
	testkit.Eventually(t, time.Minute, "both grow less sure", func() bool {
		ours, held := both(4)
		return ours.dispersion > synced.dispersion && held.dispersion > theirs.dispersion && ours.ago() > synced.ago() && held.ago() > 3*time.Second
	})
	ours, held := both(4)
	ours.sameAs(t, held, 100*time.Millisecond)
	ours.follows(t, "phonebox in holdover", upstream.Addr())
	held.follows(t, "chronyd in holdover", upstream.Addr())
	if ours.reference != synced.reference && ours.ago() > synced.ago()+time.Minute {
		t.Errorf("the reference time went on without an upstream: %x, it was %x", ours.reference, synced.reference)
	}
}

// follows looks at what a server says that has the time from a chronyd at that address on a LAN.
func (h ntpHeader) follows(t *testing.T, who string, upstream netip.Addr) {
	t.Helper()
	if h.leap != 0 || h.stratum != 4 || h.refid != upstream.As4() {
		t.Errorf("%s: %s, wanted leap 0, stratum 4 and the reference %s", who, h, upstream)
	}
	if h.delay <= 0 || h.delay > 100*time.Millisecond || h.dispersion <= 0 || h.dispersion > 100*time.Millisecond {
		t.Errorf("%s: delay %s, dispersion %s, wanted those of a LAN", who, h.delay, h.dispersion)
	}
	if ago := h.ago(); ago < 0 || ago > 5*time.Minute {
		t.Errorf("%s: the clock was set %s ago", who, ago)
	}
}

// TestALocalClockIsToldAsChronydTellsIt: a box that has the time from a browser, beside chronyd with "local stratum 10".
func TestALocalClockIsToldAsChronydTellsIt(t *testing.T) {
	t.Parallel()
	testkit.Need(t, "chronyd")
	lan := office(t, testkit.Host{Name: "peer", Addr: netip.MustParsePrefix("10.77.0.40/16")})
	b := startBox(t, lan, site{}.text(), nil)
	b.setClock()
	peerChronyd(t, lan.Node("peer"), "local stratum 10")
	laptop := lan.Node("laptop")
	testkit.Eventually(t, patience, "chronyd serves its own clock", func() bool { return askHeader(t, laptop, "10.77.0.40", 4).stratum == 10 })
	ours, theirs := askHeader(t, laptop, boxAddr, 4), askHeader(t, laptop, "10.77.0.40", 4)
	ours.sameAs(t, theirs, 5*time.Second) // the time came with an HTTP request, in whole seconds perhaps
	if ours.refid != theirs.refid || ours.refid != [4]byte{127, 127, 1, 1} || ours.delay != 0 || theirs.delay != 0 {
		t.Errorf("phonebox %s, chronyd %s: wanted the reference of a local clock, and no delay", ours, theirs)
	}
	// chronyd believes its clock; a browser's time may be a second off.
	if ours.dispersion < time.Second || ours.dispersion < theirs.dispersion || ours.dispersion > 2*time.Second {
		t.Errorf("dispersion: phonebox says %s, chronyd %s, wanted a second and a little", ours.dispersion, theirs.dispersion)
	}
}
