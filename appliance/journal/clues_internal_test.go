package journal

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

const (
	sip44 = "P0S3-04-4-00"
	sip53 = "P0S3-05-3-00"
	sip63 = "P0S3-06-3-00"
)

// oldSIP is a boot of a SIP image from before the loader, which is told a load by all its files.
func (p *script) oldSIP(told string) {
	p.dhcp(without)
	p.get("OS79XX.TXT", told)
	p.get("SIPDefault.cnf", told)
	p.get("SIP"+own+".cnf", told)
}

func (p *script) extras() {
	p.get("RINGLIST.DAT", "")
	p.get("dialplan.xml", "")
}

func (p *script) wantLoad(load string, c ladder.Confidence) {
	p.t.Helper()
	if b := p.s.Belief; b.Load != load || b.Confidence != c {
		p.t.Fatalf("believed %q (%d), want %q (%d); why: %s", b.Load, b.Confidence, load, c, strings.Join(b.Why, "; "))
	}
}

func TestLoadIsLearntFromNotAskingForIt(t *testing.T) {
	t.Run("SIP from before the loader", func(t *testing.T) {
		p := play(t)
		p.oldSIP(sip44)
		p.wantLoad("", ladder.Sure) // SIP, surely; which one is not known yet
		p.ask("RINGLIST.DAT", "")
		p.wantLoad(sip44, ladder.Sure)
		if p.s.Load != sip44 || p.s.Protocol != phone.SIP || p.s.Loader {
			t.Errorf("got %+v", p.s.Phone)
		}
	})
	t.Run("an answer to OPTIONS right after the configuration proves nothing", func(t *testing.T) {
		p := play(t)
		p.oldSIP(sip53)
		p.do(Event{Service: "sip", Kind: SIPAlive, Address: home})
		p.want(phone.Ready)
		if p.s.Belief.Load != "" {
			t.Fatalf("believed %q a moment after it was told so", p.s.Belief.Load)
		}
		p.wait(provedAfter)
		p.do(Event{Service: "sip", Kind: SIPAlive, Address: home})
		p.wantLoad(sip53, ladder.Sure)
	})
	t.Run("it asked for the image, and goes on all the same", func(t *testing.T) {
		p := play(t)
		p.oldSIP(sip53)
		p.miss(sip53 + ".bin")
		p.extras()
		if p.s.Belief.Load != "" {
			t.Errorf("believed %q, for which it asked", p.s.Belief.Load)
		}
	})
	t.Run("the loader that got .loads and did not ask for more", func(t *testing.T) {
		p := play(t)
		p.dhcp(withPre)
		p.miss("CTLSEP" + own + ".tlv")
		p.get("SEP"+own+".cnf.xml", sipLoad)
		p.get(sipLoad+".loads", "")
		p.get("SIPDefault.cnf", sipLoad)
		p.wantLoad(sipLoad, ladder.Sure)
	})
	t.Run("told another load by the next boot, it does not ask for it either", func(t *testing.T) {
		p := play(t)
		p.oldSIP(sip44)
		p.extras()
		p.oldSIP(sip53)
		p.wantLoad(sip44, ladder.Sure)
		p.get(sip53+".bin", "")
		p.wantLoad(sip44, ladder.Sure) // it is fetched, not written
		p.dhcp(without)
		p.wantLoad(sip53, ladder.Likely)
		if p.s.Belief.Before != sip44 || p.s.Load != "" {
			t.Errorf("before %q, load %q", p.s.Belief.Before, p.s.Load)
		}
		p.get("OS79XX.TXT", sip53)
		p.get("SIPDefault.cnf", sip53)
		if p.s.Load != sip53 {
			t.Errorf("its application shows itself, and the load is %q", p.s.Load)
		}
		p.get("SIP"+own+".cnf", sip53)
		p.extras()
		p.wantLoad(sip53, ladder.Sure)
	})
}

// TestAnotherProtocolThanBeforeShowsTheNewLoad is the last step back to SCCP: the loader starts what it wrote without a
// search, and no file tells the phone what it runs.
func TestAnotherProtocolThanBeforeShowsTheNewLoad(t *testing.T) {
	fetch := func(from, to string) *script {
		p := play(t)
		p.dhcp(withPre)
		p.get("SEP"+own+".cnf.xml", from)
		p.get(from+".loads", "")
		if l, _ := phone.ParseLoad(from); l.Protocol == phone.SIP {
			p.ask("SIPDefault.cnf", from)
		} else {
			p.miss("/7960-font.xml")
		}
		p.wantLoad(from, ladder.Sure)
		p.dhcp(withPre)
		p.get("SEP"+own+".cnf.xml", to)
		p.get(to+".loads", "")
		p.get(to+".sb2", "")
		p.dhcp(withPre)
		return p
	}
	p := fetch(sipLoad, sccpLoad)
	p.wantLoad(sccpLoad, ladder.Likely)
	p.miss("/7960-font.xml")
	p.wantLoad(sccpLoad, ladder.Sure)

	p = fetch(sccpLoad, sipLoad)
	p.ask("SIPDefault.cnf", "")
	p.wantLoad(sipLoad, ladder.Sure)

	p = fetch(sipLoad, sccpLoad) // the old application answers: it was not written
	p.ask("SIPDefault.cnf", "")
	if b := p.s.Belief; b.Load == sccpLoad {
		t.Errorf("its SIP application runs, and it is believed to run %q", b.Load)
	}

	p = fetch("P0S3-07-4-00", sipLoad) // nothing tells one SIP load from the other
	p.ask("SIPDefault.cnf", "")
	p.wantLoad(sipLoad, ladder.Likely)

	p = fetch(sipLoad, sccpLoad) // it asks for the image again
	p.ask(sccpLoad+".sb2", "")
	p.miss("/7960-font.xml")
	if b := p.s.Belief; b.Load == sccpLoad {
		t.Errorf("it asked for the image of %q, which it is believed to run", b.Load)
	}
}

// TestSCCPThatSearchesAgainRunsWhatItWasTold is an SCCP image from before the loader that no call agent answers: it may
// search more often than once a minute.
func TestSCCPThatSearchesAgainRunsWhatItWasTold(t *testing.T) {
	const sccp5 = "P00305000500"
	search := func(p *script) {
		p.get("OS79XX.TXT", sccp5)
		p.get("SEP"+own+".cnf.xml", sccp5)
	}
	p := play(t)
	p.dhcp(without)
	search(p)
	p.wait(20 * time.Second)
	p.wantLoad("", ladder.Likely)
	search(p)
	p.wantLoad(sccp5, ladder.Sure)
	if p.s.Protocol != phone.SCCP {
		t.Errorf("protocol %q", p.s.Protocol)
	}
	for about, between := range map[string]func(p *script){
		"it asked for the image": func(p *script) { search(p); p.miss(sccp5 + ".bin"); p.wait(20 * time.Second) },
		"it started again":       func(p *script) { search(p); p.wait(20 * time.Second); p.dhcp(without) },
		"it cannot use the file": func(p *script) { search(p); p.wait(time.Second) },
		"OS79XX.TXT alone named the load": func(p *script) {
			p.get("OS79XX.TXT", sccp5)
			p.miss("SEP" + own + ".cnf.xml")
			p.wait(20 * time.Second)
		},
		"the loader searches, not an older image": func(p *script) {
			p.miss("CTLSEP" + own + ".tlv")
			p.get("SEP"+own+".cnf.xml", sccp5)
			p.wait(20 * time.Second)
			p.miss("CTLSEP" + own + ".tlv")
		},
	} {
		p := play(t)
		p.dhcp(without)
		between(p)
		if p.ask("SEP"+own+".cnf.xml", sccp5); p.s.Belief.Load != "" {
			t.Errorf("%s, and is believed to run %q", about, p.s.Belief.Load)
		}
	}
}

func TestImageThatWasNotWrittenIsNotBelieved(t *testing.T) {
	p := play(t)
	p.oldSIP(sip44)
	p.extras()
	p.oldSIP(sip53)
	p.get(sip53+".bin", "")
	p.dhcp(without)
	p.wantLoad(sip53, ladder.Likely)
	p.get("OS79XX.TXT", sip53)
	p.get("SIPDefault.cnf", sip53)
	p.get("SIP"+own+".cnf", sip53)
	p.ask(sip53+".bin", "") // the power was cut while it wrote
	if b := p.s.Belief; b.Load != sip44 {
		t.Fatalf("believed %+v, want the load from before", b)
	}
	for _, name := range []string{"OS79XX.TXT", "SIPDefault.cnf", "SIP" + own + ".cnf"} {
		p.get(name, sip53)
	}
	if b := p.s.Belief; b.Load == sip53 {
		t.Errorf("the names of later forgot that it asked for the image: %+v", b)
	}
}

// TestImageThatIsRefusedShowsWhatDoesNotRun is a phone whose power was cut while it wrote: it asks for the image again, and
// may not have it, because it is to start once and show what it runs.
func TestImageThatIsRefusedShowsWhatDoesNotRun(t *testing.T) {
	refuse := func(p *script, from netip.Addr) {
		p.do(Event{Service: "tftp", Kind: FileRefused, File: phone.ParseFileName(sipLoad + ".sb2"), Address: from, Text: "refused"})
	}
	p := play(t)
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	p.get("SEP"+own+".cnf.xml", sipLoad)
	p.get(sipLoad+".loads", "")
	p.get(sipLoad+".sb2", "")
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	p.get("SEP"+own+".cnf.xml", sipLoad)
	p.get(sipLoad+".loads", "")
	p.wantLoad(sipLoad, ladder.Likely)
	refuse(p, netip.MustParseAddr("10.77.9.9"))
	p.wantLoad(sipLoad, ladder.Likely) // somebody else asked
	refuse(p, home)
	if b := p.s.Belief; b.Load != "" || b.Loader != ladder.Yes {
		t.Errorf("it asked for the image of the load that it is believed to run: %+v", b)
	}
}

func TestLoaderOverAnOlderImageLeavesNoApplication(t *testing.T) {
	p := play(t)
	p.oldSIP(sip63)
	p.extras()
	p.wantLoad(sip63, ladder.Sure)
	p.dhcp(without)
	p.get("OS79XX.TXT", "P003-8-12-00")
	p.get("SIPDefault.cnf", sipLoad)
	p.get("SIP"+own+".cnf", sipLoad)
	p.get("P003-8-12-00.sbn", "")
	p.wait(30 * time.Second)
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	if b := p.s.Belief; b.Loader != ladder.Yes || p.s.Load != "" || !p.s.Loader {
		t.Fatalf("believed %+v, load %q", b, p.s.Load)
	}
	// The loader of a phone that has one takes no application away.
	p.get("SEP"+own+".cnf.xml", sipLoad)
	p.get(sipLoad+".loads", "")
	p.get(sipLoad+".sb2", "")
	p.dhcp(withPre)
	p.wantLoad(sipLoad, ladder.Likely)
	p.get("SEP"+own+".cnf.xml", sipLoad)
	p.get(sipLoad+".loads", "")
	p.get("SIPDefault.cnf", sipLoad)
	p.wantLoad(sipLoad, ladder.Sure)
	p.dhcp(withPre)
	p.get("P003-8-12-00.sbn", "")
	p.dhcp(withPre)
	p.wantLoad(sipLoad, ladder.Sure)
}

func TestPhoneThatSomebodyElseFlashedIsNoticed(t *testing.T) {
	p := play(t)
	p.oldSIP(sip44)
	p.extras()
	p.wait(time.Hour)
	p.dhcp(withPre)
	p.miss("CTLSEP" + own + ".tlv")
	if p.s.Belief.Load != "" || p.s.Load != "" {
		t.Errorf("believed %q although the universal loader asks", p.s.Belief.Load)
	}

	p = play(t)
	p.oldSIP(sip44)
	p.extras()
	p.do(Event{Service: "sip", Kind: SIPAlive, Address: home, Agent: "CSCO/6"})
	if b := p.s.Belief; b.Load != "" || b.Major != 6 {
		t.Errorf("it answers as 6.x, and is believed %+v", b)
	}
}

func TestHintsAndWhatTheSiteSays(t *testing.T) {
	p := play(t)
	p.dhcp(without)
	p.s.stated(sip44, p.now)
	p.wantLoad(sip44, ladder.Likely)
	clue, ok := ladder.CDP("Cisco IP Phone 7960", "P00308010200", p.now)
	if !ok {
		t.Fatal("the announcement is not understood")
	}
	p.do(Event{Service: "netdev", Kind: Hint, Clue: &clue})
	p.wantLoad("P00308010200", ladder.Likely)
	if p.s.Model != "7960" {
		t.Errorf("model %q", p.s.Model)
	}
	p.s.stated("", p.now)
	for _, c := range p.s.Clues {
		if c.Source == ladder.FromPerson {
			t.Error("what the site no longer says is still a clue")
		}
	}
}

func TestCluesAreBoundedAndKept(t *testing.T) {
	p := play(t)
	p.dhcp(without)
	for i := range 100 {
		p.ask(fmt.Sprintf("P0S3-0%d-%d-00.bin", 2+i%3, i%10), "")
	}
	if n := len(p.s.Clues); n > maxSays+6 {
		t.Errorf("%d clues are kept", n)
	}
	raw, err := json.Marshal(p.s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeState(mac, raw)
	if err != nil || len(back.Clues) != len(p.s.Clues) || back.Belief.Signed != ladder.No {
		t.Errorf("came back with %d clues and %+v, %v", len(back.Clues), back.Belief, err)
	}
	// The clock was set back: what is seen now counts all the same.
	p.now = p.now.Add(-24 * time.Hour)
	p.ask("P0S3-08-9-00.sb2", "")
	if b := p.s.Belief; b.Loader != ladder.Yes {
		t.Errorf("the newest clue does not count: %+v", b)
	}
}

func TestStateOfTheVersionBeforeKeepsItsLoad(t *testing.T) {
	s, err := decodeState(mac, []byte(`{"load":"P0S3-8-12-00","protocol":"sip","loader":true,"model":"7960","step":"ready","base":"ready","updated":"2026-01-02T03:04:05Z"}`))
	if err != nil || s.Load != sipLoad || s.Belief.Load != sipLoad || s.Model != "7960" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestTraceTellsTheFacts(t *testing.T) {
	p := play(t)
	p.dhcp(withPre)
	p.get("SIPDefault.cnf", "")
	for range 3 {
		p.miss("SIP" + own + ".cnf")
		p.wait(31 * time.Second)
	}
	if tr := p.s.trace(p.now); tr.Polls != 3 || !tr.App || tr.Lacks != "SIP"+own+".cnf" || tr.Trouble != string(troubleTime) {
		t.Errorf("polling: %+v", tr)
	}
	p = play(t)
	p.dhcp(without)
	for range 2 {
		p.phase(p.begin("P0S30203.bin", ""), Aborted, "P0S30203.bin")
	}
	if tr := p.s.trace(p.now); tr.Broke != "P0S30203.bin" || tr.BrokeTimes != 2 {
		t.Errorf("broken transfers: %+v", tr)
	}
	p = play(t)
	p.dhcp(without)
	p.get("P0S30203.bin", "")
	p.dhcp(without)
	p.get("SEP"+own+".cnf.xml", "")
	if tr := p.s.trace(p.now); tr.Fetched != phone.SIP || tr.Hunts != 0 || tr.Small != 0 {
		t.Errorf("fetched SIP, and asks as SCCP: %+v", tr)
	}
	p.dhcp(without)
	if tr := p.s.trace(p.now); tr.Fetched != "" {
		t.Errorf("of another boot: %+v", tr)
	}
	p = play(t)
	p.dhcp(withPre)
	for range 4 {
		p.miss("CTLSEP" + own + ".tlv")
		p.wait(4 * time.Second)
	}
	if tr := p.s.trace(p.now); tr.Asked != "CTLSEP"+own+".tlv" || tr.AskedTimes != 4 || tr.AskedOver != 16*time.Second {
		t.Errorf("repeats: %+v", tr)
	}
}

func TestReadyPhoneOnItsWaySaysSo(t *testing.T) {
	p := play(t)
	p.oldSIP(sip44)
	p.extras()
	p.want(phone.Ready)
	p.s.next = "Its next step is from P0S3-04-4-00 to P0S3-05-3-00."
	p.do(Event{Service: "sip", Kind: SIPAlive, Address: home})
	if !strings.Contains(p.s.Problem, "next step") || p.s.WaitingFor != "" {
		t.Errorf("problem %q, waiting for %q", p.s.Problem, p.s.WaitingFor)
	}
}

func TestPhoneOfWhichOnlyTheBoxSpeaksWasNeverSeen(t *testing.T) {
	p := play(t)
	p.do(Event{Service: boxService, Kind: Note, Text: "is to be converted before all that wait"})
	if p.s.Step != "" || !p.s.Updated.IsZero() {
		t.Errorf("got %+v", p.s.Phone)
	}
	if raw, _ := json.Marshal(p.s.Phone); strings.Contains(string(raw), "updated") {
		t.Errorf("it says when it was seen: %s", raw)
	}
}
