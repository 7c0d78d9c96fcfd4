package texts

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Entry is one text with its translation.
type Entry struct {
	ID   string // the English text
	Text string // "" = not translated yet
	Line int    // of its msgid
}

// ParsePO reads the entries of a .po file (GNU gettext manual, section 10). The header is the entry with an empty ID. Contexts,
// plural forms and obsolete entries are not taken. Texts without escapes are parts of po.
func ParsePO(po string) (header map[string]string, entries []Entry, err error) {
	var e Entry
	var into *string
	header = map[string]string{}
	finish := func() {
		if into != nil && e.ID != "" {
			entries = append(entries, e)
		} else if into != nil {
			readHeader(header, e.Text)
		}
	}
	line := 0
	for text := range strings.Lines(po) {
		line++
		text = strings.TrimSpace(text)
		switch {
		case text == "" || strings.HasPrefix(text, "#"):
			continue
		case strings.HasPrefix(text, "msgid "):
			finish()
			e, text = Entry{Line: line}, text[len("msgid "):]
			into = &e.ID
		case strings.HasPrefix(text, "msgstr ") && into == &e.ID:
			into, text = &e.Text, text[len("msgstr "):]
		case text[0] != '"' || into == nil:
			return nil, nil, fmt.Errorf("line %d: found %q, allowed are msgid, msgstr and texts in quotes", line, text)
		}
		part, err := strconv.Unquote(text)
		if err != nil {
			return nil, nil, fmt.Errorf("line %d: found %s, allowed is a text in quotes", line, text)
		}
		if *into == "" {
			*into = part // no copy
		} else {
			*into += part
		}
	}
	finish()
	return header, entries, nil
}

// ReadHeader reads the header alone: what a list of languages needs.
func ReadHeader(po string) (header map[string]string, err error) {
	head, _, _ := strings.Cut(po, "\n\n")
	header, _, err = ParsePO(head)
	return header, err
}

func readHeader(header map[string]string, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			header[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
}

// placeholder is a value in a text.
var placeholder = regexp.MustCompile(`\{[1-9]\}`)

// check says what is wrong with the entries of a catalogue.
func check(entries []Entry) error {
	var faults []error
	seen := map[string]int{}
	for _, e := range entries {
		if first, ok := seen[e.ID]; ok {
			faults = append(faults, fmt.Errorf("line %d: %q is there already, at line %d", e.Line, e.ID, first))
		}
		seen[e.ID] = e.Line
		want, got := placeholder.FindAllString(e.ID, -1), placeholder.FindAllString(e.Text, -1)
		slices.Sort(want)
		slices.Sort(got)
		if e.Text != "" && !slices.Equal(want, got) {
			faults = append(faults, fmt.Errorf("line %d: the translation of %q has the values %q, wanted %q", e.Line, e.ID, got, want))
		}
	}
	return errors.Join(faults...)
}
