package assemble

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"phonebox/appliance/adopt"
	"phonebox/appliance/site"
	"phonebox/services/web"
)

const (
	// maxPending bounds the imports that wait for a yes, each with its upload on disk.
	maxPending = 4
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
		return "", fmt.Errorf("keeping the upload: %w", err)
	}
	f, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return "", fmt.Errorf("keeping the upload: %w", err)
	}
	_, err = io.Copy(f, content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
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
	if err != nil {
		_ = p.remove()
		return web.ImportReport{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	p.id = strconv.Itoa(s.lastID)
	p.report = reportOf(p, plan, true)
	s.imports = append(s.imports, p)
	if len(s.imports) > maxPending {
		_ = s.imports[0].remove()
		s.imports = s.imports[1:]
	}
	return p.report, nil
}

// read makes the plan of an import against the present site.
func (s *shop) read(p *pendingImport) (*adopt.Plan, error) {
	opts := adopt.Options{Site: s.b.current().site}
	var plan *adopt.Plan
	var err error
	if p.folder != "" {
		plan, err = adopt.Read(adopt.Folder(os.DirFS(p.folder)), opts)
	} else {
		plan, err = readUpload(p, opts)
	}
	if err != nil {
		return nil, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: sentence(err.Error()), Cause: err}
	}
	return plan, nil
}

// readUpload reads an upload, whatever it is. The file stays open for as long as the plan is used: its content is read
// when it is stored.
func readUpload(p *pendingImport, opts adopt.Options) (*adopt.Plan, error) {
	f, err := os.Open(p.file)
	if err != nil {
		return nil, fmt.Errorf("reading the upload: %w", err)
	}
	if p.open != nil {
		p.open.Close()
	}
	p.open = f
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the upload: %w", err)
	}
	return adopt.ReadUpload(p.name, f, info.Size(), opts)
}

// reportOf tells people what a plan would do or did.
func reportOf(p *pendingImport, plan *adopt.Plan, dry bool) web.ImportReport {
	r := web.ImportReport{ID: p.id, Name: p.name, Dry: dry, Summary: plan.Summary() + "."}
	for _, v := range plan.Verdicts {
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

// run does an import: the files first, for the site may name them, then the site as a whole.
func (s *shop) run(ctx context.Context, p *pendingImport) (web.ImportReport, error) {
	etag := s.b.current().etag
	if s.b.current().site == s.b.bare {
		return web.ImportReport{}, &web.PublicError{Status: http.StatusConflict, Text: "The box has no settings yet. Set its address on the page first, then import."}
	}
	plan, err := s.read(p)
	if err != nil {
		return web.ImportReport{}, err
	}
	r := reportOf(p, plan, false)
	if err := plan.Each(func(f adopt.Stored, content io.Reader) error {
		why, err := s.store(f, content)
		if why != "" {
			r.Verdicts = append(r.Verdicts, web.ImportVerdict{Where: f.Where, Verdict: adopt.VerdictRefused, Text: why})
		}
		return err
	}); err != nil {
		return web.ImportReport{}, fmt.Errorf("storing the files of %s: %w", p.name, err)
	}
	if _, err := (settings{s.b}).change(ctx, etag, func(*site.Site) (*site.Site, []site.Fault) {
		return plan.Site, plan.Site.Check(site.Catalogue())
	}); err != nil {
		return web.ImportReport{}, err
	}
	return r, nil
}

// store puts one file where the phones find it; why says that it was not taken.
func (s *shop) store(f adopt.Stored, content io.Reader) (why string, err error) {
	if f.Verdict == adopt.VerdictLogo {
		if _, err := s.b.provision.SetLogo(content); err != nil {
			return sentence(err.Error()), nil
		}
		return "", nil
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
	kinds := map[string]string{"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
	kind, ok := kinds[format]
	if !ok {
		return nil, "", "", &web.PublicError{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("Found the format %q, allowed are csv and xlsx.", format)}
	}
	content, err := adopt.Export(s.b.current().site, format, secrets)
	return content, "phones." + format, kind, err
}
