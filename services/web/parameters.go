package web

import (
	"net/http"

	"phonebox/services/phone"
)

// parametersView is every parameter of a phone with its value and where that comes from.
type parametersView struct {
	Name, Path string
	Set        []Parameter // somebody set them, or phonebox did
	Rest       []Parameter // as the phone has them by itself
}

func (s *Server) parametersPage(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	list, err := s.parameters(p.MAC)
	if err != nil {
		return err
	}
	v := parametersView{Name: p.Label, Path: "/phones/" + p.MAC.Name()}
	if v.Name == "" {
		v.Name = p.MAC.String()
	}
	for _, one := range list {
		if one.From == "default" {
			v.Rest = append(v.Rest, one)
		} else {
			v.Set = append(v.Set, one)
		}
	}
	return s.show(w, r, http.StatusOK, "parameters", "Parameters of "+v.Name, "/phones", v)
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
