//go:build linux

package main_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// english are words that no page in another language has.
var english = regexp.MustCompile(`(?i)\b(the|its|are|which|that|and|with|has|have|needs|does|cannot|asks|asked|without)\b`)

// notCrawled are ways that lead to a file, to the way out, to another language, or to what another page shows as well.
var notCrawled = regexp.MustCompile(`lang=|\.(zip|csv|xlsx|cnf|xml|tlv|DAT|bmp|raw)\b|/stream|logout|download|boot=|\?(show|step|sort|find|q|level|service|preset)=|^/(assets|api|gokrazy)/`)

// What a real box says reads as German and Dutch on every page to which its pages lead: its sentences are joined from parts in more
// ways than a made-up house has.
func TestARealBoxSpeaksOtherLanguages(t *testing.T) {
	page := startTry(t)
	firstPassword(t, page)
	base := strings.TrimSuffix(page, "/")
	for _, language := range []string{"de", "nl"} {
		seen, todo := map[string]bool{}, []string{"/", "/phones", "/conversions", "/settings", "/system", "/help", "/start"}
		left := map[string]string{}
		for len(todo) > 0 && len(seen) < 250 {
			path := todo[0]
			if todo = todo[1:]; seen[path] || notCrawled.MatchString(path) {
				continue
			}
			seen[path] = true
			code, body := ask(t, http.MethodGet, base+path, nil, "Accept-Language", language)
			if code != http.StatusOK || !strings.Contains(body, `lang="`+language+`"`) {
				continue // it asks for something first, or is no page
			}
			texts, links := readPage(t, body)
			todo = append(todo, links...)
			for _, text := range texts {
				if english.MatchString(text) {
					left[text] = path
				}
			}
		}
		if len(seen) < 60 {
			t.Errorf("%s: %d pages were found, want all", language, len(seen))
		}
		for text, path := range left {
			t.Errorf("%s: %s says %q", language, path, text)
		}
	}
}

// readPage returns what a person reads of a page that is not a name, a file or a code, and where its links lead.
func readPage(t *testing.T, page string) (texts, links []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			if text := strings.Join(strings.Fields(n.Data), " "); text != "" {
				texts = append(texts, text)
			}
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "translate" && a.Val == "no":
				return
			case a.Key == "href" && n.Data == "a" && strings.HasPrefix(a.Val, "/"):
				path, _, _ := strings.Cut(a.Val, "#")
				links = append(links, path)
			case slices.Contains([]string{"placeholder", "aria-label", "title", "data-label", "alt"}, a.Key):
				texts = append(texts, a.Val)
			}
		}
		if slices.Contains([]string{"script", "style", "code", "pre", "textarea"}, n.Data) {
			return
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(root)
	return texts, links
}
