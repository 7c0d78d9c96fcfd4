package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// phoneReport is the answer to POST .../ask.
type phoneReport struct {
	Lines, Lacks []string
	Output       string
}

// TestPhonesAreAskedAndRestarted lets virtual phones register at a real registrar, asks one of them over telnet what it
// thinks of that, and restarts all of them from the box.
func TestPhonesAreAskedAndRestarted(t *testing.T) {
	waiting.enter(t)
	testkit.Need(t, "netns", "kamailio", "kamcmd")
	lan := office(t, testkit.Host{Name: "pbx", Addr: netip.MustParsePrefix(pbxAddr + "/16")}, testkit.Host{Name: "wire"})
	pbx := startPBX(t, lan.Node("pbx"))
	base := mustMAC("00:06:d7:66:00:00")
	first, second, silent := base, phonesim.AddMAC(base, 1), phonesim.AddMAC(base, 2)
	b := startBox(t, lan, site{
		sip: `proxy = "pbx.voice.home.arpa"` + "\n[sip.parameters]\ntelnet_level = \"1\"", dns: "[dns.hosts]\npbx = \"" + pbxAddr + "\"",
		phones: []sitePhone{
			{mac: first, label: "One", line: "208"},
			{mac: second, label: "Two", line: "209"},
			{mac: silent, label: "Three", line: "210", more: "[phones.parameters]\ntelnet_level = \"0\""},
		},
	}.text(), nil)
	w := newWire(t, lan.Node("wire"))
	var phones []*phonesim.Phone
	for _, mac := range []phone.MAC{first, second} {
		p, _ := plug(t, phonesim.Config{Link: w, MAC: mac})
		phones = append(phones, p)
		waitDone(t, p, time.Minute)
		agree(t, b, p, 10*time.Second)
	}
	testkit.Eventually(t, 30*time.Second, "the first phone is registered", func() bool { return strings.Contains(pbx.registered(), "sip:208@") })

	code, body, _ := b.call(b.laptop, http.MethodPost, "/api/v1/phones/"+first.String()+"/ask", nil)
	var report phoneReport
	if err := json.Unmarshal(body, &report); err != nil || code != http.StatusOK {
		t.Fatalf("asking the phone: %d %s: %v", code, body, err)
	}
	if all := strings.Join(report.Lines, "\n"); !strings.Contains(all, "Line 1 is registered at "+pbxAddr) {
		t.Errorf("the phone says %q, wanted line 1 registered at %s", all, pbxAddr)
	}
	if strings.Contains(string(body), "secret-") {
		t.Errorf("the password is in the answer: %s", body)
	}
	if code, body, _ = b.call(b.laptop, http.MethodPost, "/api/v1/phones/"+silent.String()+"/ask", nil); code != http.StatusConflict || !strings.Contains(string(body), "telnet_level") {
		t.Errorf("a phone without telnet: %d %s, wanted 409 that names telnet_level", code, body)
	}
	if c := b.checkLineOf(first); !c.OK || !strings.Contains(c.Text, "One phone is registered") {
		t.Errorf("the line of the phone that is registered: %+v", c)
	}

	boots := []int{phones[0].Result().Boots, phones[1].Result().Boots}
	if code, body, _ = b.call(b.laptop, http.MethodPost, "/api/v1/restart", []byte(`{}`), "Content-Type", "application/json"); code != http.StatusAccepted {
		t.Fatalf("restarting all: %d %s", code, body)
	}
	for i, p := range phones {
		testkit.Eventually(t, time.Minute, "the phone starts anew and is ready", func() bool {
			r := p.Result()
			return r.Boots > boots[i] && r.Step == phone.Ready
		})
	}
	var progress struct {
		Running     bool
		Total, Done int
		Failed      []struct{ Why string }
	}
	testkit.Eventually(t, 30*time.Second, "the restarts are done", func() bool {
		b.get("/api/v1/restart", &progress)
		return !progress.Running
	})
	if progress.Total != 2 || progress.Done != 2 || len(progress.Failed) != 0 {
		t.Errorf("the restarts came to %+v, wanted 2 of 2", progress)
	}
	b.healthy()
}
