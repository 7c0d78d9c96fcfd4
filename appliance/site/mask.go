package site

import "fmt"

// Mask stands for a secret that is set, where secrets are not shown.
const Mask = "********"

// Unmask puts the secrets of old where s has masks: of a parameter by its name, of a phone by its MAC, of a line by its
// name and else by its place; a line keeps its password when it goes from [[lines]] to a phone or back. It returns a fault, without a line, for each mask that stands for nothing.
func Unmask(s, old *Site) []Fault {
	unmask(s, old)
	var faults []Fault
	s.secrets(func(path string, secret string) string {
		if secret == Mask {
			faults = append(faults, Fault{Key: path, Found: "a masked password", Allowed: "the password itself"})
		}
		return secret
	})
	return faults
}

func unmask(s, old *Site) {
	unmaskParameters(s.SIP.Parameters, old.SIP.Parameters)
	unmaskParameters(s.SIP.Forced, old.SIP.Forced)
	for model, params := range s.Models {
		unmaskParameters(params, old.Models[model])
	}
	phones := map[string]*Phone{}
	for i := range old.Phones {
		phones[old.Phones[i].MAC.String()] = &old.Phones[i]
	}
	for i := range s.Phones {
		if before, ok := phones[s.Phones[i].MAC.String()]; ok {
			unmaskPhone(&s.Phones[i], before)
		}
	}
	unmaskMoved(s, old)
}

// unmaskMoved gives a line its password that went from the lines that wait to a phone, or back.
func unmaskMoved(s, old *Site) {
	waiting, had := map[string]string{}, map[string]string{}
	for _, l := range old.Lines {
		waiting[l.Name] = l.Password
	}
	for _, p := range old.Phones {
		for _, l := range p.Lines {
			had[l.Name] = l.Password
		}
	}
	for i := range s.Phones {
		for j := range s.Phones[i].Lines {
			unmaskLine(&s.Phones[i].Lines[j], waiting)
		}
	}
	for i := range s.Lines {
		unmaskLine(&s.Lines[i].Line, waiting, had)
	}
}

// unmaskLine takes the first password that one of the lists has for the line.
func unmaskLine(l *Line, lists ...map[string]string) {
	for _, list := range lists {
		if password, ok := list[l.Name]; ok && l.Password == Mask {
			l.Password = password
		}
	}
}

func unmaskPhone(p, old *Phone) {
	unmaskParameters(p.Parameters, old.Parameters)
	unmaskParameters(p.Forced, old.Forced)
	names := map[string]string{}
	for _, l := range old.Lines {
		names[l.Name] = l.Password
	}
	kept := map[string]bool{}
	for _, l := range p.Lines {
		kept[l.Name] = true
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		if l.Password != Mask {
			continue
		}
		if password, ok := names[l.Name]; ok {
			l.Password = password
		} else if i < len(old.Lines) && !kept[old.Lines[i].Name] {
			// The line got another name; a line that only moved keeps its own password.
			l.Password = old.Lines[i].Password
		}
	}
}

func unmaskParameters(params, old map[string]string) {
	for name, value := range params {
		if before, ok := old[name]; ok && value == Mask && SecretParameter(name) {
			params[name] = before
		}
	}
}

// secrets calls change for every secret and stores what it returns.
func (s *Site) secrets(change func(path, secret string) string) {
	parameters := func(path string, params map[string]string) {
		for name, value := range params {
			if SecretParameter(name) {
				params[name] = change(join(path, name), value)
			}
		}
	}
	parameters("sip.parameters", s.SIP.Parameters)
	parameters("sip.forced", s.SIP.Forced)
	for model, params := range s.Models {
		parameters("models."+model+".parameters", params)
	}
	for i := range s.Lines {
		s.Lines[i].Password = change(fmt.Sprintf("lines[%d].password", i), s.Lines[i].Password)
	}
	for i := range s.Phones {
		p := &s.Phones[i]
		path := fmt.Sprintf("phones[%d]", i)
		for j := range p.Lines {
			p.Lines[j].Password = change(fmt.Sprintf("%s.lines[%d].password", path, j), p.Lines[j].Password)
		}
		parameters(path+".parameters", p.Parameters)
		parameters(path+".forced", p.Forced)
	}
}

// Masked returns a copy in which every secret that is set is the [Mask].
func (s *Site) Masked() *Site {
	out := s.Clone()
	out.secrets(func(_, secret string) string {
		if secret == "" {
			return ""
		}
		return Mask
	})
	return out
}
