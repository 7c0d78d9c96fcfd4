package site

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// Any text is refused with faults that a person can use, or is a site that its canonical text gives again.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/faults.toml", "../../docs/site.md", "../../docs/addresses.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		for i, part := range strings.Split(string(text), "```") {
			if i%2 == 1 {
				f.Add([]byte(strings.TrimPrefix(part, "toml")))
			}
		}
	}
	for _, s := range []string{
		"", "a.b.c = 1\n[a]\nb.d = 2", "[a.b]\n[a]\n[[a.c]]\n[a.c.d]", "x = [[1,\n2], {y = '''\n'''}]", "[[phones]]\n[phones.parameters]\n\"a b\" = 1",
		"[models.7940.parameters]\na = 1\n[models]\n[[dial_plan.rules]]\nmatch = '1'\n[dial_plan]\ncountry = 'BE'\n[[contacts]]\nname = 'a'\nnumber = '+1 (0)2'",
		"[network]\naddress='10.0.0.1/24'\n[dhcp]\nenabled=false\n[sip.forced]\n'a.b'=''\n[[phones]]\nmac='0006D7AA2A2E'\nload='stay'\n[[phones.lines]]\nname='1'\nport=0\nproxy='a'",
		"[network]\naddress='10.0.0.1/24'\n[dhcp]\nenabled=false\n[[dhcp.subnet]]\nname='a'\nnetwork='10.1.0.0/24'\ncircuit=['0x61', '0x00']\nlease=''\n[[dhcp.class]]\nname='b'\nmacs=['0006D7AA2A2E']\n[dhcp.class.options]\n'3'='10.0.0.1,10.0.0.2'\n'35'=60\n'43'='0x00'\n'12'=''",
		"[network]\naddress='10.0.0.1/24'\n[dhcp]\nenabled=false\n[[lines]]\nname='1'\nlabel='a'\npassword='p'\n[[lines]]\nname='2'\nport=1\n[[phones]]\nmac='0006D7AA2A2E'\n[[phones.lines]]\nname='1'\npassword='q'",
		"\ufeffname = \"\\u00e9\\\"\"", "[a\nb = 1\n[c]\nd", "name = \"\"\"", "phones = [{mac='0006D7AA2A2E', lines=[{name='1'}]}]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		s, faults := Parse(text, Options{})
		if string(text) != before {
			t.Fatal("the text was changed")
		}
		checkFaults(t, s, faults, strings.Count(before, "\n")+1)
		checkSyntax(t, text)
		if s != nil {
			checkRoundTrip(t, s)
		}
	})
}

func checkFaults(t *testing.T, s *Site, faults []Fault, lines int) {
	refused, before := false, 0
	for _, f := range faults {
		refused = refused || !f.Warning
		if f.Line < before || f.Line > lines || f.Line < 1 {
			t.Errorf("line %d of %d after %d: %s", f.Line, lines, before, f)
		}
		before = f.Line
		if f.Found == "" || f.Allowed == "" || strings.ContainsAny(f.Found+f.Allowed, "\n\r\x00") {
			t.Errorf("not a line for people: %q", f)
		}
	}
	if refused != (s == nil) {
		t.Errorf("refused %v, site %v", refused, s)
	}
}

// checkSyntax compares the reader with go-toml's own decoder.
func checkSyntax(t *testing.T, text []byte) {
	if !utf8.Valid(text) || strings.HasPrefix(string(text), "\ufeff") {
		return
	}
	_, faults := readTree(text)
	var v map[string]any
	err := toml.Unmarshal(text, &v)
	if err == nil && len(faults) > 0 {
		t.Errorf("TOML that is refused: %v", faults)
	}
	if err != nil && len(faults) == 0 {
		// Dates and numbers are checked by the decoder, not by the parser; no key of ours takes what is left of them.
		if s, _ := Parse(text, Options{}); s != nil {
			t.Errorf("a site that is not TOML: %v", err)
		}
	}
}

func checkRoundTrip(t *testing.T, s *Site) {
	again, faults := Parse(s.TOML(true), Options{})
	if again == nil {
		t.Fatalf("the canonical text is refused: %v\n%s", faults, s.TOML(true))
	}
	if !reflect.DeepEqual(s, again) {
		t.Fatalf("the canonical text means something else:\n%s", cmp.Diff(string(s.TOML(true)), string(again.TOML(true))))
	}
	// Masked and sent back by the page, nothing has changed.
	kept, faults := Parse(s.TOML(false), Options{Old: s})
	if kept == nil {
		t.Fatalf("the masked text is refused: %v\n%s", faults, s.TOML(false))
	}
	if !reflect.DeepEqual(s, kept) {
		t.Fatalf("masks changed the site:\n%s", cmp.Diff(string(s.TOML(true)), string(kept.TOML(true))))
	}
	form := map[string]string{}
	for _, f := range s.Fields() {
		form[f.Key] = f.Value
	}
	same, faults := s.SetFields(form, Options{})
	if same == nil {
		t.Fatalf("the form is refused: %v", faults)
	}
	if !reflect.DeepEqual(s.SIP, same.SIP) || !reflect.DeepEqual(s.Network, same.Network) || !reflect.DeepEqual(s.DNS, same.DNS) ||
		!reflect.DeepEqual(s.Models, same.Models) || s.DialPlan.Country != same.DialPlan.Country || s.Firmware != same.Firmware {
		t.Fatalf("the form changed the site:\n%s", cmp.Diff(string(s.TOML(true)), string(same.TOML(true))))
	}
	if same, _, faults := s.Change(PhoneChange{Wait: s.WaitingTexts()}, Options{}); same == nil || !reflect.DeepEqual(s, same) {
		t.Fatalf("the lines that wait, put there again, changed the site: %v", faults)
	}
	for _, p := range s.Phones {
		text, _ := s.PhoneText(p.MAC)
		if same, faults = s.PutPhone(p.MAC, text, Options{}); same == nil || !reflect.DeepEqual(s.Phones, same.Phones) {
			t.Fatalf("the phone's form changed the phone: %v", faults)
		}
	}
}

// A password is in no fault, wherever on its line the mistake is, and in no masked text.
func FuzzSecretsStayHidden(f *testing.F) {
	f.Add("horse-battery", `password = "`, `"`)
	f.Add("horse-battery", `password = `, ``)
	f.Add("horse-battery", `password = ["`, `"]`)
	f.Add("horse-battery", "password = '''", "\n'''")
	f.Add("horse;battery", "password = '", "'\npassword = 1")
	f.Add("00000000000000", "password = ", "")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		rest := strings.TrimSpace(before)
		if len(secret) < 8 || !strings.HasPrefix(rest, "password") || !strings.Contains(rest, "=") || strings.Contains(secret, "=") ||
			strings.ContainsAny(before+secret+after, "\n\r") || strings.Contains(faultWords, secret) {
			return
		}
		text := "[network]\naddress='10.0.0.1/24'\n[dhcp]\npool=['10.0.0.9']\n[[phones]]\nmac='0006D7AA2A2E'\n[[phones.lines]]\nname='1'\n" +
			before + secret + after + "\n"
		s, faults := Parse([]byte(text), Options{})
		for _, f := range faults {
			if strings.Contains(f.String(), secret) {
				t.Errorf("%q shows the secret of %q", f, text)
			}
		}
		if s != nil && s.Phones[0].Lines[0].Password == secret && secret != Mask && strings.Contains(string(s.TOML(false)), secret) {
			t.Errorf("the masked text shows it")
		}
	})
}

// faultWords are texts of faults that a fuzzer finds and takes for a leak.
const faultWords = `phones[0].lines[0].password: found a password of characters, allowed is a text of up to 128 characters without "`
