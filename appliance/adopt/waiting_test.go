package adopt_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
)

func waitingOf(s *site.Site) string {
	var out []string
	for _, l := range s.Lines {
		out = append(out, fmt.Sprintf("%s/%s/%s", l.Name, l.Label, l.Password))
	}
	return strings.Join(out, " ")
}

// A technician with a list of extensions and a pallet: first the lines, later the MACs.
func TestLinesWaitForTheirPhones(t *testing.T) {
	s := present()
	for name, text := range map[string]string{
		"with headers":     "Label\tExtension\tPassword\nReception\t208\tone\nStores\t209\ttwo\n",
		"without headers":  "Reception\t208\tone\nStores\t209\ttwo\n",
		"with semicolons":  "Label;Extension;Password\nReception;208;one\nStores;209;two\n",
		"with commas":      "Label,Extension,Password\nReception,208,one\nStores,209,two\n",
		"an empty MAC":     "MAC;Label;Extension;Password\n;Reception;208;one\n;Stores;209;two\n",
		"as a phone, once": "MAC;Label;Extension;Password\n;Reception;208;one\n;Stores;209;two\n;Stores;209;three\n",
	} {
		p := list(t, "pasted", text, adopt.Options{Site: s, Lines: true})
		if got := waitingOf(p.Site); got != "208/Reception/one 209/Stores/two" || len(p.Site.Phones) > 0 {
			t.Errorf("%s: there wait %q\n%s", name, got, report(p, ""))
		}
	}
	p := list(t, "pasted", "208\n209\n", adopt.Options{Site: s, Lines: true})
	if got := waitingOf(p.Site); got != "208// 209//" || p.Summary() != "2 lines wait for a phone" {
		t.Errorf("numbers alone: there wait %q; %s", got, p.Summary())
	}
	// Uploaded, a row without a password may be a sum, and a list without passwords is one of people.
	text := "MAC;Label;Extension;Password\n;Reception;208;one\n;Stores;209;two\n;Sum;2;\n"
	p = list(t, "list.csv", text, adopt.Options{Site: s})
	if got := waitingOf(p.Site); got != "208/Reception/one 209/Stores/two" || p.LeftOut != 1 {
		t.Errorf("uploaded: there wait %q\n%s", got, report(p, ""))
	}
	if _, err := adopt.ReadList("list.csv", []byte("Name;Number\nAnna;208\n"), adopt.Options{Site: s}); err == nil {
		t.Error("a list of people became lines")
	}
	// The export has a place for the MACs; filled in, each line goes to its phone with its password.
	out, err := adopt.Export(p.Site, adopt.FormatCSV, false)
	if err != nil || !strings.Contains(string(out), "\n,,Reception,,208,,********") {
		t.Fatalf("exported: %q, %v", out, err)
	}
	filled := strings.Replace(string(out), "\n,,Reception", "\n0006d7aa2a2e,,Reception", 1)
	q := list(t, "filled.csv", filled, adopt.Options{Site: p.Site})
	want := []site.Phone{{MAC: mac(t, "0006D7AA2A2E"), Label: "Reception", Lines: []site.Line{{Name: "208", Password: "one"}}}}
	if !reflect.DeepEqual(q.Site.Phones, want) || waitingOf(q.Site) != "209/Stores/two" {
		t.Errorf("filled in: %+v, there wait %q\n%s", q.Site.Phones, waitingOf(q.Site), report(q, ""))
	}
	// MAC and number suffice.
	q = list(t, "macs.csv", "MAC,Extension\n0006d7aa2a2f,209\n", adopt.Options{Site: p.Site})
	if l := q.Site.Phones[0].Lines[0]; l.Password != "two" || q.Site.Phones[0].Label != "Stores" || waitingOf(q.Site) != "208/Reception/one" {
		t.Errorf("MAC and number: %+v, there wait %q", q.Site.Phones, waitingOf(q.Site))
	}
	// A line that a phone has does not wait as well.
	q = list(t, "again", "209;x\n", adopt.Options{Site: q.Site, Lines: true})
	if waitingOf(q.Site) != "208/Reception/one" || q.LeftOut != 1 {
		t.Errorf("a line that a phone has: there wait %q\n%s", waitingOf(q.Site), report(q, ""))
	}
	q = list(t, "again", "Extension;Label;Password\n208;Front;********\n", adopt.Options{Site: p.Site, Lines: true})
	if waitingOf(q.Site) != "208/Front/one 209/Stores/two" || q.Waiting != 1 {
		t.Errorf("changed: there wait %q\n%s", waitingOf(q.Site), report(q, ""))
	}
}

// What cannot be part of a site is left out of a line, or the line.
func TestLinesThatCannotWaitAreLeftOut(t *testing.T) {
	text := "Extension;Label;Password;Proxy\n20 8x;Blank;p;\n209;\"a \"\"b\"\"\";p;\n210;Good;p;not a host\n"
	p := list(t, "l.csv", text, adopt.Options{Site: present(), Lines: true})
	if got := waitingOf(p.Site); got != "209//p 210/Good/p" || !strings.Contains(report(p, ""), "left out") {
		t.Errorf("there wait %q\n%s", got, report(p, ""))
	}
	rows := "Extension\n"
	for i := range 2100 {
		rows += fmt.Sprintln(1000 + i)
	}
	p = list(t, "l.csv", rows, adopt.Options{Site: present(), Lines: true})
	if len(p.Site.Lines) != 2000 {
		t.Errorf("%d lines wait, allowed are 2000", len(p.Site.Lines))
	}
}
