package web_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// choose presses a button of the page by what stands on it.
func (b *browser) choose(text string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.Search(`//main//*[self::button or self::a][normalize-space()="` + text + `"]`)))
}

// fillIn writes into a field over what stands there.
func (b *browser) fillIn(css, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(css)), chromedp.SetValue(chromedp.CSS(css), text))
}

// TestTheWizardInABrowser goes through all steps as a person does, looks at each in every width and colour, and presses every button.
func TestTheWizardInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r, f := wizardRig(t, single)
		f.moves = true
		r.run()
		command(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Amsterdam"})
		shoot := func(name string) {
			t.Helper()
			if script {
				b.shoot("wizard-" + name)
			}
		}
		b.do(chromedp.Navigate(r.server.URL()))
		b.see("Step 1 of 6")
		shoot("1-password")
		b.fillIn("[name=password]", password)
		b.fillIn("[name=again]", password)
		b.choose("Set the password")
		b.see("Step 2 of 6")

		// The wire: what comes appears by itself, or when the page is loaded again.
		r.box.mu.Lock()
		r.box.status.Network = web.Network{Condition: "ready", Text: "eth0 is up with 10.77.0.1/16", Foreign: "192.168.5.0/24", ForeignGateway: "192.168.5.1"}
		r.box.status.Services = map[string]web.Service{"dhcp": {State: "held", Detail: "another server answers"}, "web": {State: "running"}}
		r.box.status.Others = []web.OtherDHCP{{
			Address: "192.168.5.1", MAC: "52:54:00:12:34:56", Offered: "192.168.5.77", Seen: r.clock.Now(),
			Options: []web.DHCPOption{{Code: 1, Name: "subnet mask", Value: "255.255.255.0"}, {Code: 3, Name: "router", Value: "192.168.5.1"}},
		}}
		r.box.mu.Unlock()
		f.mu.Lock()
		f.neighbours = []web.Neighbour{{Protocol: "CDP", Name: "sw-cellar.example", Platform: "cisco WS-C3560-24PS", Port: "FastEthernet0/7", Address: "192.168.5.2", VLAN: 10, Voice: 77, Switch: true}}
		f.mu.Unlock()
		if !script {
			b.choose("Load again")
		}
		b.see("the switch tells phones to use VLAN 77")
		b.see("192.168.5.1")
		shoot("2-wire-trouble")
		b.choose("Look again")
		b.see("That takes three seconds")
		b.choose("Hand out addresses anyway")
		b.see("The box was told to answer beside it.")
		b.choose("Hold back again")
		b.see("The box holds back again")
		b.choose("Do this step later")
		b.see("Step 3 of 6")
		b.choose("Back")
		b.see("Step 2 of 6")
		f.mu.Lock()
		f.neighbours[0].VLAN = 77
		f.mu.Unlock()
		r.box.mu.Lock()
		r.box.status.Network.Foreign, r.box.status.Others = "", nil
		r.box.status.Services = map[string]web.Service{"dhcp": {State: "running"}, "web": {State: "running"}}
		r.box.mu.Unlock()
		if !script {
			b.choose("Load again")
		}
		b.see("This looks like the voice VLAN.")
		shoot("2-wire")
		f.mu.Lock()
		f.proposal = web.Proposal{
			Values: map[string]string{"network.address": "192.168.5.250/24", "network.gateway": "192.168.5.1", "dhcp.pool": "192.168.5.186-192.168.5.249"},
			Why:    "Devices of the network 192.168.5.0/24 are on this wire. This is an address of it that nobody answers for.",
		}
		f.mu.Unlock()
		b.choose("Yes, go on")
		b.see("Step 3 of 6")
		b.see("Keep 10.77.0.1/16 instead")
		shoot("3-address")
		b.fillIn(`[name="dhcp.pool"]`, "x")
		b.choose("Save and go on")
		b.see("Nothing was saved")
		shoot("3-address-fault")
		b.fillIn(`[name="dhcp.pool"]`, "192.168.5.186-192.168.5.249")
		b.choose("Save and go on")
		b.see("The box leaves 10.77.0.1/16")
		shoot("3-move")
		b.choose("Change it again")
		b.see("Keep 10.77.0.1/16 instead")
		b.choose("Save and go on")
		b.see("The box leaves 10.77.0.1/16")
		b.choose("Move the box now")
		b.see("The box moves to 192.168.5.250/24 now.")
		shoot("3-moving")
		f.mu.Lock()
		moved := slices.Clone(f.moved)
		f.mu.Unlock()
		if !slices.Equal(moved, []string{"192.168.5.250/24"}) {
			t.Errorf("it moved to %v", moved)
		}

		b.do(chromedp.Navigate(r.server.URL() + "start"))
		b.see("Step 4 of 6")
		r.box.mu.Lock()
		r.box.status.Clock = web.Clock{Source: "the last known time", Now: r.clock.Now()}
		r.box.mu.Unlock()
		b.do(chromedp.Navigate(r.server.URL() + "start/time"))
		b.see("Not known for sure")
		if script {
			if got := eval[string](b, `document.querySelector("[name='time.zone']").value`); got != "Europe/Amsterdam" {
				t.Errorf("proposed is the zone %q, want that of the browser", got)
			}
		} else {
			b.do(chromedp.SetValue(chromedp.CSS(`[name="time.zone"]`), "Europe/Amsterdam"))
			b.fillIn("[name=utc]", "2026-11-30 12:00")
		}
		shoot("4-time")
		b.choose("Save and go on")
		b.see("Step 5 of 6")
		b.see("the clock is set")
		b.choose("Leave setting up for now")
		b.see("You can go on with setting up whenever you like")
		b.see("Setting up is not finished: 4 of 6 steps are done.")
		shoot("unfinished")
		b.choose("Go on with setting up")
		b.see("Step 5 of 6")
		r.box.mu.Lock()
		clock := slices.Clone(r.box.clock)
		r.box.mu.Unlock()
		want := float64(time.Now().Unix())
		if !script {
			want = float64(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Unix())
		}
		if len(clock) != 1 || math.Abs(clock[0]-want) > 120 {
			t.Errorf("the clock was set to %v, want %v", clock, want)
		}

		f.mu.Lock()
		f.check = func(host, _ string) web.ProxyCheck {
			return web.ProxyCheck{Verdict: "no_answer", Text: host + " (10.77.0.10 port 5060) does not answer: it is off, the address or the port is wrong, or a firewall is in the way."}
		}
		f.mu.Unlock()
		shoot("5-provider")
		b.fillIn(`[name="sip.proxy"]`, "pbx")
		b.choose("Save, and ask whether it is there")
		b.see("does not answer")
		shoot("5-provider-silent")
		b.choose("Go on all the same")
		b.see("Step 6 of 6")
		b.choose("Back")
		b.see("Step 5 of 6")
		f.mu.Lock()
		f.check = nil
		f.mu.Unlock()
		b.choose("Save, and ask whether it is there")
		b.see("Asterisk PBX 18")
		b.see("Step 6 of 6")

		r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, reception), Step: phone.Loading}, func(p *web.Phone) { p.Model, p.Address = "7960", "10.77.1.3" })
		if script {
			b.see("One more phone showed up.")
			b.choose("Show them")
		} else {
			b.do(chromedp.Navigate(r.server.URL() + "start/phones"))
		}
		b.see("Phones that showed up")
		shoot("6-phones")
		b.fillIn("[name=label]", "Reception")
		b.fillIn(`[name="lines[0].name"]`, "208")
		if script {
			// What is written stays while the page is kept up to date around it.
			r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: phone.MAC{0, 7, 0xeb, 1, 2, 3}, Step: phone.Loading}, nil)
			b.see("One more phone showed up.")
			if got := eval[string](b, `document.querySelector("[name=label]").value`); got != "Reception" {
				t.Errorf("what was written became %q", got)
			}
		}
		b.fillIn(`[name="lines[0].password"]`, "sip-secret-208")
		b.do(chromedp.Click(chromedp.CSS("form.startphone button")))
		b.see("The phone is added.")
		shoot("6-added")
		if got := r.box.site.snapshot()[mac(t, reception)]; got.Label != "Reception" || len(got.Lines) != 1 || got.Lines[0].Password != "sip-secret-208" {
			t.Errorf("the site has %+v", got)
		}
		b.do(chromedp.Navigate(r.server.URL()))
		b.see("All steps of setting up are done.")
		shoot("overview")
		b.choose("Go on with setting up")
		b.see("All steps are done.")
		shoot("done")
		b.choose("To the overview")
		b.see("Setting up is finished.")
	})
}
