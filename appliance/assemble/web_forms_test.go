package assemble

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/phone/pbx"
	"phonebox/services/web"
)

// formSite has an entry in each list, so that each key is in some form.
const formSite = `name = "Loopback"
[network]
interface = "lo"
address = "127.77.0.1/16"
[dhcp]
pool = ["127.77.1.1-127.77.1.9"]
[[dhcp.subnet]]
name = "Warehouse"
network = "127.78.0.0/24"
pool = ["127.78.0.50-127.78.0.60"]
[[dhcp.class]]
name = "Yealink"
vendor_class = "yealink"
[dhcp.class.options]
"66" = "http://10.77.0.10/"
"42" = ["10.77.0.10"]
"43" = ["10.77.0.11", "10.77.0.12"]
"15" = ""
"160" = "0x0102"
[time]
upstream = []
[dns.hosts]
pbx = "127.77.0.10"
[dns.names]
"old.example" = "pbx"
[sip]
proxy = "pbx"
[sip.parameters]
preferred_codec = "g711alaw"
phone_password = "pw-site"
timer_t1 = "500"
[sip.forced]
odd_name = "1"
[[dial_plan.rules]]
match = "112"
[[contacts]]
name = "Fire"
number = "112"
[[phones]]
mac = "00:06:D7:AA:2A:01"
model = "7960"
label = "Front desk"
[[phones.lines]]
name = "208"
password = "pw-line"
displayname = "Front"
[[phones]]
mac = "00:06:D7:AA:2A:02"
model = "7940"
zone = "Europe/Lisbon"
[[phones.lines]]
name = "209"
proxy = "127.77.0.11"
port = 5062
[phones.parameters]
preferred_codec = "g711ulaw"
[[phones]]
mac = "00:06:D7:AA:2A:03"
`

// formBox is a box with that site and somebody who is let in; it does not run.
func formBox(t *testing.T) (b *Box, get func(path string) string) {
	t.Helper()
	b = open(t, t.TempDir(), map[string]string{site.FileName: formSite})
	do := func(method, path, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Host, r.RemoteAddr = "127.0.0.1", "127.0.0.1:4000"
		r.SetBasicAuth("admin", "correct horse battery")
		w := httptest.NewRecorder()
		b.web.HTTPHandler().ServeHTTP(w, r)
		return w
	}
	if w := do(http.MethodPost, "/api/v1/setup", `{"password":"correct horse battery"}`); w.Code != http.StatusNoContent {
		t.Fatalf("setting the password: %d %s", w.Code, w.Body)
	}
	return b, func(path string) string {
		t.Helper()
		w := do(http.MethodGet, path, "")
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
}

// Every key of the site can be reached in some form of the page.
func TestEveryKeyOfTheSiteIsInAForm(t *testing.T) {
	_, get := formBox(t)
	var fields []string
	for _, path := range []string{"/settings", "/settings/phones", "/time", "/names", "/settings/page", "/dialplan", "/directory", "/phones/lines", "/phones/0006D7AA2A01/edit"} {
		for _, m := range regexp.MustCompile(` name="([^"]+)"`).FindAllStringSubmatch(get(path), -1) {
			fields = append(fields, m[1])
		}
	}
	entry := regexp.MustCompile(`\[\d+\]`)
	for i, f := range fields {
		f = entry.ReplaceAllString(f, "")
		f, _, _ = strings.Cut(f, "/")
		fields[i] = f
	}
	// Forms of one phone, of the dial plan and of the directory name their fields without the list that they are in.
	short := map[string]string{"phones.": "", "dial_plan.": "", "contacts.": "", "lines.": ""}
	for _, key := range site.Keys() {
		names := []string{key}
		for list, with := range short {
			if rest, ok := strings.CutPrefix(key, list); ok {
				names = append(names, with+rest, strings.TrimSuffix(list, "."))
			}
		}
		if !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(fields, n) }) {
			t.Errorf("%s is in no form; there are %q", key, fields)
		}
	}
}

// The check of a form is the check of saving: the same faults, and nothing is changed. What it says of passwords is a mask.
func TestTheCheckIsThatOfSaving(t *testing.T) {
	b, _ := formBox(t)
	f, s := siteForms{b}, settings{b}
	before := string(b.current().text)
	for _, values := range []map[string]string{
		{"network.address": "127.77.0.1"},
		{"dhcp.pool": "10.9.9.9"},
		{"dhcp.subnet": "1", "dhcp.subnet[0].name": "", "dhcp.subnet[0].network": "127.78.0.0/24", "dhcp.subnet[0].pool": "127.79.0.1"},
		{"dhcp.subnet": "999"},
		{"dhcp.class": "1", "dhcp.class[0].name": "x", "dhcp.class[0].options": "82 = 1\nnine = 1\n42 = door\n43 = 0x1"},
		{"sip.parameters": "preferred_codec = g722\nnat_enabel = 1"},
		{"colour": "red"},
	} {
		c := f.Check(t.Context(), values)
		err := s.SetFields(t.Context(), values, b.current().etag)
		refused, ok := err.(*web.Refused)
		if !ok || len(c.Faults) == 0 || !slices.Equal(refused.Faults, c.Faults) {
			t.Errorf("%v: the check says %v, saving says %v", values, c.Faults, err)
		}
		if len(c.Changes) != 0 || len(c.Effects) != 0 {
			t.Errorf("%v: what is refused has changes %v and effects %v", values, c.Changes, c.Effects)
		}
	}
	c := f.Check(t.Context(), map[string]string{"sip.parameters": "phone_password = pw-new\npreferred_codec = g711alaw\ntimer_t1 = 500"})
	if len(c.Faults) > 0 || len(c.Changes) != 1 || strings.Contains(c.Changes[0].Old+c.Changes[0].New, "pw-") {
		t.Errorf("a new password: %+v", c)
	}
	if c := f.CheckText(t.Context(), []byte(strings.Replace(formSite, "Front desk", "Lobby", 1))); len(c.Faults) > 0 || len(c.Changes) != 1 || c.Changes[0].Key != "label" || c.Changes[0].Who != "Lobby" || c.Changes[0].Old != "Front desk" || c.Changes[0].New != "Lobby" {
		t.Errorf("a file with another label: %+v", c)
	}
	if c := f.CheckText(t.Context(), []byte("name = 1.5\n")); len(c.Faults) == 0 || c.Faults[0].Line != 1 {
		t.Errorf("a wrong file: %+v", c)
	}
	if string(b.current().text) != before {
		t.Error("a check changed the settings")
	}
}

// A form that is sent back as it is changes nothing, tables with all kinds of options included.
func TestAFormThatIsSentBackChangesNothing(t *testing.T) {
	b, _ := formBox(t)
	form, _ := siteForms{b}.Form()
	values := map[string]string{}
	for _, one := range form.Fields {
		values[one.Key] = one.Value
		if one.Kind != "bool" && (one.Allowed == "" || one.Example == "") {
			t.Errorf("%s has no example, or does not say what is allowed", one.Key)
		}
	}
	for _, table := range form.Tables {
		values[table.Key] = "1"
		for _, one := range table.Entries[0] {
			values[one.Key] = one.Value
		}
	}
	if c := (siteForms{b}).Check(t.Context(), values); len(c.Faults) > 0 || len(c.Changes) > 0 || len(c.Effects) > 0 {
		t.Errorf("faults %v, changes %v, effects %v; want none", c.Faults, c.Changes, c.Effects)
	}
	values["dhcp.class[0].name"] = "Snom"
	c := siteForms{b}.Check(t.Context(), values)
	if len(c.Changes) != 1 || c.Changes[0].Key != "dhcp.class[0].name" || c.Changes[0].New != "Snom" || len(c.Effects) != 1 {
		t.Errorf("changes %+v, effects %+v; want the name alone", c.Changes, c.Effects)
	}
}

// Whenever a change lets a phone's files say something else, an effect names that phone as one that must restart.
func TestEffectsNameThePhonesWhoseParametersChange(t *testing.T) {
	b, _ := formBox(t)
	old := b.current().site
	params := map[string]string{}
	for name, v := range old.SIP.Parameters {
		params[name] = v
	}
	text := func(change map[string]string) string {
		m := maps.Clone(params)
		maps.Copy(m, change)
		var lines []string
		for _, name := range slices.Sorted(maps.Keys(m)) {
			lines = append(lines, name+" = "+m[name])
		}
		return strings.Join(lines, "\n")
	}
	told := func() map[phone.MAC]map[string]string {
		out := map[phone.MAC]map[string]string{}
		for i := range old.Phones {
			list, ok := b.provision.Effective(old.Phones[i].MAC)
			if !ok {
				t.Fatal("a listed phone has no parameters")
			}
			values := map[string]string{}
			for _, e := range list {
				values[e.Parameter.Name] = e.Value
			}
			out[old.Phones[i].MAC] = values
		}
		return out
	}
	before := told()
	for name, values := range map[string]map[string]string{
		"proxy": {"sip.proxy": "127.77.0.12"}, "port": {"sip.port": "5070"}, "register": {"sip.register": "false"},
		"codec": {"sip.parameters": text(map[string]string{"preferred_codec": "g729a"})}, "timer": {"sip.parameters": text(map[string]string{"timer_t1": "700"})},
		"password": {"sip.parameters": text(map[string]string{"phone_password": "pw-other"})}, "model": {"models.7940.parameters": "call_waiting = 0"},
		"zone": {"time.zone": "America/New_York"}, "mode": {"time.sntp_mode": "anycast"}, "no time": {"time.enabled": "false"},
		"address": {"network.address": "127.77.0.2/16"}, "name": {"name": "Elsewhere"}, "lease": {"dhcp.lease": "1h"}, "hosts": {"dns.hosts": "pbx = 127.77.0.10\ndoor = 127.77.0.13"},
		"plain": {"web.plain_http": "true"}, "broadcast": {"time.broadcast_interval": "0s"}, "domain": {"network.domain": "other.home.arpa"},
	} {
		next, faults := old.SetFields(values, site.Catalogue())
		if next == nil {
			t.Errorf("%s: %v", name, faults)
			continue
		}
		if err := b.provision.Apply(b.planOf(next).provision); err != nil {
			t.Fatal(err)
		}
		named := map[phone.MAC]bool{}
		for _, e := range site.Effects(old, next) {
			for _, m := range e.Phones {
				named[m] = named[m] || e.Restart
			}
		}
		for m, values := range told() {
			differs := ""
			for p, v := range values {
				if before[m][p] != v {
					differs += p + " "
				}
			}
			if differs != "" && !named[m] {
				t.Errorf("%s: %s is told another %s, and no effect names it", name, m, differs)
			}
			// The name is drawn, not a parameter; a phone whose model is not known yet may be of the model that changes.
			if unsure := name == "model" && m == old.Phones[2].MAC; differs == "" && named[m] && name != "name" && !unsure {
				t.Errorf("%s: %s is named, and is told nothing else", name, m)
			}
		}
		if len(site.Effects(old, next)) == 0 {
			t.Errorf("%s: nothing is said", name)
		}
	}
}

// The lines are those that register at the site's own telephone system, masked unless asked for.
func TestLinesForATelephoneSystem(t *testing.T) {
	b, _ := formBox(t)
	office, others := siteForms{b}.Lines(false)
	want := []pbx.Line{{Phone: "Front desk", Number: "208", Password: web.Mask, DisplayName: "Front"}}
	if !slices.Equal(office.Lines, want) || others != 1 || office.Codec != "g711alaw" {
		t.Errorf("got %+v and %d others", office, others)
	}
	office, _ = siteForms{b}.Lines(true)
	if office.Lines[0].Password != "pw-line" {
		t.Errorf("asked for, the password is %q", office.Lines[0].Password)
	}
}

// What a preset sets is allowed in every site.
func TestPresetsAreAllowed(t *testing.T) {
	b, _ := formBox(t)
	for _, p := range pbx.Presets() {
		values := map[string]string{}
		var params []string
		for _, set := range p.Sets {
			switch {
			case set.Asked || set.Parameter && set.Value == "":
			case set.Parameter:
				params = append(params, set.Key+" = "+set.Value)
			default:
				values[set.Key] = set.Value
			}
		}
		values["sip.parameters"] = strings.Join(params, "\n")
		if c := (siteForms{b}).Check(t.Context(), values); len(c.Faults) > 0 {
			t.Errorf("%s: %v", p.Key, c.Faults)
		}
	}
}
