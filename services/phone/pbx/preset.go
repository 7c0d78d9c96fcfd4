package pbx

import "slices"

// Preset is what a telephone system or provider wants of the phones.
type Preset struct {
	Key  string // asterisk-pjsip
	Name string // Asterisk (PJSIP)
	What string // for whom it is, a sentence
	// Provider says that somebody else runs it, in the internet: nothing is to be set up there but accounts.
	Provider bool
	Sets     []Setting
	Steps    []string // what else is to be done, a sentence each, in order
	// Write makes the text for the telephone system's side; File says where it belongs. nil = there is none.
	Write func(Office) string
	File  string
}

// Setting is one value that a preset sets.
type Setting struct {
	Key   string // of the site, or the name of a parameter in sip.parameters
	Value string // "" = a person has to fill it in, and it is shown as empty
	Why   string // a sentence
	Asked bool   // the value is a person's: nothing is filled in over what is there, but for what another preset filled in
	// Parameter says that Key is the name of a parameter.
	Parameter bool
}

// Presets returns all presets in the order in which people are shown them.
func Presets() []Preset { return slices.Clone(presets) }

// Lookup returns a preset by its key.
func Lookup(key string) (Preset, bool) {
	i := slices.IndexFunc(presets, func(p Preset) bool { return p.Key == key })
	if i < 0 {
		return Preset{}, false
	}
	return presets[i], true
}

// Left is a value that another preset left and that its successor does not set.
type Left struct {
	Setting
	Of    string // the name of that preset
	Stays bool   // a person filled it in for that preset, and has to decide
}

// Leaves returns what is left of other presets where this one takes their place: what they filled in and nobody changed since,
// which goes back, and what they asked a person for. value says what stands in a setting now.
func (p Preset) Leaves(value func(Setting) string) []Left {
	var out []Left
	for _, former := range presets {
		if former.Key == p.Key || !former.stands(value) {
			continue
		}
		for _, set := range former.Sets {
			now := value(set)
			own := p.find(set.Key)
			known := slices.ContainsFunc(out, func(l Left) bool { return l.Key == set.Key })
			switch {
			case now == "" || known || own != nil && !own.Asked:
			case set.Asked && own == nil:
				out = append(out, Left{Setting: set, Of: former.Name, Stays: true})
			case !set.Asked && now == set.Value:
				out = append(out, Left{Setting: set, Of: former.Name})
			}
		}
	}
	return out
}

// stands reports whether the settings are those of the preset. One that names its telephone system is known by that, whatever
// else a person changed; another by all that it fills in.
func (p Preset) stands(value func(Setting) string) bool {
	if proxy := p.find("sip.proxy"); proxy != nil && !proxy.Asked {
		return value(*proxy) == proxy.Value
	}
	return !slices.ContainsFunc(p.Sets, func(s Setting) bool { return !s.Asked && value(s) != s.Value })
}

// find returns what the preset says of a key; nil = nothing.
func (p Preset) find(key string) *Setting {
	i := slices.IndexFunc(p.Sets, func(s Setting) bool { return s.Key == key })
	if i < 0 {
		return nil
	}
	return &p.Sets[i]
}
