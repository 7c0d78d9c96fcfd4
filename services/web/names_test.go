package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"phonebox/services/web"
)

func TestNamesOverTheAPI(t *testing.T) {
	r := apiRig(t)
	for _, path := range []string{"/api/v1/names", "/api/v1/names/missing"} {
		if w := r.do(call{path: path, basic: true}); w.Body.String() != "[]\n" {
			t.Errorf("%s without names: %q", path, w.Body)
		}
		wantCode(t, r.do(call{path: path}), 401)
	}
	r.box.furnishNames(mac(t, reception), r.clock.Now())
	list := decode[[]map[string]any](t, r.do(call{path: "/api/v1/names/missing", basic: true}).Body)
	if len(list) != 3 || list[0]["name"] != "tftp.old-site.example" || list[0]["count"] != 42.0 || list[0]["mappable"] != true {
		t.Fatalf("the missing names are %v", list)
	}
	asker := list[0]["askers"].([]any)[0].(map[string]any)
	if asker["mac"] != reception || asker["label"] != "Reception" || asker["address"] != "10.77.0.50" || asker["count"] != 41.0 {
		t.Errorf("who asks is %v", asker)
	}
	if unknown := list[1]["askers"].([]any)[0].(map[string]any); unknown["mac"] != nil {
		t.Errorf("somebody without a MAC is %v", unknown)
	}
	post := func(body string, code int) {
		t.Helper()
		wantCode(t, r.do(call{method: "POST", path: "/api/v1/names", body: body, basic: true}), code)
	}
	post(`{"name":"tftp.old-site.example","target":"phonebox"}`, 204)
	post(`{"name":"tftp.old-site.example"}`, 422)
	post(`{"nam":"x"}`, 400)
	r.box.refuse = &web.Refused{Faults: []web.Fault{{Key: "dns.names", Found: "x", Allowed: "y"}}}
	w := r.do(call{method: "POST", path: "/api/v1/names", body: `{"name":"a","target":"b"}`, basic: true})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), `"found":"x"`)
	mapped := decode[[]map[string]any](t, r.do(call{path: "/api/v1/names", basic: true}).Body)
	if len(mapped) != 2 || mapped[1]["name"] != "tftp.old-site.example" || mapped[1]["target"] != "phonebox" {
		t.Errorf("the mapped names are %v", mapped)
	}
	wantCode(t, r.do(call{method: "DELETE", path: "/api/v1/names/tftp.old-site.example", basic: true}), 204)
	if want := []string{"tftp.old-site.example phonebox", "tftp.old-site.example "}; !slices.Equal(r.box.mapped, want) {
		t.Errorf("the box was asked for %q, want %q", r.box.mapped, want)
	}
	wantCode(t, r.do(call{method: "DELETE", path: "/api/v1/names/x"}), 401)
}

func TestNamesOnThePage(t *testing.T) {
	r := apiRig(t)
	r.box.furnishNames(mac(t, reception), r.clock.Now())
	cookie := r.login()
	wantText(t, r.do(call{path: "/help", cookie: cookie}).Body.String(), `<a href="/names">`)
	w := r.do(call{path: "/names?name=elsewhere.example", cookie: cookie})
	wantCode(t, w, 200)
	wantText(t, w.Body.String(), "phonebox.voice.home.arpa", "phonebox.local", "tftp.old-site.example", `<a href="/phones/0006D7AA2A2E" translate="no">Reception</a>`, "42 times",
		"&lt;script&gt;alert(1)&lt;/script&gt;", "cucm-sub.example", `value="elsewhere.example"`)
	wantNoText(t, w.Body.String(), "<script>alert")
	if got := strings.Count(w.Body.String(), `value="phonebox">This box`); got != 2 {
		t.Errorf("%d names can be led to the box, want the two that are names of hosts", got)
	}
	w = r.form("/names", cookie, url.Values{"name": {"tftp.old-site.example"}, "target": {""}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "no target", `value="tftp.old-site.example"`)
	r.box.refuse = &web.Refused{Faults: []web.Fault{{Key: "dns.names.x", Found: "a fault", Allowed: "none"}}}
	w = r.form("/names", cookie, url.Values{"name": {"x"}, "target": {"10.77"}})
	wantCode(t, w, 422)
	wantText(t, w.Body.String(), "a fault", `value="10.77"`)
	if len(r.box.mapped) != 0 {
		t.Errorf("refused forms changed %q", r.box.mapped)
	}
	wantLogin(t, "a name", r.form("/names", nil, url.Values{"name": {"x"}, "target": {"phonebox"}}))
	if len(r.box.mapped) != 0 {
		t.Errorf("without a login %q was changed", r.box.mapped)
	}
}

// One click leads a name to the box, another takes it back, with and without JavaScript.
func TestANameIsRescuedInABrowser(t *testing.T) {
	eachWay(t, func(t *testing.T, b *browser, script bool) {
		r := newRig(t, single)
		furnish(t, r)
		r.run()
		r.setUpOver(http.DefaultClient)
		r.box.furnishNames(mac(t, reception), r.clock.Now())
		url := r.server.URL()
		b.loginAt(url)
		b.do(chromedp.Navigate(url+"settings"), chromedp.Click(chromedp.CSS(`a[href="/names"]`)))
		b.see("Asked for, and nobody answers")
		if script {
			b.shoot("names")
			if bare := eval[string](b, unlabelled); bare != "" {
				t.Errorf("fields without a label: %s", bare)
			}
		}
		b.do(chromedp.Click(chromedp.CSS(`#missing button[name=target]`)))
		b.see("The name tftp.old-site.example leads to this box now.")
		b.do(chromedp.Click(chromedp.CSS(`#missing td.to a`)), chromedp.WaitVisible(chromedp.CSS(`#lead input[name=name][value^="very-long-name"]`)),
			chromedp.SendKeys(chromedp.CSS("#target"), "pbx"), chromedp.Click(chromedp.CSS("#lead button")))
		b.see("example leads to pbx now.")
		b.do(chromedp.Click(chromedp.CSS(`#mapped tbody tr:nth-child(2) button[name=remove]`)))
		b.see("The name tftp.old-site.example is not answered any more.")
		long := strings.Repeat("very-long-name.", 12) + "example"
		want := []string{"tftp.old-site.example phonebox", long + " pbx", "tftp.old-site.example "}
		if !slices.Equal(r.box.mapped, want) {
			t.Errorf("the box was asked for %q, want %q", r.box.mapped, want)
		}
	})
}
