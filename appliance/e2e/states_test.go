package e2e_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

const target = "P0S3-8-12-00"

// shelf is a whole load of 8.12 in the sizes of the real one.
func shelf() map[string][]byte { return phone.MakeBundle(target, 130_552, 756_120) }

// agree waits until the box and the phone tell the same step.
func agree(t *testing.T, b *box, p *phonesim.Phone, limit time.Duration) phoneEntry {
	t.Helper()
	var entry phoneEntry
	defer func() {
		if t.Failed() {
			r := p.Result()
			t.Logf("the box says %+v; the phone is in step %s, waiting for %s (%s)", entry, r.Step, r.WaitingFor, r.Problem)
		}
	}()
	testkit.Eventually(t, limit, "the box and the phone tell the same step of "+p.Result().MAC.String(), func() bool {
		entry = b.phone(p.Result().MAC)
		return entry.Step == p.Result().Step
	})
	return entry
}

// TestStatesWithoutFirmware boots a phone of each state against a box that has no firmware and no target.
func TestStatesWithoutFirmware(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:60:00:00")
	mac := func(n int) phone.MAC { return phonesim.AddMAC(base, n) }
	sipListed, sipOld, sccpListed, bare, sccp, sccpOld := mac(0), mac(1), mac(2), mac(3), mac(4), mac(5)
	b := startBox(t, lan, site{phones: listed(base, 3)}.text(), nil)
	b.setClock()
	w := newWire(t, lan.Node("wire"))

	t.Run("sip", func(t *testing.T) {
		t.Parallel()
		p, _ := plug(t, phonesim.Config{Link: w, MAC: sipListed, State: phonesim.StateSIP})
		r := waitDone(t, p, time.Minute)
		if e := agree(t, b.with(t), p, 10*time.Second); e.Step != phone.Ready || !e.Known || e.Protocol != phone.SIP || e.Address != r.Address.String() {
			t.Errorf("the box tells %+v, wanted a listed phone that is ready at %s", e, r.Address)
		}
		if r.ClockOffset == nil || len(r.Pages) < 2 || r.Pages[0].Status != 200 || len(r.Lines) != 1 || r.Lines[0] != "200" {
			t.Errorf("clock %v, pages %+v, lines %v: wanted the time, the logo and the directory, and line 200", r.ClockOffset, r.Pages, r.Lines)
		}
	})
	t.Run("sip-old", func(t *testing.T) {
		t.Parallel()
		p, _ := plug(t, phonesim.Config{Link: w, MAC: sipOld, State: phonesim.StateSIPOld})
		waitDone(t, p, time.Minute)
		if e := agree(t, b.with(t), p, 10*time.Second); e.Step != phone.Ready {
			t.Errorf("the box tells %+v, wanted ready", e)
		}
	})
	t.Run("sip-bare", func(t *testing.T) {
		t.Parallel()
		p, _ := plug(t, phonesim.Config{Link: w, MAC: bare, State: phonesim.StateBare})
		if r := waitDone(t, p, time.Minute); r.Outcome != phonesim.OutcomePolling {
			t.Errorf("found outcome %s, wanted polling", r.Outcome)
		}
		if e := agree(t, b.with(t), p, 10*time.Second); e.Step != phone.Loading || e.Known || !strings.Contains(e.WaitingFor, "SIP"+bare.Name()+".cnf") {
			t.Errorf("the box tells %+v, wanted an unlisted phone that loads and waits for its configuration", e)
		}
	})
	t.Run("sccp, listed", func(t *testing.T) { // its protocol is not known yet, so that it gets a configuration for SIP
		t.Parallel()
		p, _ := plug(t, phonesim.Config{Link: w, MAC: sccpListed, State: phonesim.StateSCCP})
		waitHunts(t, p, 3)
		if e := agree(t, b.with(t), p, 10*time.Second); e.Step != phone.Configured || e.Protocol != phone.SCCP || !strings.Contains(e.WaitingFor, "XMLDefault.cnf.xml") {
			t.Errorf("the box tells %+v, wanted a phone on SCCP that waits for XMLDefault.cnf.xml", e)
		}
		if r := p.Result(); len(r.Flashed) > 0 || len(r.Faults) > 0 {
			t.Errorf("flashed %v, faults %v: wanted none", r.Flashed, r.Faults)
		}
	})
	for _, c := range []struct {
		mac   phone.MAC
		state phonesim.State
	}{{sccp, phonesim.StateSCCP}, {sccpOld, phonesim.StateSCCPOld}} {
		t.Run(string(c.state), func(t *testing.T) {
			t.Parallel()
			p, _ := plug(t, phonesim.Config{Link: w, MAC: c.mac, State: c.state})
			waitHunts(t, p, 3)
			e := agree(t, b.with(t), p, 10*time.Second)
			if e.Step != phone.Loading {
				t.Errorf("the box tells %+v, wanted a phone that loads", e)
			}
			if r := p.Result(); len(r.Flashed) > 0 || len(r.Faults) > 0 {
				t.Errorf("flashed %v, faults %v: wanted none", r.Flashed, r.Faults)
			}
		})
	}
}

// waitHunts waits until a phone asked n times for the last file of its hunt, all in vain.
func waitHunts(t *testing.T, p *phonesim.Phone, n int) {
	t.Helper()
	testkit.Eventually(t, time.Minute, fmt.Sprintf("%s asks %d times for XMLDefault.cnf.xml", p.Result().MAC, n), func() bool {
		f, ok := p.Result().File("XMLDefault.cnf.xml")
		return ok && f.Times >= n
	})
	if f, _ := p.Result().File("XMLDefault.cnf.xml"); f.Answer != phonesim.AnswerError || f.Code != 1 {
		t.Errorf("XMLDefault.cnf.xml was answered with %s %d %q, wanted ERROR 1", f.Answer, f.Code, f.Text)
	}
}

// TestConversion boots phones beside a full shelf, with a target: listed ones are converted, the others left alone.
func TestConversion(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:61:00:00")
	b := startBox(t, lan, site{firmware: `target = "` + target + `"`, phones: listed(base, 4)}.text(), shelf())
	w := newWire(t, lan.Node("wire"))
	c := b.node.Capture(t)

	for i, state := range []phonesim.State{phonesim.StateSIP7, phonesim.StateSCCP, phonesim.StateErased} {
		t.Run(string(state), func(t *testing.T) {
			p, unplug := plug(t, phonesim.Config{Link: w, MAC: phonesim.AddMAC(base, i), State: state, Want: target})
			r := waitDone(t, p, 2*time.Minute)
			if r.Load != target || r.LoaderID != phone.SyntheticLoaderID || !slices.Equal(r.Flashed, []string{"P003-8-12-00.sbn", target + ".sb2"}) {
				t.Errorf("the phone runs %s with loader %s after it flashed %v, wanted one loader and one application", r.Load, r.LoaderID, r.Flashed)
			}
			if r.Boots != 3 {
				t.Errorf("found %d boots, wanted 3 (phones.md a.8)", r.Boots)
			}
			if e := agree(t, b.with(t), p, 10*time.Second); e.Step != phone.Ready || e.Load != target || e.Protocol != phone.SIP {
				t.Errorf("the box tells %+v, wanted %s and ready", e, target)
			}
			unplug()
		})
	}
	t.Run("sccp-old", func(t *testing.T) { // too old for one step: nothing may be named to it
		p, unplug := plug(t, phonesim.Config{Link: w, MAC: phonesim.AddMAC(base, 3), State: phonesim.StateSCCPOld})
		defer unplug()
		waitHunts(t, p, 3)
		if r := p.Result(); len(r.Flashed) > 0 || len(r.Faults) > 0 {
			t.Errorf("flashed %v, faults %v: wanted none", r.Flashed, r.Faults)
		}
		agree(t, b.with(t), p, 10*time.Second)
	})
	stranger := phonesim.AddMAC(base, 0x100)
	t.Run("unlisted", func(t *testing.T) {
		p, unplug := plug(t, phonesim.Config{Link: w, MAC: stranger, State: phonesim.StateSCCP})
		defer unplug()
		waitHunts(t, p, 4)
		r := p.Result()
		if len(r.Flashed) > 0 || len(r.Faults) > 0 || r.Load != "P00308010200" || r.Boots != 1 {
			t.Errorf("the phone runs %s after %d boots, flashed %v, faults %v: wanted it left alone", r.Load, r.Boots, r.Flashed, r.Faults)
		}
		for _, f := range r.Files {
			if f.Answer == phonesim.AnswerGot {
				t.Errorf("the phone got %s, wanted that it gets nothing that names a load", f.Name)
			}
		}
		if e := agree(t, b.with(t), p, 10*time.Second); e.Known || e.Step != phone.Loading {
			t.Errorf("the box tells %+v, wanted an unlisted phone that loads", e)
		}
		if names := namesAskedFrom(c, r.Address.String()); slices.ContainsFunc(names, isFirmware) || len(names) == 0 {
			t.Errorf("the phone asked for %v, wanted no firmware", names)
		}
	})
}

func isFirmware(name string) bool {
	return slices.Contains([]string{".loads", ".sb2", ".sbn", ".bin"}, strings.ToLower(path.Ext(name)))
}

// namesAskedFrom returns the names of the read requests from an address that a capture saw.
func namesAskedFrom(c *testkit.Capture, from string) []string {
	var out []string
	for _, p := range c.Packets() {
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		u, _ := p.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if ip == nil || u == nil || ip.SrcIP.String() != from || u.DstPort != 69 || len(u.Payload) < 4 {
			continue
		}
		name, _, _ := strings.Cut(string(u.Payload[2:]), "\x00")
		out = append(out, name)
	}
	return out
}

// TestSCCPGetsReady boots a listed phone that stays on SCCP: it gets the load that the site wants and is ready after a
// minute without a hunt.
func TestSCCPGetsReady(t *testing.T) {
	waiting.enter(t)
	const load = "P00308010200"
	lan := office(t, testkit.Host{Name: "wire"})
	mac := mustMAC("00:06:d7:62:00:00")
	b := startBox(t, lan, site{firmware: `target = "` + load + `"`, phones: listed(mac, 1)}.text(), phone.MakeBundle(load, 130_552, 400_000))
	p, _ := plug(t, phonesim.Config{Link: newWire(t, lan.Node("wire")), MAC: mac, State: phonesim.StateSCCP, Want: load})
	r := waitDone(t, p, time.Minute)
	if r.Load != load || !slices.Equal(r.Flashed, []string{load + ".sbn"}) {
		t.Errorf("the phone runs %s after it flashed %v, wanted the loader of the bundle alone", r.Load, r.Flashed)
	}
	// The virtual phone's minute is shorter; the box knows only the real one.
	if e := agree(t, b, p, 2*time.Minute); e.Step != phone.Ready || e.Protocol != phone.SCCP || e.Load != load {
		t.Errorf("the box tells %+v, wanted %s and ready", e, load)
	}
}
