package adopt

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// ReadUpload reads whatever a person hands in, of size bytes: an archive of a TFTP root ([Archive], [Read]), a list of
// phones ([ReadList]), people ([ReadContacts]), or one file of a TFTP root by its name. r must stay open as long as the
// plan is used. The error's text is meant for people.
func ReadUpload(name string, r io.ReaderAt, size int64, opts Options) (*Plan, error) {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	if phone.ParseFileName(base).Kind != phone.KindOther {
		return Read(single{base, r, size}, opts)
	}
	src, err := Archive(base, r, size)
	if err == nil {
		if z, ok := src.(zipped); !ok || !z.isWorkbook() {
			return Read(src, opts)
		}
	} else if err := noList(base, r); err != nil {
		return nil, err
	}
	if size > MaxList {
		return nil, fmt.Errorf("found %s, which is no archive and too long for a list, allowed are .zip, .tar, .tar.gz, and .csv, .xlsx or .vcf of up to %d MiB", shown(base), MaxList>>20)
	}
	content, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", base, err)
	}
	if isVCard(content) {
		return readPeople(base, content, opts)
	}
	plan, err := ReadList(base, content, opts)
	if errors.Is(err, errNoMAC) {
		if people, err := readPeople(base, content, opts); err == nil {
			return people, nil
		}
	}
	return plan, err
}

// noList says what a file is that is no archive and no list either, where its beginning or its name tells: whoever downloaded a page in
// place of an archive, or half of it, does not look for a fault in a row of headers.
func noList(name string, r io.ReaderAt) error {
	start := make([]byte, 1024)
	n, err := r.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	start = start[:n]
	ext := strings.ToLower(path.Ext(name))
	switch {
	case n == 0:
		return fmt.Errorf("found %s, which is empty", shown(name))
	case strings.HasPrefix(http.DetectContentType([]byte(decodeText(start))), "text/html"):
		return fmt.Errorf("found %s, a web page, allowed are .zip, .tar, .tar.gz, .csv, .xlsx and .vcf: look whether the download gave a page instead, or save a table of it as .csv", shown(name))
	case ext == ".zip" && bytes.HasPrefix(start, []byte("PK")):
		return fmt.Errorf("found %s, an archive that is damaged or was cut off: download or pack it anew", shown(name))
	case slices.Contains(archiveNames, ext):
		return fmt.Errorf("found %s, which is no archive of the kinds .zip, .tar and .tar.gz, whatever its name says: pack it anew as one of them", shown(name))
	}
	return nil
}

// archiveNames are how names of archives end, also of those that are not read.
var archiveNames = []string{".zip", ".tar", ".gz", ".tgz", ".cop", ".rar", ".7z", ".bz2", ".xz", ".cab"}

// isWorkbook tells an .xlsx from other .zip files (ECMA-376 part 2, 10.2.4).
func (s zipped) isWorkbook() bool {
	return slices.ContainsFunc(s.z.File, func(f *zip.File) bool { return strings.EqualFold(f.Name, "[Content_Types].xml") })
}

// single is the source of one file.
type single struct {
	name string
	r    io.ReaderAt
	size int64
}

// Walk implements [Source].
func (s single) Walk(visit func(Entry) error) error {
	return visit(Entry{Path: s.name, Size: s.size, Content: io.NewSectionReader(s.r, 0, s.size)})
}

// readPeople plans to add people to the site's contacts.
func readPeople(name string, content []byte, opts Options) (*Plan, error) {
	list, verdicts, err := ReadContacts(name, content)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Site: opts.present().Clone(), Verdicts: verdicts}
	for _, v := range verdicts {
		if v.Verdict == VerdictRefused || v.Verdict == VerdictIgnored && v.Where != verdicts[0].Where {
			plan.LeftOut++
		}
	}
	d := newDirectory(plan.Site)
	for _, c := range list {
		d.add(c)
	}
	plan.Contacts = d.added
	sum := Verdict{Where: "contacts", Verdict: VerdictContacts, Text: d.sentence()}
	if d.full > 0 {
		sum.warn("%d were left out, because a site has up to %d contacts", d.full, maxContacts)
		plan.LeftOut += d.full
	}
	err = settle(plan.Site, opts.present(), func(*site.Site, string) *Verdict { return &sum })
	plan.Verdicts = append(plan.Verdicts, sum)
	return plan, err
}

// directory adds contacts to a site: none twice, and none that is a phone of the site, because those stand in the
// directory anyway.
type directory struct {
	site                     *site.Site
	own                      map[string]bool
	have                     map[site.Contact]bool
	added, ours, twice, full int
}

func newDirectory(s *site.Site) *directory {
	d := &directory{site: s, own: map[string]bool{}, have: map[site.Contact]bool{}}
	for _, p := range s.Phones {
		for _, l := range p.Lines {
			d.own[l.Name] = true
		}
	}
	for _, c := range s.Contacts {
		d.have[c] = true
	}
	return d
}

// add reports whether the contact was added.
func (d *directory) add(c site.Contact) bool {
	switch {
	case d.own[c.Number]:
		d.ours++
	case d.have[c]:
		d.twice++
	case len(d.site.Contacts) >= maxContacts:
		d.full++
	default:
		d.have[c] = true
		d.site.Contacts = append(d.site.Contacts, c)
		d.added++
		return true
	}
	return false
}

// sentence says what became of the contacts.
func (d *directory) sentence() string {
	text := fmt.Sprintf("adds %d contacts", d.added)
	if d.added == 1 {
		text = "adds 1 contact"
	}
	if d.ours > 0 {
		text += fmt.Sprintf("; %d more are phones of the site, which stand in the directory anyway", d.ours)
	}
	if d.twice > 0 {
		text += fmt.Sprintf("; %d more are there already", d.twice)
	}
	return text
}
