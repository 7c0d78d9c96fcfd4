package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// key presses keys one after the other, as a person does: nothing here touches the page but by them.
func (b *browser) key(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(k))
	}
}

// tab presses Tab with one message to the browser, for walks are long.
func (b *browser) tab() {
	b.t.Helper()
	command(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Key: "Tab", Code: "Tab", WindowsVirtualKeyCode: 9, NativeVirtualKeyCode: 9})
}

// keyBack goes back one element.
func (b *browser) keyBack() {
	b.t.Helper()
	b.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
}

// stop is an element that the focus reached.
type stop struct {
	What   string // the element in words; "" = none, the focus left the page
	Again  bool   // keys of its own move within it: the parts of an audio player
	Extra  bool   // a box that can be scrolled, which browsers stop at by themselves
	Hidden string // why it cannot be seen
	Dull   string // the one before it looked the same with and without the focus
	Area   [4]float64
}

func (s stop) String() string { return s.What }

// walkScript says what can be reached on a page, and looks at what has the focus.
const walkScript = `(() => {
	if (window.walk) return;
	const say = (e) => [e.localName, e.id && "#" + e.id, e.name && "[name=" + e.name + "]", e.type && e.localName !== "a" && "(" + e.type + ")",
		e.value && ["button", "checkbox", "radio", "submit"].includes(e.type) && "=" + e.value, e.id ? "" : e.getAttribute("href"), (e.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40)].filter(Boolean).join(" ");
	const look = (e) => {
		const parts = [e, e.closest("label"), e.parentElement].filter(Boolean);
		return JSON.stringify(parts.map((p) => {
			const s = getComputedStyle(p);
			return [s.outlineStyle === "none" || s.outlineWidth === "0px" ? "" : s.outline, s.boxShadow, s.borderColor, s.backgroundColor, s.textDecorationLine];
		}));
	};
	const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
	const group = (e) => e.type === "radio" && e.name ? [...document.querySelectorAll("input[type=radio]")].filter((o) => o.name === e.name && o.form === e.form && !o.disabled && seen(o)) : [e];
	const all = () => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, audio[controls], [tabindex]")].filter((e) =>
		!e.disabled && e.tabIndex >= 0 && seen(e) && (e.localName !== "summary" || e === e.parentElement.querySelector(":scope > summary")));
	const box = (e) => { const r = e.getClientRects()[0] ?? e.getBoundingClientRect(); return [r.left, r.top + scrollY, r.right, r.bottom + scrollY]; };
	const hidden = (e) => {
		const r = [...e.getClientRects()].find((r) => r.width > 1 && r.height > 1);
		if (!r) return "it has no size";
		const frame = e.getBoundingClientRect();
		// Of what is written the line of the cursor is enough.
		const part = e.localName === "textarea" || frame.height >= innerHeight;
		if (part ? r.bottom < 20 || r.top > innerHeight - 20 : r.top < -1 || r.bottom > innerHeight + 1) return "it is out of the screen: " + Math.round(r.top) + " to " + Math.round(r.bottom) + " of " + innerHeight;
		if (r.right < 1 || r.left > innerWidth - 1) return "it is beside the screen";
		const x = Math.min(Math.max((r.left + r.right) / 2, 1), innerWidth - 2);
		for (const y of [r.top + 2, (r.top + r.bottom) / 2, r.bottom - 2]) {
			const on = document.elementFromPoint(x, Math.min(Math.max(y, 1), innerHeight - 2));
			if (on && (e.contains(on) || on.contains(e) || [...(e.labels ?? [])].some((l) => l.contains(on)))) continue;
			return "it is covered by " + (on ? say(on) : "nothing that is on the page");
		}
		return "";
	};
	let before = null;
	window.walk = {
		expected: () => {
			const out = [];
			for (const e of all()) { // of radio buttons the one that is chosen, else the first
				const radios = group(e);
				if ((radios.find((r) => r.checked) ?? radios[0]) === e) out.push(say(e));
			}
			return out;
		},
		step: () => {
			const e = document.activeElement, out = { What: "", Area: [0, 0, 0, 0] };
			if (before && before.e !== e && before.e.isConnected) {
				if (look(before.e) === before.look) out.Dull = say(before.e);
			}
			if (!e || e === document.body || e === document.documentElement) { before = null; return out; }
			if (before?.e === e) return { ...out, What: say(e), Again: ["audio", "video"].includes(e.localName) || ["date", "time", "datetime-local"].includes(e.type) };
			before = { e, look: look(e) };
			return { ...out, What: say(e), Extra: !all().includes(e), Hidden: hidden(e), Area: box(e) };
		},
	};
})()`

// walk presses Tab until the focus has been everywhere, and says where it was, from the first element to the last, and what is wrong
// with that: each thing is to be reached once, in the order in which it is read, to be seen, and marked. It may begin in the middle of
// the page, where a field asked for the focus.
func (b *browser) walk() (stops []stop, faults []string) {
	b.t.Helper()
	eval[chromedp.Void](b, walkScript)
	step := func() stop { return eval[stop](b, "walk.step()") }
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	expected := append(eval[[]string](b, "walk.expected()"), "")
	fromTop, ended := step().What == "", false
	for range 3*len(expected) + 40 {
		b.tab()
		s := step()
		atTop := s.What == "" || s.What == expected[0] // behind the end is the browser, or the beginning again
		if s.Dull != "" && fromTop {
			fault("nothing shows that %s has the focus", s.Dull)
		}
		if ended = atTop && fromTop && len(stops) > 0; ended {
			break
		}
		fromTop = fromTop || atTop
		if fromTop && s.What != "" && !s.Again {
			stops = append(stops, s)
		}
	}
	if !ended {
		fault("Tab never comes to the end; it went to %v", stops[:min(len(stops), 50)])
	}
	for i, s := range stops {
		if s.Hidden != "" {
			fault("%s has the focus and cannot be seen: %s", s.What, s.Hidden)
		}
		if i > 0 && above(s.Area, stops[i-1].Area) {
			fault("after %s the focus goes up to %s", stops[i-1].What, s.What)
		}
	}
	stops = slices.DeleteFunc(stops, func(s stop) bool { return s.Extra })
	got, want := stops, eval[[]string](b, "walk.expected()")
	for len(got) > 0 && len(want) > 0 && got[0].What == want[0] {
		got, want = got[1:], want[1:]
	}
	if len(got)+len(want) > 0 {
		fault("Tab goes to %v, want %q", got[:min(len(got), 5)], want[:min(len(want), 5)])
	}
	return stops, faults
}

// walkPage checks one page.
func (b *browser) walkPage(name string) []stop {
	b.t.Helper()
	stops, faults := b.walk()
	for _, f := range faults {
		b.t.Errorf("%s: %s", name, f)
	}
	return stops
}

// walkBack goes the same way with Shift and Tab, from the end of the page.
func (b *browser) walkBack(name string, stops []stop) {
	b.t.Helper()
	for i := len(stops) - 1; i >= 0; i-- {
		b.keyBack()
		if got := eval[stop](b, "walk.step()"); got.What != stops[i].What {
			b.t.Errorf("%s: back from the end, the focus goes to %q, want %q", name, got.What, stops[i].What)
			return
		}
	}
	b.keyBack() // off the page again, where the walk ended
}

// above says whether a thing stands wholly higher than another, and not in a column to the right of it.
func above(next, before [4]float64) bool {
	return next[3] <= before[1]+1 && next[0] < before[2]-1
}

// skips checks that the first thing on a page leads past the bar.
func (b *browser) skips(name string) {
	b.t.Helper()
	class := func() string { return eval[string](b, `document.activeElement.className`) }
	if class() != "skip" {
		b.tab()
	}
	if got := class(); got != "skip" {
		b.t.Errorf("%s: the first thing that Tab goes to is %q, want the link past the bar", name, got)
		return
	}
	b.key(kb.Enter, kb.Tab)
	if where := eval[string](b, `document.activeElement.closest("main, footer") ? "" : document.activeElement.outerHTML`); where != "" {
		b.t.Errorf("%s: past the bar the focus is at %s", name, where)
	}
}

func (b *browser) calm() {
	b.t.Helper()
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// fullHouse is a rig with something on every page.
func fullHouse(t *testing.T, change func(*web.Config)) *rig {
	t.Helper()
	r := newRig(t, change)
	furnish(t, r)
	furnishActivity(t, r)
	furnishSystem(r.system, r.clock.Now())
	r.pallet(6)
	r.fleet.wait("230/Meeting room/x", "231/Attic/x")
	return r
}

// placeholders are what stands for the variable parts of paths; a path may need something of its own.
var placeholders = strings.NewReplacer("{mac}", "0006D7AA2A2E", "{name...}", "SIPDefault.cnf", "{name}", "about.txt", "{$}", "", "{step}", "wire", "{id}", "aaaa", "{preset}", "asterisk-pjsip")

// noPages are paths that show no page of their own here, with the reason.
var noPages = map[string]string{
	"/setup": "before the first password alone", "/login": "before the login alone", "/start": "the wizard", "/start/{step}": "the wizard", "/system/certificate/download": "without encryption there is none",
}

// asked are paths that show something only when they are asked for something.
var asked = map[string]string{"/system/power": "/system/power?do=restart", "/media/ring.wav": "/media/ring.wav?file=OldStyle.raw"}

// pagesOf are the paths of all pages with something to look at: every GET that answers with HTML. A path that answers neither with a page nor
// leads to one fails the test, so that a new page is not forgotten.
func pagesOf(t *testing.T, r *rig) []string {
	t.Helper()
	c, url := client(t), strings.TrimSuffix(r.server.URL(), "/")
	get := func(resp *http.Response, err error) *http.Response {
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := get(c.PostForm(url+"/login", neturl.Values{"password": {password}})); resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("logging in: got %s", resp.Status)
	}
	var out []string
	for _, pattern := range r.server.Paths() {
		if strings.HasPrefix(pattern, "/api/") || strings.HasSuffix(pattern, "/stream") || noPages[pattern] != "" {
			continue
		}
		path := placeholders.Replace(pattern)
		if one, ok := asked[pattern]; ok {
			path = one
		}
		w := get(c.Get(url + path))
		switch {
		case w.StatusCode == http.StatusOK && strings.HasPrefix(w.Header.Get("Content-Type"), "text/html") && w.Header.Get("Content-Disposition") == "":
			out = append(out, path)
		case w.StatusCode == http.StatusOK, w.StatusCode == http.StatusSeeOther:
		default:
			t.Errorf("%s answers %d, want a page, a file or another address", path, w.StatusCode)
		}
	}
	return out
}

// furtherPages are pages that show something else with a query, or are none.
var furtherPages = []string{
	"/phones?step=stuck", "/phones?q=desk&sort=line&ticked=0006D7AA2A2E", "/phones/new?mac=00:08:21:0A:0B:0C", "/conversions?from=P0S3-04-4-00&to=P0S3-8-12-00", "/dialplan?number=112",
	"/nowhere", "/phones/00070E112233",
}

// On every page each link, button and field is reached with Tab alone, once, in the order in which one reads, and can be seen when it is.
func TestEveryPageByKeyboard(t *testing.T) {
	for _, screen := range [][2]int64{{1280, 720}, {400, 640}} {
		r := fullHouse(t, single)
		r.run()
		r.setUpOver(http.DefaultClient)
		paths, focused := append(pagesOf(t, r), furtherPages...), 0
		for part := range slices.Chunk(paths, 20) { // each with a browser of its own: its time is bounded
			t.Run(fmt.Sprintf("%d from %s", screen[0], part[0]), func(t *testing.T) {
				b := newBrowser(t)
				url := strings.TrimSuffix(r.server.URL(), "/")
				b.loginAt(url + "/")
				b.calm()
				b.do(chromedp.EmulateViewport(screen[0], screen[1]))
				for _, path := range part {
					b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
					stops := b.walkPage(path)
					focused += len(stops)
					if path == "/phones" || path == "/conversions/target" {
						b.walkBack(path, stops)
					}
					b.skips(path)
				}
				b.quiet()
			})
		}
		t.Logf("%d pixels: %d pages walked, %d elements focused", screen[0], len(paths), focused)
		if len(paths) < 45 || focused < 1300 {
			t.Errorf("%d pages with %d elements: these are not all", len(paths), focused)
		}
	}
}

// The pages before somebody is logged in, and the steps of setting up.
func TestSettingUpByKeyboardOnEveryStep(t *testing.T) {
	r, f := wizardRig(t, single)
	f.moves = true
	r.run()
	b := newBrowser(t)
	url := strings.TrimSuffix(r.server.URL(), "/")
	b.calm()
	visit := func(path string) {
		t.Helper()
		b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
		b.walkPage(path)
	}
	visit("/setup")
	r.setUpOver(http.DefaultClient)
	visit("/login")
	b.do(chromedp.Navigate(url+"/login"), chromedp.WaitVisible(chromedp.CSS("[name=password]")))
	b.key(password, kb.Enter)
	b.has("header nav")
	r.box.happen(web.PhoneEvent{Time: r.clock.Now(), MAC: mac(t, reception), Step: phone.Loading}, nil)
	for _, step := range []string{"password", "wire", "address", "time", "provider", "phones"} {
		visit("/start/" + step)
		b.skips(step)
	}
	b.quiet()
}

// A form that is refused begins at its first fault, or at what is said of it, without JavaScript too.
func TestARefusedFormBeginsAtItsFirstFault(t *testing.T) {
	r := fullHouse(t, nil)
	r.setUp()
	c := r.login()
	for name, form := range map[string]struct {
		path, begins string
		values       neturl.Values
	}{
		"a phone":       {"/phones", `name="mac"`, neturl.Values{"mac": {"zz"}, "lines[0].name": {"a b"}}},
		"the settings":  {"/settings", `name="dhcp.pool" value="10.x"`, neturl.Values{"network.address": {"10.77.0.1/16"}, "dhcp.pool": {"10.x", "10.1.1.1"}, "do": {"save"}, "etag": {r.etag()}}},
		"many phones":   {"/phones/many/do", `<p class="problem" role="alert" tabindex="-1"`, neturl.Values{"do": {"name"}, "mac": {reception}, "from": {"1"}}},
		"the password":  {"/password", `<p class="problem" role="alert" tabindex="-1"`, neturl.Values{"current": {password}, "password": {"x"}, "again": {"x"}}},
		"the dial plan": {"/dialplan", `name="rules[0].match"`, neturl.Values{"rules[0].match": {"x"}, "do": {"save"}}},
	} {
		w := r.form(form.path, c, form.values)
		before, _, found := strings.Cut(w.Body.String(), " autofocus")
		if w.Code < 400 || !found || strings.Count(w.Body.String(), " autofocus") != 1 || !strings.Contains(before[strings.LastIndexByte(before, '<'):], form.begins) {
			t.Errorf("%s: answered %d, and the focus is at %q, want %s", name, w.Code, before[max(0, len(before)-200):], form.begins)
		}
	}
	wantNoText(t, r.do(call{path: "/settings", cookie: c}).Body.String(), " autofocus")
}

// The walk finds what it is there for.
func TestTheWalkFindsFaults(t *testing.T) {
	pages := map[string]struct{ body, finds string }{
		"nothing":   {`<a href="/a">one</a> <button>two</button> <label>three <input name="x"></label>`, ""},
		"an order":  {`<a href="/a">one</a> <button tabindex="1">two</button>`, "Tab goes to [button (submit) two"},
		"a trap":    {`<a href="/a">one</a> <button id="trap">two</button> <a href="/b">three</a><script>trap.onkeydown = (e) => e.preventDefault()</script>`, "Tab never comes to the end"},
		"no mark":   {`<a href="/a" style="outline: 0">one</a>`, "nothing shows that a /a one"},
		"out":       {`<a href="/a">one</a> <a href="/b" style="position: absolute; left: -999px">two</a>`, "it is beside the screen"},
		"covered":   {`<a href="/a">one</a> <div style="position: fixed; inset: 0; background: red"></div>`, "it is covered by div"},
		"upwards":   {`<div style="display: flex; flex-direction: column-reverse"><a href="/a">one</a><a href="/b">two</a></div>`, "the focus goes up to a /b two"},
		"forgotten": {`<a href="/a">one</a> <a href="/b" id="b">two</a><script>b.onfocus = () => b.blur()</script>`, "Tab goes to []"},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>x</title><main>"+pages[req.URL.Query().Get("page")].body+"</main>")
	}))
	defer srv.Close()
	b := newBrowser(t)
	for name, page := range pages {
		b.do(chromedp.Navigate(srv.URL + "/?page=" + neturl.QueryEscape(name)))
		_, faults := b.walk()
		if found := strings.Join(faults, "\n"); page.finds == "" && found != "" || !strings.Contains(found, page.finds) {
			t.Errorf("%s: it found %q, want %q", name, found, page.finds)
		}
	}
}
