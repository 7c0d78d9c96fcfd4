package repotest

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Pages returns the text of README.md and of every page in docs, by its path in the checkout, with "/".
func Pages(root string) (map[string]string, error) {
	pages := map[string]string{}
	add := func(name string) error {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		pages[name] = string(text)
		return err
	}
	if err := add("README.md"); err != nil {
		return nil, err
	}
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		return add(name)
	})
	return pages, err
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeBlock    = regexp.MustCompile("(?ms)^```.*?^```$")
	heading      = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
)

// CheckLinks returns a sentence for each link of the pages that leads to no file of the checkout, or to no heading of a
// page. Links to other sites are not followed.
func CheckLinks(root string, pages map[string]string) []string {
	var out []string
	for name, text := range pages {
		for _, m := range markdownLink.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			page, isPage := pages[target]
			switch _, err := os.Stat(filepath.Join(root, filepath.FromSlash(target))); {
			case err != nil && !isPage:
				out = append(out, fmt.Sprintf("%s links to %s, which is not there", name, m[1]))
			case anchor != "" && (!isPage || !slices.Contains(anchors(page), anchor)):
				out = append(out, fmt.Sprintf("%s links to %s, and %s has no such heading", name, m[1], target))
			}
		}
	}
	slices.Sort(out)
	return out
}

// anchors are the names under which the headings of a page can be linked to, as GitHub makes them.
func anchors(page string) []string {
	var list []string
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(page, ""), -1) {
		list = append(list, strings.Map(func(c rune) rune {
			switch {
			case c == ' ':
				return '-'
			case c == '-' || c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c):
				return unicode.ToLower(c)
			}
			return -1
		}, m[1]))
	}
	return list
}

var (
	apiRoute = regexp.MustCompile(`"([A-Z]+ /api/v1/[^"]+)":`)
	apiRow   = regexp.MustCompile("`((?:GET|PUT|POST|DELETE) /api/v1/[^`?]+)")
)

// CheckAPI returns a sentence for each path of the API that docs/api.md does not have, and for each that it has in vain.
func CheckAPI(routes, page string) []string {
	served, told := map[string]bool{}, map[string]bool{}
	for _, m := range apiRoute.FindAllStringSubmatch(routes, -1) {
		served[strings.ReplaceAll(m[1], "...}", "}")] = true
	}
	for _, m := range apiRow.FindAllStringSubmatch(page, -1) {
		told[m[1]] = true
	}
	var out []string
	for r := range served {
		if !told[r] {
			out = append(out, "docs/api.md does not have "+r)
		}
	}
	for r := range told {
		if !served[r] {
			out = append(out, "docs/api.md has "+r+", which is not served")
		}
	}
	slices.Sort(out)
	return out
}

var phonesSection = regexp.MustCompile(`phones\.md(?:,)? ([a-j](?:\.[0-9])?)\b`)

// CheckSections returns a sentence for each section of docs/phones.md that a comment names and that is not there.
func CheckSections(files []File, page string) []string {
	var out []string
	for _, f := range files {
		for _, m := range phonesSection.FindAllStringSubmatch(f.Source, -1) {
			if there := strings.Contains(page, "\n## "+m[1]+". ") || strings.Contains(page, "\n### "+m[1]+" "); !there {
				out = append(out, fmt.Sprintf("%s names phones.md %s, which docs/phones.md does not have", f.Path, m[1]))
			}
		}
	}
	return out
}

var quoted = regexp.MustCompile(`(^|[^*])\*([^*]+)\*([^*]|$)`)

// CheckWords returns a sentence for each text in italics of a page that is written nowhere in sources: the names of
// buttons and the sentences that the page has. "…" stands for what differs from phone to phone.
func CheckWords(page string, sources []string) []string {
	all := strings.NewReplacer("&#39;", "'", `\"`, `"`).Replace(strings.Join(sources, "\n"))
	var out []string
	for _, paragraph := range strings.FieldsFunc(page, func(r rune) bool { return r == '|' }) {
		flat := strings.Join(strings.Fields(paragraph), " ")
		for m := quoted.FindStringSubmatchIndex(flat); m != nil; m = quoted.FindStringSubmatchIndex(flat) {
			words := flat[m[4]:m[5]]
			flat = flat[m[5]+1:]
			for part := range strings.SplitSeq(words, "…") {
				if !strings.Contains(all, strings.TrimSpace(part)) {
					out = append(out, fmt.Sprintf("the page of the box says nowhere %q", words))
					break
				}
			}
		}
	}
	return out
}
