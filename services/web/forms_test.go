package web_test

import (
	"encoding/json"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone/pbx"
	"phonebox/services/web"
)

var (
	inputTag  = regexp.MustCompile(`<(input|button)([^>]*)>`)
	selectTag = regexp.MustCompile(`(?s)<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>`)
	option    = regexp.MustCompile(`<option value="([^"]*)"( selected)?`)
	attribute = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
)

// formOf is the form of the settings as a browser without scripts sends it back unchanged.
func formOf(t testing.TB, body string) url.Values {
	t.Helper()
	_, form, ok := strings.Cut(body, `id="site-form"`)
	form, _, closed := strings.Cut(form, "</form>")
	if !ok || !closed {
		t.Fatalf("no form of settings in\n%s", body)
	}
	v := url.Values{}
	for rest := form; ; { // in the order of the page, as a browser sends them: names and values are paired by it
		tag, sel := inputTag.FindStringSubmatchIndex(rest), selectTag.FindStringSubmatchIndex(rest)
		switch {
		case tag == nil && sel == nil:
			return v
		case sel == nil || tag != nil && tag[0] < sel[0]:
			addInput(v, rest[tag[2]:tag[3]], rest[tag[4]:tag[5]])
			rest = rest[tag[1]:]
		default:
			for _, o := range option.FindAllStringSubmatch(rest[sel[4]:sel[5]], -1) {
				if o[2] != "" {
					v.Add(html.UnescapeString(rest[sel[2]:sel[3]]), html.UnescapeString(o[1]))
				}
			}
			rest = rest[sel[1]:]
		}
	}
}

// addInput adds what an input sends.
func addInput(v url.Values, tag, text string) {
	attrs := map[string]string{}
	for _, a := range attribute.FindAllStringSubmatch(text, -1) {
		attrs[a[1]] = html.UnescapeString(a[2])
	}
	_, checked := attrs["checked"]
	if tag == "input" && attrs["name"] != "" && (attrs["type"] != "checkbox" || checked) {
		v.Add(attrs["name"], attrs["value"])
	}
}

// open shows a page of the settings and returns its form.
func (r *rig) open(path string, c *http.Cookie) (body string, form url.Values) {
	r.t.Helper()
	w := r.do(call{path: path, cookie: c})
	wantCode(r.t, w, 200)
	return w.Body.String(), formOf(r.t, w.Body.String())
}

// Each field stands on one page with its help, what is allowed, its unit, its default and an example; none is lost.
func TestEachFieldOfTheSiteIsOnOnePage(t *testing.T) {
	r, c := formRig(t)
	all := map[string]int{}
	bodies := map[string]string{}
	for _, path := range []string{"/settings", "/settings/phones", "/time", "/names", "/settings/page"} {
		body, form := r.open(path, c)
		bodies[path] = body
		here := map[string]bool{}
		for name := range form {
			key, _, _ := strings.Cut(name, "/")
			here[key] = true
		}
		for key := range here {
			all[key]++
		}
		for _, one := range []string{"dhcp.phones_only", "web.plain_http"} { // boxes that are not ticked are not sent
			if strings.Contains(body, `name="`+one+`"`) {
				all[one]++
			}
		}
	}
	fields, _ := r.forms.formFields()
	for _, f := range fields {
		if n := all[f.Key]; n != 1 && f.Key != "dial_plan.country" && !f.Catalogue {
			t.Errorf("%s is on %d pages, want 1", f.Key, n)
		}
	}
	wantText(t, bodies["/settings"], ">Allowed:</span> a duration<", "s for seconds, m for minutes, h for hours", "<code>8h</code>", "With the length of the subnet.", "none, it has to be set", "<code>10.77.0.1/16</code>")
	wantText(t, bodies["/time"], "unicast: each phone asks this box", `<option value="Europe/Brussels">`, `list="zones"`, "What the phones show")
	wantText(t, bodies["/settings/phones"], `name="sip.parameters/maybe/nat_enable"`, "1: yes", `value="timer_t1"`, "Needed behind NAT")
	wantText(t, bodies["/settings/page"], "A key of tomorrow", `href="/password"`)
	wantNoText(t, bodies["/settings/page"], "It has a page of its own.")
}

func TestSettingsAreSavedAsEntered(t *testing.T) {
	r, c := formRig(t)
	_, v := r.open("/settings", c)
	v["dhcp.pool"] = []string{"10.77.1.1-10.77.1.9", "", " 10.77.2.1-10.77.2.9 "}
	v.Del("dhcp.enabled") // a box that is not ticked
	v.Set("do", "save")
	w := r.form("/settings", c, v)
	wantCode(t, w, 303)
	got := r.box.site.values
	for key, value := range map[string]string{
		"dhcp.pool": "10.77.1.1-10.77.1.9\n10.77.2.1-10.77.2.9", "dhcp.enabled": "false", "dhcp.phones_only": "false", "name": "Harbour Street office",
	} {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	for _, key := range []string{"sip.token", "time.sntp_mode", "sip.parameters"} { // of other pages: left out, so that they stay
		if v, sent := got[key]; sent {
			t.Errorf("%s of another page was saved as %q", key, v)
		}
	}
	page := r.do(call{path: w.Header().Get("Location"), cookie: c})
	wantText(t, page.Body.String(), "The settings are saved and in force.")
	page = r.do(call{path: w.Header().Get("Location"), cookie: c})
	wantNoText(t, page.Body.String(), "The settings are saved")
	changes := r.reported(web.EventChanged)
	if len(changes) != 1 || !strings.Contains(changes[0].What, "dhcp.enabled, dhcp.pool") {
		t.Errorf("reported was %v, want one change that names its keys", changes)
	}

	// A form with everything, as it is, changes nothing but what other pages have not been asked.
	_, v = r.open("/settings/phones", c)
	v.Set("do", "save")
	wantCode(t, r.form("/settings/phones", c, v), 303)
	if got := r.box.site.values["sip.parameters"]; got != "phone_password = ********\ntimer_t1 = 500" {
		t.Errorf("the parameters are saved as %q, want them as they were", got)
	}
}

func TestRefusedSettingsComeBackWithTheirFaultsBesideThem(t *testing.T) {
	r, c := formRig(t)
	for _, do := range []string{"save", "preview"} {
		_, v := r.open("/settings", c)
		v["dhcp.pool"] = []string{"x"}
		v.Set("name", `<script>alert("1")</script>`)
		v.Set("do", do)
		w := r.form("/settings", c, v)
		wantCode(t, w, 422)
		body := w.Body.String()
		wantText(t, body, "Nothing was saved", `<small class="fault">Entry 1: found &#34;x&#34;; allowed: a range of addresses such as`,
			`firmware.target: found &#34;P1&#34;; allowed: the name of a load`, `name="dhcp.pool" value="x"`, `&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;`,
			`<a href="#f-dhcp-pool">Pool</a>`, `id="f-dhcp-pool"`)
		wantNoText(t, body, "<script>alert")
	}
	if len(r.box.site.values) != 0 {
		t.Errorf("%v was saved", r.box.site.values)
	}
}

// What somebody else changed meanwhile is shown field by field. What a person did not touch takes the new value; what both
// changed stays as it was typed, with what is in force beside it.
func TestSettingsThatChangedMeanwhileAreNotOverwrittenUnseen(t *testing.T) {
	for _, do := range []string{"preview", "save"} {
		r, c := formRig(t)
		_, v := r.open("/settings", c)
		v.Set("network.gateway", "10.77.0.253")
		v.Set("network.domain", "mine.example")
		v.Set("do", do)
		r.box.site.mu.Lock()
		r.box.site.values = map[string]string{"network.gateway": "10.77.0.252", "dhcp.lease": "1h"}
		r.box.site.mu.Unlock()
		w := r.form("/settings", c, v)
		wantCode(t, w, 412)
		body := w.Body.String()
		wantText(t, body, "somebody changed the settings", `value="10.77.0.253"`, "In force now: 10.77.0.252", `value="mine.example"`,
			"Somebody changed this meanwhile. It was: 8h", `value="1h"`)
		if n := strings.Count(body, "Somebody changed this meanwhile"); n != 2 {
			t.Errorf("%d fields are marked, want the two that somebody else changed", n)
		}
		v = formOf(t, body)
		v.Set("do", "save")
		wantCode(t, r.form("/settings", c, v), 303)
		got := r.box.site.values
		if got["network.gateway"] != "10.77.0.253" || got["dhcp.lease"] != "1h" || got["network.domain"] != "mine.example" {
			t.Errorf("saved was %v", got)
		}
	}
}

func TestRowsAreAddedAndRemovedByTheBox(t *testing.T) {
	r, c := formRig(t)
	press := func(path string, v url.Values, row string) (string, url.Values) {
		t.Helper()
		v.Set("row", row)
		w := r.form(path, c, v)
		wantCode(t, w, 200)
		v = formOf(t, w.Body.String())
		return w.Body.String(), v
	}
	_, v := r.open("/settings", c)
	v["dhcp.pool"] = []string{"a", "", "b", "c"}
	_, v = press("/settings", v, "del dhcp.pool 3")
	if got := v["dhcp.pool"]; !slices.Equal(got, []string{"a", "c", ""}) {
		t.Errorf("the rows are %q, want b gone and one row to type into", got)
	}
	_, v = press("/settings", v, "add dhcp.pool")
	if got := v["dhcp.pool"]; !slices.Equal(got, []string{"a", "c", "", ""}) {
		t.Errorf("the rows are %q, want one more", got)
	}
	body, v := press("/settings", v, "add dhcp.subnet")
	wantText(t, body, `name="dhcp.subnet[0].name"`, "New entry 1")
	v.Set("dhcp.subnet[0].name", "Attic")
	v.Add("dhcp.subnet[0].pool", "10.78.0.1")
	_, v = press("/settings", v, "add dhcp.subnet")
	v.Set("dhcp.subnet[1].name", "Cellar")
	body, v = press("/settings", v, "del dhcp.subnet 1")
	if v.Get("dhcp.subnet") != "1" || v.Get("dhcp.subnet[0].name") != "Cellar" || slices.Contains(v["dhcp.subnet[0].pool"], "10.78.0.1") {
		t.Errorf("the table is %v, want the cellar alone:\n%s", v, body)
	}
	v.Del("row")
	v["dhcp.pool"] = []string{"10.77.1.1"}
	v.Set("do", "save")
	wantCode(t, r.form("/settings", c, v), 303)
	if got := r.box.site.values; got["dhcp.subnet"] != "1" || got["dhcp.subnet[0].name"] != "Cellar" {
		t.Errorf("saved was %v", got)
	}

	_, v = r.open("/names", c)
	v["dns.hosts/name"], v["dns.hosts/value"] = []string{"pbx", "door", "", "a=b"}, []string{"10.77.0.10", "10.77.0.11", "", "10.77.0.12"}
	v.Set("row", "del dns.hosts 1")
	v = formOf(t, r.form("/settings/names", c, v).Body.String())
	if got := v["dns.hosts/name"]; !slices.Equal(got, []string{"door", "ab", ""}) {
		t.Errorf("the names are %q", got)
	}
	v["dns.hosts/name"] = []string{"door", "a=b"}
	v.Set("do", "save")
	w := r.form("/settings/names", c, v)
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "a name without =")
	v["dns.hosts/name"] = []string{"door"}
	wantCode(t, r.form("/settings/names", c, v), 303)
	if got := r.box.site.values["dns.hosts"]; got != "door = 10.77.0.11" {
		t.Errorf("the hosts are %q", got)
	}
	for _, row := range []string{"explode", "del x y", "del dhcp.pool -1", "add"} {
		v.Set("row", row)
		wantCode(t, r.form("/settings", c, v), 400)
	}
}

// Before anything is saved a page says what changes and what that does, and carries the form to the next button.
func TestThePreviewSaysWhatChangesAndCarriesTheForm(t *testing.T) {
	r, c := formRig(t)
	furnish(t, r)
	_, v := r.open("/settings/phones", c)
	v.Set("do", "preview")
	w := r.form("/settings/phones", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Nothing is changed in this form")
	v.Set("sip.proxy", "pbx.example")
	v.Set("sip.parameters/maybe/nat_enable", "1")
	w = r.form("/settings/phones", c, v)
	wantCode(t, w, 200)
	body := w.Body.String()
	wantText(t, body, "Before saving", "Phones must restart to learn the new telephone system.", ">Reception</a>", `href="/phones/0006D7AA2A2E"`, "<strong>pbx.example</strong>", "nat_enable = 1")
	if len(r.box.site.values) != 0 {
		t.Fatalf("the preview saved %v", r.box.site.values)
	}
	hidden := url.Values{}
	_, form, _ := strings.Cut(body, `action="/settings/phones"`)
	for _, tag := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(form, -1) {
		hidden.Add(html.UnescapeString(tag[1]), html.UnescapeString(tag[2]))
	}
	hidden.Set("do", "edit")
	w = r.form("/settings/phones", c, hidden)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `value="pbx.example"`, `name="sip.parameters/name" value="nat_enable"`)
	hidden.Set("do", "save")
	wantCode(t, r.form("/settings/phones", c, hidden), 303)
	got := r.box.site.values
	if got["sip.proxy"] != "pbx.example" || got["sip.parameters"] != "phone_password = ********\ntimer_t1 = 500\nnat_enable = 1" {
		t.Errorf("saved was %v", got)
	}

	_, v = r.open("/settings", c)
	v.Set("network.address", "10.1.0.1/16")
	v.Set("do", "preview")
	wantText(t, r.form("/settings", c, v).Body.String(), "The page moves.", "https://10.1.0.1/")
	v.Set("do", "save")
	w = r.form("/settings", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "The page has moved", `href="https://10.1.0.1/"`)
}

// The check while one types answers parts to exchange, with the faults of each field, and changes nothing.
func TestTheCheckWhileTypingChangesNothing(t *testing.T) {
	r, c := formRig(t)
	_, v := r.open("/settings", c)
	v["dhcp.pool"] = []string{"x"}
	v.Set("name", "odd")
	w := r.form("/settings/check", c, v)
	wantCode(t, w, 200)
	body := w.Body.String()
	wantText(t, body, `<hx-partial hx-target="#v-f-dhcp-pool"`, "a range of addresses such as", `<hx-partial hx-target="#form-summary"`, `href="#f-dhcp-pool"`,
		`<small class="warning">found &#34;odd&#34;; allowed: a better name`, `hx-target="#v-f-name"`)
	wantNoText(t, body, "<input", "<form")
	v["dhcp.pool"] = []string{"10.77.1.1"}
	v.Set("name", "fine")
	wantText(t, r.form("/settings/check", c, v).Body.String(), "These settings can be saved.")
	v.Set("page", "nonsense")
	wantCode(t, r.form("/settings/check", c, v), 404)
	if len(r.box.site.values) != 0 || len(r.reported(web.EventChanged)) != 0 {
		t.Error("the check changed something")
	}
}

func TestProgramsCheckSettings(t *testing.T) {
	r, _ := formRig(t)
	post := func(kind, body string) (out struct {
		OK bool
		web.SiteCheck
	},
	) {
		t.Helper()
		w := r.do(call{method: "POST", path: "/api/v1/site/check", basic: true, body: body, header: map[string]string{"Content-Type": kind}})
		wantCode(t, w, 200)
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(w.Body.String(), "null") {
			t.Errorf("the answer has null where a list belongs: %s", w.Body)
		}
		return out
	}
	if got := post("application/json", `{"values":{"network.address":"x","name":"odd"}}`); got.OK || len(got.Faults) != 1 || got.Faults[0].Key != "network.address" || len(got.Warnings) != 1 {
		t.Errorf("got %+v", got)
	}
	if got := post("application/json", `{"values":{"sip.proxy":"pbx.example"}}`); !got.OK || len(got.Changes) != 1 || !got.Effects[0].Restart {
		t.Errorf("got %+v", got)
	}
	if got := post("application/toml", "a\nwrong\n"); got.OK || got.Faults[0].Line != 2 {
		t.Errorf("got %+v", got)
	}
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/site/check", basic: true, body: `{"colour":1}`}), 400)
	wantCode(t, r.do(call{method: "POST", path: "/api/v1/site/check", body: `{}`}), 401)
	if len(r.box.site.values) != 0 {
		t.Error("the check changed something")
	}
}

func TestAParameterIsFoundAndSet(t *testing.T) {
	r, c := formRig(t)
	_, v := r.open("/settings/phones", c)
	v.Set("sip.proxy", "typed.example")
	v.Set("q", "call waiting")
	v.Set("do", "find")
	w := r.form("/settings/phones", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), `value="param sip.parameters call_waiting"`, `value="typed.example"`)
	wantText(t, r.form("/settings/find", c, url.Values{"q": {"voice mail"}}).Body.String(), "messages_uri", `hx-target="#found"`)
	wantText(t, r.form("/settings/find", c, url.Values{"q": {"zebra crossing"}}).Body.String(), "No parameter fits that.")
	v = formOf(t, w.Body.String())
	v.Set("row", "param sip.parameters call_waiting")
	body := r.form("/settings/phones", c, v).Body.String()
	wantText(t, body, `name="sip.parameters/maybe/call_waiting"`, `value="typed.example"`, "Allowed:")
	v.Set("row", "pick models.7940.parameters")
	v.Set("models.7940.parameters/pick", "Call_Waiting")
	wantText(t, r.form("/settings/phones", c, v).Body.String(), `name="models.7940.parameters/maybe/call_waiting"`)
	v.Set("models.7940.parameters/pick", "sync") // phonebox decides it
	wantCode(t, r.form("/settings/phones", c, v), 422)
	v.Del("row")
	v.Set("sip.parameters/maybe/call_waiting", "0")
	v.Set("do", "save")
	wantCode(t, r.form("/settings/phones", c, v), 303)
	if got := r.box.site.values["sip.parameters"]; !strings.HasSuffix(got, "call_waiting = 0") {
		t.Errorf("the parameters are %q", got)
	}
	_, v = r.open("/settings/phones", c)
	v.Set("row", "del sip.parameters 2") // timer_t1
	v = formOf(t, r.form("/settings/phones", c, v).Body.String())
	if got := v["sip.parameters/name"]; !slices.Equal(got, []string{"phone_password", "call_waiting"}) {
		t.Errorf("the parameters are %q, want timer_t1 gone", got)
	}
}

// A preset fills in the form, says why, and saves nothing; what it leaves to a person it does not touch.
func TestPresetsFillInTheForm(t *testing.T) {
	r, c := formRig(t)
	r.box.site.values = map[string]string{"sip.proxy": "pbx.here.example", "sip.parameters": "outbound_proxy = sbc.example\ntimer_t1 = 500"}
	chooser := r.do(call{path: "/settings/pbx", cookie: c}).Body.String()
	for _, p := range pbx.Presets() {
		wantText(t, chooser, p.Name, `href="/settings/phones?preset=`+p.Key+`"`, `href="/settings/pbx/`+p.Key+`"`)
		body, v := r.open("/settings/phones?preset="+p.Key, c)
		for _, set := range p.Sets {
			wantText(t, body, html.EscapeString(set.Why))
			if set.Parameter || set.Asked || set.Key == "sip.port" {
				continue
			}
			want := set.Value
			if got := v.Get(set.Key); got != want {
				t.Errorf("%s fills in %s as %q, want %q", p.Key, set.Key, got, want)
			}
		}
		if !p.Provider && v.Get("sip.proxy") != "pbx.here.example" {
			t.Errorf("%s changed the telephone system, which is a person's to fill in", p.Key)
		}
	}
	_, v := r.open("/settings/phones?preset=callcentric", c)
	if got := v["sip.parameters/name"]; slices.Contains(got, "outbound_proxy") || !slices.Contains(got, "timer_t1") || !slices.Contains(got, "nat_enable") {
		t.Errorf("the parameters are %q, want the outbound proxy gone, the timer kept, and those of the preset", got)
	}
	v.Set("do", "save")
	wantCode(t, r.form("/settings/phones", c, v), 303)
	if got := r.box.site.values["sip.proxy"]; got != "callcentric.com" {
		t.Errorf("the proxy is %q", got)
	}
	wantCode(t, r.do(call{path: "/settings/phones?preset=nothing", cookie: c}), 404)
	wantCode(t, r.do(call{path: "/settings?preset=callcentric", cookie: c}), 404)
}

// Who chooses another preset gets rid of what the former one filled in, and of nothing of their own.
func TestAnotherPresetTakesBackWhatTheFormerSet(t *testing.T) {
	r, c := formRig(t)
	choose := func(preset string, own map[string]string) (body, params, proxy string) {
		t.Helper()
		body, v := r.open("/settings/phones?preset="+preset, c)
		for i, name := range v["sip.parameters/name"] {
			if value, ok := own[name]; ok {
				v["sip.parameters/value"][i] = value
			}
		}
		if value, ok := own["sip.proxy"]; ok {
			v.Set("sip.proxy", value)
		}
		if value, ok := own["outbound_proxy"]; ok {
			v.Set("sip.parameters/maybe/outbound_proxy", value)
		}
		v.Set("do", "save")
		wantCode(t, r.form("/settings/phones", c, v), 303)
		return body, r.box.site.values["sip.parameters"], r.box.site.values["sip.proxy"]
	}
	r.box.site.values = map[string]string{"sip.proxy": "", "sip.parameters": "call_waiting = 0"}
	body, _, _ := choose("callcentric", map[string]string{"preferred_codec": "g711alaw"})
	if strings.Contains(body, "What the former choice left") {
		t.Error("the first preset takes something back")
	}
	body, params, proxy := choose("asterisk-pjsip", nil)
	wantText(t, body, "What the former choice left", `<code>callcentric.com</code>. Callcentric had set it`, `timer_register_expires</code></a>: <code>120</code>. Callcentric had set it`)
	if proxy != "" || strings.Contains(params, "timer_register_expires") || !strings.Contains(params, "preferred_codec = g711alaw") || !strings.Contains(params, "call_waiting = 0") {
		t.Errorf("the proxy is %q and the parameters are %q; want no proxy and no timer of Callcentric, and the person's own codec", proxy, params)
	}
	choose("provider", map[string]string{"sip.proxy": "sip.provider.example", "outbound_proxy": "sbc.provider.example"})
	body, params, proxy = choose("freepbx", nil)
	wantText(t, body, `<code>sbc.provider.example</code>. It was filled in for Another provider and stays`, "Another provider had set it")
	if proxy != "sip.provider.example" || strings.Contains(params, "timer_register_expires") || !strings.Contains(params, "outbound_proxy = sbc.provider.example") {
		t.Errorf("the proxy is %q and the parameters are %q; want what the person typed, and no timer", proxy, params)
	}
	// Whose preset it was cannot be known when its values were changed: nothing goes.
	r.box.site.values["sip.parameters"] = "timer_register_expires = 120\nnat_enable = 0"
	if body, params, _ = choose("freepbx", nil); strings.Contains(body, "What the former choice left") || !strings.Contains(params, "timer_register_expires = 120") {
		t.Errorf("the parameters are %q, want the timer of nobody's preset kept", params)
	}
}

func TestSnippetsHideThePasswordsUntilAskedFor(t *testing.T) {
	r, c := formRig(t)
	r.forms.lines = []pbx.Line{{Phone: "Reception", Number: "208", Password: "sip-secret-208", DisplayName: "<Front> desk"}}
	for _, p := range pbx.Presets() {
		path := "/settings/pbx/" + p.Key
		w := r.do(call{path: path, cookie: c})
		wantCode(t, w, 200)
		wantNoText(t, w.Body.String(), "sip-secret-208", "<Front>")
		for _, step := range p.Steps {
			wantText(t, w.Body.String(), html.EscapeString(step))
		}
		if p.Write == nil {
			continue
		}
		wantText(t, w.Body.String(), "208", web.Mask, "Show the passwords", `data-copy="snippet"`, "One line has a telephone system of its own")
		before := len(r.reported(web.EventSecrets))
		wantNoText(t, r.form(path, c, nil).Body.String(), "sip-secret-208")
		if n := len(r.reported(web.EventSecrets)); n != before {
			t.Error("the journal says that passwords were shown, and they were not")
		}
		w = r.form(path, c, url.Values{"secrets": {"yes"}})
		wantText(t, w.Body.String(), "sip-secret-208", "noted in the journal")
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("the page with passwords may be kept: %q", got)
		}
		secrets := r.reported(web.EventSecrets)
		if len(secrets) != before+1 || !strings.Contains(secrets[before].What, p.Name) {
			t.Errorf("the journal has %v, want that the passwords were shown", secrets)
		}
	}
	wantCode(t, r.do(call{path: "/settings/pbx/nothing", cookie: c}), 404)
}

func TestTheFileIsCheckedWithItsLines(t *testing.T) {
	r, c := formRig(t)
	_, etag := r.box.site.TOML(false)
	v := url.Values{"etag": {etag}, "text": {"name = \"x\"\r\nwrong = <1>\r\n"}, "do": {"check"}}
	w := r.form("/settings/file", c, v)
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "Line 2", "2 | wrong = &lt;1&gt;", "wrong = &lt;1&gt;\n</textarea>", `data-line="2"`)
	wantText(t, r.form("/settings/file/check", c, v).Body.String(), `hx-target="#filecheck"`, "Line 2")
	v.Set("text", "name")
	wantText(t, r.form("/settings/file/check", c, v).Body.String(), "The file has no faults.", "One setting would change", "Phones show the new name.")
	if r.box.site.text != "" {
		t.Error("a check saved the file")
	}
}

// Without forms the pages say so, and the file is there all the same.
func TestABoxWithoutForms(t *testing.T) {
	r, c := formRig(t)
	bare, err := newServer(r.cfg, web.Deps{Box: r.box, Shop: r.shop, Files: fakeFiles{}, Secrets: r.secrets, Now: r.clock.Now, Log: slog.New(slog.DiscardHandler), Report: func(web.Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	r.server = bare
	for path, code := range map[string]int{"/settings": 501, "/time": 200, "/names": 200, "/settings/file": 200, "/settings/pbx": 200} {
		wantCode(t, r.do(call{path: path, cookie: c}), code)
	}
}
