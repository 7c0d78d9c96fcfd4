package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// startPhonesStep is the step about the first phones.
type startPhonesStep struct {
	Listed  []rowView
	Also    int // listed phones that are not shown
	Unknown []startPhone
	ByHand  startPhone // of which the MAC is typed
	News    string     // that more showed up
	Seen    string     // the unknown phones of this page, for its stream
	More    int        // unknown phones that are not shown
	Proxy   bool       // a telephone system is set
}

// startPhone is the form of one phone.
type startPhone struct {
	MAC, Model, Address string
	Step                string
	Label, Number       string
	Password            string // only what was just entered and refused
	Faults              formFaults
	Problem             string
}

// The bounds of the page. Who has more phones than that imports a list, and has a page of their own for them.
const (
	shownUnknown = 12
	shownListed  = 20
)

func (s *Server) startPhonesView(entered startPhone) startPhonesStep {
	phones, _ := phonesQuery{}.pick(s.deps.Box.Phones())
	now := s.deps.Now()
	v := startPhonesStep{ByHand: entered, Proxy: s.setting("sip.proxy") != ""}
	var seen []string
	for _, p := range phones {
		if p.Known {
			if len(v.Listed) < shownListed {
				v.Listed = append(v.Listed, newRow(p, now))
			} else {
				v.Also++
			}
			continue
		}
		if !isPhone(p) {
			continue
		}
		if len(v.Unknown) == shownUnknown {
			v.More++
			continue
		}
		one := newStartPhone(p, now)
		if entered.MAC == one.MAC {
			one.Label, one.Number, one.Password, one.Faults, one.Problem = entered.Label, entered.Number, entered.Password, entered.Faults, entered.Problem
			v.ByHand = startPhone{}
		}
		v.Unknown = append(v.Unknown, one)
		seen = append(seen, p.MAC.Name())
	}
	v.Seen = strings.Join(seen, ",")
	return v
}

// isPhone leaves out devices that only took an address, such as the laptop in front of the person.
func isPhone(p Phone) bool {
	return p.Model != "" || p.Load != "" || p.Protocol != "" || p.Step != phone.Seen && p.Step != phone.Addressed
}

func newStartPhone(p Phone, now time.Time) startPhone {
	row := newRow(p, now)
	return startPhone{MAC: p.MAC.String(), Model: p.Model, Address: p.Address, Step: row.Step}
}

// startPhonesPost lists one phone, or ends the step.
func (s *Server) startPhonesPost(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Get("go") != "" {
		return s.stepDone(w, r, "phones", "")
	}
	in := startPhone{
		MAC: strings.TrimSpace(r.PostForm.Get("mac")), Label: strings.TrimSpace(r.PostForm.Get("label")),
		Number: strings.TrimSpace(r.PostForm.Get("lines[0].name")), Password: r.PostForm.Get("lines[0].password"),
	}
	mac, err := phone.ParseMAC(in.MAC)
	if err != nil {
		err = &Refused{Faults: []Fault{{Key: "mac", Found: fmt.Sprintf("%q", in.MAC), Allowed: "an Ethernet address such as 00:06:D7:AA:2A:2E"}}}
	} else {
		in.MAC = mac.String()
		err = s.addStartPhone(r, mac, in)
	}
	if err == nil {
		s.report(r, Event{Kind: EventChanged, MAC: mac, What: "The phone was added.", Code: http.StatusOK})
		s.changeStart(r.Context(), func(st *StartState) { st.settle("phones", "done") })
		return s.done(w, r, "/start/phones", "The phone is added. It takes its settings by itself: within a minute if it asks already, else when it is plugged in.")
	}
	var v startView
	code, err := s.refusedStart(&v, startPhoneKeys, err)
	if err != nil {
		return err
	}
	in.Problem = v.Problem
	if code == http.StatusUnprocessableEntity {
		in.Problem = "Nothing was saved. Please mend what is marked."
	}
	in.Faults, v.Faults, v.Problem = v.Faults, formFaults{}, ""
	v.Body = s.startPhonesView(in)
	return s.showStart(w, r, code, "phones", v)
}

// addStartPhone puts a phone on the list. One that is listed already is not replaced: its lines would be lost.
func (s *Server) addStartPhone(r *http.Request, mac phone.MAC, in startPhone) error {
	settings := s.deps.Box.Settings()
	_, etag, listed := settings.Phone(mac)
	if listed {
		return &Refused{Faults: []Fault{{Key: "mac", Found: mac.String() + ", which is on the list already", Allowed: "a phone that is not listed yet"}}}
	}
	entry := PhoneEntry{MAC: in.MAC, Label: in.Label}
	if p, ok := s.deps.Box.Phone(mac); ok {
		entry.Model = p.Model
	}
	if in.Number != "" || in.Password != "" {
		entry.Lines = []LineEntry{{Name: in.Number, AuthName: in.Number, Password: in.Password, DisplayName: in.Label}}
	}
	err := settings.PutPhone(r.Context(), phone.MAC{}, entry, etag)
	var refused *Refused
	if errors.As(err, &refused) {
		for i := range refused.Faults {
			refused.Faults[i].Key = phoneKey(refused.Faults[i].Key)
		}
	}
	return err
}

// startPhoneKeys are the fields of the form of one phone, under their names in the settings; what has none stands beside the number.
var startPhoneKeys = []string{"mac", "label", "lines[0].name", "lines[0].password", "lines"}

// startPhonesStream tells what becomes of the phones. The forms of unknown phones are left alone, for somebody may be writing in
// one: what showed up since is told with a link.
func (s *Server) startPhonesStream(w http.ResponseWriter, r *http.Request) error {
	known := strings.Split(r.FormValue("seen"), ",")
	sent := startParts{}
	return s.pageStream(w, r, func(PhoneEvent) bool { return true }, func() ([]byte, error) {
		v := s.startPhonesView(startPhone{})
		more := 0
		for _, p := range v.Unknown {
			if !slices.Contains(known, strings.ReplaceAll(p.MAC, ":", "")) {
				more++
			}
		}
		switch {
		case more == 1:
			v.News = "One more phone showed up."
		case more > 1:
			v.News = fmt.Sprintf("%d more phones showed up.", more)
		}
		var out bytes.Buffer
		for _, part := range []struct{ name, target string }{{"listed", "#start-listed"}, {"news", "#start-news"}} {
			var b bytes.Buffer
			if err := s.startPart(&b, part.name, v); err != nil {
				return nil, err
			}
			sent.add(&out, part.target, "innerMorph", b.Bytes())
		}
		return out.Bytes(), nil
	})
}
