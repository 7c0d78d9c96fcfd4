package assemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
	"phonebox/services/phone/media"
	"phonebox/services/provision"
	"phonebox/services/web"
)

const (
	// maxPending bounds the imports that wait for a yes, each with its upload on disk.
	maxPending = 4
	// maxTries is how often an import is read again because somebody changed the site meanwhile.
	maxTries = 5
	// maxNamed bounds the files that a sentence names.
	maxNamed = 5
	// maxZones bounds the time zones that are proposed.
	maxZones = 6
	// importDir is where uploads wait below the data folder.
	importDir = "imports"
)

// pendingImport is an import that was shown and waits for a yes. It is read anew when that comes: the site may have
// changed meanwhile.
type pendingImport struct {
	id, name string
	file     string // of the upload; "" = folder
	folder   string // of a stick that was copied; removed afterwards
	report   web.ImportReport
	stick    bool
	rows     bool     // it was pasted: see [fleet.ReadRows]
	open     *os.File // of an archive
}

func (p *pendingImport) remove() error {
	if p.open != nil {
		p.open.Close() // it was only read
	}
	if p.folder != "" {
		return os.RemoveAll(p.folder)
	}
	return os.Remove(p.file)
}

// Import implements [web.Workshop].
func (s *shop) Import(ctx context.Context, name string, content io.Reader, dry bool) (web.ImportReport, error) {
	p := &pendingImport{name: path.Base(strings.ReplaceAll(name, `\`, "/"))}
	var err error
	if p.file, err = s.spool(content); err != nil {
		return web.ImportReport{}, err
	}
	if !dry {
		defer func() { _ = p.remove() }()
		return s.run(ctx, p)
	}
	return s.show(ctx, p)
}

// spool keeps an upload in a file, for it is read more than once.
func (s *shop) spool(content io.Reader) (name string, err error) {
	dir := filepath.Join(s.b.opt.Data, importDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", notKept(err)
	}
	f, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return "", notKept(err)
	}
	w := &diskWriter{w: f, room: s.b.room}
	_, err = io.Copy(w, content)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		w.err, err = closeErr, closeErr
	}
	if w.err != nil {
		err = notKept(w.err)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("keeping the upload: %w", err)
	}
	return f.Name(), nil
}

// show reads an import, keeps it for a yes and says what it would do.
func (s *shop) show(_ context.Context, p *pendingImport) (web.ImportReport, error) {
	plan, err := s.read(p)
	var r web.ImportReport
	if err == nil {
		r, err = s.carry(p, plan, true)
	}
	if err != nil {
		_ = p.remove()
		return web.ImportReport{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	p.id = strconv.Itoa(s.lastID)
	r.ID = p.id
	p.report = r
	s.imports = append(s.imports, p)
	if len(s.imports) > maxPending {
		s.forget()
	}
	return p.report, nil
}

// forget drops the oldest import that waits: an upload, which its person can upload again, before what a stick brought.
// The caller holds the lock.
func (s *shop) forget() {
	i := max(0, slices.IndexFunc(s.imports, func(p *pendingImport) bool { return !p.stick }))
	if i == len(s.imports)-1 { // the newest is what somebody looks at now
		i = 0
	}
	_ = s.imports[i].remove()
	s.imports = slices.Delete(s.imports, i, i+1)
}

// read makes the plan of an import against the present site.
func (s *shop) read(p *pendingImport) (*adopt.Plan, error) {
	opts := adopt.Options{Site: s.b.current().site}
	var plan *adopt.Plan
	var err error
	if p.folder != "" {
		plan, err = adopt.Read(adopt.Folder(os.DirFS(p.folder)), opts)
	} else {
		var size int64
		if size, err = p.reopen(); err != nil {
			return nil, fmt.Errorf("reading the upload: %w", err)
		}
		if p.rows {
			plan, err = s.readRows(p, size, opts)
		} else {
			plan, err = adopt.ReadUpload(p.name, p.open, size, opts)
		}
	}
	if err != nil {
		return nil, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: sentence(err.Error())}
	}
	return plan, nil
}

// reopen opens an upload. It stays open for as long as the plan is used: its content is read when it is stored.
func (p *pendingImport) reopen() (size int64, err error) {
	f, err := os.Open(p.file)
	if err != nil {
		return 0, err
	}
	if p.open != nil {
		p.open.Close()
	}
	p.open = f
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// reportOf tells people what a plan would do or did; refused says of files why the box does not take them.
func reportOf(p *pendingImport, plan *adopt.Plan, dry bool, refused map[string]string) web.ImportReport {
	counted := *plan
	counted.Files = counted.Files[:len(counted.Files)-len(refused)]
	counted.LeftOut += len(refused)
	r := web.ImportReport{ID: p.id, Name: p.name, Dry: dry, Summary: counted.Summary() + "."}
	for _, v := range plan.Verdicts {
		if why, no := refused[v.Where]; no {
			v.Verdict, v.Text = adopt.VerdictRefused, why
		}
		r.Verdicts = append(r.Verdicts, web.ImportVerdict(v))
	}
	if dry {
		r.Site = string(plan.Site.TOML(false))
	}
	if len(plan.Zones) > 0 {
		r.Summary += " The clocks of these phones followed the rule of " + strings.Join(plan.Zones[:min(len(plan.Zones), maxZones)], ", ") +
			" or the like: choose the time zone under Settings."
	}
	return r
}

// carry stores the files of a plan, or with dry only looks at them, and reports.
func (s *shop) carry(p *pendingImport, plan *adopt.Plan, dry bool) (web.ImportReport, error) {
	refused := map[string]string{}
	var stored []string
	err := plan.Each(func(f adopt.Stored, content io.Reader) error {
		put := s.store
		if dry {
			put = s.try
		}
		why, err := put(f, content)
		switch {
		case err != nil:
			return err
		case why != "":
			refused[f.Where] = why
		default:
			stored = append(stored, f.Name)
		}
		return nil
	})
	switch {
	case err != nil && dry:
		return web.ImportReport{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "The files of " + p.name + " could not be read to their end. Pack them anew.", Cause: err}
	case err != nil:
		return web.ImportReport{}, halfway(fmt.Errorf("importing %s: %w", p.name, err), stored)
	}
	return reportOf(p, plan, dry, refused), nil
}

// run does an import: the files first, for the site may name them, then the site as a whole. What cannot become the site
// is refused before a file is stored. Where somebody changes the site meanwhile, the import is read against it again.
func (s *shop) run(ctx context.Context, p *pendingImport) (web.ImportReport, error) {
	if s.b.current().site == s.b.bare {
		return web.ImportReport{}, &web.PublicError{Status: http.StatusConflict, Text: "The box has no settings yet. Set its address on the page first, then import."}
	}
	for try := 1; ; try++ {
		etag := s.b.current().etag
		plan, err := s.read(p)
		if err != nil {
			return web.ImportReport{}, err
		}
		if err := refused(plan.Site.Check(site.Catalogue())); err != nil {
			return web.ImportReport{}, err
		}
		r, err := s.carry(p, plan, false)
		if err != nil {
			return web.ImportReport{}, err
		}
		_, err = (settings{s.b}).change(ctx, etag, func(*site.Site) (*site.Site, []site.Fault) { return plan.Site, nil })
		if errors.As(err, new(web.StaleError)) && try < maxTries {
			continue
		}
		if err != nil {
			return web.ImportReport{}, err
		}
		return r, nil
	}
}

// try says whether a file would be taken.
func (s *shop) try(f adopt.Stored, content io.Reader) (why string, err error) {
	if f.Verdict == adopt.VerdictLogo {
		if _, _, err := media.Logo(content); err != nil {
			return unlike(err), nil
		}
		return "", nil
	}
	v, err := s.b.provision.Try(f.Name, content)
	if err == nil && !v.OK {
		why = sentence(v.Why)
	}
	return why, err
}

// store puts one file where the phones find it; why says that it was not taken.
func (s *shop) store(f adopt.Stored, content io.Reader) (why string, err error) {
	if f.Verdict == adopt.VerdictLogo {
		_, err := s.b.provision.SetLogo(content)
		if err != nil && !errors.Is(err, provision.ErrStore) {
			return unlike(err), nil
		}
		return "", err
	}
	v, err := s.b.provision.Put(f.Name, content)
	if err == nil && !v.OK {
		why = sentence(v.Why)
	}
	if err == nil && why == "" && f.Title != "" {
		err = s.b.provision.NameRing(f.Name, f.Title)
	}
	return why, err
}

// Waiting implements [web.Workshop]: the imports from sticks.
func (s *shop) Waiting() []web.ImportReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []web.ImportReport
	for _, p := range s.imports {
		if p.stick {
			out = append(out, p.report)
		}
	}
	return out
}

// Decide implements [web.Workshop].
func (s *shop) Decide(ctx context.Context, id string, yes bool) (web.ImportReport, error) {
	s.mu.Lock()
	var p *pendingImport
	for i, one := range s.imports {
		if one.id == id {
			p = one
			s.imports = append(s.imports[:i:i], s.imports[i+1:]...)
			break
		}
	}
	s.mu.Unlock()
	if p == nil {
		return web.ImportReport{}, &web.PublicError{Status: http.StatusGone, Text: "That import is no longer here: upload the file again."}
	}
	defer func() { _ = p.remove() }()
	if !yes {
		return web.ImportReport{ID: p.id, Name: p.name, Summary: "Nothing was changed."}, nil
	}
	return s.run(ctx, p)
}

// ExportPhones implements [web.Workshop].
func (s *shop) ExportPhones(format string, secrets bool) ([]byte, string, string, error) {
	return exportOf(s.b.current().site, format, secrets)
}

// exportOf writes the list of the phones of a site.
func exportOf(of *site.Site, format string, secrets bool) ([]byte, string, string, error) {
	kinds := map[string]string{"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
	kind, ok := kinds[format]
	if !ok {
		return nil, "", "", &web.PublicError{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("Found the format %q, allowed are csv and xlsx.", format)}
	}
	content, err := adopt.Export(of, format, secrets)
	return content, "phones." + format, kind, err
}
