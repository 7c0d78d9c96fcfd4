package site

import (
	"fmt"
	"slices"

	"phonebox/services/phone"
)

// PhoneChange changes many phones, and the lines that wait for one, at once.
type PhoneChange struct {
	Put    []PhoneText   // each replaces the phone with its MAC, or is added
	Remove []phone.MAC   // those that the site does not list mean nothing
	Wait   []WaitingText // lines that wait from now on, behind those that wait already; one of the same number takes its place
	Front  bool          // they wait before all others
	Drop   []string      // numbers of lines that wait no longer
}

// WaitingText is a line that waits for a phone, as a form shows it. A [Mask] as password keeps the password.
type WaitingText struct {
	Label string
	LineText
}

// WaitingTexts returns the lines that wait for a phone, the next first, secrets masked.
func (s *Site) WaitingTexts() []WaitingText {
	out := make([]WaitingText, len(s.Lines))
	for i, w := range s.Lines {
		out[i] = WaitingText{Label: w.Label, LineText: lineText(w.Line)}
		if w.Password != "" {
			out[i].Password = Mask
		}
	}
	return out
}

// Change returns a copy of the site with all of the change, and the MACs of its phones in their order, by which a fault of
// phones[3] can be told to people. A line that a phone gets waits no longer. The site is nil when a fault is not a warning;
// faults have no line.
func (s *Site) Change(c PhoneChange, opts Options) (next *Site, order []phone.MAC, faults []Fault) {
	out := s.Clone()
	gone := map[phone.MAC]bool{}
	for _, mac := range c.Remove {
		gone[mac] = true
	}
	out.Phones = slices.DeleteFunc(out.Phones, func(p Phone) bool { return gone[p.MAC] })
	place := map[phone.MAC]int{}
	for i, p := range out.Phones {
		place[p.MAC] = i
	}
	for _, t := range c.Put {
		mac, _ := phone.ParseMAC(t.MAC) // a wrong one is a fault below
		i, listed := place[mac]
		if !listed {
			i = len(out.Phones)
			out.Phones = append(out.Phones, Phone{})
			place[mac] = i
		}
		p, bad := phoneFrom(t, fmt.Sprintf("phones[%d]", i))
		faults = append(faults, bad...)
		if listed {
			unmaskPhone(&p, &out.Phones[i])
		}
		out.Phones[i] = p
	}
	faults = append(faults, out.wait(c)...)
	unmaskMoved(out, s)
	for _, t := range c.Put {
		if mac, err := phone.ParseMAC(t.MAC); err == nil {
			out.taken(out.Phones[place[mac]])
		}
	}
	if len(out.Phones) == 0 {
		out.Phones = nil
	}
	for _, p := range out.Phones {
		order = append(order, p.MAC)
	}
	next, faults = out.checked(faults, opts)
	return next, order, faults
}

// wait changes the lines that wait.
func (s *Site) wait(c PhoneChange) (faults []Fault) {
	s.Lines = slices.DeleteFunc(s.Lines, func(w WaitingLine) bool { return slices.Contains(c.Drop, w.Name) })
	var added []WaitingLine
	for _, t := range c.Wait {
		i := slices.IndexFunc(s.Lines, func(w WaitingLine) bool { return w.Name == t.Name && t.Name != "" })
		at := i
		if at < 0 {
			at = len(s.Lines) + len(added)
			if c.Front {
				at = len(added)
			}
		}
		path := fmt.Sprintf("lines[%d]", at)
		l, bad := lineFrom(t.LineText, path)
		w := WaitingLine{Line: l}
		label := waitingKeys()[0]
		faults = append(append(faults, bad...), label.store(&w, path, []entry{{text: t.Label}})...)
		if i >= 0 {
			s.Lines[i] = w
		} else {
			added = append(added, w)
		}
	}
	if c.Front {
		s.Lines = append(added, s.Lines...)
	} else {
		s.Lines = append(s.Lines, added...)
	}
	if len(s.Lines) == 0 {
		s.Lines = nil
	}
	return faults
}

// taken takes the lines of a phone off the list of those that wait.
func (s *Site) taken(p Phone) {
	if len(s.Lines) == 0 {
		return
	}
	s.Lines = slices.DeleteFunc(s.Lines, func(w WaitingLine) bool {
		return slices.ContainsFunc(p.Lines, func(l Line) bool { return l.Name == w.Name })
	})
	if len(s.Lines) == 0 {
		s.Lines = nil
	}
}
