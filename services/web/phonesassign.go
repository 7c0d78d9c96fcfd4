package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"phonebox/services/phone"
)

// assignTries is how often a line is given again because somebody changed the settings meanwhile.
const assignTries = 4

// assign puts a phone on the list with a line that waits: the one of that number, or the next for "".
func (s *Server) assign(ctx context.Context, mac phone.MAC, number string) (WaitingLine, error) {
	for try := 1; ; try++ {
		if p, ok := s.deps.Box.Phone(mac); ok && p.Known {
			return WaitingLine{}, public(http.StatusConflict, "The phone "+mac.String()+" is on the list already. Nothing was changed.")
		}
		lines, etag := s.deps.Fleet.WaitingLines()
		if len(lines) == 0 {
			return WaitingLine{}, public(http.StatusConflict, "No line waits for a phone. Nothing was changed.")
		}
		at := 0
		if number != "" {
			at = slices.IndexFunc(lines, func(l WaitingLine) bool { return l.Name == number })
		}
		if at < 0 {
			return WaitingLine{}, public(http.StatusConflict, "The line "+number+" no longer waits: it went to another phone, or was removed. Nothing was changed.")
		}
		err := s.deps.Fleet.ChangePhones(ctx, PhonesChange{Put: []PhoneEntry{s.entryFor(mac, lines[at])}}, etag)
		if errors.As(err, new(StaleError)) && try < assignTries {
			continue
		}
		if err != nil {
			return WaitingLine{}, orElse(err, http.StatusInternalServerError, "The phone could not be added; the old settings hold.")
		}
		return lines[at], nil
	}
}

// assigned reports that a phone got a line.
func (s *Server) assigned(r *http.Request, mac phone.MAC, line WaitingLine) {
	s.report(r, Event{Kind: EventChanged, MAC: mac, What: "The phone was added with the line " + line.Name + ".", Code: http.StatusOK})
}

// assignPost gives a phone that showed up the line that stood beside it.
func (s *Server) assignPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	macs, err := readMACs(r.PostForm["mac"])
	if err != nil {
		return err
	}
	if len(macs) != 1 {
		return public(http.StatusUnprocessableEntity, "Say which phone gets the line.")
	}
	line, err := s.assign(r.Context(), macs[0], r.PostForm.Get("line"))
	if err != nil {
		return err
	}
	s.assigned(r, macs[0], line)
	return s.done(w, r, "/phones", "The phone "+macs[0].String()+" is on the list now, with the line "+line.Name+".")
}

// apiAssign gives a phone a line that waits: {"line": "208"}, or the next one without a body.
func (s *Server) apiAssign(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	var in struct {
		Line string `json:"line"`
	}
	if r.ContentLength != 0 {
		if err := readJSON(r, &in); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	line, err := s.assign(r.Context(), mac, in.Line)
	if err != nil {
		return err
	}
	s.assigned(r, mac, line)
	writeJSON(w, http.StatusOK, newAPILine(line))
	return nil
}

// apiLine is a line that waits for a phone, without its password.
type apiLine struct {
	Line        string `json:"line"`
	Label       string `json:"label"`
	DisplayName string `json:"displayname"`
}

func newAPILine(l WaitingLine) apiLine {
	return apiLine{Line: l.Name, Label: l.Label, DisplayName: l.DisplayName}
}

// apiLines lists the lines that wait for a phone, the next first.
func (s *Server) apiLines(w http.ResponseWriter, _ *http.Request) error {
	lines, _ := s.deps.Fleet.WaitingLines()
	out := []apiLine{}
	for _, l := range lines {
		out = append(out, newAPILine(l))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}
