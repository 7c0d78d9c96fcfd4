package adopt

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// field is what a column holds.
type field string

// The fields; their words stand in sentences.
const (
	fieldNone     field = ""
	fieldMAC      field = "the MAC"
	fieldModel    field = "the model"
	fieldLabel    field = "the label"
	fieldFirst    field = "the first name"
	fieldLast     field = "the last name"
	fieldLocation field = "the location"
	fieldPerson   field = "the user" // a name or an account: what stands in the column decides
	fieldNumber   field = "the extension"
	fieldAuth     field = "the auth name"
	fieldPassword field = "the password"
	fieldDisplay  field = "the display name"
	fieldShort    field = "the short name"
	fieldAddress  field = "the address"
	fieldProxy    field = "the proxy"
	fieldPort     field = "the port"
	fieldLoad     field = "the load"
	fieldRuns     field = "the load that it runs"
	fieldZone     field = "its time zone"
	fieldOpen     field = "whether the configuration is open"
	fieldOwn      field = "whether it has own files"
	fieldParams   field = "the parameters"
	fieldForced   field = "the forced parameters"
	fieldCompany  field = "the company" // contacts
	fieldType     field = "the kind of the number before"
)

// headerIndex is headers by name.
var headerIndex = func() map[string]field {
	index := map[string]field{}
	for f, names := range headers {
		for name := range strings.FieldsSeq(names) {
			index[name] = f
		}
	}
	return index
}()

// prefixes are words before the name proper: "SIP password", "Line 2 auth name", "Cisco MAC".
var prefixes = []string{"line", "linie", "leitung", "lijn", "ligne", "sip", "account", "phone", "telefon", "toestel", "telephone", "cisco", "voip", "device"}

var (
	inBrackets = regexp.MustCompile(`\([^)]*\)|\[[^\]]*\]`)
	headerWord = regexp.MustCompile(`[a-z]+|[0-9]+`)
)

// column is what a column holds: a field, for the fields of lines of which line (from 1), for numbers of contacts of
// which kind ("mobile").
type column struct {
	field field
	line  int
	kind  string
}

// headerColumn understands the header of a column; the zero column where it can't.
func headerColumn(header string) column {
	for _, h := range []string{header, inBrackets.ReplaceAllString(header, " ")} {
		key, n := headerKey(h)
		if f, ok := lookUpHeader(key); ok {
			return column{field: f, line: max(n, 1)}
		}
	}
	return column{}
}

// lookUpHeader finds a header, without a word before or behind it where there is one that says nothing.
func lookUpHeader(key string) (field, bool) {
	for _, k := range []string{key, strings.TrimSuffix(key, "sip")} {
		if f, ok := headerIndex[k]; ok {
			return f, true
		}
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(key, p); ok {
			if f, ok := headerIndex[rest]; ok {
				return f, true
			}
		}
	}
	return fieldNone, false
}

// headerKey writes a header in lower case, without accents, blanks and signs, and takes the number of the line out:
// "Durchwahl 2" is "durchwahl" and 2.
func headerKey(header string) (key string, line int) {
	text := plain(header)
	if strings.Contains(text, "ipv4") || strings.Contains(text, "ip v4") {
		return "ipaddress", 0
	}
	var b strings.Builder
	for _, word := range headerWord.FindAllString(text, 12) {
		n, err := strconv.Atoi(word)
		switch {
		case err == nil && n >= 1 && n <= 6 && line == 0:
			line = n
		default:
			b.WriteString(word)
		}
	}
	return b.String(), line
}

// plain writes a text in lower case and without accents.
func plain(s string) string {
	const longest = 200
	s = s[:min(len(s), longest)]
	s = strings.NewReplacer("ß", "ss", "œ", "oe", "æ", "ae", "ø", "o").Replace(strings.ToLower(s))
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s))
}
