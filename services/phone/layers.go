package phone

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Layer is one place where values are set, by parameter name in any case.
type Layer struct {
	Name   string // for people: "the site", "the model 7960", "this phone", "line 2"
	Values map[string]string
	// Shared layers hold for every phone alike, so that SIPDefault.cnf carries them: the site. Where none is marked, the
	// lowest one is.
	Shared bool
}

// The names of what decides where no layer of people does. A Layer of the name FromPhonebox holds what phonebox derives
// itself (the zone's parameters, its own URLs); it is the only one that can set a Reserved parameter.
const (
	FromDefault  = "default"
	FromPhonebox = "phonebox"
)

// The files of [Effective.Written].
const (
	FileSIPDefault = "SIPDefault.cnf"
	FileSIPMAC     = "SIP<MAC>.cnf"
)

// Effective is what holds for one parameter of one phone, and why.
type Effective struct {
	Parameter Parameter // of a name that the catalogue does not know only Name, Type, Secret and their like are filled
	Value     string    // secrets are not masked
	From      string    // the Layer's name that decides; "default" where none sets it, "phonebox" for what phonebox decides itself
	Hidden    []Setting // what lower layers say and does not count, nearest first
	Written   string    // the file in which it is written: SIPDefault.cnf, SIP<MAC>.cnf or "" (not written)
}

// Setting is a value in a layer.
type Setting struct{ From, Value string }

// Merge lays layers over each other, the lowest first (the site, the model, the phone, a line), and returns what holds
// for a phone of that model ("" = not known): every parameter of the catalogue that the model has, then every other
// name that is set, sorted. What is set for a line that the model does not have is listed and not written.
//
// Values are as the writers of the files take them; Merge checks none of them.
func Merge(model string, layers []Layer) []Effective {
	set, names := stack(layers)
	list := make([]Effective, 0, len(catalogue)+4)
	for _, p := range catalogue {
		key := strings.ToLower(p.Name)
		if said := set[key]; len(said) > 0 || p.On(model) {
			list = append(list, effective(p, model, said))
		}
		delete(set, key)
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		list = append(list, effective(unknownParameter(names[key]), model, set[key]))
	}
	return list
}

// said is a value in a layer and whether that layer is shared.
type said struct {
	Setting
	shared bool
}

// stack sorts what the layers say by name in lower case, the highest layer first, and returns the names as the highest
// layer writes them. Of one name in two cases within a layer the same one counts as in the writers.
func stack(layers []Layer) (set map[string][]said, names map[string]string) {
	set, names = map[string][]said{}, map[string]string{}
	marked := slices.ContainsFunc(layers, func(l Layer) bool { return l.Shared })
	for i, l := range slices.Backward(layers) {
		own := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(l.Values)) {
			own[strings.ToLower(name)] = name
		}
		for key, name := range own {
			if _, higher := names[key]; !higher {
				names[key] = name
			}
			value := norm.NFC.String(l.Values[name])
			set[key] = append(set[key], said{Setting{l.Name, value}, l.Shared || !marked && i == 0})
		}
	}
	return set, names
}

// effective is what holds for one parameter of what the layers say, the highest first.
func effective(p Parameter, model string, layers []said) Effective {
	e := Effective{Parameter: p, Value: p.Default, From: FromDefault}
	if p.Reserved {
		e.From = FromPhonebox
	}
	decided := false
	for _, s := range layers {
		if !decided && (!p.Reserved || s.From == FromPhonebox) {
			decided = true
			e.Value, e.From, e.Written = s.Value, s.From, FileSIPMAC
			if s.shared && !p.PhoneFile {
				e.Written = FileSIPDefault
			}
			continue
		}
		e.Hidden = append(e.Hidden, s.Setting)
	}
	switch {
	case decided:
	case p.Managed && p.PhoneFile:
		e.Written = FileSIPMAC
	case p.Managed:
		e.Written = FileSIPDefault
	}
	if !p.On(model) && strings.HasPrefix(p.Name, "line") {
		e.Written = ""
	}
	return e
}
