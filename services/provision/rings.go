package provision

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"phonebox/services/phone"
	"phonebox/services/phone/media"
)

// Ring is a ring of the folder.
type Ring struct {
	Name    string  `json:"name"` // as the phones' menu shows it
	File    string  `json:"file"`
	Seconds float64 `json:"seconds"`
	Fault   string  `json:"fault,omitempty"` // why it is not on the ring list
}

// Bounds of rings: characters of a name and of a file (phones.md g.1).
const maxRingName = 25

// titlesFile holds the names of rings that are not those of their files, a line each as in RINGLIST.DAT: the name, a tab,
// the file. It is never sent.
const titlesFile = ".ringnames"

// checkRing says how long a ring sounds, and why phones would refuse it; start is its beginning, of a usual ring the whole.
func checkRing(start []byte, size int64) (seconds float64, fault string) {
	if size > int64(len(start)) {
		return float64(size) / 8000, fmt.Sprintf("it has %d bytes; the rings of these phones have at most 16080", size)
	}
	return media.CheckRing(start)
}

// rings are the rings of the folder, by file.
func (s *shelf) rings() []Ring {
	var list []Ring
	for key, same := range s.byName {
		e := same[0]
		if e.file.Kind != phone.KindRing || !e.file.MAC.IsZero() {
			continue
		}
		r := Ring{Name: s.titles[key], File: e.name, Seconds: e.seconds, Fault: cmp.Or(e.bad, e.off)}
		line, _ := phone.WriteRingList([]string{e.name})
		usual, _, fits := bytes.Cut(line, []byte("\t"))
		if r.Name == "" {
			r.Name = cmp.Or(fromLatin1(usual), e.name)
		}
		if !fits && r.Fault == "" {
			r.Fault = fmt.Sprintf("its file name can't stand on the ring list: up to %d letters, digits and signs without accents", maxRingName)
		}
		list = append(list, r)
	}
	place := func(r Ring) int {
		if i := slices.Index(s.order, strings.ToLower(r.File)); i >= 0 {
			return i
		}
		return len(s.order) // those that nobody put into an order come last
	}
	slices.SortFunc(list, func(a, b Ring) int { return cmp.Or(place(a)-place(b), strings.Compare(a.File, b.File)) })
	return list
}

// ringList writes RINGLIST.DAT.
func (s *shelf) ringList() []byte {
	var b []byte
	for _, r := range s.rings() {
		if r.Fault == "" {
			b = append(b, toLatin1(phone.ShowText(r.Name, maxRingName)+"\t"+r.File+"\n")...)
		}
	}
	return b
}

// toLatin1 writes text that ShowText made in ISO-8859-1.
func toLatin1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

func fromLatin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// Rings returns the rings of the folder in the order of the phones' menu.
func (p *Provisioner) Rings() []Ring { return p.shelf.Load().rings() }

// AddRing converts a WAV into a ring and puts it on the ring list; a raw ring is taken as it is. name is what people call
// it, or the name of the file that it came in. said tells what was changed; the error is a sentence for people unless it
// is [ErrStore].
func (p *Provisioner) AddRing(name string, sound io.Reader) (said string, err error) {
	p.adding.Lock()
	defer p.adding.Unlock()
	file, said, err := p.addRing(name, sound)
	if err != nil {
		return "", fmt.Errorf("adding the ring: %w", err)
	}
	if err := p.Rescan(); err != nil {
		return "", err
	}
	return strings.TrimSpace("Stored as " + file + ". " + said), nil
}

// addRing stores a ring and its name; the folder is not looked at again.
func (p *Provisioner) addRing(name string, sound io.Reader) (file, said string, err error) {
	file, title := ringNames(name)
	if file == "" {
		return "", "", fmt.Errorf("found the name %.60q, allowed is one with letters or digits", name)
	}
	raw, changes, err := ringOf(name, sound)
	if err != nil {
		return "", "", err
	}
	if err := p.keep(file, raw); err != nil {
		return "", "", err
	}
	return file, strings.Join(changes, " "), p.setTitle(file, title)
}

// ringNames makes of what a ring is called, or of its upload's name, the file and the name for the list; file is "" where
// nothing is left of it.
func ringNames(name string) (file, title string) {
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	switch strings.ToLower(path.Ext(base)) {
	case ".wav", ".raw", ".pcm":
		base = strings.TrimSuffix(base, path.Ext(base))
	}
	title = phone.ShowText(strings.ReplaceAll(base, "_", " "), maxRingName)
	return ringFile(title), title
}

// ringOf makes the content of a ring file.
func ringOf(name string, sound io.Reader) (raw []byte, said []string, err error) {
	if ext := strings.ToLower(path.Ext(name)); ext != ".raw" && ext != ".pcm" {
		return media.Ring(sound)
	}
	raw, err = io.ReadAll(io.LimitReader(sound, maxLoads+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the ring: %w", err)
	}
	if _, fault := media.CheckRing(raw); fault != "" {
		return nil, nil, errors.New(fault)
	}
	return raw, nil, nil
}

// ringFile makes a file name that every ring list takes: "Old Style" is Old_Style.raw.
func ringFile(title string) string {
	const ext = ".raw"
	plain := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '_'
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_'):
			return r
		}
		return -1
	}, norm.NFKD.String(title))
	plain = strings.Trim(plain, "-_")
	if plain == "" {
		return ""
	}
	return strings.Trim(plain[:min(len(plain), maxRingName-len(ext))], "-_") + ext
}

// RemoveRing removes a ring by its file.
func (p *Provisioner) RemoveRing(file string) error {
	if err := p.remove(file, fmt.Errorf("there is no ring with the name %.100q", file), func(k phone.Kind) bool { return k == phone.KindRing }); err != nil {
		return err
	}
	p.adding.Lock()
	defer p.adding.Unlock()
	return errors.Join(p.setTitle(file, ""), p.Rescan())
}

// NameRing gives a ring another name than that of its file; "" takes it away.
func (p *Provisioner) NameRing(file, title string) error {
	p.adding.Lock()
	defer p.adding.Unlock()
	e, ok := p.shelf.Load().lookUp(file)
	if !ok || e.file.Kind != phone.KindRing {
		return fmt.Errorf("there is no ring of the name %.100q", file)
	}
	return errors.Join(p.setTitle(e.name, phone.ShowText(title, maxRingName)), p.Rescan())
}

// setTitle keeps the name of a ring where it is not that of its file; p.adding is held.
func (p *Provisioner) setTitle(file, title string) error {
	titles, key := readTitles(p.root), strings.ToLower(file)
	if title == strings.ReplaceAll(strings.TrimSuffix(path.Base(file), path.Ext(file)), "_", " ") {
		title = ""
	}
	if titles[key] == title {
		return nil
	}
	delete(titles, key)
	if title != "" {
		titles[key] = title
	}
	if len(titles) == 0 {
		if err := p.root.Remove(titlesFile); err != nil {
			return fmt.Errorf("removing the names of rings: %w: %w", ErrStore, err)
		}
		return nil
	}
	var b strings.Builder
	for _, file := range slices.Sorted(maps.Keys(titles)) {
		b.WriteString(titles[file] + "\t" + file + "\n")
	}
	return p.keep(titlesFile, []byte(b.String()))
}

// readTitles reads the names of rings; what can't be read has none.
func readTitles(root *os.Root) map[string]string {
	titles := map[string]string{}
	f, err := root.Open(titlesFile)
	if err != nil {
		return titles
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxLoads*16))
	if err != nil {
		return titles
	}
	for line := range strings.Lines(string(content)) {
		if title, file, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "\t"); ok {
			titles[strings.ToLower(strings.TrimLeft(file, "\t"))] = phone.ShowText(title, maxRingName)
		}
	}
	return titles
}

func isWAV(base string) bool { return strings.EqualFold(path.Ext(base), ".wav") }

// ring converts a WAV of an upload.
func (u *upload) ring(base string, content io.Reader) error {
	file, _ := ringNames(base)
	if first, twice := u.seen[strings.ToLower(file)]; twice {
		u.verdict(base, fmt.Errorf("as a ring it would be %s, which came before as %s", file, first), "")
		return nil
	}
	u.seen[strings.ToLower(file)] = base
	counted := &counter{r: content}
	file, said, err := u.p.addRing(base, counted)
	u.total += counted.n
	switch {
	case errors.Is(err, ErrStore):
		u.err = err
		return err
	case err != nil:
		u.verdict(base, err, "")
		return nil
	}
	u.verdict(base, nil, strings.TrimSpace("converted and stored as "+file+". "+said))
	return nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
