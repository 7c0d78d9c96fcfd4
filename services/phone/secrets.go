package phone

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// HiddenSecret stands in a text for a password that is not shown.
const HiddenSecret = "********"

// The places of a line in which a password can stand: the value of a parameter of a .cnf file, commented out ones included;
// the content of an element and of an attribute of an XML file.
var (
	cnfValue  = regexp.MustCompile(`^([\s#;]*)([A-Za-z0-9_.]+)(\s*:\s*)(\S.*)$`)
	xmlValue  = regexp.MustCompile(`(<([A-Za-z0-9_.:-]+)(?:\s[^<>]*)?>)([^<>]+)`)
	attrValue = regexp.MustCompile(`([A-Za-z0-9_.:-]+)(\s*=\s*)("[^"]*"|'[^']*')`)
	passWord  = regexp.MustCompile(`(?i)(passw|secret|pwd)[A-Za-z0-9_]*`)
)

// HideSecrets returns a line of a configuration file with [HiddenSecret] in place of each password, and the passwords, one
// behind the other; "" where it holds none. It rather hides too much than too little: of a line that speaks of a password
// in a form that no phone reads, all that follows the word is hidden.
func HideSecrets(line string) (shown, secret string) {
	if m := cnfValue.FindStringSubmatch(line); m != nil && !strings.Contains(m[1]+m[2], "<") {
		if !IsSecretParameter(m[2]) {
			if passWord.MatchString(m[4]) && !strings.Contains(m[4], "<") {
				return hideRest(line)
			}
			return line, ""
		}
		if emptyValue(m[4]) {
			return line, ""
		}
		return m[1] + m[2] + m[3] + HiddenSecret, m[4]
	}
	var found []string
	hide := func(value string) string {
		found = append(found, value)
		return HiddenSecret
	}
	shown = xmlValue.ReplaceAllStringFunc(line, func(s string) string {
		m := xmlValue.FindStringSubmatch(s)
		if !IsSecretParameter(m[2]) || strings.TrimSpace(m[3]) == "" {
			return s
		}
		return m[1] + hide(m[3])
	})
	shown = attrValue.ReplaceAllStringFunc(shown, func(s string) string {
		m := attrValue.FindStringSubmatch(s)
		if !IsSecretParameter(m[1]) || len(m[3]) <= 2 {
			return s
		}
		return m[1] + m[2] + m[3][:1] + hide(m[3][1:len(m[3])-1]) + m[3][:1]
	})
	if len(found) > 0 {
		return shown, strings.Join(found, "\x00")
	}
	return hideRest(line)
}

// hideRest hides what follows a word for a password, unless that is the tag of an empty element or nothing at all.
func hideRest(line string) (shown, secret string) {
	at := passWord.FindStringIndex(line)
	if at == nil || strings.Contains(line, HiddenSecret) {
		return line, ""
	}
	rest := strings.TrimLeft(line[at[1]:], " \t\"':=/>")
	if rest == "" || strings.HasPrefix(rest, "<") || emptyValue(rest) {
		return line, ""
	}
	return line[:len(line)-len(rest)] + HiddenSecret, rest
}

// emptyValue reports whether the value of a parameter says that there is none.
func emptyValue(v string) bool {
	v = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(v), ";"))
	return v == "" || v == `""` || strings.EqualFold(strings.Trim(v, `"`), Unprovisioned)
}

// Text returns the text of a file for people: phones read ISO-8859-1, and what people write by hand is UTF-8 as often.
func Text(content []byte) string {
	if utf8.Valid(content) {
		return string(content)
	}
	var b strings.Builder
	for _, c := range content {
		b.WriteRune(rune(c))
	}
	return b.String()
}
