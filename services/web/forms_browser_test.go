package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"phonebox/services/phone/pbx"
	"phonebox/services/web"
)

// picture takes pictures once: the page looks the same without scripts.
func (b *browser) picture(script bool, name string) {
	b.t.Helper()
	if script {
		b.shoot(name)
	}
}

// tap clicks what a selector finds first.
func (b *browser) tap(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// write puts a text into a field in place of what is there; the last sign is typed, so that scripts notice. A single sign
// is typed into an empty field.
func (b *browser) write(selector, text string) {
	b.t.Helper()
	if last := len(text) - 1; last > 0 {
		b.do(chromedp.SetValue(chromedp.CSS(selector), text[:last]))
		text = text[last:]
	}
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// waitValue waits until a field holds a text.
func (b *browser) waitValue(selector, want string) {
	b.t.Helper()
	waitFor(b.t, selector+" holds "+want, func() bool { return b.value(selector) == want })
}

// Every button of the forms of the settings works, with and without JavaScript.
func TestTheSettingsInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r := newRig(t, single)
		furnish(t, r)
		r.forms.lines = []pbx.Line{{Phone: "Reception", Number: "208", Password: "sip-secret-208", DisplayName: "Front desk"}}
		r.run()
		r.setUpOver(http.DefaultClient)
		url := r.server.URL()
		b.loginAt(url)
		networkForm(b, r, url, script)
		phonesForm(b, r, url, script)
		presetForms(b, r, url, script)
		fileForm(b, r, url, script)
	})
}

// networkForm drives lists, tables, faults, the preview, the way back and the change of the address.
func networkForm(b *browser, r *rig, url string, script bool) {
	b.t.Helper()
	b.do(chromedp.Navigate(url + "settings"))
	b.write(`[name="dhcp.pool"]`, "10.x")
	if script {
		b.see("allowed: a range of addresses such as") // nobody pressed anything
		b.see("These settings cannot be saved yet")
		if v := r.box.site.value("dhcp.pool"); v != "" {
			b.t.Errorf("typing saved %q", v)
		}
	}
	b.tap(`.save button`)
	b.see("Nothing was saved. Please mend what is marked.")
	b.picture(script, "settings-fault")
	b.tap(`#form-summary a[href="#f-dhcp-pool"]`)
	b.write(`#f-dhcp-pool [data-row]:nth-of-type(1) input`, "10.77.1.1-10.77.1.9")
	if script {
		b.see("These settings can be saved.")
	}
	b.tap(`#f-dhcp-pool [data-row-add]`)
	waitFor(b.t, "there is another row", func() bool { return b.count(`name="dhcp.pool"`) == 3 })
	b.write(`#f-dhcp-pool [data-row]:nth-of-type(2) input`, "10.77.2.1-10.77.2.9")
	b.write(`#f-dhcp-pool [data-row]:nth-of-type(3) input`, "10.77.3.1")
	b.tap(`#f-dhcp-pool [data-row]:nth-of-type(2) [data-row-del]`)
	b.waitValue(`#f-dhcp-pool [data-row]:nth-of-type(2) input`, "10.77.3.1")
	b.tap(`button[value="add dhcp.subnet"]`)
	b.do(chromedp.WaitVisible(chromedp.CSS(`[name="dhcp.subnet[0].name"]`)))
	b.tap(`.save button`)
	b.see("where the network is")
	b.write(`[name="dhcp.subnet[0].name"]`, "Attic")
	b.tap(`button[value="add dhcp.subnet"]`)
	b.do(chromedp.WaitVisible(chromedp.CSS(`[name="dhcp.subnet[1].name"]`)))
	b.tap(`button[value="del dhcp.subnet 2"]`)
	waitFor(b.t, "one entry is left", func() bool { return b.count(`<details class="line"`) == 1 })
	b.tap(`.save button`)
	b.see("Before saving")
	b.picture(script, "settings-preview")
	b.tap(`button[value=edit]`)
	b.waitValue(`[name="dhcp.subnet[0].name"]`, "Attic")
	b.tap(`.save button`)
	b.see("Before saving")
	b.tap(`button[value=save]`)
	b.see("The settings are saved and in force.")
	if got := r.box.site.value("dhcp.pool"); got != "10.77.1.1-10.77.1.9\n10.77.3.1" {
		b.t.Errorf("the pool is %q", got)
	}
	if got := r.box.site.value("dhcp.subnet[0].name"); got != "Attic" {
		b.t.Errorf("the network is %q", got)
	}

	b.do(chromedp.Navigate(url + "names"))
	b.write(`#f-dns-upstream [data-row] input`, "tls://9.9.9.9#dns.quad9.net")
	b.tap(`.save button`)
	b.see("Before saving")
	b.tap(`button[value=save]`)
	b.see("The settings are saved and in force.")
	b.do(chromedp.Navigate(url + "time"))
	b.write(`[name="time.zone"]`, "Europe/Lisbon")
	b.tap(`.save button`)
	b.see("Before saving")
	b.tap(`button[value=save]`)
	b.see("The settings are saved and in force.")
	b.do(chromedp.Navigate(url + "settings/page"))
	b.tap(`[name="web.plain_http"]`)
	b.tap(`.save button`)
	b.see("Before saving")
	b.tap(`button[value=save]`)
	b.see("The settings are saved and in force.")
	if got := []string{r.box.site.value("dns.upstream"), r.box.site.value("time.zone"), r.box.site.value("web.plain_http")}; strings.Join(got, " ") != "tls://9.9.9.9#dns.quad9.net Europe/Lisbon true" {
		b.t.Errorf("saved was %q", got)
	}
	b.tap(`main a[href="/password"]`)
	b.do(chromedp.WaitVisible(chromedp.CSS("[name=again]")))
}

// count is how often a text stands in the page's source; the page's scripts may be off.
func (b *browser) count(text string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	source, err := chromedp.Run(ctx, chromedp.OuterHTML(chromedp.CSS("main")))
	if err != nil {
		return -1
	}
	return strings.Count(source, text)
}

// phonesForm drives the search for a parameter, what it finds, and taking one back.
func phonesForm(b *browser, r *rig, url string, script bool) {
	b.t.Helper()
	b.do(chromedp.Navigate(url + "settings/phones"))
	b.write(`[name=q]`, "call waiting")
	if script { // nobody pressed anything
		b.do(chromedp.WaitVisible(chromedp.CSS(`button[value="param sip.parameters call_waiting"]`)))
		eval[chromedp.Void](b, `window.found = document.getElementById("found").firstChild`)
	}
	b.tap(`button[value=find]`)
	if script {
		waitFor(b.t, "the button looks too", func() bool { return eval[bool](b, `document.getElementById("found").firstChild !== window.found`) })
	}
	b.do(chromedp.WaitVisible(chromedp.CSS(`button[value="param sip.parameters call_waiting"]`)))
	b.picture(script, "settings-find")
	b.tap(`button[value="param sip.parameters call_waiting"]`)
	const waiting = `[name="sip.parameters/maybe/call_waiting"]`
	b.do(chromedp.WaitVisible(chromedp.CSS(waiting)))
	b.write(waiting, "0")
	b.do(chromedp.SetValue(chromedp.CSS(`[name="sip.parameters/maybe/preferred_codec"]`), "g711alaw"))
	b.tap(`button[value="del sip.parameters 2"]`)
	waitFor(b.t, "the timer is the phone's own again", func() bool { return b.count(`name="sip.parameters/name" value="timer_t1"`) == 0 })
	b.tap(`#f-models-7940-parameters summary`)
	b.write(`[name="models.7940.parameters/pick"]`, "call_waiting")
	b.tap(`button[value="pick models.7940.parameters"]`)
	const model = `[name="models.7940.parameters/maybe/call_waiting"]`
	b.do(chromedp.WaitVisible(chromedp.CSS(model)))
	b.write(model, "1")
	b.write(`[name="sip.proxy"]`, "pbx.example")
	b.tap(`.save button`)
	b.see("Phones must restart to learn the new telephone system.")
	b.see("Reception")
	b.picture(script, "settings-preview-phones")
	b.tap(`button[value=save]`)
	b.see("The settings are saved and in force.")
	if got := r.box.site.value("sip.parameters"); got != "phone_password = ********\ncall_waiting = 0\npreferred_codec = g711alaw" {
		b.t.Errorf("the parameters are %q", got)
	}
	if got := r.box.site.value("models.7940.parameters"); got != "call_waiting = 1" {
		b.t.Errorf("those of the model are %q", got)
	}
}

// presetForms drives the choice of a provider, what goes into a PBX, and its passwords.
func presetForms(b *browser, r *rig, url string, script bool) {
	b.t.Helper()
	b.do(chromedp.Navigate(url + "settings/phones"))
	b.tap(`a[href="/settings/pbx"]`)
	b.see("Choose where your phones register.")
	b.picture(script, "pbx")
	b.tap(`a[href="/settings/phones?preset=callcentric"]`)
	b.see("Nothing is saved before you say so.")
	b.waitValue(`[name="sip.proxy"]`, "callcentric.com")
	b.picture(script, "pbx-preset")
	b.tap(`.save button`)
	b.see("Before saving")
	b.tap(`button[value=save]`)
	b.see("The settings are saved and in force.")
	if got := r.box.site.value("sip.proxy"); got != "callcentric.com" {
		b.t.Errorf("the telephone system is %q", got)
	}
	b.do(chromedp.Navigate(url + "settings/phones?preset=asterisk-pjsip"))
	b.tap(`.preset a[href="/settings/pbx/asterisk-pjsip"]`)
	b.see("[208]")
	if strings.Contains(b.text(), "sip-secret-208") {
		b.t.Error("the password is shown before anybody asked")
	}
	b.tap(`button[name=secrets]`)
	b.see("password=sip-secret-208")
	b.picture(script, "pbx-snippet")
	b.tap(`main a[href="/settings/pbx"]`)
	b.see("Choose where your phones register.")
	b.tap(`a[href="/settings/pbx/freepbx"]`)
	b.see("Add SIP [chan_pjsip] Extension")
	if n := len(r.reported(web.EventSecrets)); n != 1 {
		b.t.Errorf("the journal has it %d times that passwords were shown, want once", n)
	}
}

// fileForm drives the settings as a file, the copying, and the line that a fault leads to.
func fileForm(b *browser, r *rig, url string, script bool) {
	b.t.Helper()
	if script {
		b.tap(`[data-copy]`)
		b.see("It is copied.")
		if got := eval[string](b, "getSelection().toString()"); !strings.Contains(got, "User Extension = 208") {
			b.t.Errorf("selected is %q", got)
		}
	}
	b.do(chromedp.Navigate(url+"settings/file"), chromedp.SetValue(chromedp.CSS("[name=text]"), "name = 1\nwrong\n\n\n"), chromedp.SendKeys(chromedp.CSS("[name=text]"), " "))
	if script {
		b.see("Line 2") // nobody pressed anything
		if got := eval[string](b, `document.querySelector("pre.numbers").textContent`); got != "1\n2\n3\n4\n5" {
			b.t.Errorf("the lines are numbered %q", got)
		}
		b.tap(`a[data-line="2"]`)
		if got := eval[string](b, `(() => { const t = document.getElementById("site-text"); return t.value.slice(t.selectionStart, t.selectionEnd) })()`); got != "wrong" {
			b.t.Errorf("the fault leads to %q, want its line", got)
		}
	}
	b.tap(`button[value=check]`)
	b.see("2 | wrong")
	b.picture(script, "settings-file-fault")
	b.do(chromedp.SetValue(chromedp.CSS("[name=text]"), "name = 2\n"))
	b.tap(`button[value=check]`)
	b.see("The file has no faults.")
	b.tap(`main button[value=save]`)
	b.see("The settings are saved and in force.")
	b.tap(`main a[href="/settings"]`)
	b.see("Where the box is, and which addresses it gives")
	b.write(`[name="network.address"]`, "10.1.0.1/16")
	b.tap(`.save button`)
	b.see("https://10.1.0.1/")
	b.tap(`button[value=save]`)
	b.see("The page has moved")
	b.picture(script, "settings-moved")
}
