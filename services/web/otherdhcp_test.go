package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"phonebox/services/web"
)

func TestDHCPDecisionOverTheAPI(t *testing.T) {
	r := apiRig(t)
	r.box.status.Others = []web.OtherDHCP{{Address: "10.77.0.254", MAC: "52:54:00:12:34:56"}}
	post := func(path, body string) int {
		return r.do(call{method: "POST", path: path, body: body, basic: true}).Code
	}
	for body, want := range map[string]int{
		`{}`: 422, `{"serve":"yes"}`: 400, `{"serve":true,"servers":["router"]}`: 422, `{"serve":true,"servers":["fe80::1"]}`: 422,
		`{"serve":false,"servers":["10.77.0.254"]}`: 422, `{"serve":true,"all":true}`: 400,
	} {
		if got := post("/api/v1/dhcp/decision", body); got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
	if r.box.anyway+r.box.heldBack != 0 {
		t.Fatal("a wrong decision was taken")
	}
	if got := post("/api/v1/dhcp/decision", `{"serve":true,"servers":["10.77.0.254"]}`); got != 204 || fmt.Sprint(r.box.beside) != "[10.77.0.254]" {
		t.Errorf("got %d, the box was told of %v", got, r.box.beside)
	}
	status := decode[web.Status](t, r.do(call{path: "/api/v1/status", basic: true}).Body)
	if !status.Decision.Serve || len(status.Decision.Servers) != 1 || !status.Others[0].Accepted {
		t.Errorf("the status tells %+v of %+v", status.Decision, status.Others)
	}
	if got := post("/api/v1/dhcp/decision", `{"serve":false}`); got != 204 || r.box.heldBack != 1 {
		t.Errorf("got %d, held back %d times", got, r.box.heldBack)
	}
	if got := post("/api/v1/dhcp/look", ""); got != 204 || r.box.looks != 1 {
		t.Errorf("got %d, looked %d times", got, r.box.looks)
	}
}

// The buttons appear while the page is open, and work; without JavaScript too, after the page is loaded again.
func TestOtherDHCPServerInABrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	b.loginAt(r.server.URL())
	b.see("Everything runs.")
	r.box.mu.Lock()
	r.box.status.Services = map[string]web.Service{"dhcp": {State: "held", Detail: "another server answers"}, "web": {State: "running"}}
	r.box.status.Others = []web.OtherDHCP{{
		Address: "10.77.0.254", MAC: "52:54:00:12:34:56", Offered: "10.77.9.9", Seen: r.clock.Now(),
		Options: []web.DHCPOption{{Code: 3, Name: "router", Value: "10.77.0.253"}, {Code: 43, Value: "0x" + strings.Repeat("0123456789abcdef", 16)}},
	}}
	r.box.mu.Unlock()
	b.see("Another DHCP server answers on this network")
	b.see("It tells its clients: router 10.77.0.253, option 43 0x0123456789abcdef0123456789abcdef012345….")
	b.shoot("held")
	b.do(chromedp.Click(chromedp.CSS(`form[action="/look-again"] button`)))
	b.see("The box looks for other DHCP servers now.")
	b.do(chromedp.Click(chromedp.CSS(`form[action="/serve-anyway"] button`)))
	b.see("beside the DHCP server 10.77.0.254.")
	b.shoot("decided")
	b.do(chromedp.Click(chromedp.CSS(`form[action="/hold-back"] button`)))
	b.see("The box holds back again")
	r.box.mu.Lock()
	defer r.box.mu.Unlock()
	if r.box.looks != 1 || r.box.anyway != 1 || r.box.heldBack != 1 || fmt.Sprint(r.box.beside) != "[10.77.0.254]" {
		t.Errorf("the box was told %d, %d, %d times, of %v", r.box.looks, r.box.anyway, r.box.heldBack, r.box.beside)
	}
	b.quiet()
}

// A phone that waits for an address because the box holds back leads to where that is decided.
func TestAPhoneThatIsHeldBackLeadsToTheDecisionInABrowser(t *testing.T) {
	bothWays(t, func(t *testing.T, r *rig, b *browser, url string, _ bool) {
		r.box.mu.Lock()
		r.box.status.Services = map[string]web.Service{"dhcp": {State: "held", Detail: "another server answers"}, "web": {State: "running"}}
		r.box.mu.Unlock()
		b.visit(url + "phones/000A41AABBCD")
		b.see("Decide whether this box gives out addresses")
		b.choose("Decide")
		b.at("/")
		b.click(`form[action="/serve-anyway"] button`)
		b.see("The box hands out addresses now")
		r.box.mu.Lock()
		defer r.box.mu.Unlock()
		if r.box.anyway != 1 {
			t.Errorf("the box was told %d times to hand out addresses, want once", r.box.anyway)
		}
	})
}
