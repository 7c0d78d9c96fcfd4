package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// wizardRig is a page of a box that has no settings yet.
func wizardRig(t *testing.T, change func(*web.Config)) (*rig, *fakeStarter) {
	t.Helper()
	r := newRig(t, change)
	f := &fakeStarter{box: r.box, state: web.StartState{Wanted: true}}
	r.metrics = prometheus.NewRegistry()
	server, err := newServer(r.cfg, web.Deps{
		Box: r.box, Shop: r.shop, Files: fakeFiles{}, Secrets: r.secrets, Now: r.clock.Now, Uptime: r.clock.Uptime,
		Log:     slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: r.metrics, Registerer: r.metrics, Start: f, Forms: r.forms,
		Report: func(e web.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	return r, f
}

// begun is a wizardRig with the password set and somebody logged in.
func begun(t *testing.T) (*rig, *fakeStarter, *http.Cookie) {
	t.Helper()
	r, f := wizardRig(t, nil)
	r.setUp()
	return r, f, r.login()
}

// leads fails the test unless an answer leads to a path, and returns the page there.
func (r *rig) leads(c *http.Cookie, w *httptest.ResponseRecorder, path string) string {
	r.t.Helper()
	wantCode(r.t, w, 303)
	at := w.Header().Get("Location")
	if bare, _, _ := strings.Cut(at, "?"); bare != path {
		r.t.Fatalf("it leads to %q, want %s", at, path)
	}
	return r.do(call{path: at, cookie: c}).Body.String()
}

func (r *rig) etag() string {
	_, etag := r.box.site.Fields()
	return etag
}

func TestTheFirstPasswordLeadsIntoTheWizard(t *testing.T) {
	r, _ := wizardRig(t, nil)
	page := r.do(call{path: "/setup"}).Body.String()
	wantText(t, page, "Set the first password", "Step 1 of 6", "Telephony")
	wantNoText(t, page, `href="/start`)
	w := r.form("/setup", nil, url.Values{"password": {password}, "again": {password}})
	c := w.Result().Cookies()[0]
	at := r.leads(c, w, "/start")
	_ = at
	wantText(t, r.leads(c, r.do(call{path: "/start", cookie: c}), "/start/wire"), "Step 2 of 6", "Is this the voice VLAN?", `aria-current="step"`)
}

// Promise 5 is as strict with a wizard as without.
func TestBeforeThePasswordThereIsNoWizard(t *testing.T) {
	r, f := wizardRig(t, nil)
	for _, path := range []string{"/start", "/start/wire", "/start/address", "/start/phones", "/start/wire/stream", "/start/phones/stream"} {
		if w := r.do(call{path: path}); w.Code != 303 || w.Header().Get("Location") != "/setup" {
			t.Errorf("%s: got %d to %q, want 303 to /setup", path, w.Code, w.Header().Get("Location"))
		}
		wantCode(t, r.do(call{path: path, from: "192.168.1.1:1"}), 403)
	}
	wantCode(t, r.do(call{path: "/api/v1/neighbours"}), 403)
	for _, path := range []string{"/start/wire", "/start/address", "/start/address/move", "/start/time", "/start/provider", "/start/phones", "/start/later", "/start/leave", "/start/finish", "/start/wire/look", "/start/wire/serve", "/start/wire/hold-back"} {
		r.form(path, nil, url.Values{"mac": {"00:0B:00:00:00:01"}, "network.address": {"10.9.0.1/16"}, "sip.proxy": {"x"}, "step": {"wire"}})
	}
	r.setUp()
	for _, path := range []string{"/start/wire", "/start/address", "/start/address/move", "/start/phones", "/start/finish", "/start/wire/serve"} {
		w := r.form(path, nil, url.Values{"mac": {"00:0B:00:00:00:01"}, "network.address": {"10.9.0.1/16"}})
		wantLogin(t, path+" without a login", w)
	}
	if len(f.state.Done)+len(f.state.Later)+len(f.moved)+len(f.checked)+r.box.looks+r.box.anyway+len(r.box.site.phones) != 0 || !f.state.Wanted {
		t.Errorf("something was changed without a login: %+v", f.state)
	}
}

func TestABoxWithSettingsHasNoWizard(t *testing.T) {
	for name, r := range map[string]*rig{"without any": newRig(t, nil), "not wanted": func() *rig { r, f := wizardRig(t, nil); f.state.Wanted = false; return r }()} {
		wantNoText(t, r.do(call{path: "/setup"}).Body.String(), "Step 1 of 6")
		w := r.form("/setup", nil, url.Values{"password": {password}, "again": {password}})
		c := w.Result().Cookies()[0]
		r.leads(c, w, "/")
		for _, path := range []string{"/start", "/start/wire", "/start/nonsense"} {
			if w := r.do(call{path: path, cookie: c}); w.Code != 303 || w.Header().Get("Location") != "/" {
				t.Errorf("%s, %s: got %d to %q, want 303 to /", name, path, w.Code, w.Header().Get("Location"))
			}
		}
		r.leads(c, r.form("/start/finish", c, nil), "/")
		wantNoText(t, r.do(call{path: "/", cookie: c}).Body.String(), "Setting up is not finished")
	}
}

// Every step can be left, left again, gone back to and done later; nothing on the way is a dead end.
func TestEveryStepCanBeLeftForLater(t *testing.T) {
	r, f, c := begun(t)
	order := []string{"wire", "address", "time", "provider", "phones"}
	for i, step := range order {
		page := r.do(call{path: "/start/" + step, cookie: c}).Body.String()
		wantText(t, page, fmt.Sprintf("Step %d of 6", i+2), "Do this step later", "Leave setting up for now", `action="/start/leave"`)
		back := "/start/password"
		if i > 0 {
			back = "/start/" + order[i-1]
		}
		wantText(t, page, `href="`+back+`">Back</a>`)
		w := r.form("/start/later", c, url.Values{"step": {step}})
		next := "/"
		if i < len(order)-1 {
			next = "/start/" + order[i+1]
		}
		r.leads(c, w, next)
	}
	if !slices.Equal(f.state.Later, order) || len(f.state.Done) != 0 || !f.state.Wanted {
		t.Errorf("kept is %+v", f.state)
	}
	for _, path := range []string{"/", "/settings"} {
		wantText(t, r.do(call{path: path, cookie: c}).Body.String(), "Setting up is not finished: 1 of 6 steps are done.", `href="/start"`)
	}
	wantNoText(t, r.do(call{path: "/phones", cookie: c}).Body.String(), "Setting up is not finished")
	r.leads(c, r.do(call{path: "/start", cookie: c}), "/start/wire")
	r.leads(c, r.form("/start/wire", c, nil), "/start/address")
	r.leads(c, r.do(call{path: "/start", cookie: c}), "/start/address")
	r.leads(c, r.form("/start/later", c, url.Values{"step": {"wire"}}), "/start/address")
	if f.state.Done[0] != "wire" {
		t.Error("a step that is done was left")
	}
	r.leads(c, r.form("/start/leave", c, nil), "/")
	if !f.state.Wanted {
		t.Error("leaving it for now ended it")
	}
	wantCode(t, r.form("/start/later", c, url.Values{"step": {"nonsense"}}), 422)
	wantCode(t, r.do(call{path: "/start/nonsense", cookie: c}), 404)
	wantCode(t, r.form("/start/nonsense", c, nil), 404)
	text := r.leads(c, r.form("/start/finish", c, nil), "/")
	wantText(t, text, "Setting up is finished.")
	wantNoText(t, text, "Setting up is not finished")
}

// A card that cannot be written must not stop anybody.
func TestTheWizardGoesOnThoughNothingCanBeStored(t *testing.T) {
	r, f, c := begun(t)
	f.fail = errors.New("the card is full")
	r.leads(c, r.form("/start/wire", c, nil), "/start/address")
	wantText(t, r.log.String(), "the card is full")
}

func TestTheWizardFromBeginToEnd(t *testing.T) {
	r, f, c := begun(t)
	r.leads(c, r.form("/start/wire", c, nil), "/start/address")
	page := r.leads(c, r.form("/start/address", c, url.Values{"etag": {r.etag()}, "network.address": {"10.77.0.1/16"}, "network.gateway": {""}, "dhcp.pool": {"10.77.1.1-10.77.1.9"}}), "/start/time")
	wantText(t, page, "The addresses are saved", `<option value="UTC" selected>`, "data-browser-zone", `<option value="Europe/Brussels">Brussels</option>`)
	page = r.leads(c, r.form("/start/time", c, url.Values{"etag": {r.etag()}, "time.zone": {"Europe/Brussels"}, "clock": {"1"}, "unix": {"1772366400.5"}}), "/start/provider")
	wantText(t, page, "the clock is set", `name="sip.proxy"`)
	page = r.leads(c, r.form("/start/provider", c, url.Values{"etag": {r.etag()}, "sip.proxy": {"pbx.example"}, "sip.port": {"5060"}}), "/start/phones")
	wantText(t, page, "Saved. pbx.example answers and calls itself Asterisk PBX 18.")
	page = r.leads(c, r.form("/start/phones", c, url.Values{"mac": {"0006d7aa2a2e"}, "label": {"Reception"}, "lines[0].name": {"208"}, "lines[0].password": {"sip-secret-208"}}), "/start/phones")
	wantText(t, page, "The phone is added.", "Reception", "Finish: to the overview")
	wantNoText(t, page, "sip-secret-208")
	page = r.leads(c, r.form("/start/phones", c, url.Values{"go": {"1"}}), "/")
	wantText(t, page, "The box is set up.")
	wantNoText(t, page, "Setting up is not finished")
	got := r.box.site.snapshot()[mac(t, reception)]
	if got.Label != "Reception" || len(got.Lines) != 1 || got.Lines[0] != (web.LineEntry{Name: "208", AuthName: "208", Password: "sip-secret-208", DisplayName: "Reception"}) {
		t.Errorf("the site has %+v", got)
	}
	if v := r.box.site.values; v["time.zone"] != "Europe/Brussels" || v["sip.proxy"] != "pbx.example" || v["dhcp.pool"] != "10.77.1.1-10.77.1.9" {
		t.Errorf("the settings are %v", v)
	}
	if f.state.Wanted || len(f.state.Done) != 5 || len(r.box.clock) != 1 || len(f.checked) != 1 {
		t.Errorf("kept is %+v, the clock was set to %v, %v was checked", f.state, r.box.clock, f.checked)
	}
}

func TestWhatIsWrongStandsBesideItsField(t *testing.T) {
	r, f, c := begun(t)
	page := func(w *httptest.ResponseRecorder) string {
		t.Helper()
		wantCode(t, w, 422)
		wantText(t, w.Body.String(), "Do this step later", "Back</a>") // and nobody is stuck
		return w.Body.String()
	}
	text := page(r.form("/start/address", c, url.Values{"etag": {r.etag()}, "network.address": {"10.77.0.1/16"}, "network.gateway": {"10.77.0.253"}, "dhcp.pool": {"x"}}))
	wantText(t, text, "Nothing was saved", `Entry 1: found &#34;x&#34;; allowed: a range of addresses`, `value="10.77.0.253"`, `aria-invalid="true"`, "\nx</textarea>")
	f.moves = true
	text = page(r.form("/start/address", c, url.Values{"etag": {r.etag()}, "network.address": {"10.9.0.1/16"}, "dhcp.pool": {"x"}}))
	wantText(t, text, `value="10.9.0.1/16"`, "a range of addresses")
	text = page(r.form("/start/address/move", c, url.Values{"etag": {r.etag()}, "network.address": {"10.9.0.1/16"}, "dhcp.pool": {"x"}}))
	wantText(t, text, "a range of addresses")
	if len(f.moved) != 0 {
		t.Errorf("it moved to %v", f.moved)
	}
	r.box.site.refuse = []web.Fault{{Key: "time.zone", Found: `"Mars/Base"`, Allowed: "a name such as Europe/Brussels"}}
	text = page(r.form("/start/time", c, url.Values{"etag": {r.etag()}, "time.zone": {"Mars/Base"}}))
	wantText(t, text, "allowed: a name such as Europe/Brussels", `<option value="Mars/Base" selected>`)
	text = page(r.form("/start/time", c, url.Values{"etag": {r.etag()}, "time.zone": {"Europe/Paris"}, "clock": {"1"}, "utc": {"yesterday"}}))
	wantText(t, text, "The time zone is saved.", "That is no date and time.", `<option value="Europe/Paris" selected>`)
	r.box.site.refuse = []web.Fault{{Key: "dns.upstream[0]", Found: `"x"`, Allowed: "an address"}, {Key: "sip.proxy", Found: `"x y"`, Allowed: "a name"}}
	text = page(r.form("/start/provider", c, url.Values{"etag": {r.etag()}, "sip.proxy": {"x y"}, "dns.upstream": {"x"}}))
	wantText(t, text, `value="x y"`, "allowed: a name", "allowed: an address", "<details class=\"line\" open>")
	text = page(r.form("/start/phones", c, url.Values{"mac": {"nonsense"}, "label": {"Cellar"}, "lines[0].name": {"209"}}))
	wantText(t, text, "found &#34;nonsense&#34;", `value="Cellar"`, `value="209"`)
	r.box.site.refuse = []web.Fault{{Key: "phones[0].lines[0].name", Found: `"2 9"`, Allowed: "a number"}, {Key: "phones[0].lines[0].authname", Found: "y", Allowed: "z"}}
	text = page(r.form("/start/phones", c, url.Values{"mac": {"00:0B:00:00:00:01"}, "lines[0].name": {"2 9"}}))
	wantText(t, text, "allowed: a number", "allowed: z", `value="2 9"`)
	// Settings that changed meanwhile are not overwritten unseen.
	w := r.form("/start/provider", c, url.Values{"etag": {"stale"}, "sip.proxy": {"pbx.example"}})
	wantCode(t, w, 412)
	wantText(t, w.Body.String(), "somebody changed the settings", `value="pbx.example"`)
	if stateOf(f.state, "address")+stateOf(f.state, "provider") != "" {
		t.Errorf("a step that was refused counts as done: %+v", f.state)
	}
}

func TestAPhoneOnTheListIsNotReplacedByTheWizard(t *testing.T) {
	r, _, c := begun(t)
	furnish(t, r)
	w := r.form("/start/phones", c, url.Values{"mac": {reception}, "label": {"Other"}, "lines[0].name": {"999"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "which is on the list already")
	if got := r.box.site.snapshot()[mac(t, reception)]; got.Label != "Reception" || got.Lines[0].Name != "208" {
		t.Errorf("the phone is %+v now", got)
	}
}

func TestPhonesThatShowedUpAreAddedWithOneClick(t *testing.T) {
	r, _, c := begun(t)
	furnish(t, r)
	laptop := mac(t, "00:50:56:01:02:03")
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: laptop, Step: phone.Addressed}, nil)
	page := r.do(call{path: "/start/phones", cookie: c}).Body.String()
	wantText(t, page, `name="mac" value="00:08:21:0A:0B:0C"`, "seen=0008210A0B0C", "Reception", "ready")
	wantNoText(t, page, laptop.String(), `name="mac" value="`+reception+`"`)
	for i := range 40 {
		r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: phone.MAC{0, 7, 0xeb, 0, 0, byte(i)}, Step: phone.Loading}, nil)
	}
	page = r.do(call{path: "/start/phones", cookie: c}).Body.String()
	wantText(t, page, "29 more phones are not shown")
	r.leads(c, r.form("/start/phones", c, url.Values{"mac": {"00:08:21:0A:0B:0C"}, "label": {"Attic"}, "lines[0].name": {"210"}}), "/start/phones")
	if got := r.box.site.snapshot()[mac(t, "00:08:21:0A:0B:0C")]; got.Label != "Attic" || got.Model != "7960" {
		t.Errorf("the site has %+v", got)
	}
}

func TestWhatWasSeenOnTheWire(t *testing.T) {
	r, f, c := begun(t)
	see := func() string { return r.do(call{path: "/start/wire", cookie: c}).Body.String() }
	r.box.status.Network = web.Network{Condition: "ready", Text: "eth0 is up with 10.77.0.1/16"}
	wantText(t, see(), "eth0 is up", "Nothing speaks against it", "No switch has announced itself", "No other one answers", "Go on all the same")
	f.neighbours = []web.Neighbour{{Protocol: "CDP", Name: "core<script>", Platform: "cisco WS-C3560", Port: "FastEthernet0/7", Address: "10.77.0.254", VLAN: 10, Voice: 77, Switch: true}}
	page := see()
	wantText(t, page, "This does not look like the voice VLAN", "core&lt;script&gt;", "FastEthernet0/7", "The box is in VLAN 10 here, and the switch tells phones to use VLAN 77.", "make VLAN 77 the access VLAN of this port")
	f.neighbours[0].VLAN = 77
	wantText(t, see(), "This looks like the voice VLAN.", "Yes, go on")
	f.neighbours = []web.Neighbour{{Protocol: "LLDP", Name: "pc", VLAN: 5}}
	wantText(t, see(), "Device", "The box is in VLAN 5 here.")
	f.neighbours = nil
	r.box.status.Network.Foreign, r.box.status.Network.ForeignGateway = "192.168.5.0/24", "192.168.5.1"
	wantText(t, see(), "Another network lives on this wire", "Devices of the network 192.168.5.0/24 are on this wire, with the router 192.168.5.1.")
	r.box.status.Network.Duplicate = "52:54:00:00:00:09"
	wantText(t, see(), "Another device uses the address of the box.", "52:54:00:00:00:09")
	r.box.status.Network = web.Network{Condition: "unplugged", Text: "eth0 has no link: the cable is out, or the switch is off"}
	wantText(t, see(), "no working link", "the cable is out", "Go on all the same")
}

func TestAnotherDHCPServerInTheWizard(t *testing.T) {
	r, _, c := begun(t)
	r.box.status.Services["dhcp"] = web.Service{State: "held"}
	r.box.status.Others = []web.OtherDHCP{
		{Address: "10.77.0.254", MAC: "52:54:00:12:34:56", Offered: "10.77.9.9", Options: []web.DHCPOption{{Code: 3, Name: "router", Value: "10.77.0.254"}}},
	}
	page := r.do(call{path: "/start/wire", cookie: c}).Body.String()
	wantText(t, page, "It offered 10.77.9.9.", "It tells its clients: router 10.77.0.254.", "Hand out addresses anyway", "Switch the other one off", `name="server" value="10.77.0.254"`)
	r.leads(c, r.form("/start/wire/look", c, nil), "/start/wire")
	page = r.leads(c, r.form("/start/wire/serve", c, url.Values{"server": {"10.77.0.254"}}), "/start/wire")
	wantText(t, page, "The box was told to answer beside it.", "Hold back again")
	r.leads(c, r.form("/start/wire/hold-back", c, nil), "/start/wire")
	if r.box.looks != 1 || r.box.anyway != 1 || r.box.heldBack != 1 {
		t.Errorf("looked %d, served %d, held back %d times, want once each", r.box.looks, r.box.anyway, r.box.heldBack)
	}
	wantCode(t, r.form("/start/wire/serve", c, url.Values{"server": {"router"}}), 422)
}

func TestAProposedAddressAndTheMoveThere(t *testing.T) {
	r, f, c := begun(t)
	f.moves = true
	f.proposal = web.Proposal{
		Values: map[string]string{"network.address": "192.168.5.250/24", "network.gateway": "192.168.5.1", "dhcp.pool": "192.168.5.186-192.168.5.249"},
		Why:    "Devices of the network 192.168.5.0/24 are on this wire.",
	}
	page := r.do(call{path: "/start/address", cookie: c}).Body.String()
	wantText(t, page, `value="192.168.5.250/24"`, `value="192.168.5.1"`, "192.168.5.186-192.168.5.249</textarea>", "Devices of the network 192.168.5.0/24", "Keep 10.77.0.1/16 instead")
	page = r.do(call{path: "/start/address?keep=1", cookie: c}).Body.String()
	wantText(t, page, `value="10.77.0.1/16"`)
	wantNoText(t, page, "192.168.5.250")

	values := url.Values{"etag": {r.etag()}, "network.address": {"192.168.5.250/24"}, "network.gateway": {"192.168.5.1"}, "dhcp.pool": {"192.168.5.186-192.168.5.249"}}
	w := r.form("/start/address", c, values)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "The box leaves 10.77.0.1/16 and moves to 192.168.5.250/24.", "https://192.168.5.250:0/login?next=/start", "within 10 minutes", "Move the box now",
		`name="dhcp.pool" value="192.168.5.186-192.168.5.249"`)
	if len(f.moved) != 0 || stateOf(f.state, "address") != "" {
		t.Error("it moved before it was asked to")
	}
	stale := url.Values{"etag": {"stale"}, "network.address": {"192.168.5.250/24"}}
	wantCode(t, r.form("/start/address/move", c, stale), 412)
	w = r.form("/start/address/move", c, values)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "The box moves to 192.168.5.250/24 now.", "Open the page at the new address", "Log in with your password", "goes back to 10.77.0.1/16 by itself")
	if !slices.Equal(f.moved, []string{"192.168.5.250/24"}) || stateOf(f.state, "address") != "done" {
		t.Errorf("it moved to %v, kept is %+v", f.moved, f.state)
	}
	if len(r.box.site.values) != 0 {
		t.Errorf("the page changed the settings itself: %v", r.box.site.values)
	}
	// What went wrong meanwhile is told in the wizard and on the overview.
	f.state.Done, f.state.Problem = []string{"wire"}, "Nobody opened the page at 192.168.5.250, so the box went back to 10.77.0.1/16."
	wantText(t, r.do(call{path: "/", cookie: c}).Body.String(), "Nobody opened the page at 192.168.5.250")
	wantText(t, r.leads(c, r.do(call{path: "/start", cookie: c}), "/start/address"), "Nobody opened the page at 192.168.5.250")
}

// Only a person at the new address has found the box there.
func TestArrivingAtTheNewAddress(t *testing.T) {
	r, f := wizardRig(t, single)
	r.run()
	r.setUpOver(http.DefaultClient)
	f.mu.Lock()
	f.moving = "127.0.0.9"
	f.mu.Unlock()
	browser := client(t)
	ask := func(path string) int {
		t.Helper()
		resp, err := browser.Get(r.server.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	arrived := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.arrived
	}
	login, err := browser.PostForm(r.server.URL()+"login", url.Values{"password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	login.Body.Close()
	if ask("system") != 200 || arrived() != 0 {
		t.Error("a person at the old address counts")
	}
	f.mu.Lock()
	f.moving = "127.0.0.1"
	f.mu.Unlock()
	resp, err := http.Get(r.server.URL() + "login")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if arrived() != 0 {
		t.Error("a stranger at the new address counts")
	}
	if ask("system") != 200 || arrived() != 1 {
		t.Error("a person at the new address does not count")
	}
}

func TestATelephoneSystemThatDoesNotAnswer(t *testing.T) {
	r, f, c := begun(t)
	f.check = func(host, _ string) web.ProxyCheck {
		return web.ProxyCheck{Verdict: "name_not_found", Text: "The name " + host + " is not known."}
	}
	w := r.form("/start/provider", c, url.Values{"etag": {r.etag()}, "sip.proxy": {"pbx.example"}, "sip.port": {"5070"}})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "The name pbx.example is not known.", "It is saved all the same.", `value="pbx.example"`, "Go on all the same", "<details class=\"line\" open>")
	if f.checked[0] != "pbx.example 5070" || stateOf(f.state, "provider") != "" || r.box.site.values["sip.proxy"] != "pbx.example" {
		t.Errorf("checked %v, kept %+v", f.checked, f.state)
	}
	r.leads(c, r.form("/start/provider", c, url.Values{"go": {"1"}}), "/start/phones")
	if stateOf(f.state, "provider") != "done" {
		t.Errorf("kept is %+v", f.state)
	}
}

func TestTheWizardsAPI(t *testing.T) {
	r, f, _ := begun(t)
	f.neighbours = []web.Neighbour{{Protocol: "CDP", Name: "core", VLAN: 10, Voice: 77, Switch: true}}
	w := r.do(call{path: "/api/v1/neighbours", basic: true})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `"name":"core"`, `"voice_vlan":77`, `"switch":true`)
	w = r.do(call{method: "POST", path: "/api/v1/provider/check", body: `{"host":"pbx.example","port":"5061"}`, basic: true})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `"ok":true`, `"addresses":["10.77.0.10:5060"]`)
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/provider/check", body: `{"host":5}`, basic: true}), 400)
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/provider/check", body: `{"host":"x"}`}), 401)
	none := apiRig(t)
	wantText(t, none.do(call{path: "/api/v1/neighbours", basic: true}).Body.String(), "[]")
	wantCode(t, none.do(call{method: "POST", path: "/api/v1/provider/check", body: `{"host":"x"}`, basic: true}), 503)
}

// stateOf is what became of a step.
func stateOf(s web.StartState, step string) string {
	switch {
	case slices.Contains(s.Done, step):
		return "done"
	case slices.Contains(s.Later, step):
		return "later"
	}
	return ""
}

// BenchmarkTheWizardWith500Phones makes the steps that show phones, with 500 of them.
func BenchmarkTheWizardWith500Phones(b *testing.B) {
	for _, step := range []string{"wire", "time", "phones"} {
		b.Run(step, func(b *testing.B) {
			t := &testing.T{}
			r, _ := wizardRig(t, func(cfg *web.Config) { cfg.CertDir = b.TempDir() })
			for i := range 500 {
				m := phone.MAC{0, 7, 0xeb, 0, byte(i >> 8), byte(i)}
				r.box.phones = append(r.box.phones, web.Phone{MAC: m, Label: fmt.Sprintf("Phone %d", i), Model: "7960", Step: phone.Ready, Known: i%2 == 0})
			}
			handler := r.server.StartPage(step)
			for b.Loop() {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/start/"+step, nil))
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// Somebody whose browser tells no time, or who presses before its scripts are there, is not held up.
func TestNoTimeIsNoReasonToStop(t *testing.T) {
	r, f, c := begun(t)
	page := r.leads(c, r.form("/start/time", c, url.Values{"etag": {r.etag()}, "time.zone": {"Europe/Brussels"}, "clock": {"1"}, "unix": {""}, "utc": {" "}}), "/start/provider")
	wantText(t, page, "The clock was left as it is, because no time was given.")
	if len(r.box.clock) != 0 || stateOf(f.state, "time") != "done" {
		t.Errorf("the clock was set to %v, kept is %+v", r.box.clock, f.state)
	}
}

// What somebody made up as a zone must not become a part of the page.
func TestTheListOfZonesIsEscaped(t *testing.T) {
	r, _, c := begun(t)
	r.box.site.set(map[string]string{"time.zone": `"><script>alert(1)</script>`})
	page := r.do(call{path: "/start/time", cookie: c}).Body.String()
	wantText(t, page, `<option value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;" selected>`)
	wantNoText(t, page, "<script>alert")
}
