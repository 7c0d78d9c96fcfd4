package web

import (
	"fmt"
	"net/http"
	"time"

	"phonebox/services/phone"
)

// timeView is the part of a phone's page that shows when it asked the time, and what it was told.
type timeView struct{ Asked *timeAskedView }

type timeAskedView struct{ At, Time, Said, Mood, How string }

func (s *Server) timeView(mac phone.MAC) timeView {
	t, _ := s.deps.Box.Time(mac)
	a := t.Asked
	if a == nil {
		return timeView{}
	}
	v := &timeAskedView{At: a.Time.UTC().Format(time.RFC3339), Time: timeWords(a.Time, s.deps.Now()), Mood: "good", How: timeHow(a)}
	switch {
	case a.TooOften:
		v.Said, v.Mood = "Asked too often, was told to wait", "bad"
	case a.Stratum >= unsynchronised:
		v.Said, v.Mood = "Asked, was told that the box does not know the time", "warn"
	default:
		v.Said = fmt.Sprintf("Asked and got the time, stratum %d", a.Stratum)
	}
	return timeView{Asked: v}
}

// unsynchronised is the stratum of a clock that is not set (RFC 5905).
const unsynchronised = 16

// timeHow says how a phone asked.
func timeHow(a *TimeAsked) string {
	mode := fmt.Sprintf("with mode %d", a.Mode)
	switch a.Mode {
	case 1:
		mode = "as a peer (mode 1)"
	case 3:
		mode = "as a client (mode 3)"
	}
	text := fmt.Sprintf("It asked %s, which is %s, %s of NTP version %d.", a.To, a.Destination, mode, a.Version)
	if a.To == a.Destination {
		text = fmt.Sprintf("It asked %s, %s of NTP version %d.", a.To, mode, a.Version)
	}
	if a.Count > 1 {
		text += fmt.Sprintf(" It asks often: there were %d questions since the last that is in its timeline.", a.Count)
	}
	return text
}

// apiPhoneTime gives when a phone asked the time last, and what it was told.
func (s *Server) apiPhoneTime(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	t, ok := s.deps.Box.Time(mac)
	if !ok {
		return unknownPhone(mac)
	}
	writeJSON(w, http.StatusOK, t)
	return nil
}
