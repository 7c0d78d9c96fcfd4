package web

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// madeClasses are the classes that no template and no script writes as a word of its own: they are values. Each has the one who makes it.
var madeClasses = map[string]string{
	"bool": "kind of a field", "list": "kind of a field", "map": "kind of a field",
	"done": "step of the wizard, stage of a phone", "later": "step of the wizard", "ahead": "stage of a phone",
	"is-good": "mood of a conversion", "is-warn": "mood of a conversion", "is-bad": "mood of a conversion", "is-busy": "mood of a conversion",
	"wave": "drawing of a ring",
}

var (
	cssComment    = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssBlock      = regexp.MustCompile(`\{[^{}]*\}`)
	cssClass      = regexp.MustCompile(`\.([a-z][a-zA-Z0-9_-]*)`)
	classText     = regexp.MustCompile(`class="((?:\{\{.*?\}\}|[^"])*)"`)
	scriptText    = regexp.MustCompile("\"[^\"]*\"|'[^']*'|`[^`]*`")
	classWord     = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9_-]*`)
	templateNamed = regexp.MustCompile(`\{\{-?\s*(?:define|block) "([^"]+)"`)
	templateUsed  = regexp.MustCompile(`\{\{-?\s*(?:template|block) "([^"]+)"|kept "[^"]+" "([^"]+)"`)
)

// each calls visit with every embedded file of a kind.
func each(t *testing.T, glob string, visit func(name, text string)) {
	t.Helper()
	names, err := fs.Glob(files, glob)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files are like %s (%v)", glob, err)
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		visit(name, string(text))
	}
}

// goSources are the package's sources but its tests.
func goSources(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// A style for a class that nothing has is sent to every browser for nothing, and misleads who reads it.
func TestEveryClassWithAStyleIsThere(t *testing.T) {
	t.Parallel()
	there := maps.Clone(madeClasses)
	each(t, "templates/*.html", func(name, text string) {
		for _, m := range classText.FindAllStringSubmatch(text, -1) {
			for _, word := range classWord.FindAllString(m[1], -1) {
				there[word] = name
			}
		}
	})
	each(t, "assets/phonebox/js/*.js", func(name, text string) {
		for _, s := range scriptText.FindAllString(text, -1) {
			for _, word := range classWord.FindAllString(s, -1) {
				there[word] = name
			}
		}
	})
	styled := map[string]bool{}
	each(t, "assets/phonebox/css/*.css", func(name, text string) {
		selectors := cssBlock.ReplaceAllString(cssComment.ReplaceAllString(text, ""), "{}")
		for _, m := range cssClass.FindAllStringSubmatch(selectors, -1) {
			if !styled[m[1]] && there[m[1]] == "" {
				t.Errorf("%s has a style for .%s, which nothing on the page has", name, m[1])
			}
			styled[m[1]] = true
		}
	})
	for _, class := range slices.Sorted(maps.Keys(madeClasses)) {
		if !styled[class] {
			t.Errorf("madeClasses has %s, which has no style", class)
		}
	}
}

// A template that nobody shows is looked after for nothing. What only Go shows stands in its sources, in quotes.
func TestEveryTemplateIsShown(t *testing.T) {
	t.Parallel()
	used := map[string]bool{"page": true, "layout": true}
	each(t, "templates/*.html", func(_, text string) {
		for _, m := range templateUsed.FindAllStringSubmatch(text, -1) {
			used[m[1]+m[2]] = true
		}
	})
	sources := goSources(t)
	each(t, "templates/*.html", func(name, text string) {
		for _, m := range templateNamed.FindAllStringSubmatch(text, -1) {
			if !used[m[1]] && !strings.Contains(sources, `"`+m[1]+`"`) {
				t.Errorf("%s defines %s, which nobody shows", name, m[1])
			}
		}
	})
}
