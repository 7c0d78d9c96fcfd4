package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"phonebox/services/phone"
)

// maxLines is what a 7960 has; a 7940 has two and ignores the rest.
const maxLines = 6

// maxChoices bounds the lines that wait among which the form lets people choose.
const maxChoices = 200

// phoneForm is the form of a listed phone.
type phoneForm struct {
	New        bool
	Path       string // of the phone that is changed
	ETag       string
	Entry      PhoneEntry // Lines has always maxLines entries
	Parameters string
	Forced     string
	Waiting    []WaitingLine // lines to choose from; of a new phone only
	Take       string        // the one that was chosen
	Loads      []string      // that are on the shelf
	Faults     formFaults
	Problem    string
}

// lineField is one field of one line.
type lineField struct {
	Name, Label, Value string
	Help               string
	Secret             bool
	Faults             []string
}

// HelpID is the id of the help beside the field.
func (f lineField) HelpID() string {
	return "help-" + strings.NewReplacer("[", "-", "].", "-", ".", "-").Replace(f.Name)
}

// LineField makes what the template needs of the field key of line i.
func (f phoneForm) LineField(i int, key, label, value, help string) lineField {
	name := fmt.Sprintf("lines[%d].%s", i, key)
	return lineField{Name: name, Label: label, Value: value, Help: help, Secret: key == "password", Faults: f.Faults.For(name)}
}

// Field makes what the template needs of a field of the phone itself.
func (f phoneForm) Field(key, label, value, help string) lineField {
	return lineField{Name: key, Label: label, Value: value, Help: help, Faults: f.Faults.For(key)}
}

// MoreOf reports whether line i has anything but a number and a password, so that it is not hidden.
func (f phoneForm) MoreOf(i int) bool {
	l := f.Entry.Lines[i]
	if l.AuthName != "" || l.DisplayName != "" || l.ShortName != "" || l.Proxy != "" || l.Port != "" {
		return true
	}
	for _, key := range []string{"authname", "displayname", "shortname", "proxy", "port"} {
		if f.Faults.For(fmt.Sprintf("lines[%d].%s", i, key)) != nil {
			return true
		}
	}
	return false
}

// OtherLines reports whether there is a second line, or a fault in one.
func (f phoneForm) OtherLines() bool {
	for i := 1; i < len(f.Entry.Lines); i++ {
		if f.Entry.Lines[i] != (LineEntry{}) || f.LineFaults(i) {
			return true
		}
	}
	return f.Faults.For("lines") != nil
}

// LineFault returns the faults of line i as a whole.
func (f phoneForm) LineFault(i int) []string { return f.Faults.For(fmt.Sprintf("lines[%d]", i)) }

// LineFaults reports whether a field of line i has a fault, so that it is not hidden.
func (f phoneForm) LineFaults(i int) bool {
	for field := range f.Faults.fields {
		if keyWithin(field, fmt.Sprintf("lines[%d]", i)) {
			return true
		}
	}
	return false
}

// formFaults are faults by the name of the field that they stand beside.
type formFaults struct {
	fields map[string][]string
	Rest   []string // belong to no field of the form
}

// For returns the faults of a field.
func (f formFaults) For(field string) []string { return f.fields[field] }

// Any reports whether there is one.
func (f formFaults) Any() bool { return len(f.fields)+len(f.Rest) > 0 }

// newFormFaults puts each fault beside the field whose name is the longest beginning of its key.
func newFormFaults(faults []Fault, fields []string) formFaults {
	out := formFaults{fields: map[string][]string{}}
	for _, f := range faults {
		best := ""
		for _, field := range fields {
			if len(field) > len(best) && keyWithin(f.Key, field) {
				best = field
			}
		}
		switch {
		case best == "":
			out.Rest = append(out.Rest, faultWords(f, f.Key))
		case best == f.Key:
			out.fields[best] = append(out.fields[best], faultWords(f, ""))
		default:
			out.fields[best] = append(out.fields[best], faultWords(f, strings.TrimLeft(f.Key[len(best):], ".")))
		}
	}
	return out
}

// keyWithin reports whether key is field or a part of it: dhcp.pool[1] and dns.hosts.pbx.
func keyWithin(key, field string) bool {
	rest, ok := strings.CutPrefix(key, field)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func faultWords(f Fault, where string) string {
	text := "allowed: " + f.Allowed
	if f.Found != "" {
		text = fmt.Sprintf("found %s; allowed: %s", f.Found, f.Allowed)
	}
	if where != "" {
		text = where + ": " + text
	}
	if f.Line > 0 { // a line of a telephone is another thing
		text = fmt.Sprintf("Line %d of the file: %s", f.Line, text)
	}
	return text
}

// phoneFields are the names of the form's fields, which are the keys of a [[phones]] entry.
func phoneFields() []string {
	fields := []string{"take", "mac", "model", "label", "address", "open_config", "own_files", "zone", "load", "runs", "parameters", "forced", "lines"}
	for i := range maxLines {
		fields = append(fields, fmt.Sprintf("lines[%d]", i))
		for _, key := range []string{"name", "authname", "password", "displayname", "shortname", "proxy", "port"} {
			fields = append(fields, fmt.Sprintf("lines[%d].%s", i, key))
		}
	}
	return fields
}

// phoneKey cuts the place in the list off a fault's key: phones[3].mac is the form's mac.
func phoneKey(key string) string {
	if rest, ok := strings.CutPrefix(key, "phones["); ok {
		if _, within, ok := strings.Cut(rest, "]."); ok {
			return within
		}
	}
	return key
}

func (s *Server) phoneNew(w http.ResponseWriter, r *http.Request) error {
	_, etag := s.deps.Box.Settings().Fields()
	f := phoneForm{New: true, ETag: etag, Take: r.FormValue("line")}
	if mac, err := phone.ParseMAC(r.FormValue("mac")); err == nil {
		f.Entry.MAC = mac.String()
		if p, ok := s.deps.Box.Phone(mac); ok {
			f.Entry.Model = p.Model
		}
	}
	return s.showPhoneForm(w, r, http.StatusOK, f)
}

func (s *Server) phoneEdit(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	entry, etag, ok := s.deps.Box.Settings().Phone(mac)
	if !ok {
		return public(http.StatusNotFound, "The phone "+mac.String()+" is not listed. Add it first.")
	}
	return s.showPhoneForm(w, r, http.StatusOK, phoneForm{
		Path: "/phones/" + mac.Name(), ETag: etag, Entry: entry, Parameters: FormatMap(entry.Parameters), Forced: FormatMap(entry.Forced),
	})
}

func (s *Server) showPhoneForm(w http.ResponseWriter, r *http.Request, code int, f phoneForm) error {
	for len(f.Entry.Lines) < maxLines {
		f.Entry.Lines = append(f.Entry.Lines, LineEntry{})
	}
	title, at := "Add a phone", "/phones/new"
	f.Loads, _ = s.loadChoices()
	if f.New {
		f.Waiting, _ = s.deps.Fleet.WaitingLines()
		f.Waiting = f.Waiting[:min(len(f.Waiting), maxChoices)]
	} else {
		title, at = "Change "+f.Entry.MAC, "/phones"
		if f.Entry.Label != "" {
			title = "Change " + f.Entry.Label
		}
	}
	return s.show(w, r, code, "phoneform", title, at, f)
}

// readPhoneForm reads what a person entered; faults are those of our own parsing.
func readPhoneForm(r *http.Request) (phoneForm, []Fault) {
	get := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := phoneForm{
		ETag:       r.PostForm.Get("etag"),
		Parameters: unixLines(r.PostForm.Get("parameters")),
		Forced:     unixLines(r.PostForm.Get("forced")),
		Entry: PhoneEntry{
			MAC: get("mac"), Model: get("model"), Label: get("label"), Address: get("address"),
			OpenConfig: get("open_config") != "", OwnFiles: get("own_files") != "",
			Load: get("load"), Runs: get("runs"), Zone: phone.FindZone(get("zone")),
		},
	}
	used := 0
	for i := range maxLines {
		field := func(key string) string { return get(fmt.Sprintf("lines[%d].%s", i, key)) }
		line := LineEntry{
			Name: field("name"), AuthName: field("authname"),
			Password:    r.PostForm.Get(fmt.Sprintf("lines[%d].password", i)), // blanks may be meant
			DisplayName: field("displayname"), ShortName: field("shortname"), Proxy: field("proxy"), Port: field("port"),
		}
		f.Entry.Lines = append(f.Entry.Lines, line)
		if line != (LineEntry{}) {
			used = i + 1
		}
	}
	f.Entry.Lines = f.Entry.Lines[:used] // a gap between lines stays: line 2 must not become line 1
	var faults []Fault
	f.Entry.Parameters, faults = ParseMap("parameters", f.Parameters)
	forced, more := ParseMap("forced", f.Forced)
	f.Entry.Forced, faults = forced, append(faults, more...)
	mac, err := phone.ParseMAC(f.Entry.MAC)
	if err != nil {
		faults = append(faults, Fault{Key: "mac", Found: fmt.Sprintf("%q", f.Entry.MAC), Allowed: "an Ethernet address such as 00:06:D7:AA:2A:2E"})
		return f, faults
	}
	f.Entry.MAC = mac.String()
	return f, faults
}

// takeLine is the entry of a new phone with the line that waits and was chosen for it.
func (s *Server) takeLine(f *phoneForm, number string) (PhoneEntry, []Fault) {
	e := f.Entry
	if f.Take = number; number == "" {
		return e, nil
	}
	e.Lines = append(make([]LineEntry, 0, maxLines), e.Lines...)
	if len(e.Lines) == 0 {
		e.Lines = make([]LineEntry, 1)
	}
	if e.Lines[0].Name != "" {
		return e, []Fault{{Key: "take", Found: "a line that waits and a number", Allowed: "one of the two"}}
	}
	lines, _ := s.deps.Fleet.WaitingLines()
	for _, l := range lines {
		if l.Name == number {
			e.Lines[0] = l.LineEntry
			if e.Label == "" {
				e.Label = l.Label
			}
			return e, nil
		}
	}
	return e, []Fault{{Key: "take", Found: number + ", which no longer waits", Allowed: "a line that waits"}}
}

func (s *Server) phoneAdd(w http.ResponseWriter, r *http.Request) error {
	return s.savePhone(w, r, phone.MAC{})
}

func (s *Server) phoneChange(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	return s.savePhone(w, r, mac)
}

// savePhone adds a phone (zero mac) or changes one; what is refused comes back with all that was entered.
func (s *Server) savePhone(w http.ResponseWriter, r *http.Request, mac phone.MAC) error {
	if err := parseForm(r); err != nil {
		return err
	}
	f, faults := readPhoneForm(r)
	f.New = mac.IsZero()
	entry := f.Entry
	if f.New {
		taken, more := s.takeLine(&f, r.PostForm.Get("take"))
		entry, faults = taken, append(faults, more...)
	} else {
		f.Path = "/phones/" + mac.Name()
	}
	if len(faults) == 0 {
		err := s.deps.Box.Settings().PutPhone(r.Context(), mac, entry, f.ETag)
		var refused *Refused
		switch {
		case err == nil:
			return s.phoneSaved(w, r, mac, entry)
		case errors.As(err, &refused):
			faults = refused.Faults
		case errors.As(err, new(StaleError)):
			_, f.ETag = s.deps.Box.Settings().Fields()
			f.Problem = staleText
			return s.showPhoneForm(w, r, http.StatusPreconditionFailed, f)
		default:
			return orElse(err, http.StatusInternalServerError, "The phone could not be saved; the old settings hold.")
		}
	}
	for i := range faults {
		faults[i].Key = phoneKey(faults[i].Key)
	}
	f.Faults = newFormFaults(faults, phoneFields())
	f.Problem = "Nothing was saved. Please mend what is marked."
	return s.showPhoneForm(w, r, http.StatusUnprocessableEntity, f)
}

// staleText is shown over a form that was filled in while somebody else changed the settings.
const staleText = "Nothing was saved: somebody changed the settings while you filled in this form. " +
	"Your entries are below; saving again puts them over the newer ones."

func (s *Server) phoneSaved(w http.ResponseWriter, r *http.Request, old phone.MAC, entry PhoneEntry) error {
	mac, err := phone.ParseMAC(entry.MAC)
	if err != nil {
		return err
	}
	what := "The phone was changed."
	if old.IsZero() {
		what = "The phone was added."
	}
	s.report(r, Event{Kind: EventChanged, MAC: mac, What: what, Code: http.StatusOK})
	if _, known := s.deps.Box.Phone(mac); !known {
		return s.done(w, r, "/", what)
	}
	return s.done(w, r, "/phones/"+mac.Name(), what)
}

// removeView asks before a phone is removed.
type removeView struct{ Label, MAC, Path, ETag string }

func (s *Server) phoneRemoveAsk(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	entry, etag, ok := s.deps.Box.Settings().Phone(mac)
	if !ok {
		return public(http.StatusNotFound, "The phone "+mac.String()+" is not listed.")
	}
	return s.show(w, r, http.StatusOK, "phoneremove", "Remove a phone", "/phones",
		removeView{Label: entry.Label, MAC: mac.String(), Path: "/phones/" + mac.Name(), ETag: etag})
}

func (s *Server) phoneRemove(w http.ResponseWriter, r *http.Request) error {
	mac, err := pathMAC(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	if err := s.deps.Box.Settings().RemovePhone(r.Context(), mac, r.PostForm.Get("etag")); err != nil {
		return orElse(err, http.StatusInternalServerError, "The phone could not be removed; the old settings hold.")
	}
	s.report(r, Event{Kind: EventChanged, MAC: mac, What: "The phone was removed from the list.", Code: http.StatusOK})
	return s.done(w, r, "/phones", "The phone "+mac.String()+" is removed from the list.")
}
