package provision

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
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
	name string // with its folder, as on disk
	size int64
	mod  time.Time
	file phone.FileName
	bad  string          // why it is not served, "" = it is
	seen bool            // firmware: it was inspected
	id   string          // images: the loader id
	list phone.LoadsFile // .loads
}

// shelf is what the folder held when it was last looked at; nothing changes it.
type shelf struct {
	byName map[string][]*entry // lower case: files that differ in case only, sorted by name
	loads  []*Load
	inLoad map[string][]*Load // lower case file name: the loads that it is a part of
	faults []FileFault        // of the folder alone
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

// scan looks at the folder. Files that are as they were in last are not read again.
func scan(root *os.Root, last *shelf, log *slog.Logger) (*shelf, error) {
	s := &shelf{byName: map[string][]*entry{}, inLoad: map[string][]*Load{}}
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
		if count++; count > maxEntries {
			s.faults = append(s.faults, FileFault{name, fmt.Sprintf("there are more than %d files; this one and what follows are not served", maxEntries)})
			return fs.SkipAll
		}
		s.add(root, name, last)
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
func (s *shelf) add(root *os.Root, name string, last *shelf) {
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
	if e.bad == "" && !e.seen && (e.file.Kind == phone.KindLoads || e.file.Kind.IsFirmware()) {
		inspect(root, e)
	}
	if e.bad != "" {
		s.faults = append(s.faults, FileFault{name, e.bad})
	}
	s.byName[key] = append(s.byName[key], e)
}

// inspect reads the header of a firmware file, and the whole of a list.
func inspect(root *os.Root, e *entry) {
	e.seen = true
	f, err := root.Open(e.name)
	if err != nil {
		e.bad = "it can't be read"
		return
	}
	defer f.Close()
	limit := int64(phone.MaxHeader)
	if e.file.Kind == phone.KindLoads {
		limit = maxLoads
	}
	start, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		e.bad = "it can't be read"
		return
	}
	if _, err = check(e, start); err != nil {
		e.bad = err.Error()
	}
}

// check says whether a firmware file is what its name says: signed with that name inside, longer than its header. start
// is its beginning: a whole list, or MaxHeader bytes of an image. It fills the entry's id and list and returns the name
// that the signature covers, "" for unsigned images.
func check(e *entry, start []byte) (signedName string, err error) {
	base := path.Base(e.name)
	suffix := strings.ToLower(path.Ext(base))
	if suffix == ".loads" {
		if e.size > maxLoads {
			return "", errors.New("it is too long for a .loads list")
		}
		if e.list, err = phone.ParseLoads(start); err != nil {
			return "", err
		}
		return e.list.Name, sameName(e.list.Name, base)
	}
	img, err := phone.ParseImage(start)
	switch {
	case err != nil:
		return "", fmt.Errorf("it is damaged: %w", err)
	case !img.Signed && suffix != ".bin":
		return "", errors.New("it is not a signed image: the signature header is missing")
	case img.Signed && e.size <= int64(img.HeaderLength):
		return "", errors.New("it is cut off after its header")
	}
	e.id = img.LoaderID
	if !img.Signed {
		return "", nil
	}
	return img.Name, sameName(img.Name, base)
}

// sameName refuses an image that was renamed: the phone would (phones.md c.2).
func sameName(signed, base string) error {
	if strings.EqualFold(signed, base) {
		return nil
	}
	return fmt.Errorf("it was renamed: the image inside is %s, and phones refuse it under another name", signed)
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
