package adopt

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"

	"phonebox/services/phone"
)

// What a ring may be (phones.md g.2), in bytes, which are samples.
const (
	ringBlock    = 240
	longestRing  = 16080
	bmpHeader    = 54 // bytes of a picture that are looked at
	logoWidth    = 90
	logoHeight   = 56
	ringNameSize = 25 // characters of a name or a file in the list (phones.md g.1)
)

// readRingLists takes the names of rings out of RINGLIST.DAT.
func (a *adoption) readRingLists() {
	f := a.byName["ringlist.dat"]
	if f == nil {
		return
	}
	n := 0
	for line := range strings.Lines(decodeText(f.content)) {
		n++
		line = strings.TrimRight(line, "\r\n\t \x00")
		if strings.TrimSpace(line) == "" {
			continue
		}
		title, name, ok := strings.Cut(line, "\t")
		if !ok { // blanks in the place of the tab; names have no blanks
			if i := strings.LastIndexByte(line, ' '); i > 0 {
				title, name, ok = line[:i], line[i+1:], true
				f.verdict.warn("line %d: there is no tab between name and file; phones need one", n)
			}
		}
		title, name = strings.TrimSpace(title), strings.TrimLeft(strings.TrimSpace(name), "./\t")
		switch target := a.byName[strings.ToLower(name)]; {
		case !ok || name == "":
			f.verdict.warn("line %d: found neither a name nor a file", n)
		case target == nil:
			f.verdict.warn("line %d: the file %s is not there", n, shown(name))
		default:
			a.rings[strings.ToLower(name)] = title
		}
	}
	if len(a.rings) == 1 {
		f.verdict.set(VerdictRingList, "it names 1 ring that is here; phonebox writes the list itself")
		return
	}
	f.verdict.set(VerdictRingList, "it names %d rings that are here; phonebox writes the list itself", len(a.rings))
}

// ring keeps a ring.
func (a *adoption) ring(f *file) {
	title := a.rings[strings.ToLower(f.name)]
	text := "a ring that the ring list did not name"
	if title != "" {
		text = "the ring " + shown(title)
	}
	switch {
	case f.size > longestRing:
		f.verdict.warn("it has %d bytes (%.1f s), and phones take up to %d (2 s); a 7940 or 7960 may refuse it", f.size, float64(f.size)/8000, longestRing)
	case f.size%ringBlock != 0:
		f.verdict.warn("it has %d bytes, which is no multiple of %d; phones may refuse it", f.size, ringBlock)
	}
	if len(f.name) > ringNameSize {
		f.verdict.warn("its name has more than %d characters, so it can't stand in the ring list", ringNameSize)
	}
	a.store(f, VerdictRing, title, "%s", text)
}

// picture keeps a bitmap: as the logo where logo_url names it.
func (a *adoption) picture(f *file) {
	fault := bmpFault(f.content)
	named := strings.ToLower(path.Base(strings.SplitN(a.defaults.text("logo_url"), "?", 2)[0]))
	if named == f.base() {
		if fault != "" {
			f.verdict.warn("%s", fault)
		}
		a.store(f, VerdictLogo, "", "the logo that SIPDefault.cnf names")
		return
	}
	a.store(f, VerdictOwnFile, "", "a picture that logo_url of SIPDefault.cnf does not name; kept as it is")
}

// bmpFault says why a picture is no good logo (phones.md e); "" where it is.
func bmpFault(start []byte) string {
	if len(start) < bmpHeader || string(start[:2]) != "BM" {
		return "it is no Windows bitmap, whatever its name says"
	}
	width, height := int32(binary.LittleEndian.Uint32(start[18:])), int32(binary.LittleEndian.Uint32(start[22:]))
	bits, packed := binary.LittleEndian.Uint16(start[28:]), binary.LittleEndian.Uint32(start[30:])
	if width == logoWidth && height == logoHeight && bits == 8 && packed == 0 {
		return ""
	}
	return fmt.Sprintf("it has %dx%d pixels of %d bits; phones want %dx%d of 8 bits, not compressed", width, height, bits, logoWidth, logoHeight)
}

// followsPlan reports whether the dial plan that a phone's file names is the one that became the site's.
func (a *adoption) followsPlan(template string) bool {
	return strings.EqualFold(template, a.template())
}

// template is the dial plan that SIPDefault.cnf names, without ending.
func (a *adoption) template() string {
	if t := a.defaults.text("dial_template"); t != "" {
		return strings.TrimSuffix(strings.TrimLeft(t, "./"), ".xml")
	}
	p, _ := phone.LookUpParameter("dial_template")
	return p.Default
}
