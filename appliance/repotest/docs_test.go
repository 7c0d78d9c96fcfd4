package repotest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phonebox/appliance/repotest"
)

func pages(t *testing.T) (string, map[string]string) {
	t.Helper()
	root, _ := tree(t)
	all, err := repotest.Pages(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d pages in %s", len(all), root)
	}
	return root, all
}

func TestLinks(t *testing.T) {
	root, all := pages(t)
	report(t, repotest.CheckLinks(root, all))
}

func TestLinksBite(t *testing.T) {
	root, _ := pages(t)
	faults := repotest.CheckLinks(root, map[string]string{
		"docs/a.md": "[x](nothing.md) [x](../README.md) [x](b.md#so-it-isn-t) [x](b.md#its-so-b1) [x](#here) [x](https://example.org/x) [x](architecture.md#ports)\n# Here\n",
		"docs/b.md": "## It's so: b.1\n", "docs/architecture.md": "## Ports\n",
	})
	if len(faults) != 2 || !strings.Contains(strings.Join(faults, "\n"), "nothing.md") || !strings.Contains(strings.Join(faults, "\n"), "so-it-isn-t") {
		t.Errorf("found %q, want a page and a heading that are not there", faults)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAPIIsDocumented(t *testing.T) {
	root, all := pages(t)
	sources, err := filepath.Glob(filepath.Join(root, "services/web/*.go")) // each subject has routes of its own
	if err != nil || len(sources) == 0 {
		t.Fatalf("the sources of the page: %v, %v", sources, err)
	}
	routes := ""
	for _, file := range sources {
		if !strings.HasSuffix(file, "_test.go") {
			routes += read(t, file)
		}
	}
	report(t, repotest.CheckAPI(routes, all["docs/api.md"]))
	faults := repotest.CheckAPI("\t\"GET /api/v1/one\": s.one,\n\t\"PUT /api/v1/two/{name...}\": s.two,\n", "`PUT /api/v1/two/{name}` `GET /api/v1/three?x=1`")
	if len(faults) != 2 {
		t.Errorf("found %q, want one path that is missing and one too many", faults)
	}
}

func TestSectionsOfPhones(t *testing.T) {
	_, files := tree(t)
	_, all := pages(t)
	report(t, repotest.CheckSections(files, all["docs/phones.md"]))
	if len(repotest.CheckSections(files, "\n## a. Boot\n")) < 50 {
		t.Error("the sections that comments name are not found")
	}
}

// TestFieldGuideQuotesThePage wants what the field guide says in italics of a conversion on the page of the box, word for
// word: a technician looks for that button.
func TestFieldGuideQuotesThePage(t *testing.T) {
	root, all := pages(t)
	var sources []string
	for _, pattern := range []string{
		"services/web/templates/*.html", "services/web/*.go", "appliance/convert/*.go", "appliance/site/*.go", "services/phone/ladder/*.go",
	} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				sources = append(sources, read(t, name))
			}
		}
	}
	converting, _, ok := strings.Cut(all["docs/field-guide.md"], "\n## A phone does not boot")
	if !ok {
		t.Fatal("the field guide has no chapter \"A phone does not boot\"")
	}
	report(t, repotest.CheckWords(converting, sources))
	if faults := repotest.CheckWords("Press *Do it*, not *Don't do it*, when *it is … there*.", []string{"Do it", "it is a phone there"}); len(faults) != 1 {
		t.Errorf("found %q, want one button that is not there", faults)
	}
}
