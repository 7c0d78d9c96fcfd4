package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"phonebox/services/phone"
)

// maxScans is how many scanned phones are shown, each with a way back.
const maxScans = 10

// scanned remembers what people did last on the pages of many phones. A restart of the box forgets it; the settings have it all.
type scanned struct {
	mu        sync.Mutex
	lastID    int
	list      []scan // the latest first
	restarted []phone.MAC
}

// scan is one phone that was scanned onto the list.
type scan struct {
	id    int
	mac   phone.MAC
	label string
	line  *WaitingLine // that it got; nil = none
	at    time.Time
}

func (s *scanned) add(one scan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	one.id = s.lastID
	s.list = append([]scan{one}, s.list...)
	s.list = s.list[:min(len(s.list), maxScans)]
}

func (s *scanned) last() []scan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]scan(nil), s.list...)
}

// take finds a scan, and forgets it when forget is set.
func (s *scanned) take(id int, forget bool) (scan, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.list {
		if one.id == id {
			if forget {
				s.list = append(s.list[:i:i], s.list[i+1:]...)
			}
			return one, true
		}
	}
	return scan{}, false
}

// scanView is the page for a barcode scanner: one field, and Enter.
type scanView struct {
	Asking  string // the MAC of the phone whose name is asked; "" = a MAC is awaited
	Code    string // what was scanned and not taken
	Problem string
	Next    *WaitingLine
	Left    int
	Last    []scanRow
}

// scanRow is one of the last phones.
type scanRow struct {
	ID                     int
	MAC, Path, Label, Line string
	At                     string
}

func (s *Server) scanView() scanView {
	var v scanView
	lines, _ := s.deps.Fleet.WaitingLines()
	if v.Left = len(lines); v.Left > 0 {
		v.Next = &lines[0]
	}
	now := s.deps.Now()
	for _, one := range s.scans.last() {
		row := scanRow{ID: one.id, MAC: one.mac.String(), Path: "/phones/" + one.mac.Name(), Label: one.label, At: timeWords(one.at, now)}
		if one.line != nil {
			row.Line = one.line.Name
		}
		v.Last = append(v.Last, row)
	}
	return v
}

func (s *Server) showScan(w http.ResponseWriter, r *http.Request, code int, v scanView) error {
	return s.show(w, r, code, "phonesscan", "Scan phones", "/phones/new", v)
}

func (s *Server) scanPage(w http.ResponseWriter, r *http.Request) error {
	v := s.scanView()
	if mac, err := phone.ParseMAC(r.URL.Query().Get("mac")); err == nil {
		if p, ok := s.deps.Box.Phone(mac); !ok || !p.Known {
			v.Asking = mac.String()
		}
	}
	return s.showScan(w, r, http.StatusOK, v)
}

// readScan reads what a scanner sends for a MAC: any notation, with blanks around it, and with the letters before it that labels
// of phones have. [phone.ParseMAC] allows less, because people must not guess what a file means.
func readScan(code string) (phone.MAC, bool) {
	text := strings.ToUpper(strings.Join(strings.Fields(code), ""))
	if mac, err := phone.ParseMAC(text); err == nil {
		return mac, realMAC(mac)
	}
	for _, prefix := range []string{"SEP", "SIP", "MAC"} {
		text = strings.TrimPrefix(text, prefix)
	}
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(":-.=*", r) {
			return -1
		}
		return r
	}, text)
	mac, err := phone.ParseMAC(text)
	return mac, err == nil && realMAC(mac)
}

// realMAC reports whether a phone can have the MAC: it is not zero and not a group's.
func realMAC(mac phone.MAC) bool { return !mac.IsZero() && mac[0]&1 == 0 }

// scanPost takes one scan: a MAC, or the name of the phone that was scanned before.
func (s *Server) scanPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	code := strings.TrimSpace(r.PostForm.Get("code"))
	next, isMAC := readScan(code)
	if asked, err := phone.ParseMAC(r.PostForm.Get("mac")); err == nil {
		if isMAC {
			code = "" // nobody typed a name: the next phone was scanned
		}
		if err := s.scanNamed(r, asked, code); err != nil {
			return s.scanRefused(w, r, err, asked.String(), code)
		}
		if !isMAC {
			return s.done(w, r, "/phones/scan", "The phone "+asked.String()+" is on the list.")
		}
	}
	if !isMAC {
		v := s.scanView()
		v.Problem, v.Code = "That is no MAC. Scan the barcode beside the word MAC on the phone's back.", code
		return s.showScan(w, r, http.StatusUnprocessableEntity, v)
	}
	if p, ok := s.deps.Box.Phone(next); ok && p.Known {
		v := s.scanView()
		v.Problem = "The phone " + next.String() + " is on the list already."
		return s.showScan(w, r, http.StatusConflict, v)
	}
	if lines, _ := s.deps.Fleet.WaitingLines(); len(lines) == 0 {
		http.Redirect(w, r, "/phones/scan?mac="+next.Name(), http.StatusSeeOther)
		return nil
	}
	line, err := s.assign(r.Context(), next, "")
	if err != nil {
		return s.scanRefused(w, r, err, "", "")
	}
	s.assigned(r, next, line)
	s.scans.add(scan{mac: next, label: line.Label, line: &line, at: s.deps.Now()})
	return s.done(w, r, "/phones/scan", "The phone "+next.String()+" got the line "+line.Name+".")
}

// scanRefused shows why a scan was not taken, with the field ready for the next.
func (s *Server) scanRefused(w http.ResponseWriter, r *http.Request, err error, asking, code string) error {
	a := explain(err)
	if a.status == http.StatusInternalServerError {
		return err
	}
	v := s.scanView()
	v.Asking, v.Code, v.Problem = asking, code, a.text
	for _, f := range a.faults {
		v.Problem += " " + faultWords(f, "")
	}
	return s.showScan(w, r, a.status, v)
}

// scanNamed puts a phone on the list with a name and without a line.
func (s *Server) scanNamed(r *http.Request, mac phone.MAC, label string) error {
	if p, ok := s.deps.Box.Phone(mac); ok && p.Known {
		return public(http.StatusConflict, "The phone "+mac.String()+" is on the list already.")
	}
	e := PhoneEntry{MAC: mac.String(), Label: label}
	if err := s.putAgain(r.Context(), func() (PhonesChange, error) { return PhonesChange{Put: []PhoneEntry{e}}, nil }); err != nil {
		return err
	}
	s.report(r, Event{Kind: EventChanged, MAC: mac, What: "The phone was added.", Code: http.StatusOK})
	s.scans.add(scan{mac: mac, label: label, at: s.deps.Now()})
	return nil
}

// putAgain makes a change that does not depend on what somebody else changes meanwhile.
func (s *Server) putAgain(ctx context.Context, change func() (PhonesChange, error)) error {
	for try := 1; ; try++ {
		_, etag := s.deps.Fleet.WaitingLines()
		c, err := change()
		if err != nil {
			return err
		}
		err = s.deps.Fleet.ChangePhones(ctx, c, etag)
		if errors.As(err, new(StaleError)) && try < assignTries {
			continue
		}
		return err
	}
}

// scanUndo takes a scanned phone off the list again; its line waits as the next.
func (s *Server) scanUndo(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := strconv.Atoi(r.PostForm.Get("id"))
	one, ok := s.scans.take(id, false)
	if err != nil || !ok {
		return public(http.StatusGone, "That scan can no longer be undone here. Remove the phone on its own page.")
	}
	err = s.putAgain(r.Context(), func() (PhonesChange, error) {
		if p, ok := s.deps.Box.Phone(one.mac); !ok || !p.Known {
			s.scans.take(id, true)
			return PhonesChange{}, public(http.StatusConflict, "The phone "+one.mac.String()+" is not on the list any more.")
		}
		c := PhonesChange{Remove: []phone.MAC{one.mac}, Front: true}
		if one.line != nil {
			c.Wait = []WaitingLine{*one.line}
		}
		return c, nil
	})
	if err != nil {
		return s.scanRefused(w, r, err, "", "")
	}
	s.scans.take(id, true)
	s.report(r, Event{Kind: EventChanged, MAC: one.mac, What: "The phone was removed from the list: its scan was undone.", Code: http.StatusOK})
	text := "The phone " + one.mac.String() + " is off the list again."
	if one.line != nil {
		text = "The phone " + one.mac.String() + " is off the list again. The line " + one.line.Name + " is the next."
	}
	return s.done(w, r, "/phones/scan", text)
}
