package provision

import (
	"fmt"
	"strings"

	"phonebox/services/phone"
)

// step is what the files name for one phone now.
type step struct {
	phone.Naming
	why string // why it is not on its way; "" where it is, where it arrived, or where nothing is wanted of it
}

// decide asks the guide what the phone is told; without one it is told the load that it was last seen running, or none
// when that is not known.
//
// Promises 6 and 9 are the guide's, and kept here as well, so that a mistake in one place strands nobody: a load is named
// only while its files are whole, and a phone that the site does not list is told nothing but the load that it runs, or
// the end of a step that began when the site listed it: it may have no application until then.
func (r *request) decide() step {
	stay := stayOn(r.running)
	guide := r.p.deps.Guide
	if guide == nil {
		return stay
	}
	naming, why := guide.Naming(r.mac)
	if r.listed == nil && !r.settings.ConvertUnlisted && !naming.Finish && !namesOnly(naming, stay.LoadInformation) {
		r.p.deps.Log.Error("a phone that is not listed was to be told another load", "mac", r.mac, "runs", r.running.Load, "naming", fmt.Sprint(naming))
		return stay
	}
	if naming.Needs != "" {
		if ok, missing := r.shelf.served(naming.Needs); !ok {
			stay.why = missing
			return stay
		}
	}
	return step{Naming: naming, why: why}
}

// stayOn names what a phone runs. The universal loader without an application is no load.
func stayOn(running Running) step {
	if load, _ := phone.ParseLoad(running.Load); load.Loader {
		return step{}
	}
	return step{Naming: phone.Stay(running.Load)}
}

// namesOnly reports whether the files name one load, or none.
func namesOnly(n phone.Naming, load string) bool {
	for _, named := range []string{n.OS79XX, n.ImageVersion, n.LoadInformation} {
		if named != "" && !strings.EqualFold(named, load) {
			return false
		}
	}
	return true
}
