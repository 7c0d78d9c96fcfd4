package provision

import (
	"fmt"
	"strings"

	"phonebox/services/phone"
)

// step is what the files name for one phone now.
type step struct {
	phone.Naming
	why string // why it is not on its way to the target; "" where it is, or where there is none
}

// decide keeps promises 6 and 9: a phone is told the target only when the site lists it (or converts all), when a
// single safe step leads there from what it runs, and when the load of that step is whole on the shelf. Else it is told
// the load that it was last seen running, or none when that is not known.
func decide(s *settings, sh *shelf, mac phone.MAC, running Running) step {
	current, _ := phone.ParseLoad(running.Load)
	stay := step{Naming: phone.Stay(running.Load)}
	if current.Loader { // no application was seen: the loader's name is no load
		stay = step{}
	}
	listed := s.listed[mac]
	if s.Target == "" || listed == nil && !s.ConvertUnlisted {
		return stay
	}
	models := []string{running.Model}
	if listed != nil {
		models = append(models, listed.Model)
	}
	for _, model := range models {
		if model != "" && model != "7940" && model != "7960" {
			stay.why = fmt.Sprintf("the phone is a %s, and %s is for the 7940 and 7960", model, s.Target)
			return stay
		}
	}
	target, ok := phone.ParseLoad(s.Target)
	if !ok {
		stay.why = fmt.Sprintf("firmware.target %s is not the name of a load of the 7940 and 7960", s.Target)
		return stay
	}
	bundleLoader := ""
	if l, ok := sh.load(target.Name); ok {
		target.Name = l.Name // in the spelling of the shelf
		bundleLoader = l.Loader
	}
	if strings.EqualFold(current.Name, target.Name) {
		return stay
	}
	if running.Load != "" && current.IsZero() {
		stay.why = fmt.Sprintf("the phone runs %s, from which no step to %s is known", running.Load, target.Name)
		return stay
	}
	naming, err := phone.NextStep(current, running.Loader, target, bundleLoader)
	if err != nil {
		stay.why = err.Error()
		return stay
	}
	if ok, why := sh.served(naming.Needs); !ok {
		stay.why = why
		return stay
	}
	return step{Naming: naming}
}
