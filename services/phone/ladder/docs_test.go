package ladder

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
)

// page reads a page of the documentation.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// holds wants a table in a page as it is made from the program.
func holds(t *testing.T, name, head string, rows []string) {
	t.Helper()
	want := head + "\n" + regexp.MustCompile(`[^|]+`).ReplaceAllString(head, " --- ") + "\n" + strings.Join(rows, "\n") + "\n"
	if !strings.Contains(page(t, name), "\n"+want+"\n") {
		t.Errorf("docs/%s does not have this table:\n%s", name, want)
	}
}

// TestLadderInTheDocs wants every step of the ladder in docs/phones.md, with where it is written, and the usual rungs.
func TestLadderInTheDocs(t *testing.T) {
	t.Parallel()
	var rows []string
	for _, e := range edges {
		var from []string
		for _, c := range e.from {
			from = append(from, c.words)
		}
		to := inDocs(e.to)
		if e.up {
			to += ", newer ones alone"
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", strings.Join(from, ", "), to, rankInDocs(e.rank), sourceInDocs(e.source)))
	}
	holds(t, "phones.md", "| from | to | known as | source |", rows)

	rows = nil
	for _, name := range usual {
		load, _ := phone.ParseLoad(name)
		c, _ := candidateOf(load, Unknown)
		rows = append(rows, fmt.Sprintf("| `%s` | %s |", name, c.class.words))
	}
	holds(t, "phones.md", "| load | is |", rows)
}

// inDocs says which releases a span has.
func inDocs(s span) string {
	name := strings.ToUpper(string(s.protocol))
	switch {
	case s.hi == end && s.lo[1] == 0:
		return fmt.Sprintf("%s %d.x or later", name, s.lo[0])
	case s.hi == end:
		return fmt.Sprintf("%s %d.%d or later", name, s.lo[0], s.lo[1])
	case s.hi == [2]int{s.lo[0], s.lo[1] + 1}:
		return fmt.Sprintf("%s %d.%d", name, s.lo[0], s.lo[1])
	case s.hi == [2]int{s.lo[0] + 1, 0} && s.lo[1] == 0:
		return fmt.Sprintf("%s %d.x", name, s.lo[0])
	}
	last := fmt.Sprintf("%d.%d", s.hi[0], s.hi[1]-1)
	if s.hi[1] == 0 {
		last = fmt.Sprintf("%d.x", s.hi[0]-1)
	}
	return fmt.Sprintf("%s %d.%d to %s", name, s.lo[0], s.lo[1], last)
}

func rankInDocs(r rank) string {
	return map[rank]string{documented: "written", recipe: "recipe", inferred: "inferred", conditional: "only where nothing else leads on"}[r]
}

// sourceInDocs leaves the name of the page out, on the page itself.
func sourceInDocs(source string) string { return strings.ReplaceAll(source, "phones.md ", "") }

// starts are the loads of a mixed pallet, as the field guide has them.
var starts = []struct {
	words string
	clues []Clue
}{
	{"SCCP too old for XML", told("P00302000100")},
	{"SCCP 3.x or 4.x", told("P00303020214")},
	{"SCCP up to 5.x, not known which", []Clue{{Source: FromNames, Confidence: Likely, Loader: No, XML: Yes}}},
	{"SCCP 5.x", told("P00305000300")},
	{"SCCP 6.x to 8.x", told("P00307020300")},
	{"SIP before 2.3", told("P0S30202")},
	{"SIP 2.3 to 4.3", told("P0S3-03-0-00")},
	{"SIP 4.4", told("P0S3-04-4-00")},
	{"SIP 5.0 or 5.1", told("P0S3-05-0-00")},
	{"SIP 5.2 or 5.3", told("P0S3-05-3-00")},
	{"SIP 6.x", told("P0S3-06-3-00")},
	{"SIP 7.x or an older 8.x", told("P0S3-07-4-00")},
}

func told(load string) []Clue { return []Clue{ToldNot(load, time.Unix(1, 0))} }

// TestFieldGuide wants in docs/field-guide.md what the ladder needs of each kind of phone, there and back.
func TestFieldGuide(t *testing.T) {
	t.Parallel()
	rows := func(target string) (rows []string) {
		for _, s := range starts {
			path, err := Plan(Conclude(s.clues), target, nil)
			if err != nil {
				t.Fatalf("%s to %s: %v", s.words, target, err)
			}
			var to, files []string
			var takes time.Duration
			for _, step := range path.Steps {
				to = append(to, "`"+step.To+"`")
				takes += step.Takes
				if load, _ := phone.ParseLoad(step.To); !load.Universal() {
					for _, f := range step.Files {
						files = append(files, "`"+f+"`")
					}
				} else if step.To != target {
					files = append(files, "the bundle of "+"`"+step.To+"`")
				}
			}
			if len(files) == 0 {
				files = []string{"-"}
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %.0f min |", s.words, strings.Join(to, ", "), strings.Join(files, ", "), takes.Minutes()))
		}
		return rows
	}
	const head = "| the phone runs | it goes over | needed besides the bundle of the target | about |"
	holds(t, "field-guide.md", head, rows("P0S3-8-12-00"))

	back := rows("P00308010200")
	back = slices.DeleteFunc(back, func(r string) bool { return strings.HasPrefix(r, "| SCCP") })
	holds(t, "field-guide.md", head, back)
}
