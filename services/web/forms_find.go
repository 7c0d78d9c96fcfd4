package web

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// findView is the search for a parameter of the catalogue.
type findView struct {
	Query string
	Asked bool
	Found []foundParameter
	More  int
}

// foundParameter is one parameter that the site may set.
type foundParameter struct {
	phone.Parameter
	Row string // the order of its button
}

// mostFound bounds the answers to a search.
const mostFound = 20

// newFind looks for parameters whose name, group or help has all words of the query; names that begin with it come first.
func newFind(query string) *findView {
	v := &findView{Query: query, Asked: true}
	words := strings.Fields(strings.ToLower(query))
	var first, rest []foundParameter
	for _, p := range phone.Parameters() {
		if p.Reserved || len(words) == 0 || !hasWords(p, words) {
			continue
		}
		one := foundParameter{p, "param sip.parameters " + p.Name}
		if strings.HasPrefix(strings.ToLower(p.Name), words[0]) {
			first = append(first, one)
		} else {
			rest = append(rest, one)
		}
	}
	v.Found = append(first, rest...)
	if v.More = len(v.Found) - mostFound; v.More > 0 {
		v.Found = v.Found[:mostFound]
	}
	return v
}

func hasWords(p phone.Parameter, words []string) bool {
	text := strings.ToLower(p.Name + " " + strings.ReplaceAll(p.Name, "_", " ") + " " + p.Group + " " + p.Help)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// formFind answers the search while it is typed.
func (s *Server) formFind(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	var out, b bytes.Buffer
	if err := s.pages.part(&b, "settings", "found", newFind(r.PostForm.Get("q"))); err != nil {
		return err
	}
	partial(&out, "#found", "innerMorph", b.Bytes())
	return partials(w, &out)
}

// settableParameters are the parameters that a site may set.
func settableParameters() []phone.Parameter {
	all := phone.Parameters()
	return slices.DeleteFunc(all, func(p phone.Parameter) bool { return p.Reserved })
}
