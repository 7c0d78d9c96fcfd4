package web_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
	"phonebox/services/web"
)

// furnishEditors fills directory, dial plan and rings.
func furnishEditors(r *rig) {
	r.shop.contacts = []web.Contact{{Name: "Fire brigade", Number: "112"}, {Name: "Élodie Gómez-Ñandú of the harbour office", Number: "+32 2 345 67 89"}, {Name: "Night porter", Number: "porter"}}
	for i := range 37 {
		r.shop.contacts = append(r.shop.contacts, web.Contact{Name: fmt.Sprintf("Supplier %02d", i+1), Number: fmt.Sprintf("0478 12 34 %02d", i)})
	}
	r.shop.plan = web.DialPlan{Country: "BE", Rules: []web.DialRule{
		{Match: "112", Timeout: "0", Comment: "emergency"},
		{Match: "9,...", Timeout: "0", Rewrite: "%1", Tone: "Bellcore-Outside"},
		{Match: "1*", Timeout: "3"},
		{Match: "9.", Timeout: "0"},
		{Match: "0.........", Timeout: "0", User: "Phone"},
		{Match: "*", Timeout: "5"},
	}}
	r.shop.rings = []web.Ring{{Name: "Old Style", File: "OldStyle.raw", Seconds: 1.02}, {Name: "Bell", File: "bell.raw", Seconds: 0.3}, {Name: "Too long for the phones", File: "long.raw", Seconds: 3, Fault: "It has 24000 bytes; phones take at most 16080."}}
	r.editors.before = phone.WriteLogo("Before")
	r.editors.users["OldStyle.raw"] = []string{"Reception", "00:07:0E:11:22:33"}
}

// editors are what a browser is logged in at for the tests of the editors.
func (b *browser) editors() (r *rig, url string) {
	b.t.Helper()
	r = newRig(b.t, single)
	furnishEditors(r)
	r.run()
	r.setUpOver(http.DefaultClient)
	b.loginAt(r.server.URL())
	return r, r.server.URL()
}

// holds waits until a field holds a value.
func (b *browser) holds(field, value string) {
	b.t.Helper()
	waitFor(b.t, fmt.Sprintf("%s holds %q", field, value), func() bool { return b.value(field) == value })
}

// press presses a button with the keyboard: that is enough for all of them, and hits it wherever it stands.
func (b *browser) press(sel string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(sel), "\r"))
}

// enter puts a value into a field as a person does: the page's scripts, where they run, are told.
func (b *browser) enter(field, value string, script bool) {
	b.t.Helper()
	if !script {
		b.do(chromedp.SetValue(chromedp.CSS(field), value))
		return
	}
	eval[chromedp.Void](b, fmt.Sprintf(`{ const f = document.querySelector(%q); f.value = %q; f.dispatchEvent(new Event("input", {bubbles: true})); }`, field, value))
}

func (b *browser) visit(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("main h1")))
}

// alt waits until the drawn phone's text has this in it.
func (b *browser) alt(sel, text string) {
	b.t.Helper()
	waitFor(b.t, fmt.Sprintf("the drawn phone has %q", text), func() bool {
		return strings.Contains(b.html(sel+" .phonescreen"), text)
	})
}

// html is how an element is written; the page's scripts may be off.
func (b *browser) html(sel string) string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.OuterHTML(chromedp.CSS(sel)))
	if err != nil {
		return ""
	}
	return v
}

// inverted is a logo with black and white exchanged, as a BMP.
func inverted(bmp []byte) []byte {
	img, _, err := media.LogoGreys(bytes.NewReader(bmp))
	if err != nil {
		return nil
	}
	return media.EncodeLogo(media.Look{Invert: true}.Apply(img))
}

func TestEditorsFitEveryScreen(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	defer b.close()
	r, url := b.editors()
	b.visit(url + "directory")
	b.shoot("editors-directory")
	b.visit(url + "dialplan?number=91234")
	b.shoot("editors-dialplan")
	b.visit(url + "media")
	b.shoot("editors-media")
	b.press(`button[aria-label="Remove ring 1"]`)
	b.see("was fetched by these phones")
	b.shoot("editors-remove")
	r.shop.plan.Rules = nil
	b.visit(url + "dialplan?number=0478")
	b.shoot("editors-dialplan-ready")
	for _, path := range []string{"directory", "dialplan", "media"} {
		b.visit(url + path)
		if bare := eval[string](b, unlabelled); bare != "" {
			t.Errorf("%s has fields without a label: %s", path, bare)
		}
	}
	b.quiet()
}

func TestTheDirectoryInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r, url := b.editors()
		b.visit(url + "directory")
		b.alt("#dirscreen", "Page 1 of 2")
		b.press("button[value=down]")
		b.alt("#dirscreen", "porter  Page")
		b.press("button[value=up]")
		b.alt("#dirscreen", "112")
		b.press("button[value=next]")
		b.alt("#dirscreen", "Page 2 of 2")
		b.press("button[value=exit]")
		b.alt("#dirscreen", "Page 1 of 2")

		b.press("button[value=rows]")
		b.do(chromedp.WaitReady(chromedp.CSS(`[name="contacts[47].name"]`)))
		b.press(`button[value="remove 0"]`)
		b.holds(`[name="contacts[0].number"]`, "+32 2 345 67 89")
		b.enter(`[name="contacts[0].name"]`, "zoo", script)
		b.press("button[value=sort-name]")
		b.holds(`[name="contacts[38].name"]`, "zoo")
		b.press("button[value=sort-number]")
		b.holds(`[name="contacts[0].name"]`, "zoo")

		b.press("details:has([name=pasted]) summary")
		waitFor(t, "the field is unfolded", func() bool { return strings.Contains(b.html("details:has([name=pasted])")[:30], "open") })
		b.enter("[name=pasted]", "Police\t101\nnobody at all\nPoison line; 070 245 245", script)
		b.press("button[value=paste]")
		b.see("Added below: 2.")
		b.see("Line 2 has no name with a number")
		b.holds("[name=pasted]", "nobody at all")
		b.holds(`[name="contacts[40].number"]`, "070 245 245")
		b.press("button[value=save]")
		b.see("Nothing was saved: the lines that are left under Paste many are no entries.")
		b.enter("[name=pasted]", " ", script)
		b.enter(`[name="contacts[40].number"]`, "0;1", script)
		b.press("button[value=check].small")
		b.see("number: found")
		b.enter(`[name="contacts[40].number"]`, "070 245 245", script)

		b.enter("[name=find]", "poison", script)
		if script {
			waitFor(t, "other rows are hidden", func() bool {
				return eval[int](b, `document.querySelectorAll("#contacts > li:not([hidden]) [name$=name]").length`) < 15
			})
		} else {
			b.press("button[value=find]")
			waitFor(t, "other rows are hidden", func() bool {
				return !strings.Contains(b.html("#contact-0"), `class="bad"`) && strings.Contains(b.html("#contact-0"), "hidden")
			})
		}
		b.press("button[value=save]")
		b.see("The contacts are saved.")
		if got := r.shop.list(); !slices.Equal(got, []string{"contacts 41"}) {
			t.Errorf("the box was asked for %q, want all 41 contacts, the hidden ones too", got)
		}
	})
}

func TestTheDialPlanInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r, url := b.editors()
		b.visit(url + "dialplan")
		b.see("9, a second dial tone, then any three digits: sent at once as %1, for example 9123 as 123.")
		b.see("can never win") // the rule 9,... behind 9.
		b.press(`button[value="down 0"]`)
		b.holds(`[name="rules[1].match"]`, "112")
		b.press(`button[value="up 1"]`)
		b.holds(`[name="rules[0].match"]`, "112")
		b.press(`button[value="remove 3"]`)
		b.holds(`[name="rules[3].match"]`, "0.........")
		if strings.Contains(b.text(), "can never win") {
			t.Error("the warning stays although its cause is removed")
		}
		b.press(`button[value="insert 1"]`)
		b.holds(`[name="rules[1].match"]`, "")
		b.do(chromedp.SendKeys(chromedp.CSS(`[name="rules[1].match"]`), "8x"))
		if !script {
			b.press("button[value=test].small")
		}
		b.see("allowed are digits and")
		b.enter(`[name="rules[1].match"]`, "8..", script)
		b.do(chromedp.SendKeys(chromedp.CSS("[name=number]"), "912345"))
		if !script {
			b.press("article:last-of-type button[value=test]")
		}
		b.see("Rule 3 (9,...) wins: 123 is sent at once.")
		b.see("45 is dialled in vain")
		b.alt("#try li:nth-child(1)", "Second dial tone")
		b.alt("#try li:nth-child(4)", "Calling 123")
		b.press("button[value=rows]")
		b.do(chromedp.WaitReady(chromedp.CSS(`[name="rules[13].match"]`)))
		b.press("button[value=save]")
		b.see("The dial plan is saved.")
		if got := r.shop.list(); !slices.Equal(got, []string{"dial plan BE 6"}) {
			t.Errorf("the box was asked for %q", got)
		}
		b.press("button[value=ready]")
		b.see("Nothing is saved yet")
		b.holds(`[name="rules[0].comment"]`, "emergency")
		b.press("details:has([name=text]) summary")
		b.do(chromedp.SendKeys(chromedp.CSS("[name=text]"), "<DIALTEMPLATE>"))
		b.press("button[value=read]")
		b.see("Line 2 of the file: it is odd.")
	})
}

func TestRingsAndLogoInABrowser(t *testing.T) {
	wav := filepath.Join(t.TempDir(), "new.wav")
	picture := filepath.Join(t.TempDir(), "logo.bmp")
	for name, content := range map[string][]byte{wav: []byte("RIFF"), picture: phone.WriteLogo("A new one")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r, url := b.editors()
		b.visit(url + "media")
		b.alt("#ringscreen", "3 Old Style, 4 Bell")
		b.press(`#ringscreen button[value=down]`)
		b.press(`#ringscreen button[value=up]`)
		b.press(`button[value="down 0"]`)
		b.holds(`[name="rings[0].name"]`, "Bell")
		b.alt("#ringscreen", "3 Bell, 4 Old Style")
		b.press(`button[value="up 1"]`)
		b.alt("#ringscreen", "3 Old Style, 4 Bell")
		b.enter(`[name="rings[1].name"]`, "Old Style", script)
		if !script {
			b.press(`#ringscreen button[value=down]`)
		}
		b.see("Another ring has the same name")
		b.enter(`[name="rings[1].name"]`, "Church bell", script)
		b.press("button[value=save]")
		b.see("The menu of rings is saved.")
		if got := r.editors.list(); !slices.Equal(got, []string{"name bell.raw Church bell", "order OldStyle.raw bell.raw long.raw"}) {
			t.Errorf("the box was asked for %q", got)
		}
		b.press(`button[aria-label="Remove ring 1"]`)
		b.see("was fetched by these phones")
		b.press("main button.bad")
		b.see("The ring is removed.")
		b.do(chromedp.SetUploadFiles(chromedp.CSS(`form[action="/media/rings"] [name=file]`), []string{wav}), chromedp.Click(chromedp.CSS(`form[action="/media/rings"] button`)))
		b.see("The ring is cut to")

		before := b.html("#logoscreen")
		b.do(chromedp.SetUploadFiles(chromedp.CSS(`#logo [name=file]`), []string{picture}))
		b.press("button[value=preview].small")
		b.see("It is not on the phones yet.")
		draft := b.html("#logoscreen")
		if draft == before {
			t.Error("the screen does not show the picture that was chosen")
		}
		b.do(chromedp.SendKeys(chromedp.CSS("[name=invert]"), " "))
		if script {
			waitFor(t, "the screen follows", func() bool { return b.html("#logoscreen") != draft })
		}
		b.press("button[value=take]")
		b.see("The logo is in place.")
		b.enter("#logo [name=text]", "Quay 7", script)
		b.press("button[value=text]")
		b.see("It is not on the phones yet.")
		b.press("button[value=take]")
		b.see("The logo is in place.")
		b.press(`form[action="/media/restore-logo"] button`)
		b.see("The phones show the logo of before again.")
		b.press(`form[action="/media/remove-logo"] button`)
		b.see("The logo is in place.")
		if got := r.shop.list(); !slices.Equal(got, []string{"remove ring OldStyle.raw", "ring new.wav", "logo true", "logo true", "logo false"}) {
			t.Errorf("the workshop was asked for %q", got)
		}
		if first := r.shop.logoPixels[0]; !slices.Equal(first, inverted(phone.WriteLogo("A new one"))) {
			t.Error("the logo that was taken is not the inverted picture")
		}
	})
}

// A browser plays the ring of the phone: its sound lasts as long as the phone's bytes do.
func TestABrowserPlaysARing(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	defer b.close()
	_, url := b.editors()
	b.visit(url + "media")
	eval[chromedp.Void](b, `document.querySelector("audio").load(); document.querySelector("audio").preload = "metadata"`)
	waitFor(t, "the sound is known", func() bool { return eval[float64](b, `document.querySelector("audio").duration || 0`) > 1.0 })
	if d := eval[float64](b, `document.querySelector("audio").duration`); d < 1.019 || d > 1.021 {
		t.Errorf("the sound lasts %v s, want 1.02", d)
	}
	b.quiet()
}
