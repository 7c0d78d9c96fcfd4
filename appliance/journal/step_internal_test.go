package journal

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	own      = "0006D7AA2A2E"
	withPre  = "Cisco Systems, Inc. IP Phone CP-7960G\x00"
	without  = "Cisco Systems, Inc. IP Phone\x00"
	sipLoad  = "P0S3-8-12-00"
	sccpLoad = "P00308010200"
)

var (
	mac  = phone.MAC{0x00, 0x06, 0xD7, 0xAA, 0x2A, 0x2E}
	home = netip.MustParseAddr("10.77.1.5")
)

// script plays events to one phone; the clock is its own.
type script struct {
	t        *testing.T
	s        *state
	now      time.Time
	transfer uint64
	target   string
}

func play(t *testing.T) *script {
	t.Helper()
	return &script{t: t, s: newState(mac), now: time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)}
}

func (p *script) do(e Event) {
	p.t.Helper()
	e.MAC, e.Time = mac, p.now
	p.s.apply(&e, moment{p.now, p.now, p.transfer, p.target})
	p.transfer = max(p.transfer, e.Transfer)
	if e.Step != p.s.Step {
		p.t.Fatalf("the event says step %s, the phone is in %s", e.Step, p.s.Step)
	}
}

// wait lets time pass, second by second.
func (p *script) wait(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(time.Second)
		p.s.tick(moment{p.now, p.now, p.transfer, p.target})
	}
}

func (p *script) discover(class string) { p.do(Event{Service: "dhcp", Kind: Packet, Class: class}) }

func (p *script) dhcp(class string) {
	p.discover(class)
	p.do(Event{Service: "dhcp", Kind: Lease, Class: class, Address: home})
}

func (p *script) ask(name, load string) {
	p.do(Event{Service: "tftp", Kind: Request, File: phone.ParseFileName(name), Address: home, Load: load})
}

func (p *script) miss(name string) {
	f := phone.ParseFileName(name)
	harmless := f.Kind == phone.KindTrustList || f.Kind == phone.KindMGC || f.Kind == phone.KindLocale
	p.do(Event{Service: "tftp", Kind: FileMissing, File: f, Address: home, Harmless: harmless})
}

func (p *script) phase(id uint64, ph Phase, name string) {
	p.do(Event{Service: "tftp", Kind: Transfer, Phase: ph, Transfer: id, File: phone.ParseFileName(name), Address: home, Size: 1000, Bytes: 450})
}

func (p *script) begin(name, load string) uint64 {
	p.ask(name, load)
	id := p.transfer + 1
	p.phase(id, Started, name)
	return id
}

func (p *script) get(name, load string) { p.phase(p.begin(name, load), Sent, name) }

func (p *script) want(step phone.Step) {
	p.t.Helper()
	if p.s.Step != step {
		p.t.Fatalf("step %s (waiting for %q, problem %q), want %s", p.s.Step, p.s.WaitingFor, p.s.Problem, step)
	}
}

func (p *script) wantStuck(inProblem string) {
	p.t.Helper()
	p.want(phone.Stuck)
	if !strings.Contains(p.s.Problem, inProblem) {
		p.t.Fatalf("problem %q, want something with %q", p.s.Problem, inProblem)
	}
}

func TestSIPPhoneBoots(t *testing.T) {
	p := play(t)
	p.discover(withPre)
	p.want(phone.Seen)
	p.do(Event{Service: "dhcp", Kind: Lease, Address: home})
	p.want(phone.Addressed)
	p.miss("CTLSEP" + own + ".tlv")
	p.want(phone.Loading)
	p.get("SEP"+own+".cnf.xml", sipLoad)
	p.get(sipLoad+".loads", "")
	p.wait(24 * time.Second)
	p.get("SIPDefault.cnf", sipLoad)
	p.want(phone.Loading)
	id := p.begin("./SIP"+own+".cnf", "")
	p.want(phone.Loading)
	p.phase(id, Sent, "./SIP"+own+".cnf")
	p.want(phone.Configured)
	ring, plan := p.begin("RINGLIST.DAT", ""), p.begin("dialplan.xml", "")
	p.phase(ring, Sent, "RINGLIST.DAT")
	p.want(phone.Configured) // the dial plan is still open
	p.phase(plan, Sent, "dialplan.xml")
	p.want(phone.Ready)
	got := p.s.Phone
	if got.Model != "7960" || got.Load != sipLoad || got.Protocol != phone.SIP || !got.Loader || got.Address != home ||
		got.WaitingFor != "" || got.Problem != "" {
		t.Errorf("got %+v", got)
	}
	p.wait(24 * time.Hour)
	p.want(phone.Ready)
	p.do(Event{Service: "dhcp", Kind: Packet, Renewal: true})
	p.do(Event{Service: "dhcp", Kind: Lease, Renewal: true, Address: home})
	p.get("dialplan.xml", "")
	p.want(phone.Ready)
}

func TestReadyByOptionsAndWithAnAbortedDialPlan(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SIPDefault.cnf", "")
	p.get("SIP"+own+".cnf", "")
	p.do(Event{Service: "sip", Kind: SIPAlive, Address: home})
	p.want(phone.Ready)

	p.discover(withPre)
	p.want(phone.Seen)
	p.get("SIPDefault.cnf", "")
	p.get("SIP"+own+".cnf", "")
	plan := p.begin("dialplan.xml", "")
	p.get("RINGLIST.DAT", "")
	p.want(phone.Configured)
	p.phase(plan, Aborted, "dialplan.xml")
	p.want(phone.Ready)
}

func TestConfigurationByTheLoaderIsNotReady(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	p.miss("SEP" + own + ".cnf.xml")
	p.get("SIP"+own+".cnf", sipLoad)
	p.want(phone.Configured)
	p.get(sipLoad+".loads", "")
	p.wait(30 * time.Second)
	p.want(phone.Configured)
	p.get("SIPDefault.cnf", "")
	p.get("SIP"+own+".cnf", "")
	p.get("RINGLIST.DAT", "")
	p.want(phone.Ready)
}

// TestConversion is the three boots of phones.md a.8.
func TestConversion(t *testing.T) {
	p := play(t)
	p.target = sipLoad
	hunt := func() {
		p.dhcp(withPre)
		p.miss("CTLSEP" + own + ".tlv")
		p.get("SEP"+own+".cnf.xml", sipLoad)
		p.get(sipLoad+".loads", "")
	}
	hunt()
	id := p.begin("P003-8-12-00.sbn", "")
	p.want(phone.Upgrading)
	if !strings.Contains(p.s.WaitingFor, "P003-8-12-00.sbn (45 % sent)") {
		t.Errorf("waiting for %q", p.s.WaitingFor)
	}
	p.phase(id, Sent, "P003-8-12-00.sbn")
	p.wait(31 * time.Second)
	p.want(phone.Upgrading)
	hunt()
	p.want(phone.Loading)
	if p.s.Load != "" {
		t.Errorf("it runs %q before it ran anything", p.s.Load)
	}
	p.get(sipLoad+".sb2", "")
	p.wait(33 * time.Second)
	p.want(phone.Upgrading)
	p.dhcp(withPre)
	p.want(phone.Addressed)
	if p.s.Load != "" {
		t.Errorf("it runs %q before its application was seen", p.s.Load)
	}
	p.get("SIPDefault.cnf", sipLoad)
	if p.s.Load != sipLoad || p.s.Protocol != phone.SIP {
		t.Errorf("it runs %q (%s)", p.s.Load, p.s.Protocol)
	}
	p.get("SIP"+own+".cnf", "")
	p.get("RINGLIST.DAT", "")
	p.want(phone.Ready)
}

func TestUpgradeWithoutDHCPInBetween(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SEP"+own+".cnf.xml", sipLoad)
	p.get(sipLoad+".loads", "")
	p.get(sipLoad+".sb2", "")
	p.wait(60 * time.Second)
	p.want(phone.Upgrading)
	p.get("SIPDefault.cnf", sipLoad)
	p.want(phone.Loading)
	if p.s.Load != sipLoad {
		t.Errorf("it runs %q", p.s.Load)
	}
}

func TestUpgradeEndsAfterTwoMinutes(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get(sipLoad+".sb2", "")
	p.wait(phone.UpgradeGrace - time.Second)
	p.want(phone.Upgrading)
	p.wait(2 * time.Second)
	p.want(phone.Loading)
}

func TestSCCPWithTheUniversalLoader(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	p.get("SEP"+own+".cnf.xml", sccpLoad)
	p.get(sccpLoad+".loads", "")
	p.miss("/7960-font.xml")
	p.want(phone.Loading)
	p.wait(58 * time.Second)
	p.want(phone.Loading)
	p.wait(3 * time.Second)
	p.want(phone.Ready)
	if p.s.Load != sccpLoad || p.s.Protocol != phone.SCCP || !p.s.Loader {
		t.Errorf("got %+v", p.s.Phone)
	}
}

func TestOldSCCP(t *testing.T) {
	p := play(t)
	p.dhcp(without)
	p.get("OS79XX.TXT", "P00305000500")
	p.get("SEP"+own+".cnf.xml", "P00305000500")
	p.wait(61 * time.Second)
	p.want(phone.Ready)
	if p.s.Load != "P00305000500" || p.s.Protocol != phone.SCCP || p.s.Loader || p.s.Model != "" {
		t.Errorf("got %+v", p.s.Phone)
	}
	p.dhcp(withPre) // a 7.x SIP image before the loader shows its model as well
	p.get("OS79XX.TXT", "")
	if p.s.Loader || p.s.Model != "7960" {
		t.Errorf("OS79XX.TXT means no universal loader: %+v", p.s.Phone)
	}
}

func TestUnlistedSCCPPhoneThatIsToldNoLoad(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	for _, name := range []string{"CTLSEP" + own + ".tlv", "SEP" + own + ".cnf.xml", "SIP" + own + ".cnf", "MGC" + own + ".cnf"} {
		p.miss(name)
	}
	p.get("XMLDefault.cnf.xml", "")
	p.wait(61 * time.Second)
	p.want(phone.Ready)
	if p.s.Load != "" || p.s.Protocol != phone.SCCP {
		t.Errorf("got %+v", p.s.Phone)
	}
}

func TestSCCPPhoneThatShouldRunSIPIsNotReady(t *testing.T) {
	p := play(t)
	p.target = sipLoad
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	p.get("SEP"+own+".cnf.xml", "") // the shelf is not whole: it is told none
	p.wait(90 * time.Second)
	p.want(phone.Loading)
	if !strings.Contains(p.s.WaitingFor, sipLoad) {
		t.Errorf("waiting for %q", p.s.WaitingFor)
	}
	p.wait(200 * time.Second)
	p.wantStuck(sipLoad)
}

func TestToldALoaderIsNotReady(t *testing.T) {
	p := play(t)
	p.dhcp(without)
	p.get("OS79XX.TXT", "P003-8-12-00")
	p.get("SEP"+own+".cnf.xml", "P003-8-12-00")
	p.wait(90 * time.Second)
	p.want(phone.Loading)
}

func TestRebootReturnsToSeen(t *testing.T) {
	ready := func() *script {
		p := play(t)
		p.dhcp(withPre)
		p.get("SIPDefault.cnf", "")
		p.get("SIP"+own+".cnf", "")
		p.get("RINGLIST.DAT", "")
		p.want(phone.Ready)
		return p
	}
	p := ready()
	p.discover(withPre)
	p.want(phone.Seen)
	p = ready()
	p.miss("CTLSEP" + own + ".tlv") // DHCP was not seen
	p.want(phone.Loading)
	p = ready()
	p.get("SIPDefault.cnf", "")
	p.want(phone.Loading)
	p.get("RINGLIST.DAT", "")
	p.want(phone.Loading) // the configuration of the boot before does not count
}

func TestTransfersOfBeforeTheBootSayNothing(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	config := p.begin("SIP"+own+".cnf", "")
	image := p.begin(sipLoad+".sb2", "")
	p.want(phone.Upgrading)
	p.discover(withPre)
	p.want(phone.Seen)
	p.phase(image, Aborted, sipLoad+".sb2")
	p.phase(config, Sent, "SIP"+own+".cnf")
	p.want(phone.Seen)
	p.do(Event{Service: "dhcp", Kind: Lease, Address: home})
	p.get("SIPDefault.cnf", "")
	p.phase(config, Sent, "SIP"+own+".cnf")
	p.want(phone.Loading)
	// An old ACK event after the first request takes nothing back.
	p.do(Event{Service: "dhcp", Kind: Lease, Address: home})
	p.want(phone.Loading)
}

func TestStuckByTime(t *testing.T) {
	for _, tt := range []struct {
		name    string
		begin   func(p *script)
		after   time.Duration
		problem string
	}{
		{"no address", func(p *script) { p.discover(withPre) }, 257 * time.Second, "no address"},
		{"no address, and the reason is known", func(p *script) {
			p.discover(withPre)
			p.do(Event{Service: "dhcp", Kind: LeaseTrouble, Text: "the pool is full"})
		}, 257 * time.Second, "the pool is full"},
		{"no request", func(p *script) { p.dhcp(withPre) }, 257 * time.Second, "Alternate TFTP"},
		{"loader hunts", func(p *script) { p.dhcp(withPre); p.miss("CTLSEP" + own + ".tlv") }, 257 * time.Second, "searching for a load"},
		{"SIP application polls", func(p *script) {
			p.dhcp(withPre)
			p.get("SIPDefault.cnf", "")
			p.miss("SIP" + own + ".cnf")
			p.wait(31 * time.Second)
			p.miss("SIP" + own + ".cnf")
			p.want(phone.Loading)
		}, 16 * time.Second, "no configuration for this phone"},
		{"flash", func(p *script) { p.dhcp(withPre); p.begin(sipLoad+".sb2", "") }, 901 * time.Second, "Writing"},
		{"configured", func(p *script) { p.dhcp(withPre); p.get("SIP"+own+".cnf", "") }, 257 * time.Second, "does not show itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := play(t)
			tt.begin(p)
			p.wait(tt.after - 2*time.Second)
			if p.s.Step == phone.Stuck {
				t.Fatalf("stuck too early: %q", p.s.Problem)
			}
			p.wait(2 * time.Second)
			p.wantStuck(tt.problem)
			if p.s.WaitingFor == "" {
				t.Error("it does not say what it waits for")
			}
			p.do(Event{Kind: Note, Service: "dhcp"})
			p.wantStuck(tt.problem)
			p.get("SIP"+own+".cnf", "")
			if p.s.Step == phone.Stuck {
				t.Error("what it got does not let it go")
			}
		})
	}
}

func TestStuckPhoneThatAsksOnStaysStuck(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SIPDefault.cnf", "")
	for range 10 {
		p.miss("SIP" + own + ".cnf")
		p.wait(31 * time.Second)
	}
	p.wantStuck("no configuration")
	p = play(t)
	for range 100 {
		p.discover(withPre)
		p.wait(8 * time.Second)
	}
	p.wantStuck("no address")
}

func TestLaptopIsNeverStuck(t *testing.T) {
	p := play(t)
	p.dhcp("MSFT 5.0")
	p.wait(time.Hour)
	p.want(phone.Addressed)
}

func TestPhoneThatWasRunningBeforeTheBoxIsNotStuck(t *testing.T) {
	p := play(t)
	p.do(Event{Service: "dhcp", Kind: Packet, Renewal: true, Class: withPre})
	p.do(Event{Service: "dhcp", Kind: Lease, Renewal: true, Class: withPre, Address: home})
	p.wait(time.Hour)
	p.want(phone.Addressed)
	p.do(Event{Service: "sip", Kind: SIPAlive, Address: home})
	p.want(phone.Ready)
}

// TestBootThatWentOnWithoutTheBox is a power cut of the box in the middle of a phone's boot, of which the last seconds are
// lost as well.
func TestBootThatWentOnWithoutTheBox(t *testing.T) {
	cut := func(t *testing.T) *script {
		p := play(t)
		p.dhcp(withPre)
		p.miss("CTLSEP" + own + ".tlv")
		p.get("SEP"+own+".cnf.xml", sipLoad)
		p.get(sipLoad+".loads", "")
		p.now = p.now.Add(10 * time.Second)
		p.s.restored(p.now)
		return p
	}
	alive := Event{Service: "sip", Kind: SIPAlive, Address: home, Agent: "Cisco-CP7960G/8.0"}
	t.Run("it answers SIP and asks for nothing", func(t *testing.T) {
		p := cut(t)
		p.wait(4 * time.Second)
		p.do(alive)
		p.want(phone.Loading) // it may poll
		p.wait(pollsBy)
		p.want(phone.Ready)
		p.wait(time.Hour)
		p.want(phone.Ready)
	})
	t.Run("it answers SIP and polls", func(t *testing.T) {
		p := cut(t)
		p.do(alive)
		for range 4 {
			p.wait(31 * time.Second)
			p.miss("SIP" + own + ".cnf")
		}
		p.wantStuck("cannot start without")
	})
	t.Run("it does not answer", func(t *testing.T) {
		p := cut(t)
		p.wait(pollsBy + time.Second)
		p.want(phone.Loading)
	})
	t.Run("it starts again", func(t *testing.T) {
		p := cut(t)
		p.do(alive)
		p.dhcp(withPre)
		p.wait(pollsBy)
		p.want(phone.Addressed)
	})
}

func TestStaticAddress(t *testing.T) {
	p := play(t)
	p.ask("CTLSEP"+own+".tlv", "")
	p.want(phone.Loading)
	p = play(t)
	p.do(Event{Service: "sntp", Kind: Time, Address: home})
	p.want(phone.Addressed)
	if p.s.Address != home {
		t.Errorf("address %s", p.s.Address)
	}
}

func TestKnownTroubles(t *testing.T) {
	t.Run("firmware that is not on the shelf", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		p.get("SEP"+own+".cnf.xml", sipLoad)
		p.miss(sipLoad + ".loads")
		p.wantStuck("not on the shelf")
		if p.s.WaitingFor != sipLoad+".loads: that file is not on the shelf" {
			t.Errorf("waiting for %q", p.s.WaitingFor)
		}
		p.miss("CTLSEP" + own + ".tlv")
		p.get("SEP"+own+".cnf.xml", sipLoad)
		p.wantStuck("not on the shelf") // the next round of the hunt changes nothing
		p.get(sipLoad+".loads", "")
		p.want(phone.Loading)
	})
	t.Run("answers do not reach the phone", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		for range 5 {
			p.miss("CTLSEP" + own + ".tlv")
			p.wait(4 * time.Second)
		}
		p.wantStuck("do not reach")
		p.get("SEP"+own+".cnf.xml", sipLoad)
		p.want(phone.Loading)
	})
	t.Run("unusable content", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		for range 6 {
			p.miss("CTLSEP" + own + ".tlv")
			p.get("SEP"+own+".cnf.xml", "")
			p.wait(time.Second)
		}
		p.wantStuck("cannot use")
	})
	t.Run("a missing file is not unusable", func(t *testing.T) {
		p := play(t)
		p.dhcp(without)
		for range 6 {
			p.miss("SEP" + own + ".cnf.xml")
			p.miss("XMLDefault.cnf.xml")
			p.wait(2 * time.Second)
		}
		p.want(phone.Loading)
		p.wait(phone.LoaderHunt * 3 / 2)
		p.wantStuck("cannot start without XMLDefault.cnf.xml")
	})
	t.Run("configured, and on SCCP without the load that it should run", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		p.get("SIP"+own+".cnf", "")
		p.miss("XMLDefault.cnf.xml")
		p.wait(phone.LoaderHunt * 3 / 2)
		p.wantStuck("cannot go on without XMLDefault.cnf.xml")
	})
	t.Run("transfers break off", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		for range 3 {
			p.phase(p.begin("SEP"+own+".cnf.xml", ""), Aborted, "SEP"+own+".cnf.xml")
			p.wait(25 * time.Second)
		}
		p.wantStuck("breaks off")
		p.get("SEP"+own+".cnf.xml", "")
		p.want(phone.Loading)
	})
	t.Run("the same image over and over", func(t *testing.T) {
		p := play(t)
		for range 3 {
			p.dhcp(withPre)
			p.get("SEP"+own+".cnf.xml", sipLoad)
			p.get(sipLoad+".loads", "")
			p.get(sipLoad+".sb2", "")
			p.wait(40 * time.Second)
		}
		p.wantStuck("several times")
	})
	t.Run("too old for XML", func(t *testing.T) {
		p := play(t)
		p.dhcp(without)
		for range 6 {
			p.miss("SEPDefault.cnf")
			p.wait(10 * time.Second)
		}
		p.wantStuck("too old")
	})
	t.Run("polling is no trouble", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		p.get("SIPDefault.cnf", "")
		p.miss("SIP" + own + ".cnf")
		for range 20 {
			p.wait(31 * time.Second)
			p.miss("SIP" + own + ".cnf")
		}
		p.wantStuck("no configuration")
	})
	t.Run("two hunts 36 s apart are no loop", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		for range 2 {
			p.miss("CTLSEP" + own + ".tlv")
			p.get("SEP"+own+".cnf.xml", sipLoad)
			p.get(sipLoad+".loads", "")
			p.wait(36 * time.Second)
		}
		p.want(phone.Loading)
	})
}

func TestRefusedFileOfAnotherDoesNotTouchThePhone(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SIPDefault.cnf", "")
	p.get("SIP"+own+".cnf", "")
	p.get("RINGLIST.DAT", "")
	before := p.s.Phone
	p.do(Event{Service: "tftp", Kind: FileRefused, File: phone.ParseFileName("SIP" + own + ".cnf"), Address: netip.MustParseAddr("10.77.9.9")})
	if p.s.Step != phone.Ready || p.s.Address != before.Address || p.s.Problem != "" {
		t.Errorf("got %+v", p.s.Phone)
	}
}

func TestLeaseEndedAndBack(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SIP"+own+".cnf", "")
	p.do(Event{Service: "dhcp", Kind: LeaseEnded, Address: home})
	p.want(phone.Seen)
	if p.s.Address.IsValid() || !strings.Contains(p.s.Problem, "lease ended") {
		t.Errorf("got %+v", p.s.Phone)
	}
	p.wait(time.Hour)
	p.want(phone.Seen)
	p.dhcp(withPre)
	p.get("RINGLIST.DAT", "")
	p.want(phone.Loading)
	if p.s.Problem != "" {
		t.Errorf("problem %q", p.s.Problem)
	}
}

func TestSilentPhoneIsSaidAndForgiven(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SIPDefault.cnf", "")
	p.get("SIP"+own+".cnf", "")
	p.get("RINGLIST.DAT", "")
	p.do(Event{Service: "sip", Kind: SIPSilent})
	p.want(phone.Ready)
	if !strings.Contains(p.s.Problem, "does not answer") {
		t.Errorf("problem %q", p.s.Problem)
	}
	p.do(Event{Service: "sip", Kind: SIPAlive})
	if p.s.Problem != "" {
		t.Errorf("problem %q", p.s.Problem)
	}
}

// FuzzSteps plays any events in any order: the step is always one of the words, ready needs a configuration or quiet,
// stuck has a problem, ready has none but silence, memory is bounded, and the state survives being stored.
func FuzzSteps(f *testing.F) {
	names := []string{
		"OS79XX.TXT", "CTLSEP" + own + ".tlv", "SEP" + own + ".cnf.xml", "SIP" + own + ".cnf", "XMLDefault.cnf.xml", "SIPDefault.cnf",
		sipLoad + ".loads", "P003-8-12-00.sbn", sipLoad + ".sb2", "RINGLIST.DAT", "dialplan.xml", "SEPDEFAULT.cnf", "7960-font.xml", "x",
	}
	kinds := []Kind{Packet, Lease, Request, Transfer, FileMissing, FileRefused, Time, SIPAlive, SIPSilent, LeaseTrouble, LeaseEnded, Note}
	phases := []Phase{Started, Progress, Sent, Aborted}
	f.Add([]byte{0, 0, 0, 1, 0, 0, 3, 3, 2, 3, 9, 2})
	f.Add([]byte{0, 0, 0, 1, 0, 0, 2, 2, 200, 3, 2, 2, 10, 90, 90})
	f.Fuzz(func(t *testing.T, moves []byte) {
		p := play(t)
		for len(moves) >= 3 {
			k, n, x := kinds[int(moves[0])%len(kinds)], names[int(moves[1])%len(names)], moves[2]
			moves = moves[3:]
			e := Event{Kind: k, File: phone.ParseFileName(n), Address: home, Phase: phases[int(x)%4], Transfer: uint64(x) + 1, Renewal: x > 200}
			if k == Packet {
				e.Service, e.Class = "dhcp", []string{withPre, without, ""}[x%3]
				if x < 250 {
					e.Address = netip.Addr{}
				}
			}
			p.do(e)
			p.wait(time.Duration(x) * time.Second / 2)
			s := p.s
			if rank(s.Step) == 0 && s.Step != phone.Stuck || rank(s.Base) == 0 {
				t.Fatalf("step %q over %q", s.Step, s.Base)
			}
			if s.Step == phone.Stuck && (s.Problem == "" || s.Trouble == troubleNone) || s.Step == phone.Ready && s.WaitingFor != "" {
				t.Fatalf("%+v", s.Phone)
			}
			if len(s.open) > maxOpen || len(s.Clues) > maxSays+6 || len(s.Wanted) > maxWanted {
				t.Fatalf("%d transfers are open, %d clues and %d images are kept", len(s.open), len(s.Clues), len(s.Wanted))
			}
			if s.Load != "" && (s.Load != s.Belief.Load || s.Belief.Confidence < ladder.Likely) {
				t.Fatalf("it runs %q, and %+v is believed", s.Load, s.Belief)
			}
			raw, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := decodeState(mac, raw); err != nil || !reflect.DeepEqual(back.Phone, s.Phone) || back.Base != s.Base {
				t.Fatalf("%+v came back as %+v, %v", s.Phone, back, err)
			}
		}
	})
}

// FuzzDecodeEvent: what is read from the store encodes to the same event again.
func FuzzDecodeEvent(f *testing.F) {
	good, err := appendEvent(nil, &Event{Time: time.Unix(1, 2), Service: "tftp", Kind: Request, File: phone.ParseFileName("SIPDefault.cnf"), Address: home})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, content []byte) {
		e, err := decodeEvent(1, mac, content)
		if err != nil {
			return
		}
		again, err := appendEvent(nil, &e)
		if err != nil {
			t.Fatal(err)
		}
		if e2, err := decodeEvent(1, mac, again); err != nil || fmt.Sprint(e2) != fmt.Sprint(e) {
			t.Fatalf("%+v became %+v, %v", e, e2, err)
		}
	})
}

// Which of the options of its address a phone went by, only its first request for a file can tell.
func TestWhatAPhoneMadeOfItsTFTPServerIsTold(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	if got := p.s.tookWords(); got != "" {
		t.Errorf("before it could ask: %q", got)
	}
	p.wait(3 * time.Second)
	p.miss("CTLSEP" + own + ".tlv")
	p.wait(time.Second)
	p.ask("SEP"+own+".cnf.xml", "")
	if got := p.s.tookWords(); !strings.Contains(got, "after 3 s it asked this box for CTLSEP"+own+".tlv") {
		t.Errorf("after its first request: %q", got)
	}
	content, err := json.Marshal(p.s)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := decodeState(mac, content); err != nil || s.tookWords() != p.s.tookWords() {
		t.Errorf("after a restart: %q, %v", s.tookWords(), err)
	}

	p.dhcp(withPre) // it starts again, and does not ask
	p.wait(asksBy - time.Second)
	if p.s.Problem != "" || p.s.tookWords() != "" {
		t.Errorf("too early: %q, %q", p.s.Problem, p.s.tookWords())
	}
	p.wait(time.Second)
	const want = "It got an address but has not asked for a file: it may use an alternate TFTP server set on the phone."
	if p.s.Problem != want || p.s.tookWords() != want {
		t.Errorf("problem %q, took %q", p.s.Problem, p.s.tookWords())
	}
	p.want(phone.Addressed)
	p.wait(phone.LoaderHunt * 3 / 2)
	p.wantStuck("Alternate TFTP")
	if p.s.tookWords() != want {
		t.Errorf("when stuck: %q", p.s.tookWords())
	}
	p.miss("CTLSEP" + own + ".tlv")
	p.want(phone.Loading)
	if p.s.Problem != "" || !strings.Contains(p.s.tookWords(), " min it asked this box for CTLSEP") {
		t.Errorf("after it asked at last: %q, %q", p.s.Problem, p.s.tookWords())
	}
}

// A phone that renews its lease was running before, and a computer fetches no files: neither is said to miss anything.
func TestRenewalsAndComputersAreNotSaidToAskForNothing(t *testing.T) {
	p := play(t)
	p.do(Event{Service: "dhcp", Kind: Packet, Class: withPre, Renewal: true})
	p.do(Event{Service: "dhcp", Kind: Lease, Class: withPre, Renewal: true, Address: home})
	p.wait(time.Minute)
	if p.s.Problem != "" || p.s.tookWords() != "" {
		t.Errorf("a renewal: %q, %q", p.s.Problem, p.s.tookWords())
	}
	p = play(t)
	p.dhcp("MSFT 5.0")
	p.wait(time.Minute)
	if p.s.Problem != "" || p.s.tookWords() != "" {
		t.Errorf("a computer: %q, %q", p.s.Problem, p.s.tookWords())
	}
}
