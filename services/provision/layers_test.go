package provision_test

import (
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/provision"
)

// effective finds one parameter of a phone.
func effective(t *testing.T, p *provision.Provisioner, mac phone.MAC, name string) phone.Effective {
	t.Helper()
	list, ok := p.Effective(mac)
	if !ok {
		t.Fatalf("nothing is known of %s", mac)
	}
	i := slices.IndexFunc(list, func(e phone.Effective) bool { return strings.EqualFold(e.Parameter.Name, name) })
	if i < 0 {
		t.Fatalf("%s has no %s", mac, name)
	}
	return list[i]
}

// Each layer wins over the one below it, the page says which one did, and the file holds that value.
func TestLayers(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Parameters = map[string]string{"Preferred_Codec": "g711alaw", "call_waiting": "0", "phone_prompt": "site", "dnd_control": "1"}
	cfg.Forced = map[string]string{"Vendor_Setting": "site", "vendor_password": "sesame"}
	cfg.Models = map[string]map[string]string{
		"7940": {"phone_prompt": "small", "dnd_control": "2", "language": "english"},
		"7960": {"phone_prompt": "large", "preferred_codec": "g729a", "line1_displayname": "model"},
	}
	cfg.Phones[0].Parameters = map[string]string{"Dnd_Control": "3", "line2_shortname": "Own"}
	cfg.Phones[0].Forced = map[string]string{"vendor_setting": "phone"}
	cfg.Phones[1].Model = "" // it is learnt
	w := newWorld()
	w.running[workshop] = provision.Running{Model: "7940"}
	w.guide = &guide{naming: map[phone.MAC]phone.Naming{reception: phone.Stay(target)}}
	p, _ := start(t, cfg, w, bundle(target))
	for _, tt := range []struct {
		mac                        phone.MAC
		name, value, from, written string
		hidden                     []phone.Setting
	}{
		{reception, "preferred_codec", "g729a", "the model 7960", phone.FileSIPMAC, []phone.Setting{{From: "the site", Value: "g711alaw"}}},
		{reception, "dnd_control", "3", "this phone", phone.FileSIPMAC, []phone.Setting{{From: "the site", Value: "1"}}},
		{reception, "phone_prompt", "large", "the model 7960", phone.FileSIPMAC, []phone.Setting{{From: "the site", Value: "site"}}},
		{reception, "line1_displayname", "Reception", "line 1", phone.FileSIPMAC, []phone.Setting{{From: "the model 7960", Value: "model"}}},
		{reception, "line2_shortname", "Own", "this phone", phone.FileSIPMAC, []phone.Setting{{From: "line 2", Value: "209"}}},
		{reception, "vendor_setting", "phone", "this phone", phone.FileSIPMAC, []phone.Setting{{From: "the site", Value: "site"}}},
		{reception, "vendor_password", "sesame", "the site", phone.FileSIPMAC, nil},
		{reception, "call_waiting", "0", "the site", phone.FileSIPMAC, nil},
		{reception, "sntp_server", "10.77.0.1", "phonebox", phone.FileSIPDefault, nil},
		{reception, "time_zone", "CET", "phonebox", phone.FileSIPDefault, nil},
		{reception, "proxy1_address", "pbx.voice.home.arpa", "the site", phone.FileSIPDefault, nil},
		{reception, "image_version", target, "phonebox", phone.FileSIPMAC, nil},
		{reception, "nat_enable", "0", "default", phone.FileSIPDefault, nil},
		{workshop, "phone_prompt", "small", "the model 7940", phone.FileSIPMAC, []phone.Setting{{From: "the site", Value: "site"}}},
		{workshop, "language", "english", "the model 7940", phone.FileSIPMAC, nil},
		{workshop, "dnd_control", "2", "the model 7940", phone.FileSIPMAC, []phone.Setting{{From: "the site", Value: "1"}}},
		{phone.MAC{}, "phone_prompt", "site", "the site", phone.FileSIPMAC, nil},
	} {
		e := effective(t, p, tt.mac, tt.name)
		if e.Value != tt.value || e.From != tt.from || e.Written != tt.written || !slices.Equal(e.Hidden, tt.hidden) {
			t.Errorf("%s of %s is %+v, want %+v", tt.name, tt.mac, e, tt)
		}
		if tt.mac.IsZero() {
			continue
		}
		name := "SIPDefault.cnf"
		if tt.written == phone.FileSIPMAC {
			name = "SIP" + tt.mac.Name() + ".cnf"
		}
		_, file := ask(t, p, provision.Query{Name: name, MAC: tt.mac})
		if line := strings.ToLower(tt.name) + ": "; !strings.Contains(strings.ToLower(file), line+`"`+strings.ToLower(tt.value)+"\"\n") && !strings.Contains(strings.ToLower(file), line+strings.ToLower(tt.value)+"\n") {
			t.Errorf("%s does not hold %s%s:\n%s", name, line, tt.value, file)
		}
	}
	if _, ok := p.Effective(stranger); ok {
		t.Error("a phone that is not listed has parameters")
	}
	if _, file := ask(t, p, provision.Query{Name: "SIPDefault.cnf", MAC: reception}); !strings.Contains(file, "Vendor_Setting: \"site\"\n") && !strings.Contains(file, "vendor_setting: \"site\"\n") || strings.Contains(file, "sesame") {
		t.Errorf("forced names of the site in\n%s", file)
	}
}

// A value of a model that the file can't carry is refused, whichever model a phone may turn out to be.
func TestModelsAreProvedForPhonesThatMayBeThem(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.Phones[0].Model = ""
	cfg.Models = map[string]map[string]string{"7940": {"call_waiting": "9"}}
	p, _ := start(t, office(), newWorld(), nil)
	if err := p.Apply(cfg); err == nil || !strings.Contains(err.Error(), "call_waiting") {
		t.Errorf("taken: %v", err)
	}
}

// A line's own proxy is that of its number; where the first line has one, the others must be told the site's by name.
func TestProxiesOfLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		about, proxy string
		register     bool
		lines        []provision.Line
		parameters   map[string]string
		want, never  []string
	}{
		{
			"none", "pbx.voice.home.arpa", true,
			[]provision.Line{{Name: "1"}, {Name: "2"}},
			nil, nil,
			[]string{"proxy"},
		},
		{
			"of the second line", "pbx.voice.home.arpa", true,
			[]provision.Line{{Name: "1"}, {Name: "2", Proxy: "192.0.2.1", Port: 5062}},
			nil,
			[]string{`proxy2_address: "192.0.2.1"`, "proxy2_port: 5062"},
			[]string{"proxy1", "proxy_register"},
		},
		{
			"of the first line", "pbx.voice.home.arpa", true,
			[]provision.Line{{Name: "1", Proxy: "192.0.2.1"}, {Name: "2"}, {Name: "3", Proxy: "192.0.2.3"}},
			nil,
			[]string{`proxy1_address: "192.0.2.1"`, "proxy1_port: 5070", `proxy2_address: "pbx.voice.home.arpa"`, "proxy2_port: 5070", `proxy3_address: "192.0.2.3"`},
			[]string{"proxy4"},
		},
		{
			"without one of the site", "", true,
			[]provision.Line{{Name: "1"}, {Name: "2", Proxy: "192.0.2.1"}},
			nil,
			[]string{`proxy2_address: "192.0.2.1"`, "proxy_register: 1"},
			[]string{"proxy1"},
		},
		{
			"without registering", "", false,
			[]provision.Line{{Name: "1", Proxy: "192.0.2.1"}},
			nil,
			[]string{`proxy1_address: "192.0.2.1"`},
			[]string{"proxy_register", "proxy2"},
		},
		{
			"wins over the phone's parameters", "pbx", true,
			[]provision.Line{{Name: "1", Proxy: "192.0.2.1"}},
			map[string]string{"proxy1_address": "192.0.2.9"},
			[]string{`proxy1_address: "192.0.2.1"`},
			[]string{"192.0.2.9"},
		},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			cfg := office()
			cfg.Proxy, cfg.ProxyPort, cfg.Register = tt.proxy, 5070, tt.register
			cfg.Phones[0].Lines, cfg.Phones[0].Parameters = tt.lines, tt.parameters
			p, _ := start(t, cfg, newWorld(), nil)
			_, file := ask(t, p, provision.Query{Name: "SIP0006D7AA2A2E.cnf", MAC: reception})
			for _, want := range tt.want {
				if !strings.Contains(file, want+"\n") {
					t.Errorf("no %s in\n%s", want, file)
				}
			}
			for _, never := range tt.never {
				if strings.Contains(file, never) {
					t.Errorf("%s in\n%s", never, file)
				}
			}
		})
	}
}

// A dial plan is served under dialplan.xml and under the name that the phone was given for it.
func TestDialPlanUnderItsName(t *testing.T) {
	t.Parallel()
	cfg := office()
	cfg.DialPlan = []byte("<DIALTEMPLATE/>")
	cfg.Parameters = map[string]string{"dial_template": "office"}
	cfg.Phones[1].Parameters = map[string]string{"dial_template": "workshop"}
	p, _ := start(t, cfg, newWorld(), map[string][]byte{"own.xml": {1}})
	for _, tt := range []struct {
		name string
		q    provision.Query
		want provision.Status
	}{
		{"dialplan.xml", provision.Query{From: laptopAt}, provision.OK},
		{"Office.xml", provision.Query{From: laptopAt}, provision.OK},
		{"office.xml", provision.Query{From: receptionAt}, provision.OK},
		{"workshop.xml", provision.Query{From: workshopAt}, provision.OK},
		{"workshop.xml", provision.Query{From: receptionAt}, provision.Missing},
		{"workshop.xml", provision.Query{From: laptopAt}, provision.Missing},
	} {
		tt.q.Name = tt.name
		a, got := ask(t, p, tt.q)
		if a.Status != tt.want || a.Status == provision.OK && got != "<DIALTEMPLATE/>" {
			t.Errorf("%s for %s: %q, %+v", tt.name, tt.q.From, got, a)
		}
	}
	cfg.Parameters["dial_template"] = "own" // a file of that name is the plan
	if err := p.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	if _, got := ask(t, p, provision.Query{Name: "own.xml", From: receptionAt}); got != "\x01" {
		t.Errorf("an own plan: %q", got)
	}
}
