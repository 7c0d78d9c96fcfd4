package site_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
[[lines]]
label = "Meeting room"
name = "230"
password = "planted-waiting-secret"
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

// words writes a change on one line.
func words(c site.Change) string {
	what := c.What
	if c.Who != "" {
		what = c.Who + ": " + what
	}
	if c.Secret || c.Kind != site.Changed {
		what += " was " + string(c.Kind)
	}
	if c.Secret {
		return what
	}
	return fmt.Sprintf("%s: %q -> %q", what, c.Old, c.New)
}

func parsed(t *testing.T, text string) *site.Site {
	t.Helper()
	s, faults := site.Parse([]byte(text), site.Catalogue())
	if s == nil {
		t.Fatalf("the test's own site is refused: %v", faults)
	}
	return s
}

func TestDiffTellsEachKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to string // replaced in the base
		want     []string
	}{
		{"nothing", "", "", nil},
		{"a key", `"10.77.0.254"`, `"10.77.0.253"`, []string{`Router: "10.77.0.254" -> "10.77.0.253"`}},
		{"a key that goes", "gateway = \"10.77.0.254\"\n", "", []string{`Router: "10.77.0.254" -> ""`}},
		{"a host", `pbx = "10.77.0.10"`, "pbx = \"10.77.0.11\"\ndoor = \"10.77.0.12\"", []string{`Hosts, door was added: "" -> "10.77.0.12"`, `Hosts, pbx: "10.77.0.10" -> "10.77.0.11"`}},
		{"a line's password", "planted-line-secret", "planted-other-secret", []string{"Reception: Password of line 1 was changed"}},
		{"a line's password that goes", "password = \"planted-line-secret\"\n", "", []string{"Reception: Password of line 1 was removed"}},
		{"a secret parameter", "planted-site-secret", "planted-third-secret", []string{"Further parameters, phone_password was changed"}},
		{"a phone's name", `label = "Cellar"`, `label = "Attic"`, []string{`Attic: Label: "Cellar" -> "Attic"`}},
		{"a phone that goes", "[[phones]]\nmac = \"00:06:D7:AA:2A:2F\"\nlabel = \"Cellar\"\n", "", []string{`Cellar: Phone was removed: "00:06:D7:AA:2A:2F" -> ""`}},
		{"another MAC", "00:06:D7:AA:2A:2F", "00:06:D7:AA:2A:30", []string{`Cellar: Phone was added: "" -> "00:06:D7:AA:2A:30"`, `Cellar: Phone was removed: "00:06:D7:AA:2A:2F" -> ""`}},
		{"another line", "[[phones]]\nmac = \"00:06:D7:AA:2A:2F\"", "[[phones.lines]]\nname=\"209\"\npassword=\"planted-new-secret\"\n[[phones]]\nmac = \"00:06:D7:AA:2A:2F\"", []string{`Reception: Line 2 was added: "" -> "209"`}},
		{"a contact's number", `number = "112"`, `number = "110"`, []string{`Contact Fire: Number: "112" -> "110"`}},
		{"a contact's name", `name = "Fire"`, `name = "Flood"`, []string{`Contact Flood: Name: "Fire" -> "Flood"`}},
		{"one more contact before it", "[[contacts]]\n", "[[contacts]]\nname = \"Door\"\nnumber = \"9\"\n[[contacts]]\n", []string{`Contact was added: "" -> "Door, 9"`}},
		{"a contact that goes", "[[contacts]]\nname = \"Fire\"\nnumber = \"112\"\n", "", []string{`Contact was removed: "Fire, 112" -> ""`}},
		{"a password of a line that waits", "planted-waiting-secret", "planted-fourth-secret", []string{"Line that waits 230: Password was changed"}},
		{"a line that waits no longer", "[[lines]]\nlabel = \"Meeting room\"\nname = \"230\"\npassword = \"planted-waiting-secret\"\n", "", []string{`Line that waits was removed: "Meeting room, 230" -> ""`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := diffBase
			if tt.from != "" {
				if text = strings.Replace(diffBase, tt.from, tt.to, 1); text == diffBase {
					t.Fatalf("the base has no %q", tt.from)
				}
			}
			var got []string
			for _, c := range site.Diff(parsed(t, diffBase), parsed(t, text)) {
				got = append(got, words(c))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the changes differ (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever holds a secret comes, goes and changes, and none of it is told.
func TestDiffTellsNoSecret(t *testing.T) {
	t.Parallel()
	full := func(mark string) *site.Site {
		return parsed(t, strings.ReplaceAll(strings.ReplaceAll(diffBase, "planted-", "planted-"+mark), "label = \"Cellar\"\n", `label = "Cellar"
[phones.parameters]
phone_password = "planted-`+mark+`own"
[phones.forced]
old_password = "planted-`+mark+`forced"
[models.7960.parameters]
phone_password = "planted-`+mark+`model"
[sip.forced]
shared_password = "planted-`+mark+`shared"
`))
	}
	empty := site.Default()
	for name, pair := range map[string][2]*site.Site{"all new": {empty, full("")}, "all gone": {full(""), empty}, "all changed": {full(""), full("x")}} {
		secrets := 0
		for _, c := range site.Diff(pair[0], pair[1]) {
			if strings.Contains(fmt.Sprintf("%+v", c), "planted") {
				t.Errorf("%s: a change tells a secret: %+v", name, c)
			}
			if c.Secret {
				secrets++
			}
		}
		if want := map[string]int{"all new": 3, "all gone": 3, "all changed": 7}[name]; secrets != want {
			t.Errorf("%s: %d changes are of secrets, want %d: of the site and its model, and where the entries stay their own", name, secrets, want)
		}
	}
}

// A change of the order of dialling rules is one, for the first that matches wins.
func TestDiffTellsOfAnotherOrder(t *testing.T) {
	t.Parallel()
	rules := "[[dial_plan.rules]]\nmatch = \"1..\"\n[[dial_plan.rules]]\nmatch = \"2..\"\n"
	turned := "[[dial_plan.rules]]\nmatch = \"2..\"\n[[dial_plan.rules]]\nmatch = \"1..\"\ntimeout = \"3\"\n"
	got := site.Diff(parsed(t, diffBase+rules), parsed(t, diffBase+turned))
	if len(got) != 2 || got[0].Key != "dial_plan.rules[1].timeout" || got[1].Key != "dial_plan.rules" {
		t.Errorf("got %+v, want one change of a rule and one of their order", got)
	}
}

func TestSecretsAreAllFound(t *testing.T) {
	got := parsed(t, diffBase).Secrets()
	slices.Sort(got)
	if want := []string{"planted-line-secret", "planted-site-secret", "planted-waiting-secret"}; !slices.Equal(got, want) {
		t.Errorf("got the secrets %q, want %q", got, want)
	}
}
