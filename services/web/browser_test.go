package web_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/testkit"
	"phonebox/services/web"
)

// browser is a window of Chromium for a test, with cookies and a cache of its own; complaints are what it wrote to its console.
type browser struct {
	t   *testing.T
	ctx context.Context
	mu  sync.Mutex
	bad []string

	scriptless bool // the page's scripts are off
}

// scripts switches the page's scripts on or off.
func (b *browser) scripts(on bool) {
	b.t.Helper()
	b.scriptless = !on
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	if !on {
		command(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: noScripts})
	}
}

// chromium is the one that all tests share: to start one costs seconds.
var chromium struct {
	mu   sync.Mutex
	ctx  context.Context
	home string
}

// startChromium returns the shared Chromium; it starts one if there is none, or if it died.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	testkit.Need(t, "chromium")
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	if chromium.ctx != nil && chromium.ctx.Err() == nil {
		return chromium.ctx
	}
	home, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(home), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, _ := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatalf("starting Chromium: %v", err)
	}
	chromium.ctx, chromium.home = ctx, home
	return ctx
}

// endChromium is for the end of all tests.
func endChromium() {
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	if chromium.ctx == nil {
		return
	}
	_ = chromedp.Cancel(chromium.ctx)
	_ = os.RemoveAll(chromium.home)
	chromium.ctx = nil
}

// newBrowser opens a window for a test, which ends with it.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	ctx, cancel := context.WithTimeout(startChromium(t), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(b.close)
	b.do() // opens it
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	// As if it had the focus: several are open beside each other.
	command(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	command(b, runtime.AddBinding, runtime.AddBindingParams{Name: "buttonPressed"})
	command(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: tellsPresses})
	return b
}

// close closes the window. Where the page is served by a rig that began later, it is closed before that one stops: else the rig waits
// for its streams.
func (b *browser) close() { _ = chromedp.Cancel(b.ctx) }

// tellsPresses tells which buttons are pressed that a script of the page serves.
const tellsPresses = `addEventListener("click", (e) => {
	for (const a of e.target.closest?.("button, a, input")?.attributes ?? []) if (a.name.startsWith("data-")) buttonPressed(a.name);
}, true)`

// hear takes note of what the browser complains of, and of presses.
func (b *browser) hear(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventBindingCalled:
		pressed.clicked(e.Payload)
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			what += " " + e.ExceptionDetails.Exception.Description
		}
		b.bad = append(b.bad, "exception: "+what)
	case *log.EventEntryAdded:
		// Expected answers such as 422 are logged by the network, not by the page.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			b.bad = append(b.bad, string(e.Entry.Source)+": "+e.Entry.Text)
		}
	}
}

// eachWay runs a test in a browser with the page's scripts and in one without, beside other tests.
func eachWay(t *testing.T, test func(t *testing.T, b *browser, script bool)) {
	t.Helper()
	t.Parallel()
	for _, w := range []way{scripted, scriptless} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			b := newBrowser(t)
			defer b.close()
			b.scripts(w == scripted)
			test(t, b, w == scripted)
			b.quiet()
		})
	}
}

// do runs actions and fails the test when one fails.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.ctx, context.CancelFunc(func() {})
	if len(actions) > 0 { // a deadline for the first call would end the browser
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
	}
	defer cancel()
	if len(actions) == 0 {
		if err := chromedp.Do(ctx); err != nil {
			b.t.Fatalf("starting the browser: %v", err)
		}
	}
	for _, action := range actions {
		err := chromedp.Do(ctx, action)
		for range 3 {
			if err == nil || !overtaken(err) {
				break
			}
			err = chromedp.Do(ctx, action)
		}
		if err != nil {
			b.t.Fatalf("driving the browser: %v; the page says:\n%s", err, b.text())
		}
	}
}

// overtaken reports whether an action did nothing because the page changed under it, as it does under a person who then tries again:
// what was found was exchanged before it was pressed, or the answer to what was pressed before took the place of a new page.
func overtaken(err error) bool {
	return strings.Contains(err.Error(), "Could not find node with given id") || strings.Contains(err.Error(), "net::ERR_ABORTED")
}

// text is what the page says, or why that is not known.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		return err.Error()
	}
	return text
}

// see waits until the page says text. It asks the browser, not the page, whose scripts may be off.
func (b *browser) see(text string) {
	b.t.Helper()
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the page says:\n%s", b.text())
		}
	}()
	waitFor(b.t, fmt.Sprintf("the page says %q", text), func() bool { return strings.Contains(b.text(), text) })
}

func eval[T any](b *browser, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.t.Fatalf("evaluating %s: %v", js, err)
	}
	return v
}

// quiet fails the test when the browser complained: of our content policy, or of a fault in a script.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.bad {
		b.t.Errorf("the browser complained: %s", c)
	}
}

func command[P, R any](b *browser, cmd cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, cmd, params); err != nil {
		b.t.Fatal(err)
	}
}

// shoot takes pictures at three widths, light and dark, into the test's artefacts, and fails when the page is wider
// than the screen or axe-core finds something. Under the race detector it does nothing: the run without it has the pictures.
func (b *browser) shoot(name string) {
	b.t.Helper()
	if racing {
		return
	}
	dir := b.t.ArtifactDir()
	for _, width := range []int64{320, 768, 1440} {
		for _, scheme := range []string{"light", "dark"} {
			command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
			})
			b.do(chromedp.EmulateViewport(width, 900))
			if eval[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
				b.t.Errorf("%s is wider than a screen of %d pixels", name, width)
			}
			if !b.scriptless && (width == 320 && scheme == "light" || width == 1440 && scheme == "dark") {
				b.axe(fmt.Sprintf("%s at %d, %s", name, width, scheme))
			}
			png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				b.t.Fatal(err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
			if err := os.WriteFile(file, png, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

func single(cfg *web.Config) {
	cfg.Single = true
	cfg.HTTP = netip.MustParseAddrPort("127.0.0.1:0")
	cfg.HTTPS = netip.AddrPort{}
	cfg.Server = netip.MustParsePrefix("127.77.0.1/16")
}

// furnish fills the box with phones in every state.
func furnish(t *testing.T, r *rig) {
	t.Helper()
	at := r.clock.Now()
	event := func(m phone.MAC, ago time.Duration, service, text string, step phone.Step, change func(*web.Phone)) {
		r.box.happen(web.PhoneEvent{Time: at.Add(-ago), MAC: m, Service: service, Text: text, Step: step}, change)
	}
	rec := mac(t, reception)
	r.box.site.phones[rec] = web.PhoneEntry{
		MAC: reception, Model: "7960", Label: "Reception", Address: "10.77.0.50",
		Lines:      []web.LineEntry{{Name: "208", AuthName: "208", Password: "sip-secret-208", DisplayName: "Reception", ShortName: "Front"}},
		Parameters: map[string]string{"messages_uri": "8500"},
	}
	event(rec, 90*time.Second, "dhcp", "asked for an address and was offered 10.77.0.50", phone.Seen, nil)
	event(rec, 89*time.Second, "dhcp", "was given 10.77.0.50 for 8 hours", phone.Addressed, nil)
	event(rec, 80*time.Second, "tftp", "asked for SIPDefault.cnf (1,204 bytes) and got it", phone.Loading, nil)
	event(rec, 75*time.Second, "tftp", "got SIP0006D7AA2A2E.cnf to the last block", phone.Configured, nil)
	event(rec, 70*time.Second, "sip", "answered: its SIP application runs", phone.Ready, func(p *web.Phone) {
		p.Label, p.Model, p.Address, p.Load, p.Protocol, p.Known = "Reception", "7960", "10.77.0.50", "P0S3-8-12-00", phone.SIP, true
	})
	r.box.furnishDHCP(rec, at)
	old := mac(t, "00:07:0E:11:22:33")
	r.box.site.phones[old] = web.PhoneEntry{MAC: old.String(), Label: "Warehouse"}
	event(old, 400*time.Second, "tftp", "asked for P003-8-12-00.bin, which is not on the shelf", phone.Stuck, func(p *web.Phone) {
		p.Label, p.Model, p.Address, p.Known, p.Protocol, p.Load = "Warehouse", "7940", "10.77.1.12", true, phone.SCCP, "P00303020214"
		p.Problem = "It asks for firmware that is not on the shelf: P003-8-12-00.bin."
		p.WaitingFor = "P003-8-12-00.bin"
	})
	stranger := mac(t, "00:08:21:0A:0B:0C")
	event(stranger, 5*time.Second, "tftp", "asked for SEP000821 0A0B0C.cnf.xml", phone.Loading, func(p *web.Phone) {
		p.Address, p.Model, p.WaitingFor = "10.77.1.13", "7960", "being put on the list"
	})
	up := mac(t, "00:0A:41:AA:BB:CC")
	r.box.site.phones[up] = web.PhoneEntry{MAC: up.String(), Label: "Meeting room, second floor"}
	event(up, 3*time.Second, "tftp", "gets P0S3-8-12-00.sb2, 61 %", phone.Upgrading, func(p *web.Phone) {
		p.Label, p.Model, p.Address, p.Known, p.Load = "Meeting room, second floor", "7960", "10.77.1.14", true, "P0S3-07-4-00"
		p.WaitingFor = "the rest of its firmware; do not unplug it"
	})
	r.box.site.phones[mac(t, "00:0A:41:AA:BB:CD")] = web.PhoneEntry{MAC: "00:0A:41:AA:BB:CD", Label: "Spare"}
	for name, a := range map[string]web.FileAnswer{
		"SIPDefault.cnf":      {Status: "ok", Body: []byte("image_version: P0S3-8-12-00\n"), ContentType: "text/plain"},
		"SIP0006D7AA2A2E.cnf": {Status: "ok", Body: []byte("line1_password: \"sip-secret-208\"\n"), ContentType: "text/plain"},
		"OS79XX.TXT":          {Status: "harmless", Why: "no load is to be named; the phone goes on without it"},
		"XMLDefault.cnf.xml":  {Status: "ok", Body: []byte("<Default/>"), ContentType: "text/xml"},
		"RINGLIST.DAT":        {Status: "refused", Why: "the file in the tftp folder cannot be read"},
		"own.html":            {Status: "ok", Body: []byte("<script>alert(1)</script>"), ContentType: "text/html"},
	} {
		r.box.files["0006D7AA2A2E/"+name] = a
	}
}

func TestPeopleSetUpLogInAndAddAPhoneInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r := newRig(t, single)
		r.run()
		url := r.server.URL()
		b.do(chromedp.Navigate(url))
		b.shoot("setup")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=password]"), password), chromedp.SendKeys(chromedp.CSS("[name=again]"), password+"x"), chromedp.Click(chromedp.CSS("button[type=submit]")))
		b.see("not the same")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=password]"), password), chromedp.SendKeys(chromedp.CSS("[name=again]"), password), chromedp.Click(chromedp.CSS("main button[type=submit]")))
		b.see("Everything runs.")
		b.do(chromedp.Click(chromedp.CSS("header button[type=submit]")))
		b.see("Log in")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=password]"), "wrong password"), chromedp.Click(chromedp.CSS("main button[type=submit]")))
		b.see("That password is not right.")
		b.shoot("login")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=password]"), password), chromedp.Click(chromedp.CSS("main button[type=submit]")))
		b.see("No phone yet: plug one in")
		b.do(chromedp.Click(chromedp.CSS(`nav a[href="/phones"]`)))
		b.see("Scan phones")

		b.do(chromedp.Click(chromedp.CSS(`a[href="/phones/new"][role=button]`)), chromedp.WaitVisible(chromedp.CSS("[name=mac]")),
			chromedp.SendKeys(chromedp.CSS("[name=mac]"), "0006d7aa2a2e"), chromedp.SendKeys(chromedp.CSS("[name=label]"), "Reception"),
			chromedp.Click(chromedp.CSS("details:has([name=address]) > summary")), chromedp.SendKeys(chromedp.CSS("[name=address]"), "nowhere"),
			chromedp.SendKeys(chromedp.CSS(`[name="lines[0].name"]`), "208"), chromedp.SendKeys(chromedp.CSS(`[name="lines[0].password"]`), "sip-secret-208"),
			chromedp.Click(chromedp.CSS("main button[type=submit]")))
		b.see("Nothing was saved")
		b.see("an address of the network")
		b.shoot("fault")
		b.do(chromedp.SetValue(chromedp.CSS("[name=address]"), "10.77.0.50"), chromedp.Click(chromedp.CSS("main button[type=submit]")))
		b.see("The phone was added.")
		b.see("Reception")
		got, _, ok := r.box.site.Phone(mac(t, reception))
		if !ok || got.Label != "Reception" || got.Address != "10.77.0.50" || len(got.Lines) != 1 || got.Lines[0].Name != "208" {
			t.Errorf("the site has %+v (%v), want the phone that was entered", got, ok)
		}
		if stored := r.box.site.snapshot()[mac(t, reception)].Lines[0].Password; stored != "sip-secret-208" {
			t.Errorf("the line's password is stored as %q, want the one entered", stored)
		}
	})
}

func TestTheTableOfPhonesIsLive(t *testing.T) {
	t.Parallel()
	// Over TLS, where the session's cookie is bound to it and streams share one connection.
	r := newRig(t, func(cfg *web.Config) { cfg.Server = netip.MustParsePrefix("127.0.0.1/8") })
	furnish(t, r)
	r.run()
	r.setUpOver(client(t))
	b := newBrowser(t)
	b.loginAt(r.server.URL())
	<-r.box.subbed
	b.see("1 of 4 phones ready, 1 loading firmware, 1 never seen, 1 not listed, 1 stuck: Warehouse.")
	r.box.mu.Lock()
	before := r.box.status.Services
	r.box.status.Services = map[string]web.Service{"dhcp": {State: "failed", Detail: "the port is taken"}, "web": {State: "running"}}
	r.box.mu.Unlock()
	b.see("DHCP is not running.")
	r.box.mu.Lock()
	r.box.status.Services = before
	r.box.status.Clock.Trusted = false
	r.box.mu.Unlock()
	b.see("The box does not know the right time.")
	b.do(chromedp.Click(chromedp.CSS("form[data-browser-time] button")))
	b.see("The clock is set.")
	r.box.mu.Lock()
	clock := slices.Clone(r.box.clock)
	r.box.mu.Unlock()
	if len(clock) != 1 || math.Abs(clock[0]-float64(time.Now().Unix())) > 60 {
		t.Errorf("the clock was set to %v, want this browser's time", clock)
	}

	b.do(chromedp.Click(chromedp.CSS(`nav a[href="/phones"]`)), chromedp.WaitVisible(chromedp.CSS("#phones")))
	b.see("5 phones: 1 ready, 1 stuck, 2 on the way, 1 never seen, 1 not listed")
	eval[chromedp.Void](b, `window.before = document.getElementById("p-0006D7AA2A2E"); window.before.querySelector("a").focus()`)

	rec := mac(t, reception)
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: rec, Step: phone.Loading}, func(p *web.Phone) { p.WaitingFor = "dialplan.xml" })
	b.see("Waiting for dialplan.xml")
	if !eval[bool](b, `window.before === document.getElementById("p-0006D7AA2A2E") && document.activeElement === window.before.querySelector("a")`) {
		t.Error("the row was exchanged under the person's focus, want it changed in place")
	}
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, "00:0B:00:00:00:01"), Step: phone.Seen}, nil)
	b.see("00:0B:00:00:00:01")
	if n := eval[int](b, `document.querySelectorAll("#phones tr").length`); n != 6 {
		t.Errorf("the table has %v rows, want 6", n)
	}

	eval[chromedp.Void](b, "window.mark = true")
	b.do(chromedp.Click(chromedp.CSS("#p-0006D7AA2A2E a")))
	b.see("What happened")
	if !eval[bool](b, "window.mark === true && location.pathname === '/phones/0006D7AA2A2E'") {
		t.Error("the link loaded a whole page, want htmx to exchange its content")
	}
	waitFor(t, "the stream of the page that was left ends", func() bool { return r.box.subscribers() == 1 })
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: rec, Service: "dns", Text: "asked for the name pbx", Step: phone.Ready}, nil)
	b.see("asked for the name pbx")

	b.do(chromedp.Navigate("http://" + r.server.HTTPAddr().String() + "/settings"))
	b.see("This way, please")
	b.shoot("lead")
	b.do(chromedp.Click(chromedp.CSS("main a[role=button]")))
	b.see("Log in") // the strict cookie does not follow a link from the plain port
	b.quiet()
}

func (r *rig) setUpOver(c *http.Client) {
	r.t.Helper()
	resp, err := c.Post(r.server.URL()+"api/v1/setup", "application/json", strings.NewReader(`{"password":"`+password+`"}`))
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		r.t.Fatalf("setting the first password: got %d, want 204", resp.StatusCode)
	}
}

func (b *browser) loginAt(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("[name=password]")),
		chromedp.SendKeys(chromedp.CSS("[name=password]"), password), chromedp.Click(chromedp.CSS("main button[type=submit]")),
		chromedp.WaitVisible(chromedp.CSS("#state")))
}

// On a slow network the extension that opens the stream comes later than htmx; the page must become live all the same.
func TestThePageIsLiveHoweverSlowlyItsScriptsCome(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	asked, goOn := make(chan struct{}), make(chan struct{})
	ask, letGo := sync.OnceFunc(func() { close(asked) }), sync.OnceFunc(func() { close(goOn) })
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "hx-sse.min.js") {
			ask()
			<-goOn
		}
		r.server.HTTPHandler().ServeHTTP(w, req)
	}))
	defer srv.Close()
	defer srv.CloseClientConnections()
	defer letGo()
	b := newBrowser(t)
	b.loginAt(srv.URL)
	<-asked
	waitFor(t, "htmx is there", func() bool { return eval[bool](b, `typeof htmx === "object"`) })
	eval[chromedp.Void](b, `setTimeout(() => { window.ticked = true })`)
	waitFor(t, "what htmx put off is done", func() bool { return eval[bool](b, `window.ticked === true`) })
	letGo()
	waitFor(t, "the page opens its stream", func() bool { return r.box.subscribers() == 1 })
}

func TestEveryPageFitsEveryScreen(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	furnishActivity(t, r)
	b.loginAt(url)
	b.shoot("overview")
	r.box.mu.Lock()
	r.box.status.Services = map[string]web.Service{
		"dhcp": {State: "held", Detail: "another server answers"}, "tftp": {State: "running"}, "sntp": {State: "running"},
		"dns": {State: "failed", Detail: "listening on 10.77.0.1:53: address already in use"}, "sip": {State: "off"}, "web": {State: "running"},
	}
	r.box.status.Others = []web.OtherDHCP{{Address: "10.77.0.254", MAC: "52:54:00:12:34:56", Offered: "10.77.9.9", Seen: r.clock.Now()}}
	r.box.status.Clock = web.Clock{Source: "the last known time", Problem: "No time from upstream: no server gave a usable answer.", Servers: []web.TimeServer{
		{Name: "europe.pool.ntp.example", Address: "192.0.2.1", Verdict: "not right", Stratum: 2, OffsetS: 0.001, DelayS: 0.02, ErrorS: 0.03, Reach: 255},
		{Name: "192.0.2.9", Address: "192.0.2.9", Verdict: "disagrees", Stratum: 1, OffsetS: -10, DelayS: 0.02, ErrorS: 0.01, Reach: 255},
		{Name: "time.example", Verdict: "silent", Why: "there is no such name"},
	}}
	r.box.times = map[phone.MAC]web.PhoneTime{mac(t, reception): {Asked: &web.TimeAsked{Mode: 3, Version: 3, To: "10.77.0.1", Destination: "the box", Stratum: 16}}}
	r.box.status.Notices = []string{"The file site.toml was refused; the last good settings are in force."}
	r.box.mu.Unlock()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#state")))
	b.shoot("trouble")
	for name, path := range map[string]string{
		"phone": "phones/0006D7AA2A2E", "stuck": "phones/00070E112233", "edit": "phones/0006D7AA2A2E/edit", "new": "phones/new",
		"remove": "phones/0006D7AA2A2E/remove", "settings": "settings", "file": "settings/file", "firmware": "firmware",
		"password": "password", "missing": "nowhere", "conversions": "conversions?from=P0S3-04-4-00&to=P0S3-8-12-00", "phones": "phones", "system": "system", "help": "help", "names": "names", "time": "time",
		"dialplan": "dialplan?number=112", "directory": "directory", "media": "media", "import": "import", "parameters": "phones/0006D7AA2A2E/parameters",
	} {
		b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
		b.shoot(name)
		if bare := eval[string](b, unlabelled); bare != "" {
			t.Errorf("%s has fields without a label: %s", name, bare)
		}
	}
	b.quiet()
}

// What a phone asked by DHCP and got stands on its page, its bytes to unfold, at every width; and it changes while one looks.
func TestWhatAPhoneAskedAndGotInABrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t, single)
	furnish(t, r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b := newBrowser(t)
	url := r.server.URL()
	b.loginAt(url)
	for _, width := range []int64{320, 768, 1440} {
		b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(url+"phones/0006D7AA2A2E"), chromedp.WaitVisible(chromedp.CSS("#dhcp details")))
		b.see("It took the TFTP server that it was told: after 2 s")
		b.see("REQUEST, answered with ACK of 10.77.0.50")
		b.see("It came through the relay 10.1.0.1, circuit Gi1/0/5, remote 0x0102.")
		b.see("Cisco Systems, Inc. IP Phone CP-7960G")
		if strings.Contains(b.text(), "01010600") {
			t.Errorf("at %d pixels the bytes are shown before they are unfolded", width)
		}
		b.do(chromedp.Click(chromedp.CSS("#dhcp .packets details summary")))
		b.see("01010600 abababab")
		if eval[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
			t.Errorf("the page with its bytes is wider than a screen of %d pixels", width)
		}
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), fmt.Sprintf("dhcp-%d.png", width)), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.box.mu.Lock()
	d := r.box.dhcp[mac(t, reception)]
	d.Exchanges = append([]web.Exchange{{Time: r.clock.Now(), Type: "REQUEST", Asked: d.Exchanges[0].Asked, AskedHex: "0101", Why: "no address of the pool is free"}}, d.Exchanges[1:]...)
	r.box.dhcp[mac(t, reception)] = d
	r.box.mu.Unlock()
	b.see("REQUEST, not answered: no address of the pool is free")
	b.quiet()
}

// unlabelled names the fields of a page that a screen reader could not name.
const unlabelled = `[...document.querySelectorAll("main input:not([type=hidden]), main select, main textarea")]
	.filter(e => !e.hidden && !e.labels?.length && !e.ariaLabel).map(e => e.name).join(" ")`

// Each form of the workshop works without JavaScript too.
func TestTheWorkshopInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, _ bool) {
		r := newRig(t, single)
		furnish(t, r)
		r.shop.converts = []web.Conversion{{MAC: mac(t, reception), Label: "Reception", Phase: "waiting", Text: "It waits for a place.", Unplug: true}}
		r.run()
		r.setUpOver(http.DefaultClient)
		list := filepath.Join(t.TempDir(), "phones.csv")
		if err := os.WriteFile(list, []byte("MAC"), 0o600); err != nil {
			t.Fatal(err)
		}
		url := r.server.URL()
		b.loginAt(url)
		b.do(chromedp.Navigate(url+"import"), chromedp.SetUploadFiles(chromedp.CSS("[name=file]"), []string{list}), chromedp.Click(chromedp.CSS(`form[action="/import"] button`)))
		b.see("1 phone added of 3 bytes")
		b.do(chromedp.Click(chromedp.CSS(`button[name=yes][value="1"]`)))
		waitFor(t, "the import is done", func() bool { return slices.Contains(r.shop.list(), "decide i1 true") })
		b.see("Done:") // else the next page is loaded while this one comes
		b.do(chromedp.Navigate(url+"conversions"), chromedp.Click(chromedp.CSS(`button[name=order][value=stop]`)))
		b.see("That is done.")
		b.do(chromedp.Navigate(url+"dialplan"), chromedp.SetValue(chromedp.CSS("[name=country]"), "BE"), chromedp.Click(chromedp.CSS("button[value=ready]")))
		waitFor(t, "the rules are filled in", func() bool { return strings.Contains(b.value(`[name="rules[0].match"]`), "112") })
		b.do(chromedp.SendKeys(chromedp.CSS("[name=number]"), "112\r")) // Enter must not press the button that fills in a country's rules
		b.see("112 is sent at once")
		b.do(chromedp.Click(chromedp.CSS("button[value=save]")))
		b.see("The dial plan is saved.")
		b.do(chromedp.Navigate(url+"directory"), chromedp.SendKeys(chromedp.CSS(`[name="contacts[0].name"]`), "Fire"), chromedp.SendKeys(chromedp.CSS(`[name="contacts[0].number"]`), "112"), chromedp.Click(chromedp.CSS("button[value=save]")))
		b.see("The contacts are saved.")
		want := []string{"import phones.csv dry=true", "decide i1 true", "order " + reception + " stop", "dial plan BE 1", "contacts 1"}
		if got := r.shop.list(); !slices.Equal(got, want) {
			t.Errorf("the box was asked for %q, want %q", got, want)
		}
	})
}

// value is what a field holds; the page's scripts may be off.
func (b *browser) value(field string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Value(chromedp.CSS(field)))
	if err != nil {
		return ""
	}
	return v
}
