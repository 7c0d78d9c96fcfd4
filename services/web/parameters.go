package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// parametersView is every parameter of a phone with its value and where that comes from.
type parametersView struct {
	Name, Path string
	Query      string
	Found      string      // what a search found, a sentence
	Set        []Parameter // somebody set them, or phonebox did
	Rest       []Parameter // as the phone has them by itself
}

// parametersPage shows all parameters, or with ?q= those that have all of its words in their name, value, origin or help.
func (s *Server) parametersPage(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	list, err := s.parameters(p.MAC)
	if err != nil {
		return err
	}
	v := parametersView{Name: nameOf(p), Path: "/phones/" + p.MAC.Name(), Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	all := len(list)
	list = searchParameters(list, v.Query)
	for _, one := range list {
		if one.From == "default" {
			v.Rest = append(v.Rest, one)
		} else {
			v.Set = append(v.Set, one)
		}
	}
	if v.Query != "" {
		v.Found = fmt.Sprintf("%d of %d parameters match.", len(list), all)
	}
	return s.show(w, r, http.StatusOK, "parameters", "Parameters of "+v.Name, "/phones", v)
}

// searchParameters keeps what has every word of the query somewhere; case does not matter.
func searchParameters(list []Parameter, query string) []Parameter {
	words := strings.Fields(strings.ToLower(query))
	if len(words) == 0 {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(p Parameter) bool {
		text := strings.ToLower(strings.Join([]string{p.Name, p.Value, p.From, p.File, p.Help}, "\n"))
		return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

// ownParameters are those that hold for this phone and not for all: of the phone itself, its model and its lines.
func ownParameters(list []Parameter) []Parameter {
	return slices.DeleteFunc(slices.Clone(list), func(p Parameter) bool {
		return p.From == "default" || p.From == "phonebox" || p.From == "the site"
	})
}

func (s *Server) parameters(mac phone.MAC) ([]Parameter, error) {
	list, ok := s.deps.Shop.Parameters(mac)
	if !ok {
		return nil, public(http.StatusNotFound, "The phone "+mac.String()+" is not listed, so it has no parameters. Add it first.")
	}
	return list, nil
}

func (s *Server) apiParameters(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	list, err := s.parameters(mac)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func (s *Server) apiExplain(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	e, err := s.deps.Shop.Explain(r.Context(), p.MAC)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, e)
	return nil
}

// helpView is the page of what can be wrong.
type helpView struct {
	Troubles    []Trouble
	NotAnswered []notAnsweredView
}

// helpPage lists the known troubles with their cures, and what was not answered lately.
func (s *Server) helpPage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "help", "When a phone does not work", "/help", helpView{s.deps.Shop.Troubles(), s.notAnsweredView()})
}
