package texts_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"phonebox/services/internal/texts"
)

const head = `msgid ""
msgstr ""
"Language: xx\n"
"X-Name: Xish\n"

`

// entry writes an entry of a catalogue.
func entry(id, text string) string { return "msgid " + quote(id) + "\nmsgstr " + quote(text) + "\n\n" }

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func catalogue(t *testing.T, pairs ...string) *texts.Catalogue {
	t.Helper()
	po := head
	for i := 0; i < len(pairs); i += 2 {
		po += entry(pairs[i], pairs[i+1])
	}
	c, err := texts.Parse(po)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestText(t *testing.T) {
	c := catalogue(t,
		"ready", "klaar", "Everything runs.", "Alles loopt.",
		"{1} of {2} phones are ready.", "Van {2} telefoons zijn er {1} klaar.",
		"{1} phones", "{1} telefoons",
		"Waiting for {1}.", "Wacht op {1}.", "Waiting for {1} of {2}.", "Wacht op {1} uit {2}.",
		"its configuration", "zijn configuratie",
		"not answered", "",
		"found {1}, allowed {2}", "{1} gevonden, {2} mag")
	for _, tt := range []struct {
		english, want string
		ok            bool
	}{
		{"ready", "klaar", true},
		{"Ready", "Ready", false},
		{"3 of 20 phones are ready.", "Van 20 telefoons zijn er 3 klaar.", true},
		{"20 phones", "20 telefoons", true},
		{"Waiting for dialplan.xml.", "Wacht op dialplan.xml.", true},
		{"Waiting for its configuration.", "Wacht op zijn configuratie.", true},
		{"Waiting for a part of it.", "Wacht op a part uit it.", true}, // the pattern that says more
		{"Everything runs. 20 phones", "Alles loopt. 20 telefoons", true},
		{"Everything runs. Nobody knows why.", "Alles loopt. Nobody knows why.", false},
		{"not answered", "not answered", false},
		{"found , allowed x", "found , allowed x", false}, // a value is never empty
		{"2 ready, 3 phones, ready:", "2 klaar, 3 telefoons, klaar:", true},
		{"2 ready, 1 lost", "2 ready, 1 lost", false},
		{"found {2}, allowed {1}", "{2} gevonden, {1} mag", true},
	} {
		for range 2 { // the second time it is remembered
			if got, ok := c.Text(tt.english); got != tt.want || ok != tt.ok {
				t.Errorf("%q: found %q (%v), wanted %q (%v)", tt.english, got, ok, tt.want, tt.ok)
			}
		}
	}
}

// Texts are put together in many ways before they are shown.
func TestTextsThatWereJoined(t *testing.T) {
	c := catalogue(t,
		"phones", "telefoons", "stuck", "vast", "of", "van", "hours", "uur", "missing", "ontbreekt", "router", "router",
		"{1} is gone", "{1} is weg", "the card is full", "de kaart is vol", "is stuck: {1}", "zit vast: {1}", "Step {1} of {2}.", "Stap {1} van {2}.",
		"About {1} minutes are left.", "Nog ongeveer {1} minuten.", "got {1}", "kreeg {1}", ", {1} blocks sent again", ", {1} blokken opnieuw verzonden",
		"(not all of it is here)", "(niet alles is hier)", "; do not unplug it", "; niet loskoppelen", "subnet mask", "subnetmasker",
		"Step {1} of {2}: {3} % is sent.", "Stap {1} van {2}: {3} % is verzonden.")
	for _, tt := range []struct {
		english, want string
		ok            bool
	}{
		{"61 % of 757 KB", "61 % van 757 KB", true},
		{"3 hours", "3 uur", true},
		{"3 parsecs", "3 parsecs", false},
		{"5 phones: 3 stuck, 2 missing", "5 telefoons: 3 vast, 2 ontbreekt", true},
		{"1 (subnet mask), 3 (router)", "1 (subnetmasker), 3 (router)", true},
		{"missing:", "ontbreekt:", true},
		{"10.77.0.1/16", "10.77.0.1/16", true},          // a code reads the same everywhere
		{"The card is full.", "De kaart is vol.", true}, // a reason that became a sentence
		{"the card is full.", "de kaart is vol.", true},
		{"is stuck: the card is full", "zit vast: de kaart is vol", true},
		{"got x.cnf, 3 blocks sent again", "kreeg x.cnf, 3 blokken opnieuw verzonden", true},
		{"P0S3-8-2-00 (not all of it is here)", "P0S3-8-2-00 (niet alles is hier)", true},
		{"Step 2 of 3: 42 % is sent. About 3 minutes are left.", "Stap 2 van 3: 42 % is verzonden. Nog ongeveer 3 minuten.", true}, // no value swallows a sentence
		{"nobody knows this", "nobody knows this", false},
	} {
		if got, ok := c.Text(tt.english); got != tt.want || ok != tt.ok {
			t.Errorf("%q: found %q (%v), wanted %q (%v)", tt.english, got, ok, tt.want, tt.ok)
		}
	}
}

func TestHTMLTranslatesTextsAndNothingElse(t *testing.T) {
	c := catalogue(t, "Phones", "Telefoons & co", "Add a phone", `Een "telefoon" erbij`, "Waiting for {1}", "Wacht op {1}", "code", "NO")
	const page = `<!doctype html>
<html lang="en"><head><title>Phones</title><script>let code = "Phones"</script></head>
<body><h1>
 Phones
</h1><p title="Add a phone" class="Phones">Waiting for a &lt;b&gt; &amp; c</p><code>Phones <code>Phones</code> Phones</code>
<td translate="no">Phones <b>Phones</b></td><td>Phones</td><textarea>
Phones</textarea><input value="Phones" placeholder="Add a phone"><input translate="no" title="x"><b>Phones</b><!-- Phones --></body></html>`
	const want = `<!doctype html>
<html lang="xx"><head><title>Telefoons &amp; co</title><script>let code = "Phones"</script></head>
<body><h1>
 Telefoons &amp; co
</h1><p title="Een &#34;telefoon&#34; erbij" class="Phones">Wacht op a &lt;b&gt; &amp; c</p><code>Phones <code>Phones</code> Phones</code>
<td translate="no">Phones <b>Phones</b></td><td>Telefoons &amp; co</td><textarea>
Phones</textarea><input value="Phones" placeholder="Een &#34;telefoon&#34; erbij"><input translate="no" title="x"><b>Telefoons &amp; co</b><!-- Phones --></body></html>`
	var out bytes.Buffer
	c.HTML(&out, []byte(page))
	if out.String() != want {
		t.Errorf("found\n%s\nwanted\n%s", out.String(), want)
	}
	if got := texts.Segments([]byte(page)); !slices.Contains(got, "Waiting for a <b> & c") || !slices.Contains(got, "Add a phone") || len(got) != 8 {
		t.Errorf("found the texts %q, wanted eight", got)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ po, want string }{
		{head + "msgid \"a\"\nmsgstr b\n", "line 7: found b, allowed is a text in quotes"},
		{head + "msgid \"a\"\nhello\n", "line 7: found \"hello\", allowed are msgid"},
		{head + entry("a", "b") + entry("a", "c"), "line 9: \"a\" is there already, at line 6"},
		{head + entry("{1} a", "b {2}"), `has the values ["{2}"], wanted ["{1}"]`},
		{entry("a", "b"), "wanted both"},
	} {
		if _, err := texts.Parse(tt.po); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: found %v, wanted %q", tt.po, err, tt.want)
		}
	}
	_, entries, err := texts.ParsePO("# x\nmsgid \"\"\n\"a \"\n\"b\"\nmsgstr \"c\"\n\"\\n\"\n")
	if err != nil || len(entries) != 1 || entries[0] != (texts.Entry{ID: "a b", Text: "c\n", Line: 2}) {
		t.Errorf("found %+v, %v, wanted one entry over several lines", entries, err)
	}
}

// FuzzHTML: what is no text stays byte for byte, whatever a page holds.
func FuzzHTML(f *testing.F) {
	f.Add("<p title=\"x y\">a b<br>c</p>")
	f.Add("<a translate=\"no\"><a></a>x</a>y<textarea><p>")
	f.Add("<p title=\"x\"\x00\xff &lt <")
	po := head + entry("never {1} there", "x {1}")
	c, err := texts.Parse(po)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, page string) {
		if strings.Contains(page, "never") || strings.Contains(page, `lang="en"`) {
			return
		}
		var out bytes.Buffer
		c.HTML(&out, []byte(page))
		var attributes bool
		for _, a := range []string{"aria-label", "title", "placeholder", "alt", "data-"} {
			attributes = attributes || strings.Contains(page, a)
		}
		if !attributes && out.String() != page {
			t.Errorf("found %q, wanted %q", out.String(), page)
		}
	})
}

// FuzzParsePO reads anything as a catalogue: what is taken is bounded by what was read, names its language, and translates every text
// that it has a translation of.
func FuzzParsePO(f *testing.F) {
	f.Add("msgid \"\"\nmsgstr \"Language: nl\\nX-Name: Nederlands\\n\"\n\nmsgid \"Yes\"\nmsgstr \"Ja\"\n\nmsgid \"{1} of {2} phones\"\nmsgstr \"{2}: {1}\"\n")
	f.Add("msgid \"a\"\n\"b\"\nmsgstr \"\"\nmsgid \"a\"\nmsgstr \"{1}\"")
	f.Fuzz(func(t *testing.T, po string) {
		_, entries, err := texts.ParsePO(po)
		if err != nil {
			return
		}
		size := 0
		for _, e := range entries {
			size += len(e.ID) + len(e.Text)
		}
		if size > 3*len(po) { // a byte that is no UTF-8 becomes the three of U+FFFD
			t.Fatalf("%d bytes became %d", len(po), size)
		}
		c, err := texts.Parse(po)
		if err != nil {
			return
		}
		if c.Language == "" || c.Name == "" {
			t.Error("a catalogue without a language was taken")
		}
		for _, e := range entries {
			if text, ok := c.Text(e.ID); e.Text != "" && !ok {
				t.Errorf("%q is %q, want a translation", e.ID, text)
			}
		}
	})
}

// What somebody called a phone is no word of the page, though it may read like one; where it stands alone, the page's word is meant.
func TestNamesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	c := catalogue(t, "Reception", "Empfang", "Change {1}", "{1} ändern", "It waits: {1}.", "Es wartet: {1}.", "ready", "bereit")
	want := func(english, german string) {
		t.Helper()
		if got, _ := c.Text(english); got != german {
			t.Errorf("%q is %q, want %q", english, got, german)
		}
	}
	want("Change Reception", "Empfang ändern")
	names := []string{"Reception"}
	c.Keep("1", func() []string { return names })
	want("Change Reception", "Reception ändern")
	want("It waits: Reception, ready.", "Es wartet: Reception, bereit.")
	want("Reception", "Empfang")
	c.Keep("1", func() []string { t.Error("the same names were asked for again"); return nil })
	c.Keep("2", func() []string { return nil })
	want("Change Reception", "Empfang ändern")
}

func TestDaysOfAMonth(t *testing.T) {
	t.Parallel()
	po := strings.Replace(head, "\"X-Name", "\"X-Day: .\\n\"\n\"X-Name", 1) + entry("Mar", "März") + entry("May", "Mai") + entry("It runs out on {1}.", "Es endet am {1}.")
	c, err := texts.Parse(po)
	if err != nil {
		t.Fatal(err)
	}
	for english, want := range map[string]string{
		"1 Mar 2026 11:00": "1. März 2026 11:00", "It runs out on 31 May 2027.": "Es endet am 31. Mai 2027.", "May 2027": "Mai 2027",
	} {
		if got, ok := c.Text(english); !ok || got != want {
			t.Errorf("%q is %q, %v; want %q", english, got, ok, want)
		}
	}
}
