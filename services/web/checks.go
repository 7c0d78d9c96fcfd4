package web

import (
	"net/http"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// checksView is what checks of one phone showed.
type checksView struct {
	Name, Path string
	Lines      []lineCheckView
	Report     *PhoneReport
	Problem    string
	All        bool // every line was checked
}

// lineCheckView is what a check of one line showed, and what to do about it.
type lineCheckView struct {
	LineCheck
	Word string
	Cure cure
}

// cure is what to do, with where that is done.
type cure struct{ Text, Button, Href string }

// lineCures say what to do by the verdict; {phone} is the page of the phone.
var lineCures = map[string]cure{
	"right_password":  {"Nothing has to be done.", "", ""},
	"wrong_password":  {"Enter the name, the login name and the password of this line again, as the telephone system has them.", "Change the line", "{phone}/edit"},
	"no_answer":       {"Look whether the telephone system runs, and whether its address and its port are right.", "Look at its address", "/settings"},
	"name_not_found":  {"Correct the name of the telephone system, or lead that name to its address.", "Names", "/names"},
	"refused":         {"Ask who runs the telephone system whether it has this line, and whether this network may register.", "Change the line", "{phone}/edit"},
	"redirected":      {"Enter the server that it names as the proxy of this line.", "Change the line", "{phone}/edit"},
	"not_registrable": {"Enter the server that takes registrations: this one does not.", "Change the line", "{phone}/edit"},
	"not_configured":  {"Enter a name for this line, and a proxy for it or for the whole site.", "Change the line", "{phone}/edit"},
	"failed":          {"Test it again in a minute. If it fails again, look at the log.", "The log", "/system"},
}

func (s *Server) newChecksView(p Phone) checksView {
	return checksView{Name: nameOf(p), Path: "/phones/" + p.MAC.Name()}
}

func newLineCheckView(c LineCheck, path string) lineCheckView {
	v := lineCheckView{LineCheck: c, Word: "does not work", Cure: lineCures[c.Verdict]}
	if c.OK {
		v.Word = "works"
	}
	v.Cure.Href = strings.Replace(v.Cure.Href, "{phone}", path, 1)
	return v
}

// checkPost registers the lines of a phone once, or one of them, or asks the phone itself, and shows what came of it.
func (s *Server) checkPost(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	v := s.newChecksView(p)
	if r.PostForm.Get("what") == "phone" {
		report, askErr := s.deps.Shop.AskPhone(r.Context(), p.MAC)
		v.Report, err = &report, askErr
	} else {
		line, lineErr := lineOf(r.PostForm.Get("line"))
		if lineErr != nil {
			return lineErr
		}
		v.All = line == 0
		var checks []LineCheck
		checks, err = s.deps.Shop.CheckLines(r.Context(), p.MAC, line)
		for _, c := range checks {
			v.Lines = append(v.Lines, newLineCheckView(c, v.Path))
		}
	}
	code := http.StatusOK
	if err != nil {
		a := explain(err)
		if a.status == http.StatusInternalServerError {
			return err
		}
		v.Problem, v.Report, code = a.text, nil, a.status
	}
	return s.show(w, r, code, "checks", "Check of "+v.Name, "/phones", v)
}

// lineOf reads the number of a line; "" = all of them, 0.
func lineOf(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	line, err := strconv.Atoi(text)
	if err != nil || line < 1 || line > phone.Lines {
		return 0, public(http.StatusUnprocessableEntity, "That is no line; allowed are 1 to 6.")
	}
	return line, nil
}

// apiCheckLines registers lines and says what came of it: ?line=2 checks one.
func (s *Server) apiCheckLines(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	line, err := lineOf(r.URL.Query().Get("line"))
	if err != nil {
		return err
	}
	checks, err := s.deps.Shop.CheckLines(r.Context(), p.MAC, line)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, orEmpty(checks))
	return nil
}

// apiAskPhone asks the phone itself over telnet.
func (s *Server) apiAskPhone(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	report, err := s.deps.Shop.AskPhone(r.Context(), p.MAC)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, report)
	return nil
}

// restartAll restarts the phones that are ticked, or all.
func (s *Server) restartAll(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	macs, err := readMACs(r.PostForm["mac"])
	if err != nil {
		return err
	}
	if err := s.startRestart(r, macs); err != nil {
		return err
	}
	return s.done(w, r, "/conversions", "The phones are asked to restart, a few at a time. Each does so when it has been idle for 20 seconds.")
}

func (s *Server) startRestart(r *http.Request, macs []phone.MAC) error {
	if err := s.deps.Shop.RestartAll(r.Context(), macs); err != nil {
		return orElse(err, http.StatusInternalServerError, "The phones could not be restarted.")
	}
	s.changed(r, "Phones were asked to restart.")
	return nil
}

func readMACs(texts []string) ([]phone.MAC, error) {
	var out []phone.MAC
	for _, text := range texts {
		mac, err := phone.ParseMAC(text)
		if err != nil {
			return nil, public(http.StatusUnprocessableEntity, "That is no Ethernet address: "+err.Error()+".")
		}
		out = append(out, mac)
	}
	return out, nil
}

// apiRestartAll restarts several phones: {"macs": [...]}, none = all. GET tells how far it has come.
func (s *Server) apiRestartAll(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		MACs []string `json:"macs"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	macs, err := readMACs(in.MACs)
	if err != nil {
		return err
	}
	if err := s.startRestart(r, macs); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (s *Server) apiRestartProgress(w http.ResponseWriter, _ *http.Request) error {
	p := s.deps.Shop.RestartProgress()
	p.Failed = orEmpty(p.Failed)
	writeJSON(w, http.StatusOK, p)
	return nil
}
