package web

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/internal/texts"
	"phonebox/services/internal/texts/gather"
)

var updateTexts = flag.Bool("texts", false, "write the texts that the catalogues lack into them, for somebody to translate, and take out what is not used any more")

// speaker is a folder whose sentences the page shows.
type speaker struct {
	dir    string // from here
	errors string // the files whose errors people read, with blanks between; * = all. Those of others go to the log
	words  bool   // labels of one word are shown as well
	silent string // files that speak to programs only, such as checks of what the settings were checked for already
}

var speaking = []speaker{
	{dir: ".", words: true, silent: "wizard_zones.go"},
	{dir: "../phone/explain"},
	{dir: "../phone/ladder", errors: "*"},
	{dir: "../phone", words: true, errors: "mac.go container.go cnf.go parameter.go", silent: "zonenames.go parameterdoc.go"},
	{dir: "../phone/dialplan", words: true, errors: "*"},
	{dir: "../phone/media", errors: "*"},
	{dir: "../phone/pbx", words: true, silent: "write.go"}, // it writes files for other programs
	{dir: "../provision", errors: "archive.go editor.go files.go images.go inspect.go logo.go rings.go upload.go"},
	{dir: "../dhcp", silent: "settings.go class.go probe.go server.go"},
	{dir: "../dhcp/lease"},
	{dir: "../tftp", errors: "packet.go", silent: "metrics.go"},
	{dir: "../dns", errors: "exchange.go dot.go"},
	{dir: "../sntp"},
	{dir: "../sip", errors: "digest.go exchange.go resolve.go verdict.go"},
	{dir: "../telnet", errors: "ask.go session.go"},
	{dir: "../mdns"},
	{dir: "../../appliance/site", words: true},
	{dir: "../../appliance/assemble", words: true},
	{dir: "../../appliance/convert", errors: "director.go state.go"},
	{dir: "../../appliance/journal"},
	{dir: "../../appliance/clock", errors: "choose.go upstream.go"},
	{dir: "../../appliance/netdev", errors: "record.go"},
	{dir: "../../appliance/adopt", errors: "*", silent: "headernames.go"},
	{dir: "../../appliance/backup"},
	{dir: "../../appliance/store"},
}

// texts gathers what a folder says.
func (s speaker) texts() ([]string, error) {
	told, silent := strings.Fields(s.errors), strings.Fields(s.silent)
	return gather.Folder{
		Errors: func(file string) bool { return s.errors == "*" || slices.Contains(told, file) },
		Words:  s.words,
		Silent: func(file, text string) bool { return slices.Contains(silent, file) || notForPeople.MatchString(text) },
	}.Go(os.DirFS(s.dir))
}

// notForPeople are constants that look like sentences.
var notForPeople = regexp.MustCompile(`^(making|registering|assembling|opening|syncing|keeping|removing|storing|writing) .*: \{\d\}$` +
	// What other programs and the log are told.
	`|^(Unknown transfer ID|Access violation|File not found|show register|show config|work factor|no Digest|System Volume Information/|malformed request)$` +
	`|^(April|October|Sunday|Sun|Auto|Default|Emergency|Exit|Dial|Cancel|Select|Play|Redial|Callcentric)$` + // of the phones, which speak English
	`|^(sync|put|note) (the|that|what) |^tidy up$|^making the director|` +
	`default-src|max-age=|PRIVATE KEY|^\{"error"|2 January 2006|2 Jan 2006|^Thu, 01 Jan|^name = "|^## |^Cisco Systems, Inc|go run ./appliance|Requests that were refused, by reason`)

// source is where texts come from.
type source struct {
	name  string
	texts []string
}

// allTexts gathers what the catalogues must have.
func allTexts(t *testing.T) (list []source) {
	t.Helper()
	templates, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		src, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, source{name, gather.Template(string(src))})
	}
	list = append(list, source{"words", oneWords()})
	for _, s := range speaking {
		found, err := s.texts()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, source{strings.TrimLeft(filepath.ToSlash(s.dir), "./") + "/", found})
	}
	return list
}

// oneWords are texts of one word that are made in Go, where a word may be anything.
func oneWords() (list []string) {
	var places func(ps []place)
	places = func(ps []place) {
		for _, p := range ps {
			list = append(list, p.Name)
			places(p.Sub)
		}
	}
	places(sections)
	for _, step := range slices.Sorted(maps.Keys(stepWords)) {
		list = append(list, stepWords[step].words)
	}
	for _, n := range serviceNames {
		list = append(list, n.name)
	}
	for m := time.January; m <= time.December; m++ {
		list = append(list, m.String(), m.String()[:3])
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		list = append(list, d.String(), d.String()[:3])
	}
	return append(list,
		"running", "failed", "off", "Running", "held", // states of services
		"of", "to", "or", "bytes", "cores", "router", "message", "stratum",
		"default", "phonebox", "everything", "errors", "phones arrived", "phones on their way", "phones waiting", "phones held up", "phones failed", "phones stopped", "phones left out",
		"phone arrived", "phone on its way", "phone waiting", "phone held up", "phone failed", "phone stopped", "phone left out",
		"got", "fine", "asked", "under", "in", "first", "second", "third", "fourth", "fifth", "last", "{1} came", "fetched {1}", "rule {1} ({2})", "by rule {1}", "after {1} s",
		"{1}, {2}, {3} cores", "the site: {1}", "the model {1}: {2}", "the phone: {1}", "(docs/{1})",
		"then {1}", "any {1}", "anything", "Anything", // what a rule of the dial plan is for
		"People: {1}", "Switch {1}", "by {1}", "Seen {1}.", "Missing: {1}", "Tick {1}", "Set {1}", "Remove rule {1}", "Remove entry {1}", "Remove ring {1}",
		"{1}, entry {2}", "{1}, name {2}", "{1}, value {2}", "{1} (SIP)", "{1} (SCCP)")
}

// TestCatalogues checks that each language has every text, and none that is gone.
func TestCatalogues(t *testing.T) {
	all := allTexts(t)
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	if len(languages) < 2 {
		t.Fatalf("found the languages %v, wanted Dutch and German at least", languages.choices())
	}
	for code, one := range languages {
		file := filepath.Join("texts", code+".po")
		if _, err := one.read(); err != nil && !*updateTexts {
			t.Error(err)
		}
		po, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, entries, err := texts.ParsePO(string(po))
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]string{}
		for _, e := range entries {
			have[e.ID] = e.Text
		}
		if *updateTexts {
			if err := os.WriteFile(file, []byte(catalogueText(string(po), all, have)), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		compareCatalogue(t, file, all, have)
	}
}

// compareCatalogue fails for the texts that a catalogue lacks, and for those that nobody shows any more.
func compareCatalogue(t *testing.T, file string, all []source, have map[string]string) {
	t.Helper()
	unused := maps.Clone(have)
	var missing []string
	for _, s := range all {
		for _, id := range s.texts {
			delete(unused, id)
			if have[id] == "" {
				missing = append(missing, s.name+": "+id)
			}
		}
	}
	for i, m := range missing {
		if i == 20 {
			t.Errorf("%s: and %d more", file, len(missing)-i)
			break
		}
		t.Errorf("%s lacks a translation of %s", file, m)
	}
	for _, id := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("%s translates %q, which is shown nowhere; go test ./services/web -run TestCatalogues -texts takes it out", file, id)
	}
}

// catalogueText writes a catalogue: the head of the file as it is, then the texts by their sources.
func catalogueText(old string, all []source, have map[string]string) string {
	var out strings.Builder
	head, _, _ := strings.Cut(old, "\n\n")
	out.WriteString(head + "\n")
	written := map[string]bool{}
	for _, s := range all {
		fmt.Fprintf(&out, "\n# %s\n", s.name)
		for _, id := range s.texts {
			if !written[id] {
				written[id] = true
				fmt.Fprintf(&out, "\nmsgid %q\nmsgstr %q\n", id, have[id])
			}
		}
	}
	return out.String()
}
