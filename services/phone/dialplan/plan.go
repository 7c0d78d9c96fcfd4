package dialplan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What phones take (phones.md g.3).
const (
	MaxFile        = 8192 // bytes; a file must stay below it
	MaxString      = 63   // characters of an attribute's value
	MaxTones       = 3
	MaxGroups      = 5   // wildcard groups that Rewrite can name: %1 to %5
	MaxDialled     = 255 // characters that can be dialled
	DefaultTimeout = 10  // seconds: of a rule without Timeout, and between digits while no rule is complete
	DefaultTone    = "Bellcore-Outside"

	maxTimeout = 3600 // seconds; phones name no limit, but longer is a slip
	maxLine    = 6
)

// Rule is one TEMPLATE of a dial plan. Empty fields are not written, so the phone's defaults hold.
type Rule struct {
	Match   string   // digits; "." any digit or star, "*" one or more, "," a secondary dial tone, "\*" the star key, "#"
	Timeout string   // seconds from the last digit until it is sent: "0" at once, "" is DefaultTimeout
	User    string   // "Phone" or "IP" in any case: adds ;user= to what is sent
	Rewrite string   // what is sent instead: "." the next wildcard's digit, "%1" to "%5" a group, "%s" or "%0" all
	Route   string   // "Default", "Emergency" or "FQDN" in any case
	Tones   []string // for each "," of Match, at most three; "" is DefaultTone
	Line    int      // 0 = all lines. It is known of the 7941/7961; a 7940/7960 may refuse the rule
	Comment string   // one line of the file for each line of it
}

// Plan is a dial plan: its rules in the order of the file.
type Plan struct{ Rules []Rule }

// ToneNames returns the names of tones that phones know.
func ToneNames() []string { return slices.Clone(toneNames) }

var toneNames = []string{
	"Bellcore-Inside", DefaultTone, "Bellcore-Busy", "Bellcore-Alerting", "Bellcore-BusyVerify", "Bellcore-Stutter",
	"Bellcore-MsgWaiting", "Bellcore-Reorder", "Bellcore-CallWaiting", "Bellcore-Cw2", "Bellcore-Cw3", "Bellcore-Cw4",
	"Bellcore-Hold", "Bellcore-Confirmation", "Bellcore-Permanent", "Bellcore-Reminder", "Bellcore-None", "Cisco-ZipZip",
	"Cisco-Zip", "Cisco-BeepBonk",
}

// SplitTones reads tones as an editor has them: up to three names with commas. "" is none.
func SplitTones(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	tones := strings.Split(s, ",")
	for i := range tones {
		tones[i] = strings.TrimSpace(tones[i])
	}
	return tones
}

// JoinTones is the inverse of [SplitTones].
func JoinTones(tones []string) string { return strings.Join(tones, ",") }

// Check returns what is wrong with a rule, a sentence each: what was found and what is allowed. A rule without faults
// can be written.
func Check(r Rule) []string {
	faults := checkMatch(r.Match)
	if n, err := strconv.Atoi(r.Timeout); r.Timeout != "" && (err != nil || n < 0 || n > maxTimeout || !digits(r.Timeout)) {
		faults = append(faults, fmt.Sprintf("Timeout is %q; allowed are whole seconds from 0 to %d, or nothing for %d", r.Timeout, maxTimeout, DefaultTimeout))
	}
	if !oneOf(r.User, "", "Phone", "IP") {
		faults = append(faults, fmt.Sprintf("User is %q; allowed are Phone, IP or nothing", r.User))
	}
	if !oneOf(r.Route, "", "Default", "Emergency", "FQDN") {
		faults = append(faults, fmt.Sprintf("Route is %q; allowed are Default, Emergency, FQDN or nothing", r.Route))
	}
	if len(r.Rewrite) > MaxString {
		faults = append(faults, fmt.Sprintf("Rewrite has %d characters; allowed are at most %d", len(r.Rewrite), MaxString))
	}
	if i := strings.IndexFunc(r.Rewrite, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }); i >= 0 {
		faults = append(faults, fmt.Sprintf("Rewrite is %q; allowed are letters, digits and signs without accents, blanks and quotation marks", r.Rewrite))
	}
	if len(r.Tones) > MaxTones {
		faults = append(faults, fmt.Sprintf("there are %d tones; allowed are at most %d", len(r.Tones), MaxTones))
	}
	for _, tone := range r.Tones {
		if !oneOf(tone, append([]string{""}, toneNames...)...) {
			faults = append(faults, fmt.Sprintf("Tone is %q; allowed are %s", tone, strings.Join(toneNames, ", ")))
		}
	}
	if r.Line < 0 || r.Line > maxLine {
		faults = append(faults, fmt.Sprintf("Line is %d; allowed are 1 to %d, or 0 for all lines", r.Line, maxLine))
	}
	if r.Comment != "" && cleanComment(r.Comment) != r.Comment {
		faults = append(faults, fmt.Sprintf("the comment is %q; a comment can't hold <, > or --, nor letters beyond Western European ones", r.Comment))
	}
	return faults
}

// checkMatch finds what is wrong with MATCH.
func checkMatch(match string) []string {
	switch {
	case match == "":
		return []string{"MATCH is empty; allowed are digits and . * , # + \\*"}
	case len(match) > MaxString:
		return []string{fmt.Sprintf("MATCH has %d characters; allowed are at most %d", len(match), MaxString)}
	}
	var faults []string
	for i := 0; i < len(match); i++ {
		switch c := match[i]; {
		case c == '\\' && i+1 < len(match) && match[i+1] == '*':
			i++
		case c == '\\':
			faults = append(faults, fmt.Sprintf("MATCH is %q; after \\ only * is allowed, for the star key", match))
		case !strings.ContainsRune("0123456789.*,#+", rune(c)):
			return append(faults, fmt.Sprintf("MATCH is %q; allowed are digits and . * , # + \\*", match))
		case c == '*' && i+1 < len(match) && strings.ContainsRune(".*,", rune(match[i+1])):
			faults = append(faults, fmt.Sprintf("MATCH is %q; behind * only a digit, # or \\* can follow, because * takes all else", match))
		}
	}
	if match[0] == ',' || match[len(match)-1] == ',' {
		faults = append(faults, fmt.Sprintf("MATCH is %q; a comma stands between digits, where the secondary dial tone begins", match))
	}
	return faults
}

// oneOf reports whether s is one of the words; case does not matter to phones.
func oneOf(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, s) })
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// seconds is the rule's timeout as a phone reads it; the rule has no faults.
func (r Rule) seconds() int {
	if n, err := strconv.Atoi(r.Timeout); err == nil {
		return n
	}
	return DefaultTimeout
}

// cleanComment makes text that a comment can carry. A phone's parser takes the first ">" for the end of a comment, so
// none may stand in it; characters beyond Latin-1 don't exist in the file.
func cleanComment(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.Map(func(c rune) rune {
			switch {
			case c == '<':
				return '('
			case c == '>':
				return ')'
			case c < ' ', c >= 0x7f && c <= 0xa0:
				return ' '
			case c > 0xff:
				return '?'
			}
			return c
		}, line)
		for strings.Contains(line, "--") {
			line = strings.ReplaceAll(line, "--", "-")
		}
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
