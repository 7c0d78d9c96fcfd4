package dialplan

import (
	"fmt"
	"strings"
)

// Explain says a rule in words, a sentence: what is dialled, when it is sent and as what. A rule with faults ([Check]) is
// said as far as it can be read.
func Explain(r Rule) string {
	if r.Match == "" {
		return "Nothing is dialled for it: Dialled is empty."
	}
	s := capital(matchWords(r.Match)) + ": sent " + r.delayWords() + " as dialled"
	if r.Rewrite != "" {
		s = capital(matchWords(r.Match)) + ": sent " + r.delayWords() + " as " + r.Rewrite
		if number := r.example(); len(checkMatch(r.Match)) == 0 {
			s += ", for example " + number + " as " + rewrite(r.Rewrite, compile(r.Match), number)
		}
	}
	switch {
	case strings.EqualFold(r.Route, "Emergency"):
		s += ", to the emergency proxy"
	case strings.EqualFold(r.Route, "FQDN"):
		s += ", to the host that it names"
	}
	switch {
	case strings.EqualFold(r.User, "Phone"):
		s += ", marked as a telephone number"
	case strings.EqualFold(r.User, "IP"):
		s += ", marked as an Internet address"
	}
	if r.Line > 0 {
		s += fmt.Sprintf(", on line %d alone", r.Line)
	}
	return s + "."
}

// delayWords says when a rule sends.
func (r Rule) delayWords() string {
	switch n := r.seconds(); {
	case n == 0:
		return "at once"
	case r.Timeout == "":
		return fmt.Sprintf("%d s after the last digit (the phone's own time)", n)
	default:
		return fmt.Sprintf("%d s after the last digit", n)
	}
}

// matchWords says what is dialled: "9, a second dial tone, then any three digits".
func matchWords(match string) string {
	var parts []string
	tokens := compile(match)
	for i := 0; i < len(tokens); {
		from := i
		for i < len(tokens) && tokens[i].kind == tokens[from].kind {
			i++
		}
		switch run := i - from; tokens[from].kind {
		case literal:
			var b strings.Builder
			for _, t := range tokens[from:i] {
				b.WriteByte(t.char)
			}
			parts = append(parts, b.String())
		case anyOne:
			parts = append(parts, "any "+countWords(run))
		case anyMany:
			parts = append(parts, "any further digits")
			if from == 0 {
				parts = []string{"anything"}
			}
		case tone:
			parts = append(parts, "a second dial tone")
		}
	}
	if n := len(parts); n > 1 {
		return strings.Join(parts[:n-1], ", ") + ", then " + parts[n-1]
	}
	return strings.Join(parts, "")
}

// smallNumbers are written as words.
var smallNumbers = []string{"", "one digit", "two digits", "three digits", "four digits", "five digits", "six digits", "seven digits", "eight digits", "nine digits", "ten digits"}

func countWords(n int) string {
	if n < len(smallNumbers) {
		return smallNumbers[n]
	}
	return fmt.Sprintf("%d digits", n)
}

// example is a number for the rule: 1, 2, 3 for the digits that it leaves open.
func (r Rule) example() string {
	var b []byte
	next := byte('1')
	digit := func() {
		b = append(b, next)
		if next++; next > '9' {
			next = '0'
		}
	}
	for _, t := range compile(r.Match) {
		switch t.kind {
		case literal:
			b = append(b, t.char)
		case anyOne:
			digit()
		case anyMany:
			digit()
			digit()
			digit()
		case tone:
		}
	}
	return string(b)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
