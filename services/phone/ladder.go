package phone

import "fmt"

// Naming is what the files say to one phone so that it stays on its load or takes one step (phones.md c.5). An empty
// field means that the file names no load, or is not there.
type Naming struct {
	OS79XX          string // OS79XX.TXT, which only images without the universal loader read
	ImageVersion    string // image_version in SIPDefault.cnf and SIP<MAC>.cnf
	LoadInformation string // loadInformation in SEP<MAC>.cnf.xml and XMLDefault.cnf.xml
	// Needs is the file of the shelf with which the step begins, P0S3-8-12-00.loads or P0S3-05-3-00.bin: the load that it
	// belongs to must be whole before anything of this is said. "" for Stay.
	Needs string
}

// Stay names the load that the phone runs in every file, so that it keeps it. With "" nothing names a load.
func Stay(running string) Naming {
	return Naming{OS79XX: running, ImageVersion: running, LoadInformation: running}
}

// NextStep says what the files must name so that a phone takes the one step from what it runs to target, or why there is
// no such step (a sentence for people). running is zero where it is not known; loader tells that the universal loader
// was seen. bundleLoader is the loader image of the target's bundle (P003-8-12-00), "" where there is none or it is not
// known.
//
// Only single steps that phones.md c.4 allows are known; where an intermediate load would be needed, the error names it,
// and no file may name the target.
func NextStep(running LoadName, loader bool, target LoadName, bundleLoader string) (Naming, error) {
	if running.Loader { // a loader without application is no load
		loader, running = true, LoadName{}
	}
	loader = loader || running.Universal()
	needs := target.Name + ".loads"
	switch {
	case target.Loader || target.Protocol != SIP && target.Protocol != SCCP:
		return Naming{}, fmt.Errorf("%s is not the name of a SIP or SCCP load", target.Name)
	case target.Name == running.Name:
		return Naming{target.Name, target.Name, target.Name, ""}, nil
	case loader && target.Universal():
		if running.Protocol == SIP && target.Protocol == SCCP && target.Version[0] < 7 {
			return Naming{}, fmt.Errorf("from SIP a phone goes to SCCP 7.x or later, not to %s", target.Name)
		}
		return Naming{target.Name, target.Name, target.Name, needs}, nil
	case loader:
		return Naming{}, fmt.Errorf("the phone has the universal loader, which starts SIP 7.x, SCCP 6.x and later, not %s", target.Name)
	case running.IsZero():
		return Naming{}, fmt.Errorf("it is not known which load the phone runs, so no step to %s is safe", target.Name)
	case target.Universal():
		return firstPhase(running, target, bundleLoader, needs)
	}
	return singleImage(running, target)
}

// firstPhase installs the universal loader of the target's bundle; the loader then asks for the target itself. Only
// SCCP 5.x and SIP 6.x take it.
func firstPhase(running, target LoadName, bundleLoader, needs string) (Naming, error) {
	switch {
	case running.Protocol == SCCP && running.Version[0] < 5:
		return Naming{}, fmt.Errorf("a phone on %s needs SCCP 5.x (P00305000500) before %s", running.Name, target.Name)
	case running.Protocol == SIP && target.Protocol == SCCP:
		return Naming{}, fmt.Errorf("a phone on %s needs SIP 7.x before %s", running.Name, target.Name)
	case running.Protocol == SIP && running.Version[0] < 6:
		return Naming{}, fmt.Errorf("a phone on %s needs SIP %s before %s", running.Name, rung(running), target.Name)
	case running.Protocol != SCCP && running.Protocol != SIP:
		return Naming{}, fmt.Errorf("no step from %s to %s is known", running.Name, target.Name)
	case target.Protocol == SCCP: // the loader of an SCCP bundle bears the name of the load
		return Naming{target.Name, target.Name, target.Name, needs}, nil
	case bundleLoader == "":
		return Naming{}, fmt.Errorf("the loader image of %s is not known, and a phone on %s needs it first", target.Name, running.Name)
	}
	return Naming{OS79XX: bundleLoader, ImageVersion: target.Name, LoadInformation: bundleLoader, Needs: needs}, nil
}

// rung is the next SIP release that phones.md c.4 wants after an old one.
func rung(running LoadName) string {
	switch {
	case !running.atLeast(2, 3):
		return "2.3 (P0S30203)"
	case !running.atLeast(4, 4):
		return "4.4 (P0S3-04-4-00)"
	case !running.atLeast(5, 2):
		return "5.3 (P0S3-05-3-00)"
	}
	return "6.x (P0S3-06-3-00)"
}

// singleImage goes between loads from before the universal loader, which are one image each.
func singleImage(running, target LoadName) (Naming, error) {
	suffix := ".bin"
	if running.Signed() {
		suffix = ".sbn"
	}
	step := Naming{OS79XX: target.Name, ImageVersion: target.Name, LoadInformation: target.Name, Needs: target.Name + suffix}
	v := target.Version
	switch {
	case running.Protocol == SIP && target.Protocol == SIP:
		var allowed bool
		switch rung(running)[0] {
		case '2':
			allowed = v[0] == 2 && v[1] == 3
		case '4':
			allowed = v[0] == 4 && v[1] == 4
		case '5':
			allowed = v[0] == 5 && v[1] == 3
		case '6':
			allowed = v[0] == 6
		}
		if allowed {
			step.LoadInformation = "" // SIP images don't read it
			return step, nil
		}
		return Naming{}, fmt.Errorf("a phone on %s goes to SIP %s next, not to %s", running.Name, rung(running), target.Name)
	case running.Protocol == SCCP && target.Protocol == SIP && running.Version[0] == 5 && (v[0] == 5 || v[0] == 6):
		step.LoadInformation = "" // OS79XX.TXT moves it to the other protocol
		return step, nil
	case running.Protocol == SCCP && target.Protocol == SCCP && running.atLeast(3, 1) && running.Version[0] < 5 && v[0] == 5:
		return step, nil
	}
	return Naming{}, fmt.Errorf("no single step from %s to %s is known", running.Name, target.Name)
}
