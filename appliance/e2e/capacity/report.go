package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// commandLine is how a program was run, for whoever wants to do the same.
type commandLine struct {
	Who   string            `json:"who"`
	Line  string            `json:"line"`
	Files map[string]string `json:"files,omitempty"`
}

// figure is one thing that was measured of one of those that are compared, once per round.
type figure struct {
	What   string    `json:"what"` // with its unit
	Who    string    `json:"who"`
	Values []float64 `json:"values"`
}

// verdict is a comparison with what is wanted.
type verdict struct {
	Text string `json:"text"`
	Met  bool   `json:"met"`
}

// result is one measurement.
type result struct {
	Name     string        `json:"name"`
	Title    string        `json:"title"`
	When     time.Time     `json:"when"`
	Commit   string        `json:"commit"`
	Machine  string        `json:"machine"`
	Rounds   int           `json:"rounds"`
	Quick    bool          `json:"quick,omitempty"`
	Figures  []figure      `json:"figures"`
	Verdicts []verdict     `json:"verdicts"`
	Notes    []string      `json:"notes,omitempty"`
	Lines    []commandLine `json:"lines"`
	Took     time.Duration `json:"took_ns"`
}

// add records a value of a round.
func (r *result) add(who, what string, v float64) {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Who == who && f.What == what {
			f.Values = append(f.Values, v)
			return
		}
	}
	r.Figures = append(r.Figures, figure{What: what, Who: who, Values: []float64{v}})
}

// values returns what was recorded.
func (r *result) values(who, what string) []float64 {
	for _, f := range r.Figures {
		if f.Who == who && f.What == what {
			return f.Values
		}
	}
	return nil
}

// note records a sentence, once.
func (r *result) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

// ran records command lines, each program once.
func (r *result) ran(lines ...commandLine) {
	for _, l := range lines {
		if !slices.ContainsFunc(r.Lines, func(o commandLine) bool { return o.Who == l.Who && o.Line == l.Line }) {
			r.Lines = append(r.Lines, l)
		}
	}
}

// ratio judges by the ratio of two medians.
func (r *result) ratio(what, ours, theirs string, atLeast bool, wanted float64) {
	a, b := r.values(ours, what), r.values(theirs, what)
	if len(a) == 0 || len(b) == 0 || median(b) == 0 {
		r.note("%s of %s against %s could not be judged: a figure is missing.", what, ours, theirs)
		return
	}
	got := median(a) / median(b)
	word, met := "at most", got <= wanted
	if atLeast {
		word, met = "at least", got >= wanted
	}
	r.Verdicts = append(r.Verdicts, verdict{fmt.Sprintf("%s, %s / %s: %.2f, wanted %s %.2f", what, ours, theirs, got, word, wanted), met})
}

// limit judges every value of a figure.
func (r *result) limit(what, who string, most float64) {
	v := r.values(who, what)
	if len(v) == 0 {
		r.note("%s of %s could not be judged: a figure is missing.", what, who)
		return
	}
	r.Verdicts = append(r.Verdicts, verdict{fmt.Sprintf("%s, %s: at most %s, wanted at most %s", what, who, number(slices.Max(v)), number(most)), slices.Max(v) <= most})
}

// atLeast judges the median of a figure.
func (r *result) atLeast(what, who string, least float64) {
	v := r.values(who, what)
	if len(v) == 0 {
		r.note("%s of %s could not be judged: a figure is missing.", what, who)
		return
	}
	r.Verdicts = append(r.Verdicts, verdict{fmt.Sprintf("%s, %s: %s, wanted at least %s", what, who, number(median(v)), number(least)), median(v) >= least})
}

// atMost judges the median of a figure.
func (r *result) atMost(what, who string, most float64) {
	v := r.values(who, what)
	if len(v) == 0 {
		r.note("%s of %s could not be judged: a figure is missing.", what, who)
		return
	}
	r.Verdicts = append(r.Verdicts, verdict{fmt.Sprintf("%s, %s: %s, wanted at most %s", what, who, number(median(v)), number(most)), median(v) <= most})
}

// must records a rule that holds or does not.
func (r *result) must(met bool, format string, args ...any) {
	r.Verdicts = append(r.Verdicts, verdict{fmt.Sprintf(format, args...), met})
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}

// number writes a figure with three digits that count.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// cell is the median of a figure, and its range where there is one.
func cell(v []float64) string {
	if len(v) == 0 {
		return "–"
	}
	if low, high := slices.Min(v), slices.Max(v); low != high {
		return fmt.Sprintf("%s (%s–%s)", number(median(v)), number(low), number(high))
	}
	return number(v[0])
}

// markdown writes the tables of all results, then the command lines.
func markdown(results []result) string {
	var b strings.Builder
	for _, r := range results {
		r.markdown(&b)
	}
	b.WriteString("### Command lines\n\n$DIR is a new folder for each start, $TFTP the folder of files that the phones may read. $LAST is the end of the\npool: 10.77.250.255, but in dhcp-new, for every server, the pool has half as many addresses again as the step\nasks for, up to that.\n\n")
	seen := map[string]bool{}
	for _, r := range results {
		for _, l := range r.Lines {
			if key := l.Who + "\x00" + l.Line; !seen[key] {
				seen[key] = true
				l.markdown(&b)
			}
		}
	}
	return b.String()
}

func (r *result) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "### %s\n\n", r.Title)
	quick := ""
	if r.Quick {
		quick = ", the quick form"
	}
	fmt.Fprintf(b, "`-only %s`, %s, commit %s, %d rounds%s, %s, in %s.\n\n", r.Name, r.When.Format(time.DateOnly), r.Commit, r.Rounds, quick, r.Machine, r.Took.Round(time.Second))
	var whos, whats []string
	for _, f := range r.Figures {
		if !slices.Contains(whos, f.Who) {
			whos = append(whos, f.Who)
		}
		if !slices.Contains(whats, f.What) {
			whats = append(whats, f.What)
		}
	}
	if len(whats) > 0 {
		fmt.Fprintf(b, "| | %s |\n|---|%s\n", strings.Join(whos, " | "), strings.Repeat("---|", len(whos)))
	}
	for _, what := range whats {
		cells := []string{what}
		for _, who := range whos {
			cells = append(cells, cell(r.values(who, what)))
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	if len(whats) > 0 {
		b.WriteString("\n")
	}
	for _, v := range r.Verdicts {
		word := "met"
		if !v.Met {
			word = "**not met**"
		}
		fmt.Fprintf(b, "- %s: %s\n", v.Text, word)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(b, "- %s\n", n)
	}
	b.WriteString("\n")
}

func (l commandLine) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "%s:\n\n```\n%s\n", l.Who, l.Line)
	for _, name := range slices.Sorted(maps.Keys(l.Files)) {
		if l.Files[name] != "" {
			fmt.Fprintf(b, "\n# $DIR/%s\n%s", name, strings.TrimRight(l.Files[name], "\n")+"\n")
		}
	}
	b.WriteString("```\n\n")
}
