package web

import (
	"bytes"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// filePage is the page of one file that a phone would get now.
type filePage struct {
	Phone, Path, Name string
	Self              string // address of this page
	Status            string
	Mood              string
	Why               string
	Meaning           string // what the file is for
	Size              string
	Binary            bool
	Long              bool
	Lines             []fileLine
	Hidden            int  // passwords that are hidden
	Shown             bool // they are shown, this once
	Compared          *comparedView
	Newest            bool // what it got last is what it would get
}

// fileLine is a line with its number.
type fileLine struct {
	N      int
	Text   string
	Secret bool
}

// comparedView is what the phone got last beside that.
type comparedView struct {
	At, Time       string
	Equal          bool
	Size           string
	Lines          []diffLine
	Said           string
	Added, Removed int
}

// maxShownLines bounds a page; whoever needs more takes the file.
const maxShownLines = 3000

// fileMeanings say what a kind of file is for.
var fileMeanings = map[phone.Kind]string{
	phone.KindOS79XX:      "It names the load to firmware from before SIP 7.0 and SCCP 6.0.",
	phone.KindTrustList:   "It would hold certificates for encrypted calls.",
	phone.KindSEP:         "It names the load of this phone to the universal loader and to SCCP firmware.",
	phone.KindSEPOld:      "Only very old SCCP firmware reads it.",
	phone.KindSIP:         "It is the configuration of this phone alone: its lines, with their passwords.",
	phone.KindMGC:         "It is for phones that run MGCP.",
	phone.KindXMLDefault:  "It names a load to phones that have no file of their own.",
	phone.KindSIPDefault:  "It is the configuration that all SIP phones share.",
	phone.KindRingList:    "It lists the rings that can be chosen on the phone.",
	phone.KindDialPlan:    "It says when a number that is being dialled is complete.",
	phone.KindSyncInfo:    "The phone reads it when it is told to restart, and restarts by it.",
	phone.KindLoads:       "It lists the files of a load.",
	phone.KindLoader:      "It is the loader, which starts the application.",
	phone.KindApplication: "It is the firmware that the phone runs.",
}

func (s *Server) phoneFilePage(w http.ResponseWriter, r *http.Request) error {
	return s.showPhoneFile(w, r, false)
}

// phoneFilePost shows the passwords of a file once, or hands its bytes out.
func (s *Server) phoneFilePost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	switch r.PostForm.Get("what") {
	case "passwords":
		return s.showPhoneFile(w, r, true)
	case "download":
		return s.downloadFile(w, r)
	}
	return public(http.StatusUnprocessableEntity, "That is nothing that can be done with a file; allowed are passwords and download.")
}

func (s *Server) showPhoneFile(w http.ResponseWriter, r *http.Request, secrets bool) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	a, err := s.deps.Box.File(r.Context(), p.MAC, name)
	if err != nil {
		return err
	}
	kind := phone.ParseFileName(name).Kind
	v := filePage{
		Phone: nameOf(p), Path: "/phones/" + p.MAC.Name(), Name: name, Status: fileWords(a.Status), Mood: fileMood(a.Status),
		Why: a.Why, Meaning: fileMeanings[kind],
	}
	v.Self = v.Path + "/files/" + name
	if a.Status == "ok" {
		v.Size = exactBytes(int64(len(a.Body)))
		v.fill(a.Body, secrets)
	}
	if v.Shown {
		s.report(r, Event{Kind: EventSecrets, MAC: p.MAC, What: "The passwords in " + path.Base(name) + " were shown on the page.", Code: http.StatusOK})
	}
	if a.Status == "ok" && !v.Binary {
		v.Compared = s.compared(p.MAC, name, a.Body)
	}
	return s.show(w, r, http.StatusOK, "phonefile", path.Base(name)+" of "+v.Phone, "/phones", v)
}

// fill divides a content into lines.
func (v *filePage) fill(body []byte, secrets bool) {
	if bytes.IndexByte(body, 0) >= 0 {
		v.Binary = true
		return
	}
	if len(body) == 0 {
		return
	}
	for i, line := range strings.Split(strings.TrimSuffix(phone.Text(body), "\n"), "\n") {
		if i == maxShownLines {
			v.Long = true
			break
		}
		line = strings.TrimSuffix(line, "\r")
		shown, secret := phone.HideSecrets(line)
		one := fileLine{N: i + 1, Text: shown, Secret: secret != ""}
		if secret != "" {
			v.Hidden++
			if secrets {
				one.Text = line
			}
		}
		v.Lines = append(v.Lines, one)
	}
	if secrets && v.Hidden > 0 {
		v.Shown, v.Hidden = true, 0
	}
}

// holdsPassword reports whether a text has a line with a password.
func holdsPassword(body []byte) bool {
	if bytes.IndexByte(body, 0) >= 0 {
		return false
	}
	for line := range strings.Lines(phone.Text(body)) {
		if _, secret := phone.HideSecrets(strings.TrimRight(line, "\r\n")); secret != "" {
			return true
		}
	}
	return false
}

// compared is what the phone got last beside what it would get; nil where that is not known.
func (s *Server) compared(mac phone.MAC, name string, body []byte) *comparedView {
	c, ok := s.desk().Compare(mac, name, body)
	if !ok {
		return nil
	}
	now := s.deps.Now()
	v := &comparedView{At: c.Time.UTC().Format(time.RFC3339), Time: timeWords(c.Time, now), Equal: c.Equal, Size: exactBytes(int64(c.Size))}
	if c.Equal {
		v.Said = "It got exactly these bytes at " + v.Time + "."
		return v
	}
	v.Lines, v.Added, v.Removed = unified(c.Got, c.Now)
	v.Said = fmt.Sprintf("It got another version at %s: since then %s came and %s went.", v.Time, count(v.Added, "line"), count(v.Removed, "line"))
	if v.Added+v.Removed == 0 {
		v.Said = fmt.Sprintf("It got another version at %s, which differs in its line ends alone.", v.Time)
		v.Lines = nil
	}
	return v
}

// downloadFile hands out the exact bytes, with the passwords.
func (s *Server) downloadFile(w http.ResponseWriter, r *http.Request) error {
	p, err := s.knownPhone(r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	a, err := s.deps.Box.File(r.Context(), p.MAC, name)
	if err != nil {
		return err
	}
	if a.Status != "ok" {
		return public(fileCode(a.Status), capped(stop(a.Why)))
	}
	s.report(r, Event{Kind: EventSecrets, MAC: p.MAC, What: path.Base(name) + " was downloaded from the page, with the passwords in it.", Code: http.StatusOK})
	attach(w, path.Base(name), "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	_, _ = w.Write(a.Body)
	return nil
}

// fileWords say a status in words.
func fileWords(status string) string {
	switch status {
	case "ok":
		return "there"
	case "harmless":
		return "not there, and that is fine"
	case "missing":
		return "missing"
	}
	return status
}

func fileMood(status string) string {
	switch status {
	case "ok":
		return "good"
	case "missing":
		return "warn"
	case "refused":
		return "bad"
	}
	return "quiet"
}

// nameOf is how people call a phone.
func nameOf(p Phone) string {
	if p.Label != "" {
		return p.Label
	}
	return p.MAC.String()
}
