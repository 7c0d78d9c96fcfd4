package texts_test

import (
	"strings"
	"testing"
)

// Texts that are joined from parts, as the services join them.
func TestPartsOfATextAreTranslated(t *testing.T) {
	c := catalogue(t,
		"Waiting for {1}.", "Wacht op {1}.",
		"the site does not list it: add it", "het staat niet in de lijst: voeg het toe",
		"Its next step, {1}, needs files: {2}. Upload them.", "De volgende stap, {1}, vereist bestanden: {2}. Upload ze.",
		"from {1} to {2}", "van {1} naar {2}", "{1} or later", "{1} of later",
		"Not there, and it is needed: {1}", "Niet aanwezig, wel nodig: {1}",
		"{1} came", "{1} gekomen", "file", "bestand", "{1} missing that it needs", "{1} ontbreekt",
		"Runs {1}.", "Draait {1}.", "it answers as {1}", "hij antwoordt als {1}", "the universal loader", "de universele loader",
		"It is a server. Nobody needs it.", "Een server. Niemand heeft hem nodig.", "Nobody reads it.", "Niemand leest het.",
		"({1} times)", "({1} keer)", "asked for {1}: {2}", "vroeg {1}: {2}")
	for english, want := range map[string]string{
		// A reason behind the name of a file.
		"Waiting for SIPDefault.cnf: the site does not list it: add it.": "Wacht op SIPDefault.cnf: het staat niet in de lijst: voeg het toe.",
		// A reason of two sentences that lost its full stop to the sentence around it.
		"Waiting for XMLDefault.cnf.xml: Its next step, from SCCP 6.x or later to P0S3-8-12-00, needs files: a.bin, b.sb2. Upload them.": "Wacht op XMLDefault.cnf.xml: De volgende stap, van SCCP 6.x of later naar P0S3-8-12-00, vereist bestanden: a.bin, b.sb2. Upload ze.",
		// One that lost its capital letter behind a colon.
		"Not there, and it is needed: its next step, x1, needs files: a.bin. Upload them.": "Niet aanwezig, wel nodig: De volgende stap, x1, vereist bestanden: a.bin. Upload ze.",
		"1 file came; 2 missing that it needs.":                                            "1 bestand gekomen; 2 ontbreekt.",
		"Runs SIP 8.x (it answers as Cisco-CP7960G/8.0).":                                  "Draait SIP 8.x (hij antwoordt als Cisco-CP7960G/8.0).",
		"Runs the universal loader (it answers as x1; it answers as x2).":                  "Draait de universele loader (hij antwoordt als x1; hij antwoordt als x2).",
		"It is a server. Nobody needs it. Nobody reads it.":                                "Een server. Niemand heeft hem nodig. Niemand leest het.",
		"asked for a.cnf: Its next step, x1, needs files: a.bin. Upload them. (12 times)":  "vroeg a.cnf: De volgende stap, x1, vereist bestanden: a.bin. Upload ze. (12 keer)",
	} {
		if got, ok := c.Text(english); got != want || !ok {
			t.Errorf("%q: found %q (%v), wanted %q", english, got, ok, want)
		}
	}
}

// A stranger chooses the name of a file that he asks for: what he makes of it ends soon, and the rest is translated all the same.
func TestAHostileTextEnds(t *testing.T) {
	c := catalogue(t, "asked for {1}: {2}", "vroeg {1}: {2}", "it is {1}", "het is {1}", "{1}, {2}", "{1} en {2}", "{1} ({2})", "{1} [{2}]", "the {1}", "de {1}")
	c.Text("asked for " + strings.Repeat("it is, the phone; asked (for) its. ", 400) + ": x")
	if got, _ := c.Text("asked for a.cnf: b.cnf"); got != "vroeg a.cnf: b.cnf" {
		t.Errorf("found %q after that", got)
	}
}
