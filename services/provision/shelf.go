package provision

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/phone"
)

// Bounds of the folder: what is deeper or more is not served.
const (
	maxDepth   = 4
	maxEntries = 10_000
	maxLoads   = 64 << 10 // bytes of a .loads list
)

// tempPrefix begins the names of files that are still being written; they are never served.
const tempPrefix = ".upload-"

// entry is a file of the folder.
type entry struct {
	name    string // with its folder, as on disk
	size    int64
	mod     time.Time
	file    phone.FileName
	bad     string                 // why it is not served, "" = it is
	seen    bool                   // it was inspected
	head    int                    // signed images: bytes of the header
	in      string                 // signed images and lists: the name inside
	id      string                 // images: the loader id; lists: the one that they want
	list    phone.LoadsFile        // .loads
	seconds float64                // rings: how long it sounds
	off     string                 // rings: why it is not on the list
	logo    []byte                 // logo.bmp, as phones take it
	sum     atomic.Pointer[string] // SHA-256 of what had that size and time, once somebody wanted it
}

// shelf is what the folder held when it was last looked at; nothing changes it.
type shelf struct {
	byName map[string][]*entry // lower case: files that differ in case only, sorted by name
	loads  []*Load
	inLoad map[string][]*Load // lower case file name: the loads that it is a part of
	faults []FileFault        // of the folder alone
	titles map[string]string  // names of rings that are not those of their files, by file in lower case
	order  []string           // files of rings in lower case, as the phones' menu has them; those that are missing come last
	listed func() []byte      // RINGLIST.DAT, written when it is first asked for
}

// lookUp finds a file without regard to case: the exact name first, else the first by name.
func (s *shelf) lookUp(name string) (*entry, bool) {
	same := s.byName[strings.ToLower(name)]
	for _, e := range same {
		if e.name == name {
			return e, true
		}
	}
	if len(same) == 0 {
		return nil, false
	}
	return same[0], true
}

// load finds a load by name without regard to case.
func (s *shelf) load(name string) (*Load, bool) {
	for _, l := range s.loads {
		if strings.EqualFold(l.Name, name) {
			return l, true
		}
	}
	return nil, false
}

// served reports whether a firmware file is part of a whole load, else what is missing, as a sentence.
func (s *shelf) served(name string) (ok bool, why string) {
	loads := s.inLoad[strings.ToLower(name)]
	for _, l := range loads {
		if len(l.Missing) == 0 {
			return true, ""
		}
	}
	if len(loads) == 0 {
		return false, fmt.Sprintf("%s is not on the firmware shelf: upload it", name)
	}
	return false, fmt.Sprintf("the load %s is not whole, so no part of it is sent; missing: %s", loads[0].Name, strings.Join(loads[0].Missing, ", "))
}

// scan looks at the folder. Files that are as they were in last are not read again; images of less than least bytes are
// taken for cut off.
func scan(root *os.Root, last *shelf, least int64, log *slog.Logger) (*shelf, error) {
	s := &shelf{byName: map[string][]*entry{}, inLoad: map[string][]*Load{}}
	s.listed = sync.OnceValue(s.ringList)
	count := 0
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			s.faults = append(s.faults, FileFault{name, "it can't be read"})
			log.Warn("file not readable", "file", name, "err", err)
			return nil
		case d.IsDir() && strings.Count(name, "/") >= maxDepth:
			s.faults = append(s.faults, FileFault{name, fmt.Sprintf("folders deeper than %d are not served", maxDepth)})
			return fs.SkipDir
		case d.IsDir(), strings.HasPrefix(path.Base(name), tempPrefix):
			return nil
		}
		switch name {
		case titlesFile:
			s.titles = readTitles(root)
			return nil
		case orderFile:
			s.order = readOrder(root)
			return nil
		case logoBeforeFile:
			return nil
		}
		if count++; count > maxEntries {
			s.faults = append(s.faults, FileFault{name, fmt.Sprintf("there are more than %d files; this one and what follows are not served", maxEntries)})
			return fs.SkipAll
		}
		s.add(root, name, last, least)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the folder of files: %w", err)
	}
	s.findCaseTwins()
	s.group()
	return s, nil
}

// add looks at one file.
func (s *shelf) add(root *os.Root, name string, last *shelf, least int64) {
	info, err := root.Stat(name) // follows links that stay inside of the folder
	if err != nil || !info.Mode().IsRegular() {
		s.faults = append(s.faults, FileFault{name, "it is not a regular file inside of the folder, so it is never sent"})
		return
	}
	key := strings.ToLower(name)
	e := &entry{name: name, size: info.Size(), mod: info.ModTime(), file: phone.ParseFileName(name)}
	if last != nil {
		for _, old := range last.byName[key] {
			if old.name == name && old.size == e.size && old.mod.Equal(e.mod) {
				e = old
			}
		}
	}
	if e.bad == "" && e.size == 0 {
		e.bad = "it is empty, so it is not sent"
	}
	if e.bad == "" && !e.seen {
		inspect(root, e, least)
	}
	if why := cmp.Or(e.bad, e.off); why != "" {
		s.faults = append(s.faults, FileFault{name, why})
	}
	s.byName[key] = append(s.byName[key], e)
}

// findCaseTwins notes names that differ in case only.
func (s *shelf) findCaseTwins() {
	for _, same := range s.byName {
		if len(same) < 2 {
			continue
		}
		slices.SortFunc(same, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
		for _, e := range same[1:] {
			s.faults = append(s.faults, FileFault{e.name, fmt.Sprintf("its name differs from %s in case only; phones that ask in another case get %s", same[0].name, same[0].name)})
		}
	}
}
