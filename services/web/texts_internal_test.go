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

	"phonebox/services/internal/texts"
	"phonebox/services/internal/texts/gather"
)

var updateTexts = flag.Bool("texts", false, "write the texts that the catalogues lack into them, for somebody to translate, and take out what is not used any more")

// speaking are the folders whose sentences the page shows, from here.
var speaking = []string{
	".", "../phone/explain", "../phone/ladder", "../phone", "../phone/dialplan", "../phone/media", "../provision",
	"../../appliance/site", "../../appliance/assemble", "../../appliance/convert", "../../appliance/journal", "../../appliance/clock", "../../appliance/netdev",
}

// notForPeople are constants that look like sentences.
var notForPeople = regexp.MustCompile(`default-src|max-age=|PRIVATE KEY|^\{"error"|2 January 2006|2 Jan 2006|^Thu, 01 Jan|^name = "|^## |^Cisco Systems, Inc|go run ./appliance|Requests that were refused, by reason`)

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
	for _, dir := range speaking {
		found, err := gather.Go(os.DirFS(dir), func(_, text string) bool { return notForPeople.MatchString(text) })
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, source{strings.TrimLeft(filepath.ToSlash(dir), "./") + "/", found})
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
	return append(list, "running", "failed", "off")
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
	for code := range languages {
		file := filepath.Join("texts", code+".po")
		po, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, entries, err := texts.ParsePO(po)
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
