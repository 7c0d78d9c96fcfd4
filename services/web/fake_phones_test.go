package web_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/web"
)

func linesOf(e web.PhoneEntry) string {
	var names []string
	for _, l := range e.Lines {
		names = append(names, l.Name)
	}
	return strings.Join(names, ", ")
}

// fakeFleet changes the phones of a fakeSite as a box does: all of a change or nothing.
type fakeFleet struct {
	rig     *rig
	changes int // that were made
}

func (f *fakeFleet) site() *fakeSite { return f.rig.box.site }

func (f *fakeFleet) WaitingLines() ([]web.WaitingLine, string) {
	s := f.site()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.waiting)
	for i := range out {
		if out[i].Password != "" {
			out[i].Password = web.Mask
		}
	}
	return out, s.etag()
}

// wait lets lines wait, each as number/label/password.
func (f *fakeFleet) wait(lines ...string) {
	s := f.site()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range lines {
		parts := strings.SplitN(text+"//", "/", 3)
		s.waiting = append(s.waiting, web.WaitingLine{Label: parts[1], LineEntry: web.LineEntry{Name: parts[0], Password: strings.TrimRight(parts[2], "/")}})
	}
}

// waits are the lines that wait, as wait takes them.
func (f *fakeFleet) waits() string {
	s := f.site()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.waiting {
		out = append(out, l.Name+"/"+l.Label+"/"+l.Password)
	}
	return strings.Join(out, " ")
}

func (f *fakeFleet) ChangePhones(_ context.Context, c web.PhonesChange, etag string) error {
	s := f.site()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.may(etag); err != nil {
		return err
	}
	for _, e := range c.Put {
		if strings.Contains(e.Label, `"`) {
			return &web.Refused{Faults: []web.Fault{{Key: "phones[" + e.MAC + "].label", Found: fmt.Sprintf("%q", e.Label), Allowed: `a text of up to 64 characters without "`}}}
		}
	}
	for _, w := range c.Wait {
		if strings.Contains(w.Name, " ") {
			return &web.Refused{Faults: []web.Fault{{Key: fmt.Sprintf("lines[%d].name", len(s.waiting)), Found: fmt.Sprintf("%q", w.Name), Allowed: "a number"}}}
		}
	}
	f.changes++
	passwords := map[string]string{}
	for _, w := range s.waiting {
		passwords[w.Name] = w.Password
	}
	for _, e := range s.phones {
		for _, l := range e.Lines {
			passwords[l.Name] = l.Password
		}
	}
	unmask := func(l *web.LineEntry) {
		if l.Password == web.Mask {
			l.Password = passwords[l.Name]
		}
	}
	for _, mac := range c.Remove {
		delete(s.phones, mac)
	}
	taken := slices.Clone(c.Drop)
	for _, e := range c.Put {
		mac, err := phone.ParseMAC(e.MAC)
		if err != nil {
			return err
		}
		e.Lines = slices.Clone(e.Lines)
		for i := range e.Lines {
			unmask(&e.Lines[i])
			taken = append(taken, e.Lines[i].Name)
		}
		s.phones[mac] = e
	}
	s.waiting = slices.DeleteFunc(slices.Clone(s.waiting), func(w web.WaitingLine) bool { return slices.Contains(taken, w.Name) })
	more := slices.Clone(c.Wait)
	for i := range more {
		unmask(&more[i].LineEntry)
	}
	if c.Front {
		s.waiting = append(more, s.waiting...)
	} else {
		s.waiting = append(s.waiting, more...)
	}
	return nil
}

func (f *fakeFleet) ReadRows(ctx context.Context, text string) (web.ImportReport, error) {
	if !strings.Contains(text, "\t") {
		return web.ImportReport{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "Found no column with the MACs of phones."}
	}
	return f.rig.shop.Import(ctx, "the pasted rows", strings.NewReader(text), true)
}

func (f *fakeFleet) ExportSome(format string, secrets bool, macs []phone.MAC) ([]byte, string, string, error) {
	if format != "csv" && format != "xlsx" {
		return nil, "", "", &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "Allowed are csv and xlsx."}
	}
	return []byte(fmt.Sprintf("%v secrets=%v\n", macs, secrets)), "phones." + format, "text/csv; charset=utf-8", nil
}
