package provision

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// group sorts the firmware files of the root into loads. A load of the universal loader begins with its .loads list;
// earlier ones are a single image; images that belong to a list that is not there make a load that is not whole.
func (s *shelf) group() {
	images := map[string]*entry{} // lower case
	var lists []*entry
	for key, same := range s.byName {
		e := same[0]
		if strings.Contains(key, "/") {
			continue // phones ask for firmware in the root only
		}
		switch {
		case e.file.Kind == phone.KindLoads:
			lists = append(lists, e)
		case e.file.Kind.IsFirmware():
			images[key] = e
		}
	}
	for _, e := range lists {
		s.addList(e, images)
	}
	for key, e := range images {
		if len(s.inLoad[key]) == 0 {
			s.addOrphan(key, e)
		}
	}
	slices.SortFunc(s.loads, func(a, b *Load) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range s.loads {
		slices.Sort(l.Files)
		slices.Sort(l.Missing)
	}
}

// addList makes the load of a .loads list.
func (s *shelf) addList(e *entry, images map[string]*entry) {
	l := &Load{Name: e.file.Load, Protocol: protocolOf(e.file.Load)}
	s.loads = append(s.loads, l)
	s.put(l, e)
	for _, name := range e.list.Files {
		key := strings.ToLower(name)
		image, ok := images[key]
		if !ok {
			l.Missing = append(l.Missing, name)
			s.inLoad[key] = append(s.inLoad[key], l)
			continue
		}
		s.put(l, image)
		base, isLoader := strings.CutSuffix(key, ".sbn")
		if !isLoader || l.Loader != "" {
			continue
		}
		l.Loader = image.file.Load
		if image.bad == "" && e.list.LoaderID != "" && image.id != "" && image.id != e.list.LoaderID {
			l.Missing = append(l.Missing, name+" (it is loader "+image.id+", the list wants "+e.list.LoaderID+")")
		}
		if unsigned, ok := images[base+".bin"]; ok { // for phones from before 5.0; the list does not name it
			s.put(l, unsigned)
			l.compare(unsigned, image)
		}
	}
}

// compare finds the one that is cut off of an image that is there unsigned and signed: the signed one is longer by its
// header (phones.md c.1, c.2).
func (l *Load) compare(unsigned, signed *entry) {
	if unsigned.bad != "" || signed.bad != "" {
		return
	}
	payload := signed.size - int64(signed.head)
	cut, other := unsigned, signed
	switch {
	case payload == unsigned.size:
		return
	case payload < unsigned.size:
		cut, other = signed, unsigned
	}
	l.Missing = append(l.Missing, fmt.Sprintf("%s (it is cut off: %s holds %d bytes more of the same image)", cut.name, other.name, max(payload-unsigned.size, unsigned.size-payload)))
	l.Files = slices.DeleteFunc(l.Files, func(name string) bool { return name == cut.name })
}

// addOrphan makes, or adds to, the load of an image that no list names.
func (s *shelf) addOrphan(key string, e *entry) {
	name := e.file.Load
	known, ok := phone.ParseLoad(name)
	if ok && known.Loader { // P003-8-12-00 comes with the SIP bundle of the same version
		name = "P0S3" + name[len("P0S3"):]
	}
	l, found := s.load(name)
	if !found {
		l = &Load{Name: name, Protocol: protocolOf(name)}
		s.loads = append(s.loads, l)
		if strings.HasSuffix(key, ".sb2") || ok && (known.Universal() || known.Loader) {
			l.Missing = append(l.Missing, name+".loads")
			s.inLoad[strings.ToLower(name+".loads")] = []*Load{l}
		}
	}
	s.put(l, e)
}

// put adds a file to a load; a file that is not fit to be sent counts as missing.
func (s *shelf) put(l *Load, e *entry) {
	key := strings.ToLower(e.name)
	if slices.Contains(s.inLoad[key], l) {
		return
	}
	s.inLoad[key] = append(s.inLoad[key], l)
	if e.bad != "" {
		l.Missing = append(l.Missing, e.name+" ("+e.bad+")")
		return
	}
	l.Files = append(l.Files, e.name)
}

// Shelf returns the loads in the form in which the ladder plans with them.
func (p *Provisioner) Shelf() ladder.Shelf {
	var shelf ladder.Shelf
	for _, l := range p.Loads() {
		shelf = append(shelf, ladder.Load{Name: l.Name, Files: l.Files, Missing: l.Missing, Loader: l.Loader})
	}
	return shelf
}

// protocolOf reads the protocol off a load's name, of later models too (SIP41.8-5-4S).
func protocolOf(load string) phone.Protocol {
	if l, ok := phone.ParseLoad(load); ok {
		return l.Protocol
	}
	upper := strings.ToUpper(load)
	switch {
	case strings.HasPrefix(upper, "SIP"):
		return phone.SIP
	case strings.HasPrefix(upper, "SCCP"):
		return phone.SCCP
	}
	return phone.ProtocolUnknown
}
