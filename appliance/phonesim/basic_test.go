package phonesim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"

	"phonebox/appliance/phonesim"
)

func TestABasicPhoneIsReadyOnceEverybodyAnswered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.put("SIPDefault.cnf", strings.Repeat("x", 512), "RINGLIST.DAT", "y") // the others are not there, nor is the name pbx
	o.set(func() {
		o.change = func(_, a *dhcpv4.DHCPv4) bool { // as plain servers do
			a.Options.Del(dhcpv4.OptionTFTPServerName)
			return true
		}
	})
	r := run(t, o, phonesim.Config{MAC: mac(1), Profile: phonesim.ProfileBasic})
	if !r.OK() || r.Outcome != phonesim.OutcomeReady || r.ClockOffset == nil || r.Addressed == 0 || r.Addressed > r.After {
		t.Errorf("found outcome %s, faults %q, clock %v, address after %s of %s", r.Outcome, r.Faults, r.ClockOffset, r.Addressed, r.After)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "option 66") {
		t.Errorf("found the notes %q, wanted one about option 66", r.Notes)
	}
	var want []string
	for _, name := range phonesim.BasicFiles() {
		want = append(want, strings.ReplaceAll(name, "<MAC>", mac(1).Name()))
	}
	if diff := cmp.Diff(want, o.requests()); diff != "" || len(want) != 7 {
		t.Errorf("the read requests (want, got): %s", diff)
	}
	for name, size := range map[string]int{"SIPDefault.cnf": 512, "RINGLIST.DAT": 1} {
		if f, _ := r.File(name); f.Answer != phonesim.AnswerGot || f.Size != size {
			t.Errorf("%s: found %+v, wanted %d bytes", name, f, size)
		}
	}
}

func TestABasicPhoneWaitsForTheLastAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, waiting, problem string
		silent                 uint16
	}{
		{"TFTP", "CTLSEP" + mac(1).Name() + ".tlv", "the TFTP server does not answer", 69},
		{"SNTP", "the time", "the SNTP server does not answer", 123},
		{"DNS", "an answer of the DNS", "the DNS server does not answer", 53},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				link := &fakeLink{dhcp: grants(8 * time.Hour), packet: func(d datagram) []byte {
					if d.to.Port() == c.silent {
						return nil
					}
					return answers(d)
				}}
				r := bubble(t, 100*time.Second, link, phonesim.Config{Profile: phonesim.ProfileBasic})
				if r.OK() || r.Outcome != phonesim.OutcomeFailed || r.WaitingFor != c.waiting || r.Problem != c.problem {
					t.Errorf("found outcome %s, waiting for %q, problem %q", r.Outcome, r.WaitingFor, r.Problem)
				}
				if n := r.RetransmitsByServers; r.RetransmitsByLoss != (phonesim.Retransmissions{}) || n != r.Retransmits || n.TFTP+n.SNTP+n.DNS < 20 {
					t.Errorf("found %+v, by loss %+v, by servers %+v", r.Retransmits, r.RetransmitsByLoss, n)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(8 * time.Hour), packet: answers}
		if r := bubble(t, time.Second, link, phonesim.Config{Profile: phonesim.ProfileBasic}); !r.OK() || r.After != 0 {
			t.Errorf("with every answer at once: found outcome %s after %s, wanted ready after no time", r.Outcome, r.After)
		}
	})
}

// answers answers TFTP, SNTP and DNS: nothing is there, and the clock is right.
func answers(d datagram) []byte {
	switch d.to.Port() {
	case 123:
		a := make([]byte, 48)
		a[0], a[1] = d.payload[0]&0x38|4, 2
		copy(a[24:32], d.payload[40:48])
		return a
	case 53:
		m := new(dns.Msg)
		if m.Unpack(d.payload) != nil {
			return nil
		}
		a, _ := new(dns.Msg).SetRcode(m, dns.RcodeNameError).Pack()
		return a
	}
	return notFound(d)
}

func TestWhatWasLostOnPurposeIsNoServersFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := &fakeLink{dhcp: grants(8 * time.Hour)}
		asked := 0
		link.packet = func(d datagram) []byte { // the first request gets lost, the second is ignored, the third answered
			switch asked++; asked {
			case 1:
				link.lost.Add(1)
				return nil
			case 2:
				return nil
			}
			return answers(d)
		}
		r := bubble(t, time.Minute, link, phonesim.Config{Profile: phonesim.ProfileBasic})
		if r.RetransmitsByLoss != (phonesim.Retransmissions{TFTP: 1}) || r.RetransmitsByServers != (phonesim.Retransmissions{TFTP: 1}) || r.Retransmits.TFTP != 2 {
			t.Errorf("found %+v, by loss %+v, by servers %+v; wanted two of TFTP, one of each", r.Retransmits, r.RetransmitsByLoss, r.RetransmitsByServers)
		}
	})
}

func TestPhonesDownloadAnImageAndCompareIt(t *testing.T) {
	t.Parallel()
	const n = 6
	o := newOffice(t)
	image := bytes.Repeat([]byte("image"), 4000) // 20,000 bytes: 40 blocks
	o.put("P0S3-8-12-00.sb2", string(image))
	r := basicStorm(t, o, phonesim.StormConfig{Phones: n, Image: "P0S3-8-12-00.sb2"})
	sum := sha256.Sum256(image)
	i := r.Image
	if !r.OK() || i == nil || i.Done != n || i.Failed != 0 || i.Size != len(image) || i.First <= 0 || i.First > i.Half || i.Half > i.Most || i.Most > i.Last || i.Spread != i.Last-i.First {
		t.Errorf("found %+v, failures %+v", i, r.Failures)
	}
	for _, p := range r.Results {
		if p.Image == nil || p.Image.SHA256 != hex.EncodeToString(sum[:]) || p.Image.Done < p.After {
			t.Errorf("%s: found %+v", p.MAC, p.Image)
		}
	}
	if r.TFTP.NotFound != n*7 || r.TFTP.Got != 0 {
		t.Errorf("found %+v, wanted %d names that are not there", r.TFTP, n*7)
	}
}

func TestAMissingImageFailsThePhone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	r := basicStorm(t, o, phonesim.StormConfig{Phones: 2, Image: "absent.sb2"})
	if r.OK() || r.Ready != 2 || len(r.Failures) != 2 || r.Image.Failed != 2 || !strings.Contains(r.Failures[0].Problem, "the image: error 1") {
		t.Errorf("found %d ready, failures %+v, image %+v", r.Ready, r.Failures, r.Image)
	}
}

func TestWrongBytesForOnePhoneShow(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.put("RINGLIST.DAT", "right")
	if r := basicStorm(t, o, phonesim.StormConfig{Phones: 2}); !r.OK() {
		t.Errorf("found %+v, failures %+v, wanted no fault yet", r.TFTP, r.Failures)
	}
	late := make(chan struct{})
	var asked, ready atomic.Int32
	o.set(func() {
		o.onRRQ = func(name string) {
			if name == "SIPDefault.cnf" && asked.Add(1) == 3 { // the last phone, held up until the others have theirs
				<-late
				o.put("RINGLIST.DAT", "wrong")
			}
		}
	})
	r := basicStorm(t, o, phonesim.StormConfig{Phones: 3, OnEvent: func(e phonesim.Event) {
		if e.Kind == phonesim.EventDone && ready.Add(1) == 2 {
			close(late)
		}
	}})
	if e := r.TFTP.ContentErrors; r.OK() || len(e) != 1 || e[0].Name != "RINGLIST.DAT" {
		t.Errorf("found %+v, wanted one other RINGLIST.DAT", r.TFTP)
	}
}

// basicStorm boots phones of the basic profile.
func basicStorm(t *testing.T, o *office, cfg phonesim.StormConfig) phonesim.Report {
	t.Helper()
	if cfg.Link == nil {
		cfg.Link = o.link()
	}
	cfg.Ports, cfg.Base, cfg.Profile = o.Ports, mac(0), phonesim.ProfileBasic
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	r, err := phonesim.Storm(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
