package telnet

import (
	"regexp"
	"strings"

	"phonebox/services/phone"
)

var (
	nameWord  = regexp.MustCompile(`[A-Za-z0-9_]+`)
	separator = " \t:=|\"'>-"
	setting   = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9_ ]*[:=]`)
)

// masker takes passwords out of texts.
type masker struct {
	typed string          // the password that was typed
	known map[string]bool // names that were looked at
}

// maxNames bounds how many names are compared with the whole catalogue: that takes long, and a phone has some hundreds.
const maxNames = 500

// mask takes the passwords out of what a phone printed: all that follows the name of a secret parameter on its line, or on
// the next one where nothing follows, and the password that was typed wherever it stands.
func (k *masker) mask(text string) string {
	var b strings.Builder
	below := false // the value of a secret parameter stands on the next line
	for line := range strings.SplitAfterSeq(text, "\n") {
		body, end := strings.TrimSuffix(line, "\n"), ""
		if len(body) < len(line) {
			end = "\n"
		}
		switch at := k.secretValue(body); {
		case at >= 0:
			value := strings.Trim(body[at:], separator)
			below = value == ""
			if value != "" && !strings.EqualFold(value, phone.Unprovisioned) {
				body = body[:at] + Masked
			}
		case below && strings.TrimSpace(body) == "":
		case below && !setting.MatchString(body):
			body, below = Masked, false
		default:
			below = false
		}
		b.WriteString(body + end)
	}
	return maskWord(b.String(), k.typed)
}

// secretValue returns where the value of the first secret parameter of a line begins, -1 where there is none.
func (k *masker) secretValue(line string) int {
	for _, at := range nameWord.FindAllStringIndex(line, -1) {
		if k.secret(line[at[0]:at[1]]) {
			rest := line[at[1]:]
			return len(line) - len(strings.TrimLeft(rest, separator))
		}
	}
	return -1
}

// secret reports whether a word names a password: as the catalogue says, and in the shorter words of a display.
func (k *masker) secret(name string) bool {
	low := strings.ToLower(name)
	if low == "pwd" || strings.HasSuffix(low, "pass") || strings.Contains(low, "passw") {
		return true
	}
	v, ok := k.known[low]
	switch {
	case ok:
		return v
	case len(k.known) < maxNames:
		v = phone.IsSecretParameter(low)
		k.known[low] = v
		return v
	}
	p, _ := phone.LookUpParameter(low)
	return p.Secret
}

// maskWord replaces a password where it stands as a word of its own. Shorter ones than three characters are left: they
// would take the whole text apart, and tell little.
func maskWord(text, password string) string {
	if len(password) < 3 {
		return text
	}
	word := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || '0' <= text[i] && text[i] <= '9' || 'a' <= text[i] && text[i] <= 'z' || 'A' <= text[i] && text[i] <= 'Z')
	}
	var b strings.Builder
	done := 0
	for done < len(text) {
		i := strings.Index(text[done:], password)
		if i < 0 {
			break
		}
		i += done
		b.WriteString(text[done:i])
		if word(i-1) || word(i+len(password)) {
			b.WriteString(password)
		} else {
			b.WriteString(Masked)
		}
		done = i + len(password)
	}
	return b.String() + text[done:]
}
