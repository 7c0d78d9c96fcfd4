package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// firmwareView is the shelf.
type firmwareView struct {
	Loads   []loadView
	Wanted  []wantedView
	Faults  []string
	Images  []FirmwareFile
	Free    string // how much room is left; "" = not known
	Full    bool   // it is too little for a bundle
	Problem string
}

// loadView is a load on the shelf.
type loadView struct {
	FirmwareLoad
	Used []string // who needs it, a sentence each
}

// wantedView is a load that phones need next and that is not there, or not whole.
type wantedView struct {
	Load   string
	Files  []string // that are missing, with the reason where there is one
	Who    []string // which phones need it, a sentence each
	Origin string   // where such files come from
	now    bool     // it is the next step of a phone
}

// leastRoom is what a bundle and its archive take beside each other.
const leastRoom = 8 << 20

func (s *Server) newFirmwareView(problem string) firmwareView {
	shelf := s.deps.Box.Firmware()
	list := s.deps.Shop.Conversions()
	v := firmwareView{Faults: shelf.Faults, Images: s.deps.Shop.Images(), Wanted: wanted(list), Problem: problem}
	uses := usesOf(list)
	for _, l := range shelf.Loads {
		v.Loads = append(v.Loads, loadView{l, uses[strings.ToUpper(l.Name)].words()})
	}
	if s.deps.Converter == nil {
		return v
	}
	free, total, err := s.deps.Converter.Space()
	if err != nil {
		s.deps.Log.Warn("the room on the card is not known", "err", err)
		return v
	}
	v.Free = fmt.Sprintf("%s of %s are free on the card.", sizeWords(free), sizeWords(total))
	v.Full = free < leastRoom
	return v
}

// use counts the phones that need a load.
type use struct{ target, runs, step int }

// usesOf says of each load, in upper case, what it is needed for.
func usesOf(list []Conversion) map[string]use {
	uses := map[string]use{}
	for _, c := range list {
		if c.Target != "" {
			u := uses[strings.ToUpper(c.Target)]
			if u.target++; c.Phase == "arrived" {
				u.runs++
			}
			uses[strings.ToUpper(c.Target)] = u
		}
		for _, st := range c.Steps {
			if strings.EqualFold(st.To, c.Target) || st.Confirm {
				continue
			}
			u := uses[strings.ToUpper(st.To)]
			u.step++
			uses[strings.ToUpper(st.To)] = u
		}
	}
	return uses
}

func (u use) words() []string {
	var out []string
	switch {
	case u.target == 1:
		out = append(out, "1 phone should run it.")
	case u.target > 1:
		out = append(out, fmt.Sprintf("%d phones should run it, and %d do.", u.target, u.runs))
	}
	switch {
	case u.step == 1:
		out = append(out, "1 phone needs it on its way.")
	case u.step > 1:
		out = append(out, fmt.Sprintf("%d phones need it on their way.", u.step))
	}
	return out
}

// wanted are the loads that phones need and that are missing, those first that a phone waits for now.
func wanted(list []Conversion) []wantedView {
	type asker struct{ load, runs string }
	at, counts := map[string]*wantedView{}, map[asker]int{}
	var order []string
	var askers []asker
	for _, c := range list {
		for i, st := range c.Steps {
			if len(st.Missing) == 0 {
				continue
			}
			key := strings.ToUpper(st.To)
			v := at[key]
			if v == nil {
				v = &wantedView{Load: st.To, Origin: originWords(st.To)}
				at[key] = v
				order = append(order, key)
			}
			v.now = v.now || i == 0
			for _, file := range st.Missing {
				if !slices.Contains(v.Files, file) {
					v.Files = append(v.Files, file)
				}
			}
			by := asker{key, cmp.Or(c.Runs, "something that is not known")}
			if counts[by]++; counts[by] == 1 {
				askers = append(askers, by)
			}
		}
	}
	for _, by := range askers {
		v := at[by.load]
		files := fileNames(v.Files)
		if n := counts[by]; n == 1 {
			v.Who = append(v.Who, fmt.Sprintf("1 phone runs %s and needs %s first.", by.runs, files))
		} else {
			v.Who = append(v.Who, fmt.Sprintf("%d phones run %s and need %s first.", n, by.runs, files))
		}
	}
	out := make([]wantedView, 0, len(order))
	for _, key := range order {
		out = append(out, *at[key])
	}
	slices.SortStableFunc(out, func(a, b wantedView) int {
		switch {
		case a.now == b.now:
			return 0
		case a.now:
			return -1
		}
		return 1
	})
	return out
}

// fileNames are the names of files that are missing, without the reasons.
func fileNames(missing []string) string {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i], _, _ = strings.Cut(m, " (")
	}
	return and(names)
}

// originWords say where the files of a load usually come from.
func originWords(load string) string {
	const where = "Cisco gives it to those who have a contract, and who ran such phones before has it in the folder of the former TFTP server or CallManager. "
	l, ok := phone.ParseLoad(load)
	switch {
	case !ok:
		return where + "Upload the files under their own names."
	case l.Protocol == phone.SIP && l.Universal():
		return where + "The archive of this SIP release has all of its files: .loads, .sb2, .sbn and .bin. Upload the archive as it is."
	case l.Protocol == phone.SIP:
		return where + "An old SIP release is a single image, as .bin, as .sbn or as both, in the archive of that release."
	case l.Universal():
		return where + "The SCCP firmware of CallManager for the 7940 and 7960 has all of its files: .loads, .sb2, .sbn and .bin."
	}
	return where + "An old SCCP load is a single image; each CallManager of its time had it in its TFTP folder."
}

func (s *Server) firmwarePage(w http.ResponseWriter, r *http.Request) error {
	return s.show(w, r, http.StatusOK, "firmware", "Firmware", "/firmware", s.newFirmwareView(""))
}

// wantsJSON reports whether a script sent the form and reads the answer: it shows how far the upload is.
func wantsJSON(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

func (s *Server) firmwarePost(w http.ResponseWriter, r *http.Request) error {
	verdicts, err := s.takeUpload(w, r)
	if err != nil {
		a := explain(err)
		switch {
		case wantsJSON(r):
			if a.status >= http.StatusInternalServerError {
				s.deps.Log.Warn("an upload failed", "err", err)
			}
			writeJSON(w, a.status, apiError{Error: spoken(w, a.text)})
			return nil
		case a.status != http.StatusUnprocessableEntity:
			return err
		}
		return s.show(w, r, a.status, "firmware", "Firmware", "/firmware", s.newFirmwareView(a.text))
	}
	text := "The files are on the shelf."
	if !anyTaken(verdicts) {
		text = "None of the files was taken."
	}
	next := "/firmware?say=" + s.says.put(flash{Text: text, Verdicts: verdicts})
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, map[string]string{"next": next})
		return nil
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// shelfRemove takes a file, or all files of a load, off the shelf. It asks once more where a phone needs them.
func (s *Server) shelfRemove(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	name, load := r.PostForm.Get("name"), r.PostForm.Get("load")
	files := []string{name}
	if load != "" {
		if files = s.filesOf(load); len(files) == 0 {
			return public(http.StatusUnprocessableEntity, "There is no such load on the shelf, or other loads have its files as well.")
		}
	}
	if uses := s.neededFor(files); len(uses) > 0 && r.PostForm.Get("sure") != "1" {
		fields := url.Values{"sure": {"1"}}
		if load != "" {
			fields.Set("load", load)
		} else {
			fields.Set("name", name)
		}
		return s.ask(w, r, askView{
			Title: "Remove it although it is needed?", Text: "You are about to remove " + strings.Join(files, ", ") + ".", Points: append(uses,
				"Without it the load is not whole, and no phone gets any part of it.",
				"A phone that is getting it now gets the rest of it. One that has to fetch it again afterwards waits until it is back."),
			Action: "/firmware/remove", Fields: fields, Button: "Remove it", Keep: "Keep it", Back: "/firmware",
		})
	}
	for _, file := range files {
		if err := s.deps.Shop.RemoveFile(r.Context(), file); err != nil {
			return orElse(err, http.StatusInternalServerError, "The file could not be removed.")
		}
	}
	s.changed(r, "A file was removed from the shelf.")
	if load != "" {
		return s.done(w, r, "/firmware", "The load is removed.")
	}
	return s.done(w, r, "/firmware", "The file is removed.")
}

// filesOf are the files that only one load has.
func (s *Server) filesOf(load string) []string {
	var out []string
	for _, f := range s.deps.Shop.Images() {
		if len(f.Loads) == 1 && strings.EqualFold(f.Loads[0], load) {
			out = append(out, f.Name)
		}
	}
	return out
}

// neededFor says who needs files of the shelf.
func (s *Server) neededFor(files []string) []string {
	var out []string
	list := s.deps.Shop.Conversions()
	uses := usesOf(list)
	for _, f := range s.deps.Shop.Images() {
		if !slices.Contains(files, f.Name) {
			continue
		}
		for _, load := range f.Loads {
			for _, words := range uses[strings.ToUpper(load)].words() {
				if text := load + ": " + words; !slices.Contains(out, text) {
					out = append(out, text)
				}
			}
		}
	}
	for _, c := range list { // an image that a phone fetches in place of its signed twin
		for _, st := range c.Steps {
			if slices.ContainsFunc(st.Files, func(f string) bool { return slices.Contains(files, f) }) && len(out) == 0 {
				out = append(out, "A phone that is on its way fetches it.")
			}
		}
	}
	return out
}
