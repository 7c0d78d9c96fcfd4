package explain_test

import (
	"os"
	"strings"
	"testing"

	"phonebox/services/phone"
	"phonebox/services/phone/explain"
)

// plain is a text without its marks and line ends.
func plain(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("`", "", "*", "").Replace(s)), " ")
}

// TestTroublesInTheDocs wants every trouble in docs/phones.md, word for word, and no other, so that what is read there and
// on the page is the same.
func TestTroublesInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/phones.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### c.6 ")
	section, _, _ = strings.Cut(section, "\n#")
	if n := strings.Count(section, "\n- **"); n != len(explain.Troubles()) {
		t.Errorf("docs/phones.md has %d troubles, there are %d", n, len(explain.Troubles()))
	}
	section = plain(section)
	for _, trouble := range explain.Troubles() {
		want := plain(trouble.Symptom + " " + trouble.Cause + " What to do: " + trouble.Cure)
		if !strings.Contains(section, want) {
			t.Errorf("docs/phones.md, c.6, does not say: %s", want)
		}
	}
}

// TestHarmlessInTheDocs wants in docs/phones.md each file that a phone asks for by name.
func TestHarmlessInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/phones.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### a.1 ")
	section, _, _ = strings.Cut(section, "\n#")
	mac := phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}
	for _, protocol := range []phone.Protocol{phone.SCCP, phone.SIP} {
		for _, loader := range []explain.Answer{explain.Yes, explain.No} {
			for _, name := range explain.Names(mac, explain.Now{Protocol: protocol, Loader: loader}) {
				if name = strings.ReplaceAll(name, mac.Name(), "<MAC>"); !strings.Contains(section, "`"+name+"`") {
					t.Errorf("docs/phones.md, a.1, does not name %s", name)
				}
			}
		}
	}
}
