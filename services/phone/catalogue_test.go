package phone_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"phonebox/services/phone"
)

var writeParameters = flag.Bool("write-parameters", false, "write docs/parameters.md anew")

// deviations are where the catalogue differs from testdata/parameters.tsv on purpose: "name column" to the catalogue's
// value, with the reason behind it.
var deviations = map[string]string{
	// Times are checked as such, not as any text.
	"dst_offset type": "time", "dst_start_time type": "time", "dst_stop_time type": "time",
	// Proxy 1 alone is unprovisioned from the factory; the others are empty and fall back to it.
	"proxy2_address default": "", "proxy3_address default": "", "proxy4_address default": "", "proxy5_address default": "", "proxy6_address default": "",
	// A default is what the files get where nobody sets a value, and "" is how files name an unused line (phones.md h);
	// the key's text follows the name in the firmware, which "" leaves to it.
	"line1_name default": "", "line2_name default": "", "line3_name default": "", "line4_name default": "", "line5_name default": "", "line6_name default": "",
	"line1_shortname default": "", "line2_shortname default": "", "line3_shortname default": "", "line4_shortname default": "", "line5_shortname default": "", "line6_shortname default": "",
}

// fact is a row of testdata/parameters.tsv: what guides and working files say of a name. allowed is "a..b" for numbers
// and lengths (an open end is not known), or values with a bar between. unconfirmed is "row" where it is not certain
// that the firmware reads the name, "value" or "default" where only that is not.
type fact struct{ name, scope, first, typ, allowed, def, unconfirmed string }

func facts(t *testing.T) []fact {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "parameters.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var list []fact
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 7 {
			t.Fatalf("the row %q has %d columns", line, len(f))
		}
		list = append(list, fact{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
	}
	return list[1:]
}

// names writes the N of a row out.
func (f fact) names() []string {
	if !strings.Contains(f.name, "N_") && !strings.HasSuffix(f.name, "N") {
		return []string{f.name}
	}
	var list []string
	for n := 1; n <= phone.Lines; n++ {
		list = append(list, strings.Replace(f.name, "N", strconv.Itoa(n), 1))
	}
	return list
}

// TestCatalogue compares every row of the published table with the catalogue, and the other way round.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	rest := map[string]phone.Parameter{}
	for _, p := range phone.Parameters() {
		rest[p.Name] = p
	}
	rows, used := facts(t), map[string]bool{}
	if len(rows) != 97 {
		t.Errorf("the table has %d rows, want 97", len(rows))
	}
	for _, f := range rows {
		for _, name := range f.names() {
			p, ok := rest[name]
			if !ok {
				t.Errorf("%s is in the table and not in the catalogue", name)
				continue
			}
			delete(rest, name)
			for _, c := range []struct{ column, want, got string }{
				{"scope", f.scope, string(p.Scope)},
				{"first", f.first, p.FirstRelease},
				{"type", f.typ, string(p.Type)},
				{"allowed", f.allowed, allowedAs(p, f.allowed)},
				{"default", f.def, p.Default},
			} {
				want := c.want
				if deviation, ok := deviations[name+" "+c.column]; ok {
					used[name+" "+c.column] = true
					want = deviation
				}
				if c.got != want {
					t.Errorf("%s: %s is %q in the catalogue, %q in the table", name, c.column, c.got, want)
				}
			}
			checkConfirmed(t, f, p)
		}
	}
	for name := range rest {
		t.Errorf("%s is in the catalogue and not in the table", name)
	}
	for d := range deviations {
		if !used[d] {
			t.Errorf("the deviation %q is of nothing", d)
		}
	}
}

// allowedAs writes the range of a parameter in the form of the table's column: ends that the column leaves open are
// left open, and a column without a range says nothing.
func allowedAs(p phone.Parameter, column string) string {
	if p.Type == phone.TypeEnum {
		return strings.Join(p.Values, "|")
	}
	lower, upper, ok := strings.Cut(column, "..")
	if !ok {
		return ""
	}
	s := ".."
	if lower != "" {
		s = strconv.Itoa(p.Min) + s
	}
	if upper != "" {
		s += strconv.Itoa(p.Max)
	}
	return s
}

// checkConfirmed wants rows that are not confirmed left alone, and said so.
func checkConfirmed(t *testing.T, f fact, p phone.Parameter) {
	t.Helper()
	says := strings.Contains(p.Help, "not confirmed on every release")
	if row := f.unconfirmed == "row"; row != p.Unconfirmed || row != says || row && p.Managed {
		t.Errorf("%s: unconfirmed in the table %v, in the catalogue %v, in its help %v; managed %v", p.Name, row, p.Unconfirmed, says, p.Managed)
	}
}

func TestCatalogueIsReadyForPeople(t *testing.T) {
	t.Parallel()
	var groups []string
	for _, p := range phone.Parameters() {
		if len(p.Help) < 20 || !strings.HasSuffix(p.Help, ".") || strings.ContainsAny(p.Help, "|\n") || strings.Contains(p.Help, "unconfirmed)") {
			t.Errorf("the help of %s: %q", p.Name, p.Help)
		}
		if p.Allowed == "" {
			t.Errorf("%s does not say what is allowed", p.Name)
		}
		if n := len(groups); n == 0 || groups[n-1] != p.Group {
			groups = append(groups, p.Group)
		}
	}
	sorted := slices.Clone(groups)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(groups) || slices.Contains(groups, "") {
		t.Errorf("the groups do not stand together: %q", groups)
	}
}

// TestParametersDoc wants docs/parameters.md as the catalogue makes it.
func TestParametersDoc(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "parameters.md")
	want := phone.WriteParametersDoc()
	if *writeParameters {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/parameters.md is not what the catalogue makes (%v): go test ./services/phone -run TestParametersDoc -write-parameters", err)
	}
	for _, f := range facts(t) {
		if n := bytes.Count(want, []byte(fmt.Sprintf("\n| `%s` |", f.name))); n != 1 {
			t.Errorf("%s stands in %d rows of the document", f.name, n)
		}
	}
}
