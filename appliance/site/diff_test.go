package site_test

import (
	"slices"
	"strings"
	"testing"

	"phonebox/appliance/site"
)

const diffBase = `name = "Harbour"
[network]
address = "10.77.0.1/16"
gateway = "10.77.0.254"
[dhcp]
pool = ["10.77.1.1-10.77.3.250"]
[dns.hosts]
pbx = "10.77.0.10"
[sip.parameters]
phone_password = "planted-site-secret"
preferred_codec = "g711alaw"
[[contacts]]
name = "Fire"
number = "112"
[[phones]]
mac = "00:06:D7:AA:2A:2E"
label = "Reception"
[[phones.lines]]
name = "208"
authname = "208"
password = "planted-line-secret"
[[phones]]
mac = "00:06:D7:AA:2A:2F"
label = "Cellar"
`

func parsed(t *testing.T, text string) *site.Site {
	t.Helper()
	s, faults := site.Parse([]byte(text), site.Catalogue())
	if s == nil {
		t.Fatalf("the test's own site is refused: %v", faults)
	}
	return s
}

func TestDiffTellsEachKeyAndNoSecret(t *testing.T) {
	for _, tt := range []struct {
		name        string
		from, to    string // replaced in the base
		want        []string
		wantChanges int
	}{
		{"nothing", "", "", nil, 0},
		{"a key", `"10.77.0.254"`, `"10.77.0.253"`, []string{"Router: 10.77.0.254 -> 10.77.0.253"}, 1},
		{"a key that goes", "gateway = \"10.77.0.254\"\n", "", []string{"Router: 10.77.0.254 -> nothing"}, 1},
		{"a host", `pbx = "10.77.0.10"`, "pbx = \"10.77.0.11\"\ndoor = \"10.77.0.12\"", []string{", door was added: 10.77.0.12", ", pbx: 10.77.0.10 -> 10.77.0.11"}, 2},
		{"a line's password", "planted-line-secret", "planted-other-secret", []string{"Reception: Password of line 1 was changed"}, 1},
		{"a line's password that goes", "password = \"planted-line-secret\"\n", "", []string{"Reception: Password of line 1 was removed"}, 1},
		{"a secret parameter", "planted-site-secret", "planted-third-secret", []string{", phone_password was changed"}, 1},
		{"a phone's name", `label = "Cellar"`, `label = "Attic"`, []string{"Attic: Label: Cellar -> Attic"}, 1},
		{"a phone that goes", "[[phones]]\nmac = \"00:06:D7:AA:2A:2F\"\nlabel = \"Cellar\"\n", "", []string{"Cellar: Phone was removed: 00:06:D7:AA:2A:2F"}, 1},
		{"another MAC", "00:06:D7:AA:2A:2F", "00:06:D7:AA:2A:30", []string{"Phone was added: 00:06:D7:AA:2A:30", "Phone was removed: 00:06:D7:AA:2A:2F"}, 2},
		{"a contact", `number = "112"`, `number = "110"`, []string{"Contact was added: Fire | 110", "Contact was removed: Fire | 112"}, 2},
		{"another line", "[[phones]]\nmac = \"00:06:D7:AA:2A:2F\"", "[[phones.lines]]\nname=\"209\"\npassword=\"planted-new-secret\"\n[[phones]]\nmac = \"00:06:D7:AA:2A:2F\"", []string{"Reception: Line 2 was added: 209"}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := diffBase
			if tt.from != "" {
				if text = strings.Replace(diffBase, tt.from, tt.to, 1); text == diffBase {
					t.Fatalf("the base has no %q", tt.from)
				}
			}
			changes := site.Diff(parsed(t, diffBase), parsed(t, text))
			var lines []string
			for _, c := range changes {
				lines = append(lines, c.String())
				if strings.Contains(c.String()+c.Old+c.New, "planted") {
					t.Errorf("a change tells a secret: %+v", c)
				}
			}
			if len(changes) != tt.wantChanges {
				t.Errorf("got %d changes %q, want %d", len(changes), lines, tt.wantChanges)
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("the changes are %q, want one with %q", lines, want)
				}
			}
		})
	}
}

// A change of the order of dialling rules is one, for the first that matches wins.
func TestDiffTellsOfAnotherOrder(t *testing.T) {
	rules := "[[dial_plan.rules]]\nmatch = \"1..\"\n[[dial_plan.rules]]\nmatch = \"2..\"\n"
	turned := "[[dial_plan.rules]]\nmatch = \"2..\"\n[[dial_plan.rules]]\nmatch = \"1..\"\n"
	got := site.Diff(parsed(t, diffBase+rules), parsed(t, diffBase+turned))
	if len(got) != 1 || got[0].Key != "dial_plan.rules" {
		t.Errorf("got %+v, want one change of the order of the rules", got)
	}
}

func TestSecretsAreAllFound(t *testing.T) {
	got := parsed(t, diffBase).Secrets()
	slices.Sort(got)
	if want := []string{"planted-line-secret", "planted-site-secret"}; !slices.Equal(got, want) {
		t.Errorf("got the secrets %q, want %q", got, want)
	}
}
