package assemble

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"phonebox/appliance/site"
)

// shortSecret is the length below which a secret is not looked for in texts: a password "sip" would take the word from every
// sentence. In the settings it is masked all the same.
const shortSecret = 4

// redactor takes secrets out of texts that leave the box. The log and the timelines hold none by design; this is for the day
// when a server, a phone or a fault quotes one. It finds secrets by their first bytes: a tree of all of them would take 100 MB for
// 500 phones.
type redactor struct {
	byStart map[[shortSecret]byte][]string // the longest first
}

// text returns s without secrets.
func (r redactor) text(s string) string {
	var w strings.Builder
	done := 0
	for i := 0; i+shortSecret <= len(s); {
		n := r.at(s[i:])
		if n == 0 {
			i++
			continue
		}
		w.WriteString(s[done:i])
		w.WriteString(site.Mask)
		i += n
		done = i
	}
	if done == 0 {
		return s
	}
	w.WriteString(s[done:])
	return w.String()
}

// at returns how long the secret is that s begins with; 0 = none.
func (r redactor) at(s string) int {
	for _, secret := range r.byStart[[shortSecret]byte([]byte(s[:shortSecret]))] {
		if strings.HasPrefix(s, secret) {
			return len(secret)
		}
	}
	return 0
}

// newRedactor knows the secrets of these sites and others, in every notation that a text of ours could have them in.
func newRedactor(sites []*site.Site, others ...string) redactor {
	r := redactor{byStart: map[[shortSecret]byte][]string{}}
	seen := map[string]bool{}
	add := func(secret string) {
		if len(secret) < shortSecret || secret == site.Mask || seen[secret] {
			return
		}
		seen[secret] = true
		for _, form := range forms(secret) {
			if len(form) >= shortSecret {
				start := [shortSecret]byte([]byte(form[:shortSecret]))
				r.byStart[start] = append(r.byStart[start], form)
			}
		}
	}
	for _, s := range sites {
		for _, secret := range append(s.Secrets(), loginNames(s)...) {
			add(secret)
		}
	}
	for _, secret := range others {
		add(secret)
	}
	// The longest first: of two secrets one may be the beginning of the other.
	for _, list := range r.byStart {
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	}
	return r
}

// forms writes a secret as logs, JSON, XML, TOML and addresses do, and these once more in quotes: a log quotes what an error has
// quoted already.
func forms(s string) []string {
	out := []string{s, html.EscapeString(s), url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s))}
	var x strings.Builder
	if xml.EscapeText(&x, []byte(s)) == nil {
		out = append(out, x.String())
	}
	for range 2 {
		for _, form := range slices.Clone(out) {
			out = append(out, inQuotes(form)...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inQuotes is what stands between the quotes when a text is written as Go, JSON and TOML do.
func inQuotes(s string) []string {
	quoted := strconv.Quote(s)
	out := []string{quoted[1 : len(quoted)-1], strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)}
	if j, err := json.Marshal(s); err == nil {
		out = append(out, string(j[1:len(j)-1]))
	}
	return out
}

// loginNames are the names that lines log in with where these are not their numbers: half of what a stranger needs.
func loginNames(s *site.Site) []string {
	var out []string
	for _, p := range s.Phones {
		for _, l := range p.Lines {
			if secretLogin(l) {
				out = append(out, l.AuthName)
			}
		}
	}
	return out
}

// secretLogin reports whether the name that a line logs in with is told nowhere else.
func secretLogin(l site.Line) bool {
	return l.AuthName != "" && l.AuthName != l.Name && l.AuthName != l.DisplayName && l.AuthName != l.ShortName
}

// withoutLogins is a site whose secrets and secret login names are masked.
func withoutLogins(s *site.Site) *site.Site {
	out := s.Masked()
	for i := range out.Phones {
		for j := range out.Phones[i].Lines {
			if l := &out.Phones[i].Lines[j]; secretLogin(*l) {
				l.AuthName = site.Mask
			}
		}
	}
	return out
}

// redactor knows all secrets of the box: those of the settings and of their former versions, the password's hash and the key
// of the sessions.
func (b *Box) redactor() redactor {
	cur := b.current()
	b.redacting.Lock()
	defer b.redacting.Unlock()
	hash, _ := secrets{b.store}.Password()
	mark := cur.etag + hash
	if b.redactMark == mark && b.redact.byStart != nil {
		return b.redact
	}
	sites := []*site.Site{cur.site}
	for _, text := range b.formerTexts() {
		if old, _ := site.Parse(text, site.Catalogue()); old != nil {
			sites = append(sites, old)
		}
	}
	others := []string{hash}
	if i := strings.LastIndexByte(hash, '$'); i >= 0 {
		others = append(others, hash[i+1:])
	}
	if key, err := (secrets{b.store}).SessionKey(); err == nil {
		others = append(others, string(key))
	}
	b.redact, b.redactMark = newRedactor(sites, others...), mark
	return b.redact
}
