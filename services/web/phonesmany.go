package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"phonebox/services/phone"
)

// maxMany bounds how many phones are changed at once: the box knows no more.
const maxMany = 2500

// manyJobs are what can be done with many phones. Except for an export and a restart they need phones that are listed, or that
// are not.
var manyJobs = map[string]struct {
	title, does, button string
	wants               func(p *Phone) (why string) // why a phone is left out; "" = it is not
}{
	"restart": {
		"Restart phones", "The box asks each phone over SIP to restart, a few at a time. A phone does so once it has been idle for 20 seconds; calls are not cut. It is back after about a minute.", "Restart them",
		func(p *Phone) string {
			if p.Protocol != phone.SIP {
				return "It runs no SIP application, which alone can be asked. Cut its power instead."
			}
			return ""
		},
	},
	"load": {
		"Set the firmware of phones", "Each phone gets the firmware that is chosen here when its turn comes; the Conversion page shows the way there. Nothing is written before the files are complete.", "Set it", needsListed,
	},
	"name": {
		"Set the names of phones", "The name stands on this page, in the directory and, in lower case, in the network. A phone shows it after its next restart.", "Set the names", needsListed,
	},
	"lines": {
		"Give lines to phones", "Each phone is put on the list with the next line that waits, in the order below. It shows the line when it has fetched its configuration, which takes up to two minutes.", "Give them lines",
		func(p *Phone) string {
			if p.Known {
				return "It is on the list already."
			}
			return ""
		},
	},
	"export": {"Export phones", "The chosen phones as a list for a spreadsheet, which can be imported again.", "", needsListed},
	"remove": {
		"Remove phones", "The phones go off the list, with their lines and passwords. That cannot be taken back, except from a backup. Those that are still plugged in will show up again as phones that are not listed.", "Remove them", needsListed,
	},
}

func needsListed(p *Phone) string {
	if !p.Known {
		return "It is not on the list."
	}
	return ""
}

// manyView asks once more before many phones are changed, and says afterwards what was done.
type manyView struct {
	Job, Title, Does, Button string
	Query                    phonesQuery
	ETag                     string
	Phones                   []manyRow
	LeftOut                  []manyRow
	Problem                  string
	Faults                   []string
	Done                     bool

	waiting       []WaitingLine // for "lines": those that are given, in order
	Loads         []string      // for "load"
	Load, Site    string
	Pattern, From string // for "name"
}

// manyRow is one phone, and what will be or was done with it.
type manyRow struct {
	MAC, Path, Label string
	Becomes          string // the name, line or load that it gets
	Why              string // why it is left out, a sentence
}

func newManyRow(p Phone, why string) manyRow {
	return manyRow{MAC: p.MAC.String(), Path: "/phones/" + p.MAC.Name(), Label: p.Label, Why: why}
}

// phonesMany asks what exactly is to be done with the phones that were chosen.
func (s *Server) phonesMany(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	q := readPhonesQuery(r.PostForm)
	chosen, err := s.chosenPhones(r, q)
	if err != nil {
		return err
	}
	if r.PostForm.Get("do") == "keep" {
		if len(chosen) > maxTicked {
			return public(http.StatusUnprocessableEntity, fmt.Sprintf("Those are too many ticks to keep; allowed are %d.", maxTicked))
		}
		http.Redirect(w, r, q.keeping(chosen).At("/phones"), http.StatusSeeOther)
		return nil
	}
	if len(chosen) == 0 {
		return s.done(w, r, q.At("/phones"), "No phone was chosen. Tick some of them first, or all that are shown.")
	}
	v, err := s.manyView(r, chosen)
	if err != nil {
		return err
	}
	v.Query = q
	return s.showMany(w, r, http.StatusOK, v)
}

func (s *Server) showMany(w http.ResponseWriter, r *http.Request, code int, v manyView) error {
	return s.show(w, r, code, "phonesmany", v.Title, "/phones", v)
}

// chosenPhones are the phones that were ticked, or all that are shown, in the order of the table.
func (s *Server) chosenPhones(r *http.Request, q phonesQuery) ([]Phone, error) {
	all := r.PostForm.Get("all") != ""
	macs, err := readMACs(r.PostForm["mac"])
	if err != nil {
		return nil, err
	}
	if len(macs) > maxMany {
		return nil, public(http.StatusUnprocessableEntity, fmt.Sprintf("That are too many at once; allowed are %d.", maxMany))
	}
	wanted := make(map[phone.MAC]bool, len(macs))
	for _, mac := range macs {
		wanted[mac] = true
	}
	phones := s.deps.Box.Phones()
	if all { // that are shown, and what was ticked in other lists
		shown, _ := q.pick(phones)
		for _, p := range shown {
			wanted[p.MAC] = true
		}
	}
	phones = slices.DeleteFunc(slices.Clone(phones), func(p Phone) bool { return !wanted[p.MAC] })
	q.Search, q.Step = "", ""
	picked, _ := q.pick(phones)
	return picked, nil
}

// asShown puts phones into the order in which a page listed them. That of the table may be another by now: it can be sorted by what
// phones do.
func asShown(phones []Phone, macs []string) {
	place := make(map[phone.MAC]int, len(macs))
	for i, text := range macs {
		if mac, err := phone.ParseMAC(text); err == nil {
			place[mac] = i
		}
	}
	slices.SortStableFunc(phones, func(a, b Phone) int { return place[a.MAC] - place[b.MAC] })
}

// keeping is the query with the chosen phones ticked.
func (q phonesQuery) keeping(chosen []Phone) phonesQuery {
	names := make([]string, len(chosen))
	for i := range chosen {
		names[i] = chosen[i].MAC.Name()
	}
	q.Ticked = tickedOf(names)
	return q
}

// manyView sorts the chosen phones into those that it can be done with and those that are left out.
func (s *Server) manyView(r *http.Request, chosen []Phone) (manyView, error) {
	job, ok := manyJobs[r.PostForm.Get("do")]
	if !ok {
		return manyView{}, public(http.StatusUnprocessableEntity, "That cannot be done with many phones.")
	}
	v := manyView{Job: r.PostForm.Get("do"), Title: job.title, Does: job.does, Button: job.button}
	v.Load, v.Pattern, v.From = r.PostForm.Get("load"), r.PostForm.Get("pattern"), r.PostForm.Get("from")
	waiting, etag := s.deps.Fleet.WaitingLines()
	v.ETag = etag
	for i := range chosen {
		if why := job.wants(&chosen[i]); why != "" {
			v.LeftOut = append(v.LeftOut, newManyRow(chosen[i], why))
			continue
		}
		v.Phones = append(v.Phones, newManyRow(chosen[i], ""))
	}
	switch v.Job {
	case "load":
		v.Loads, v.Site = s.loadChoices()
	case "name":
		if v.From == "" {
			v.From = "1"
		}
	case "lines":
		v.giveLines(waiting)
	}
	return v, nil
}

// loadChoices are the loads of the shelf, and what holds for all phones.
func (s *Server) loadChoices() (loads []string, site string) {
	for _, l := range s.deps.Box.Firmware().Loads {
		loads = append(loads, l.Name)
	}
	fields, _ := s.deps.Box.Settings().Fields()
	for _, f := range fields {
		if f.Key == "firmware.target" {
			site = f.Value
		}
	}
	return loads, site
}

// giveLines says which phone gets which line; those for which none waits are left out.
func (v *manyView) giveLines(waiting []WaitingLine) {
	for i := range v.Phones {
		if i < len(waiting) {
			v.Phones[i].Becomes = lineWords(waiting[i])
			continue
		}
		left := v.Phones[i]
		left.Why = "No line waits for it."
		v.LeftOut = append(v.LeftOut, left)
	}
	v.Phones = v.Phones[:min(len(v.Phones), len(waiting))]
	v.waiting = waiting
}

// lineWords names a line that waits: 208 · Reception.
func lineWords(l WaitingLine) string {
	if l.Label == "" {
		return l.Name
	}
	return l.Name + " · " + l.Label
}

// phonesManyDo does what was asked for once more, as a whole.
func (s *Server) phonesManyDo(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	q := readPhonesQuery(r.PostForm)
	chosen, err := s.chosenPhones(r, q)
	if err != nil {
		return err
	}
	asShown(chosen, r.PostForm["mac"])
	v, err := s.manyView(r, chosen)
	if err != nil {
		return err
	}
	v.Query = q
	if len(v.Phones) == 0 {
		v.Problem = "There is no phone with which that can be done. Nothing was changed."
		return s.showMany(w, r, http.StatusUnprocessableEntity, v)
	}
	if v.Job == "restart" {
		return s.restartMany(w, r, v)
	}
	change, problem := s.manyChange(&v)
	if problem != "" {
		v.Problem = problem
		return s.showMany(w, r, http.StatusUnprocessableEntity, v)
	}
	return s.applyMany(w, r, v, change, r.PostForm.Get("etag"))
}

// applyMany saves a change of many phones and says what it did, or why nothing was done.
func (s *Server) applyMany(w http.ResponseWriter, r *http.Request, v manyView, change PhonesChange, etag string) error {
	err := s.deps.Fleet.ChangePhones(r.Context(), change, etag)
	var refused *Refused
	switch {
	case err == nil:
	case errors.As(err, &refused):
		v.Problem = "Nothing was changed: the settings would not be right."
		v.Faults = v.faultWords(refused.Faults)
		return s.showMany(w, r, http.StatusUnprocessableEntity, v)
	case errors.As(err, new(StaleError)):
		v.Problem = "Nothing was changed: somebody else changed the settings meanwhile. Look at the list below and try again."
		return s.showMany(w, r, http.StatusPreconditionFailed, v)
	default:
		return orElse(err, http.StatusInternalServerError, "The phones could not be changed; the old settings hold.")
	}
	v.Done = true
	s.changed(r, manySentence(v.Job, len(v.Phones)))
	return s.showMany(w, r, http.StatusOK, v)
}

// manySentence is what the audit list says, and the page.
func manySentence(job string, n int) string {
	done := map[string]string{
		"load": "The firmware of %s was set.", "name": "The names of %s were set.", "lines": "%s were put on the list with a line each.",
		"remove": "%s were removed from the list.",
	}[job]
	if n == 1 {
		done = strings.Replace(done, " were ", " was ", 1)
	}
	return fmt.Sprintf(done, count(n, "phone"))
}

// Sentence says what was done.
func (v manyView) Sentence() string { return manySentence(v.Job, len(v.Phones)) }

// faultWords names the phone of each fault.
func (v manyView) faultWords(faults []Fault) []string {
	var out []string
	for _, f := range faults {
		key := f.Key
		if rest, ok := strings.CutPrefix(key, "phones["); ok {
			mac, within, _ := strings.Cut(rest, "]")
			for _, p := range v.Phones {
				if p.MAC == mac && p.Label != "" {
					mac += " (" + p.Label + ")"
				}
			}
			key = mac + " " + strings.TrimPrefix(within, ".")
		}
		out = append(out, faultWords(f, key))
	}
	return out
}

// manyChange makes the change, and says of each phone what becomes of it; problem is a sentence where that cannot be made.
func (s *Server) manyChange(v *manyView) (change PhonesChange, problem string) {
	number, err := strconv.Atoi(v.From)
	if v.Job == "name" && (err != nil || number < 0 || number > 99999) {
		return change, "That is no number to begin with; allowed are 0 to 99999."
	}
	if v.Job == "name" && strings.TrimSpace(v.Pattern) == "" {
		return change, "Write a name first."
	}
	for i := range v.Phones {
		p := &v.Phones[i]
		mac, err := phone.ParseMAC(p.MAC)
		if err != nil {
			return change, "That is no Ethernet address: " + p.MAC + "."
		}
		switch v.Job {
		case "remove":
			change.Remove = append(change.Remove, mac)
			continue
		case "lines":
			change.Put = append(change.Put, s.entryFor(mac, v.waiting[i]))
			continue
		}
		entry, _, ok := s.deps.Box.Settings().Phone(mac)
		if !ok {
			return change, "The phone " + p.MAC + " is no longer on the list. Nothing was changed."
		}
		switch v.Job {
		case "load":
			entry.Load, p.Becomes = v.Load, v.Load
		case "name":
			entry.Label = patternName(v.Pattern, number+i, entry)
			p.Becomes = entry.Label
		}
		change.Put = append(change.Put, entry)
	}
	return change, ""
}

// entryFor makes the entry of a phone that gets a line that waited.
func (s *Server) entryFor(mac phone.MAC, line WaitingLine) PhoneEntry {
	e := PhoneEntry{MAC: mac.String(), Label: line.Label, Lines: []LineEntry{line.LineEntry}}
	if p, ok := s.deps.Box.Phone(mac); ok {
		e.Model = p.Model
	}
	return e
}

// patternName makes a name of a pattern: # stands for a number, ## for one of at least two digits, and so on; {line} for the number
// of the first line.
func patternName(pattern string, number int, e PhoneEntry) string {
	line := ""
	if len(e.Lines) > 0 {
		line = e.Lines[0].Name
	}
	name := strings.ReplaceAll(strings.TrimSpace(pattern), "{line}", line)
	at := strings.IndexByte(name, '#')
	if at < 0 {
		return name
	}
	rest := strings.TrimLeft(name[at:], "#")
	width := min(len(name)-at-len(rest), 5)
	return fmt.Sprintf("%s%0*d%s", name[:at], width, number, rest)
}

// phonesExport sends the chosen phones as a list.
func (s *Server) phonesExport(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	macs, err := readMACs(r.PostForm["mac"])
	if err != nil {
		return err
	}
	secrets := r.PostForm.Get("secrets") == "1"
	content, name, kind, err := s.deps.Fleet.ExportSome(r.PostForm.Get("format"), secrets, macs)
	if err != nil {
		return orElse(err, http.StatusUnprocessableEntity, "The list could not be made; allowed formats are csv and xlsx.")
	}
	if secrets {
		s.report(r, Event{Kind: EventSecrets, What: fmt.Sprintf("The list of %s was read with their passwords.", count(len(macs), "phone")), Code: http.StatusOK})
	}
	attach(w, name, kind)
	_, _ = w.Write(content)
	return nil
}
