package provision

import (
	"cmp"
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
		return r.startable(stay)
	}
	naming, why := guide.Naming(r.mac)
	if r.listed == nil && !r.settings.ConvertUnlisted && !naming.Finish && !namesOnly(naming, stay.LoadInformation) {
		r.p.deps.Log.Error("a phone that is not listed was to be told another load", "mac", r.mac, "runs", r.running.Load, "naming", fmt.Sprint(naming))
		return r.startable(stay)
	}
	if naming.Needs != "" {
		if ok, missing := r.shelf.served(naming.Needs); !ok {
			stay.why = missing
			return r.startable(stay)
		}
	}
	return r.startable(step{Naming: naming, why: why})
}

// startable leaves out the name of a load that the phone runs and that is not on the shelf. The universal loader reads the
// .loads list of the load that it is told at every start and, without it, begins its search again and again instead of
// starting what it has (phones.md a.4, a.1); told nothing, it starts that.
func (r *request) startable(s step) step {
	load, ok := phone.ParseLoad(s.LoadInformation)
	if s.Needs != "" || !ok || !load.Universal() {
		return s
	}
	if whole, missing := r.shelf.served(s.LoadInformation + ".loads"); !whole {
		return step{why: cmp.Or(s.why, "the phone is told no load and starts what it has: "+missing)}
	}
	return s
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
