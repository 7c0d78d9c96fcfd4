package dialplan

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRead is how much of a file is looked at: far more than phones take, so that an oversized file can be repaired.
const maxRead = 256 << 10

// Warning is one oddity of a file.
type Warning struct {
	Line int    `json:"line"` // 1-based
	Text string `json:"text"` // a sentence
}

// Read reads dialplan.xml as tolerantly as it can. Whatever is odd, and whatever a phone itself would refuse, is a
// warning; what can't become part of the plan stands in a warning with its text, so nothing is lost. The error says that
// the content is no dial plan at all, or larger than 256 KB.
func Read(content []byte) (Plan, []Warning, error) {
	if len(content) > maxRead {
		return Plan{}, nil, fmt.Errorf("reading the dial plan: it has %d bytes, allowed are less than %d", len(content), MaxFile)
	}
	r := &reader{}
	r.decode(content)
	for i, c := range r.text {
		if c == '\n' {
			r.breaks = append(r.breaks, i)
		}
	}
	if len(content) >= MaxFile {
		r.warn(0, "the file has %d bytes; a phone takes less than %d", len(content), MaxFile)
	}
	for r.pos < len(r.text) {
		r.next()
	}
	if len(r.comments) > 0 {
		r.warn(r.comment1, "no rule follows the comment %q; it is left out", strings.Join(r.comments, "\n"))
	}
	if len(r.plan.Rules) == 0 && !r.seenRoot {
		return Plan{}, r.warnings, errors.New("reading the dial plan: found neither DIALTEMPLATE nor TEMPLATE")
	}
	sort.SliceStable(r.warnings, func(i, j int) bool { return r.warnings[i].Line < r.warnings[j].Line })
	return r.plan, r.warnings, nil
}

// reader goes through a file once.
type reader struct {
	text     string
	pos      int
	breaks   []int // where lines end
	plan     Plan
	warnings []Warning
	comments []string // for the rule that follows
	comment1 int      // where the first of them stands
	ruleAt   int      // where the rule that is read begins
	ruleEnd  int      // where the last rule ended; 0 = there is none
	inside   bool     // of DIALTEMPLATE
	seenRoot bool
	warned   bool // that rules stand outside of it
}

// warn adds a warning about the line at an offset of the text.
func (r *reader) warn(at int, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{1 + sort.SearchInts(r.breaks, at), fmt.Sprintf(format, args...)})
}

// decode makes text of the bytes: Latin-1, or UTF-8 where that fits.
func (r *reader) decode(content []byte) {
	text := string(content)
	if after, ok := strings.CutPrefix(text, "\xef\xbb\xbf"); ok {
		text = after
		r.warn(0, "the file begins with a byte order mark, which a phone may stumble over")
	}
	ascii := strings.IndexFunc(text, func(c rune) bool { return c >= utf8.RuneSelf }) < 0
	switch {
	case ascii:
	case utf8.ValidString(text):
		r.warn(0, "the file is UTF-8; phones read ISO-8859-1")
	default:
		runes := make([]rune, 0, len(text))
		for _, c := range []byte(text) {
			runes = append(runes, rune(c))
		}
		text = string(runes)
	}
	r.text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// next reads what comes next: an element, a comment, or text that belongs to none.
func (r *reader) next() {
	rest := r.text[r.pos:]
	open := strings.IndexByte(rest, '<')
	if open != 0 {
		if open < 0 {
			open = len(rest)
		}
		if loose := strings.TrimSpace(rest[:open]); loose != "" {
			r.warn(r.pos+strings.Index(rest, loose), "this belongs to no rule and is left out: %q", loose)
		}
		r.pos += open
		return
	}
	name := elementName(rest[1:])
	switch {
	case strings.HasPrefix(rest, "<!--"):
		r.comment()
	case strings.HasPrefix(rest, "<?xml"):
		at := r.pos
		r.warn(at, "the XML declaration is left out; phones know none: %q", r.tag())
	case strings.HasPrefix(rest, "</"):
		r.endTag()
	case strings.EqualFold(name, "DIALTEMPLATE"):
		r.inside, r.seenRoot = true, true
		at := r.pos
		if tag := r.tag(); strings.TrimSpace(tag[1+len(name):]) != ">" {
			r.warn(at, "the rest of this tag is left out: %q", tag)
		}
	case strings.EqualFold(name, "TEMPLATE"):
		r.rule(name)
	default:
		at := r.pos
		r.warn(at, "this is no part of a dial plan and is left out: %q", r.tag())
	}
}

// tag takes everything up to and with the next ">".
func (r *reader) tag() string {
	rest := r.text[r.pos:]
	if end := strings.IndexByte(rest, '>'); end >= 0 {
		rest = rest[:end+1]
	}
	r.pos += len(rest)
	return rest
}

func (r *reader) endTag() {
	at := r.pos
	name := elementName(r.text[r.pos+2:])
	tag := r.tag()
	if strings.EqualFold(name, "DIALTEMPLATE") && r.inside {
		r.inside = false
		return
	}
	r.warn(at, "this closes nothing and is left out: %q", tag)
}

// comment takes a comment. It belongs to the rule that follows, or to the one before it on the same line.
func (r *reader) comment() {
	at := r.pos
	body := r.text[at+len("<!--"):]
	end := strings.Index(body, "-->")
	if end < 0 {
		r.warn(at, "this comment has no end; a phone may ignore what follows: %q", r.text[at:])
		r.pos = len(r.text)
	} else {
		body = body[:end]
		r.pos = at + len("<!--") + end + len("-->")
	}
	if strings.ContainsRune(body, '>') {
		r.warn(at, "a phone takes the first > for the end of a comment, and stumbles over the rest: %q", body)
	}
	clean := cleanComment(body)
	if strings.Join(strings.Fields(clean), " ") != strings.Join(strings.Fields(body), " ") {
		r.warn(at, "the comment %q is kept as %q", body, clean)
	}
	if clean == "" {
		return
	}
	if r.ruleEnd > 0 && len(r.comments) == 0 && !strings.Contains(r.text[r.ruleEnd:at], "\n") {
		last := &r.plan.Rules[len(r.plan.Rules)-1]
		last.Comment = strings.TrimPrefix(last.Comment+"\n"+clean, "\n")
		r.ruleEnd = 0 // one is enough; further ones belong to the next rule
		return
	}
	if len(r.comments) == 0 {
		r.comment1 = at
	}
	r.comments = append(r.comments, clean)
}

// rule reads a TEMPLATE.
func (r *reader) rule(name string) {
	at := r.pos
	r.ruleAt = at
	if name != "TEMPLATE" {
		r.warn(at, "a phone ignores this rule: the element is written %q and must be TEMPLATE", name)
	}
	if !r.inside && !r.warned {
		r.warned = true
		r.warn(at, "a phone ignores rules outside of DIALTEMPLATE")
	}
	r.pos += 1 + len(name)
	var rule Rule
	seen := map[string]bool{}
	for r.attribute(&rule, seen) {
	}
	text := r.text[at:r.pos]
	if rule.Match == "" {
		r.warn(at, "a rule without MATCH is left out: %q", text)
		return
	}
	for _, fault := range Check(rule) {
		r.warn(at, "a phone may refuse this rule: %s", fault)
	}
	if rule.Line != 0 {
		r.warn(at, "Line is known of the 7941 and 7961; a 7940 or 7960 may refuse this rule")
	}
	rule.Comment = strings.Join(r.comments, "\n")
	r.comments = nil
	r.plan.Rules = append(r.plan.Rules, rule)
	r.ruleEnd = r.pos
}

// attribute reads what comes next inside a TEMPLATE, and reports whether more of it may follow.
func (r *reader) attribute(rule *Rule, seen map[string]bool) (more bool) {
	rest := r.text[r.pos:]
	trimmed := strings.TrimLeft(rest, " \t\n")
	r.pos += len(rest) - len(trimmed)
	name := elementName(trimmed)
	switch {
	case trimmed == "" || trimmed[0] == '<':
		r.warn(r.ruleAt, "a phone refuses this rule: it is not closed with />")
		return false
	case strings.HasPrefix(trimmed, "/>"):
		r.pos += 2
		return false
	case trimmed[0] == '>':
		r.pos++
		r.closing()
		return false
	case name == "":
		_, size := utf8.DecodeRuneInString(trimmed)
		r.warn(r.pos, "a phone refuses this rule: %q stands between its attributes", trimmed[:size])
		r.pos += size
		return true
	}
	at := r.pos
	r.pos += len(name)
	after := strings.TrimLeft(trimmed[len(name):], " \t\n")
	if !strings.HasPrefix(after, "=") {
		r.warn(at, "a phone refuses this rule: %q has no value", name)
		return true
	}
	after = strings.TrimLeft(after[1:], " \t\n")
	r.pos = len(r.text) - len(after)
	value := r.value(name)
	if trimmed := strings.TrimSpace(value); trimmed != value {
		r.warn(at, "blanks around the value of %s are left out: %q", name, value)
		value = trimmed
	}
	if strings.Contains(value, "&") && strings.Contains(value, ";") {
		r.warn(at, "a phone reads the value of %s as it stands, without resolving &...;: %q", name, value)
	}
	r.set(rule, seen, at, name, value)
	return true
}

// closing takes </TEMPLATE> behind a tag that did not close itself.
func (r *reader) closing() {
	rest := strings.TrimLeft(r.text[r.pos:], " \t\n")
	name := ""
	if strings.HasPrefix(rest, "</") {
		name = elementName(rest[2:])
	}
	if !strings.EqualFold(name, "TEMPLATE") {
		r.warn(r.ruleAt, "a phone refuses this rule: neither /> nor </TEMPLATE> closes it")
		return
	}
	r.pos = len(r.text) - len(rest)
	r.tag()
}

// value reads an attribute's value: in quotation marks, or up to the next blank.
func (r *reader) value(name string) string {
	at, rest := r.pos, r.text[r.pos:]
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		end := strings.IndexAny(rest, " \t\n<>")
		if end < 0 {
			end = len(rest)
		}
		if end > 0 && end < len(rest) && rest[end-1] == '/' && rest[end] == '>' {
			end--
		}
		r.warn(at, "a phone refuses this rule: the value of %s has no quotation marks", name)
		r.pos += end
		return rest[:end]
	}
	if rest[0] == '\'' {
		r.warn(at, "a phone refuses this rule: the value of %s stands between ' instead of \"", name)
	}
	end := strings.IndexAny(rest[1:], rest[:1]+"\n")
	if end >= 0 && rest[1+end] == rest[0] {
		r.pos += 1 + end + 1
		return rest[1 : 1+end]
	}
	line := rest[1:]
	if end >= 0 {
		line = line[:end]
	}
	r.warn(at, "the quotation mark behind the value of %s is missing; a phone misreads what follows", name)
	line = strings.TrimRight(line, " \t")
	value := strings.TrimSuffix(strings.TrimSuffix(line, ">"), "/")
	r.pos += 1 + len(value)
	return value
}

// set puts an attribute into the rule.
func (r *reader) set(rule *Rule, seen map[string]bool, at int, name, value string) {
	lower := strings.ToLower(name)
	if seen[lower] && lower != "tone" {
		r.warn(at, "%s stands there twice; the last one counts, which is %q", name, value)
	}
	seen[lower] = true
	switch lower {
	case "match":
		rule.Match = value
	case "timeout":
		rule.Timeout = value
	case "user":
		rule.User = value
	case "rewrite":
		rule.Rewrite = value
	case "route":
		rule.Route = value
	case "tone":
		tones := strings.Split(value, ",")
		if len(tones) > 1 {
			r.warn(at, "a phone refuses this rule: each tone needs a Tone of its own, found %q", value)
		}
		for _, tone := range tones {
			rule.Tones = append(rule.Tones, strings.TrimSpace(tone))
		}
	case "line":
		n, err := strconv.Atoi(value)
		if err != nil {
			r.warn(at, "Line is %q, allowed is a number; it is left out", value)
		}
		rule.Line = n
	default:
		r.warn(at, "a phone refuses this rule: it knows no attribute %s; left out is %s=%q", name, name, value)
	}
}

// elementName is the name with which s begins.
func elementName(s string) string {
	end := 0
	for end < len(s) {
		c := s[end]
		if c != '-' && c != '_' && c != ':' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			break
		}
		end++
	}
	return s[:end]
}
