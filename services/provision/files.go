package provision

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"phonebox/services/phone"
)

// firmware sends a part of a whole load (promise 6). An image is not sent to a phone that the site does not list, but
// for the load that it runs: whatever told it to ask, it is not flashed from here (promise 9). The .loads list is, which
// flashes nothing, and which every up-to-date phone reads on each boot.
func (r *request) firmware() Answer {
	name := r.file.Clean
	if _, ok := r.find(name); !ok && len(r.shelf.inLoad[strings.ToLower(name)]) == 0 {
		return Answer{Status: Missing, Why: fmt.Sprintf("%s is not on the firmware shelf: upload it", name)}
	}
	if ok, why := r.shelf.served(name); !ok {
		return Answer{Status: Missing, Why: why}
	}
	if !r.file.Kind.IsFirmware() {
		return r.open(name)
	}
	if r.isStranger() && !r.runsPartOf(name) && !r.finishes() {
		return Answer{Status: Refused, Why: "the site does not list this phone, so its firmware is left alone: add it to the site"}
	}
	if r.isPhone() && r.held && r.p.deps.Guide != nil {
		if ok, why := r.p.deps.Guide.MayFetch(r.mac, r.file); !ok {
			return Answer{Status: Refused, Why: why + r.ownNames()}
		}
	}
	return r.open(name)
}

// finishes reports whether the phone is to get to the end of a step although the site no longer lists it.
func (r *request) finishes() bool {
	if r.p.deps.Guide == nil {
		return false
	}
	naming, _ := r.p.deps.Guide.Naming(r.mac)
	return naming.Finish
}

// ownNames says which own files may have named another load to the phone than its conversion does.
func (r *request) ownNames() string {
	if r.listed == nil || !r.listed.OwnFiles {
		return ""
	}
	var names []string
	for _, name := range []string{"OS79XX.TXT", "SEP" + r.mac.Name() + ".cnf.xml", "XMLDefault.cnf.xml", "SIPDefault.cnf", sipName(r.mac)} {
		if e, ok := r.shelf.lookUp(name); ok {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (the phone has own_files, so look at the load that " + strings.Join(names, ", ") + " of the folder name)"
}

// isPhone reports whether who asks is known to be a phone.
func (r *request) isPhone() bool {
	return !r.mac.IsZero() && (r.listed != nil || r.running != Running{})
}

// isStranger reports whether who asks is known to be a phone, and one that is not listed.
func (r *request) isStranger() bool {
	return !r.mac.IsZero() && r.listed == nil && !r.settings.ConvertUnlisted && r.running != Running{}
}

// runsPartOf reports whether a file belongs to the load that the phone runs.
func (r *request) runsPartOf(name string) bool {
	for _, l := range r.shelf.inLoad[strings.ToLower(name)] {
		if strings.EqualFold(l.Name, r.running.Load) {
			return true
		}
	}
	return false
}

// ownFile sends a file of the folder as it is.
func (r *request) ownFile() Answer {
	if _, ok := r.find(r.file.Clean); ok {
		return r.open(r.file.Clean)
	}
	switch r.file.Kind {
	case phone.KindLocale:
		return Answer{Status: Harmless, Why: "there is no such file; the phone uses its built-in English"}
	case phone.KindRing:
		return Answer{Status: Missing, Why: "there is no such ring file: upload it"}
	}
	return Answer{Status: Missing, Why: "there is no such file"}
}

// find looks a file up. One that is there although the last look at the folder did not find it makes the folder be
// looked at again, so that a file that was copied in by hand is served at once.
func (r *request) find(name string) (*entry, bool) {
	e, ok := r.shelf.lookUp(name)
	if ok || name == "" || name == titlesFile || name == orderFile || name == logoBeforeFile {
		return e, ok
	}
	if info, err := r.p.root.Stat(name); err != nil || !info.Mode().IsRegular() || strings.Contains(name, tempPrefix) {
		return nil, false
	}
	r.rescan()
	return r.shelf.lookUp(name)
}

func (r *request) rescan() {
	if err := r.p.Rescan(); err != nil {
		r.p.deps.Log.Warn("folder of files not readable", "err", err)
		return
	}
	r.shelf = r.p.shelf.Load()
}

// open opens a file of the shelf. One that changed since it was looked at is looked at again, because it may be half
// written, or no longer whole.
func (r *request) open(name string) Answer {
	for range 2 {
		e, ok := r.shelf.lookUp(name)
		if !ok {
			break
		}
		if e.bad != "" {
			return Answer{Status: Missing, Why: fmt.Sprintf("%s is not sent: %s", e.name, e.bad)}
		}
		if e.file.Kind == phone.KindLoads || e.file.Kind.IsFirmware() {
			if ok, why := r.shelf.served(name); !ok {
				return Answer{Status: Missing, Why: why}
			}
		}
		if r.p.same(e) {
			if a, ok := r.p.kept(e); ok {
				a.Status, a.ContentType, a.Secret = OK, contentType(e.name), !e.file.MAC.IsZero()
				return a
			}
		}
		if f, ok := r.p.unchanged(e); ok {
			var content io.ReaderAt = f
			if e.file.Kind == phone.KindLoads || e.file.Kind.IsFirmware() {
				content = steady{f, e}
			}
			return Answer{
				Status: OK, Content: content, Size: e.size, Close: f.Close, ContentType: contentType(e.name),
				Secret: !e.file.MAC.IsZero(), // what a person wrote for one phone may hold its password
			}
		}
		r.rescan()
	}
	return Answer{Status: Missing, Why: "the file is gone, or is being written"}
}

// unchanged opens a file if it is still the one that was looked at.
func (p *Provisioner) unchanged(e *entry) (*os.File, bool) {
	f, err := p.root.Open(e.name)
	if err != nil {
		return nil, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != e.size || !info.ModTime().Equal(e.mod) {
		f.Close()
		return nil, false
	}
	return f, true
}

// steady is an image that is being sent. Reading it fails once the file was written to since it was looked at: a phone must
// not write an image that is half the old one and half the new one, which it would start if it is not signed.
type steady struct {
	f *os.File
	e *entry
}

var errChanged = errors.New("the file was changed while it was being sent")

// ReadAt implements [io.ReaderAt].
func (s steady) ReadAt(b []byte, off int64) (int, error) {
	n, err := s.f.ReadAt(b, off)
	if info, statErr := s.f.Stat(); statErr != nil || info.Size() != s.e.size || !info.ModTime().Equal(s.e.mod) {
		return 0, errors.Join(errChanged, statErr)
	}
	return n, err
}

func contentType(name string) string {
	switch i := strings.LastIndexByte(name, '.'); strings.ToLower(name[i+1:]) {
	case "xml":
		return "text/xml"
	case "cnf", "txt", "dat", "cfg":
		return "text/plain; charset=iso-8859-1"
	case "bmp":
		return "image/bmp"
	}
	return "application/octet-stream"
}
