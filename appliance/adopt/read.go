package adopt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"phonebox/appliance/site"
	"phonebox/services/phone"
)

// Bounds of the files that are read as text.
const (
	maxText  = 256 << 10 // bytes of one; a fully commented SIPDefault.cnf has 6 KB
	maxTexts = 32 << 20  // bytes of all
)

// file is one file of the source.
type file struct {
	index   int // its place in the source
	path    string
	name    string // relative to the TFTP root
	size    int64
	content []byte // of texts; of pictures the start
	parsed  phone.FileName
	root    string // the root element of an XML file, in lower case
	verdict Verdict
}

func (f *file) done() bool { return f.verdict.Verdict != "" }

// base is the last part of the name in lower case.
func (f *file) base() string { return strings.ToLower(path.Base(f.name)) }

// adoption is one call of Read.
type adoption struct {
	plan   *Plan
	opts   Options
	site   *site.Site // the plan's
	files  []*file
	byName map[string]*file // by name in lower case: the one that counts
	texts  int64

	defaults *cnf                // SIPDefault.cnf; an empty one where there is none
	phones   map[phone.MAC]*file // whose verdict tells about the phone
	rings    map[string]string   // by file name in lower case: the name in the ring list
	people   map[site.Contact]*file
	plans    *file // the dial plan that became the site's
}

// Read reads an old TFTP root and says what would become of each file. The error says that the source can't be read or
// is too large; nothing else is one.
func Read(src Source, opts Options) (*Plan, error) {
	a := &adoption{
		plan: &Plan{Site: opts.present().Clone(), source: src, wanted: map[int]Stored{}}, opts: opts, byName: map[string]*file{},
		defaults: &cnf{}, phones: map[phone.MAC]*file{}, rings: map[string]string{}, people: map[site.Contact]*file{},
	}
	a.site = a.plan.Site
	if err := src.Walk(a.look); err != nil {
		return nil, err
	}
	a.findTwins()
	for _, f := range a.files {
		if bytes.ContainsRune(f.content, '<') {
			f.root = rootElement(f.content)
		}
	}
	a.refuseMACs()
	a.readDefaults()
	a.readRingLists()
	a.readPhones()
	a.readSEPs()
	a.sortOthers()
	a.readDirectories()
	if err := settle(a.site, opts.present(), a.owner); err != nil {
		return nil, err
	}
	a.finish()
	return a.plan, nil
}

// refuseMACs refuses the files of phones that can't be: nothing but zeros, or an address of a group.
func (a *adoption) refuseMACs() {
	for _, f := range a.files {
		perPhone := f.parsed.Kind == phone.KindSIP || f.parsed.Kind == phone.KindSEP || f.parsed.Kind == phone.KindSEPOld && f.base() != "sepdefault.cnf"
		if mac := f.parsed.MAC; perPhone && !f.done() && (mac.IsZero() || mac[0]&1 != 0) {
			a.refuse(f, "no phone has the MAC %s", mac)
		}
	}
}

// look takes one file of the source in.
func (a *adoption) look(e Entry) error {
	f := &file{index: len(a.files), path: e.Path, size: e.Size}
	f.verdict.Where = shownPath(e.Path)
	a.files = append(a.files, f)
	name, fault := cleanPath(e.Path)
	if fault == "" {
		fault = e.Fault
	}
	if fault != "" {
		a.refuse(f, "%s", fault)
		return nil
	}
	f.name = name
	if why := noise(name); why != "" {
		f.name = ""
		f.verdict.set(VerdictIgnored, "%s", why)
		return nil
	}
	if e.Size > MaxFile {
		a.refuse(f, "it is longer than %d MiB, which no file of a phone is", MaxFile>>20)
		return nil
	}
	limit := readLimit(f.base())
	if limit == 0 {
		return nil
	}
	if limit == maxText && (e.Size > maxText || a.texts+e.Size > maxTexts) {
		if strings.HasSuffix(f.base(), ".cnf") {
			a.refuse(f, "it is longer than a file of this name can be (%d KiB), or all of them together than %d MiB", maxText>>10, maxTexts>>20)
		} else {
			f.verdict.warn("it is longer than %d KiB, so it was not looked into", maxText>>10)
		}
		return nil
	}
	content, err := io.ReadAll(io.LimitReader(e.Content, limit))
	if err != nil {
		a.refuse(f, "it can't be read: it is damaged, or the disk is")
		return nil
	}
	f.content = content
	a.texts += int64(len(content))
	return nil
}

func (a *adoption) refuse(f *file, format string, args ...any) {
	f.verdict.set(VerdictRefused, format, args...)
	a.plan.LeftOut++
}

func (a *adoption) ignore(f *file, format string, args ...any) {
	f.verdict.set(VerdictIgnored, format, args...)
}

// readLimit returns how much of a file is read while the source is walked: texts whole, of pictures the start.
func readLimit(base string) int64 {
	switch path.Ext(base) {
	case ".cnf", ".xml", ".dat", ".txt", ".cfg", ".conf":
		return maxText
	case ".bmp":
		return bmpHeader
	}
	return 0
}

// shownPath is a path as people can read it.
func shownPath(p string) string {
	if p == "" {
		return "a file without a name"
	}
	p = strings.ToValidUTF8(p, "?")
	p = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, p)
	if r := []rune(p); len(r) > longestPath {
		p = string(r[:longestPath]) + "..."
	}
	return p
}

// store plans to keep a file under a name relative to the TFTP root.
func (a *adoption) store(f *file, verdict, title, format string, args ...any) {
	if f.size == 0 {
		a.ignore(f, "it is empty; an empty file does a phone more harm than none")
		return
	}
	if strings.Count(f.name, "/") > servedFolders {
		a.ignore(f, "it lies deeper than %d folders, where phonebox serves nothing", servedFolders)
		a.plan.LeftOut++
		return
	}
	f.verdict.set(verdict, format, args...)
	a.plan.wanted[f.index] = Stored{Where: f.path, Name: f.name, Verdict: verdict, Title: title, Size: f.size}
}

// finish puts the verdicts in order.
func (a *adoption) finish() {
	slices.SortStableFunc(a.files, func(x, y *file) int { return strings.Compare(x.path, y.path) })
	for _, f := range a.files {
		a.plan.Verdicts = append(a.plan.Verdicts, f.verdict)
		if s, ok := a.plan.wanted[f.index]; ok {
			a.plan.Files = append(a.plan.Files, s)
		}
	}
}

// maxLists bounds the lists that wait for their images, in bytes.
const maxLists = 16 << 20

// Each hands the files that the plan stores to store, lists of loads (.loads) last, so that no load is complete before
// its images are there. It walks the source again, which must be as it was. An error of store ends it.
func (p *Plan) Each(store func(f Stored, content io.Reader) error) error {
	if p.source == nil {
		return nil
	}
	type list struct {
		file    Stored
		content []byte
	}
	var lists []list
	index, held := -1, 0
	err := p.source.Walk(func(e Entry) error {
		index++
		f, ok := p.wanted[index]
		switch {
		case !ok:
			return nil
		case e.Path != f.Where || e.Size != f.Size || e.Fault != "":
			return fmt.Errorf("reading %q: it changed since it was looked at", f.Where)
		case !strings.HasSuffix(strings.ToLower(f.Name), ".loads"):
			return store(f, &exactly{e.Content, f.Size})
		}
		content, err := io.ReadAll(io.LimitReader(e.Content, maxText))
		if held += len(content); err == nil && held > maxLists {
			err = errors.New("there are too many lists")
		}
		if err != nil {
			return fmt.Errorf("reading %q: %w", f.Where, err)
		}
		lists = append(lists, list{f, content})
		return nil
	})
	for _, l := range lists {
		if err != nil {
			return err
		}
		err = store(l.file, bytes.NewReader(l.content))
	}
	return err
}
