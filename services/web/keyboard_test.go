package web_test

import (
	"fmt"
	"net/http"
	neturl "net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
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

// walk presses Tab until the focus has been everywhere, and says where it was, from the first element to the last. It may begin in
// the middle of the page, where a field asked for the focus.
func (b *browser) walk(name string) []stop {
	b.t.Helper()
	eval[chromedp.Void](b, walkScript)
	step := func() stop { return eval[stop](b, "walk.step()") }
	most := 3*len(eval[[]string](b, "walk.expected()")) + 40
	var stops []stop
	fromTop := step().What == ""
	for range most {
		b.key(kb.Tab)
		s := step()
		if s.Dull != "" && fromTop {
			b.t.Errorf("%s: nothing shows that %s has the focus", name, s.Dull)
		}
		switch {
		case s.What == "" && fromTop && len(stops) > 0:
			return stops
		case s.What == "":
			fromTop = true
		case fromTop && !s.Again:
			stops = append(stops, s)
		}
	}
	b.t.Errorf("%s: Tab never comes to the end; it went to %v", name, stops)
	return nil
}

// walkPage checks one page: each thing once, in the order in which it is read, to be seen, and marked.
func (b *browser) walkPage(name string) (focused int) {
	b.t.Helper()
	stops := b.walk(name)
	want := eval[[]string](b, "walk.expected()")
	var got []string
	for i, s := range stops {
		if s.Hidden != "" {
			b.t.Errorf("%s: %s has the focus and cannot be seen: %s", name, s.What, s.Hidden)
		}
		if i > 0 && above(s.Area, stops[i-1].Area) {
			b.t.Errorf("%s: after %s the focus goes up to %s", name, stops[i-1].What, s.What)
		}
		if !s.Extra {
			got = append(got, s.What)
		}
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			b.t.Errorf("%s: Tab goes to\n\t%s\nwant\n\t%s", name, strings.Join(got[min(i, len(got)):], "\n\t"), strings.Join(want[min(i, len(want)):], "\n\t"))
			break
		}
	}
	return len(got)
}

// above says whether a thing stands wholly higher than another, and not in a column to the right of it.
func above(next, before [4]float64) bool {
	return next[3] <= before[1]-4 && next[0] < before[2]-1
}

// skips checks that the first thing on a page leads past the bar.
func (b *browser) skips(name string) {
	b.t.Helper()
	b.key(kb.Tab)
	if got := eval[string](b, `document.activeElement.className`); got != "skip" {
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
func fullHouse(t *testing.T) *rig {
	r := newRig(t, single)
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
		t.Run(fmt.Sprint(screen[0]), func(t *testing.T) {
			r := fullHouse(t)
			r.run()
			r.setUpOver(http.DefaultClient)
			b := newBrowser(t)
			url := strings.TrimSuffix(r.server.URL(), "/")
			b.loginAt(url + "/")
			b.calm()
			b.do(chromedp.EmulateViewport(screen[0], screen[1]))
			paths, focused := append(pagesOf(t, r), furtherPages...), 0
			for _, path := range paths {
				b.do(chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
				focused += b.walkPage(path)
				b.skips(path)
			}
			t.Logf("%d pages walked, %d elements focused", len(paths), focused)
			if len(paths) < 45 || focused < 1300 {
				t.Errorf("%d pages with %d elements: these are not all", len(paths), focused)
			}
			b.quiet()
		})
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
