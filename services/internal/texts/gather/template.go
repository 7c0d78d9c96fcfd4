package gather

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/internal/texts"
)

// border stands for a place where a text ends or another may follow: an action that controls what is shown.
const border = "\x02"

var (
	action  = regexp.MustCompile(`(?s)\{\{-?\s*(/\*.*?\*/|.*?)\s*-?\}\}`)
	control = regexp.MustCompile(`^(/\*|if\b|else\b|end\b|range\b|with\b|template\b|define\b|block\b|break\b|continue\b|kept\b|\$\w+\s*:?=)`)
	quoted  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|` + "`[^`]*`")
)

// Template returns the texts for people in a template: those of its elements and of the attributes that are translated, and the
// constants that actions print.
func Template(source string) []string {
	var page strings.Builder
	var out []string
	at := 0
	for _, m := range action.FindAllStringSubmatchIndex(source, -1) {
		page.WriteString(source[at:m[0]])
		at = m[1]
		text := source[m[2]:m[3]]
		switch {
		case inTag(page.String()) && !inText(page.String()):
			page.WriteString("\x03")
		case control.MatchString(text):
			if called.MatchString(text) {
				out = append(out, labelsOf(constants(text))...)
			}
			page.WriteString(border)
		default:
			out = append(out, constants(text)...)
			page.WriteString(value)
		}
	}
	page.WriteString(source[at:])
	for _, segment := range texts.Segments([]byte(page.String())) {
		for part := range strings.SplitSeq(segment, border) {
			part = number(strings.TrimSpace(part))
			if !strings.Contains(part, "\x03") && hasWord(part) {
				out = append(out, part)
			}
		}
	}
	return out
}

// inTag reports whether what follows stands within a tag.
func inTag(page string) bool {
	return strings.LastIndexByte(page, '<') > strings.LastIndexByte(page, '>')
}

// called is an action that gives texts to another template, among keys.
var called = regexp.MustCompile(`^(template|block) `)

// labelsOf leaves out what is a key, and no text.
func labelsOf(list []string) []string {
	return slices.DeleteFunc(list, func(text string) bool { return !wordy(text) && !capital.MatchString(text) })
}

// attribute is the attribute whose value what follows is a part of.
var attribute = regexp.MustCompile(`\s([a-z-]+)="[^"<]*$`)

// inText reports whether what follows stands in an attribute that is translated.
func inText(page string) bool {
	m := attribute.FindStringSubmatch(page[strings.LastIndexByte(page, '<')+1:])
	return m != nil && texts.IsText(m[1])
}

// constants are the texts that an action prints.
func constants(text string) (out []string) {
	for _, q := range quoted.FindAllString(text, -1) {
		s, err := strconv.Unquote(q)
		if s = number(unformat(s)); err == nil && (wordy(s) || !strings.HasPrefix(text, "asset") && oneWord.MatchString(s)) {
			out = append(out, s)
		}
	}
	return out
}

// oneWord is a word of people's language, as opposed to a key.
var oneWord = regexp.MustCompile(`^[A-Za-z][a-z]+$`)

// hasWord reports whether there is anything to translate.
func hasWord(text string) bool {
	return regexp.MustCompile(`[A-Za-z]{2,}`).MatchString(placeholder.ReplaceAllString(text, ""))
}
