package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// nearly are characters beyond ISO-8859-1 that people write, or that their programs write for them, with what reads the same. Letters
// with an accent are not among them: they lose it.
var nearly = map[rune]string{
	'‐': "-", '‑': "-", '‒': "-", '–': "-", '—': "-", '−': "-", '•': "·", '…': "...", '€': "EUR", '™': "TM",
	'‘': "'", '’': "'", '‚': "'", '′': "'", '“': `"`, '”': `"`, '„': `"`, '″': `"`, '‹': "<", '›': ">",
	'Œ': "OE", 'œ': "oe", 'Ł': "L", 'ł': "l", 'Đ': "D", 'đ': "d", 'Ħ': "H", 'ħ': "h", 'ı': "i", 'Ŧ': "T", 'ŧ': "t", 'ẞ': "SS", 'Ĳ': "IJ", 'ĳ': "ij",
}

// NearestLatin1 returns text in characters of ISO-8859-1, all that phones show (phones.md e and h). What is beyond becomes what reads the same: Łukasz
// Dvořák is Lukasz Dvorák, a long dash is a short one. What has nothing like it, such as a sign for a telephone, becomes a question mark.
func NearestLatin1(s string) string {
	s = norm.NFC.String(s)
	if !strings.ContainsFunc(s, func(r rune) bool { return r > 0xff }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		text, known := nearly[r]
		switch {
		case r <= 0xff:
			b.WriteRune(r)
		case known:
			b.WriteString(text)
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.In(r, unicode.Mn, unicode.Cf): // an accent that goes with no letter, what joins or turns signs
		default:
			b.WriteRune(base(r))
		}
	}
	return b.String()
}

// base is the letter under the accents of one; a question mark when there is none that phones have.
func base(r rune) rune {
	if first, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r))); first <= 0xff {
		return first
	}
	return '?'
}
