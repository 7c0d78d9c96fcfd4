package provision

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"phonebox/services/phone"
)

// request is one question on its way to an answer.
type request struct {
	p        *Provisioner
	ctx      context.Context
	query    Query
	file     phone.FileName
	settings *settings
	shelf    *shelf

	mac     phone.MAC // whom the answer is for; zero = not known
	listed  *Phone    // nil = the site does not list it
	held    bool      // who asks is mac, and no other
	running Running
	step    step
}

// answer finds out who asks, lets nobody have what is another's, and goes by the kind of the name.
func (r *request) answer() Answer {
	if refusal, ok := r.identify(); !ok {
		return refusal
	}
	switch r.file.Kind {
	case phone.KindTrustList:
		return Answer{Status: Harmless, Why: "phonebox has no trust lists; the phone goes on to its next file at once"}
	case phone.KindMGC:
		return Answer{Status: Harmless, Why: "phonebox does not do MGCP; the phone goes on to its next file at once"}
	case phone.KindLoads, phone.KindLoader, phone.KindApplication:
		return r.firmware()
	}
	if !generated(r.file.Kind) {
		return r.other()
	}
	if r.listed != nil && r.listed.OwnFiles {
		if a := r.ownFile(); a.Status == OK {
			return a
		}
	}
	if !r.mac.IsZero() {
		r.step = r.decide()
	}
	return r.generate()
}

// other is a name that is a file of the folder, or a dial plan under a name that the site chose for it.
func (r *request) other() Answer {
	a := r.ownFile()
	if a.Status == Missing && r.file.Kind == phone.KindOther && strings.EqualFold(r.file.Clean, r.settings.dialTemplate(r.listed, r.model())+".xml") {
		return xml(r.settings.dialPlan())
	}
	return a
}

// model is that of the phone, as the site says or as it was learnt.
func (r *request) model() string {
	if r.listed != nil && r.listed.Model != "" {
		return r.listed.Model
	}
	return r.running.Model
}

// identify finds the phone that the answer is for, and keeps promise 4: a name with a MAC is that phone's alone, and a
// name without one belongs to the phone last seen at the address, if that is still who asks; else to nobody.
func (r *request) identify() (refusal Answer, ok bool) {
	preview := !r.query.From.IsValid()
	switch {
	case !r.file.MAC.IsZero():
		r.mac = r.file.MAC
		if preview && !r.query.MAC.IsZero() && r.query.MAC != r.mac {
			return Answer{Status: Refused, Why: fmt.Sprintf("this file belongs to the phone %s", r.mac)}, false
		}
	case preview:
		r.mac = r.query.MAC
	default:
		r.mac, _ = r.p.deps.Observer.At(r.query.From)
	}
	if r.mac.IsZero() {
		return Answer{}, true
	}
	r.listed = r.settings.listed[r.mac]
	r.running = r.p.deps.Observer.Running(r.mac)
	if preview || !r.guarded() {
		r.held = preview
		return Answer{}, true
	}
	held, why := r.p.deps.Guard.Holds(r.ctx, r.query.From, r.mac)
	switch {
	case held:
		r.held = true
		return Answer{}, true
	case !r.file.MAC.IsZero():
		return Answer{Status: Refused, Why: fmt.Sprintf("this file is for the phone %s alone, and who asks is not known to be it: %s", r.mac, why)}, false
	case r.file.Kind.IsFirmware() && r.isPhone(): // maybe a phone that is not listed, at the address of one that is
		return Answer{Status: Refused, Why: fmt.Sprintf("%s is not sent, because who asks is not known to be the phone %s that was last seen at its address: %s", r.file.Clean, r.mac, why)}, false
	case r.file.Kind.IsFirmware():
		return Answer{}, true
	}
	r.mac, r.listed, r.running = phone.MAC{}, nil, Running{} // another is at the address now
	return Answer{}, true
}

// guarded reports whether the answer depends on it that who asks is who it seems to be: names with a MAC (but for
// open_config, and for those that hold nothing), files that name a load, and own files.
func (r *request) guarded() bool {
	switch r.file.Kind {
	case phone.KindTrustList, phone.KindMGC:
		return false
	case phone.KindLoader, phone.KindApplication:
		return r.p.deps.Guide != nil || !r.file.MAC.IsZero() // the guide says whether this phone may have it
	case phone.KindOS79XX, phone.KindXMLDefault, phone.KindSIPDefault:
		return r.listed != nil // the others are told nothing that depends on who they are
	case phone.KindRingList, phone.KindDialPlan, phone.KindSyncInfo, phone.KindSEPOld:
		return !r.file.MAC.IsZero() || r.listed != nil && r.listed.OwnFiles
	}
	return !r.file.MAC.IsZero() && (r.listed == nil || !r.listed.OpenConfig)
}

// generate makes the file that is asked for.
func (r *request) generate() Answer {
	switch r.file.Kind {
	case phone.KindOS79XX:
		return r.os79xx()
	case phone.KindSEP:
		return r.sep()
	case phone.KindXMLDefault:
		return r.xmlDefault()
	case phone.KindSIPDefault:
		return r.sipDefault()
	case phone.KindSIP:
		return r.sipPhone()
	case phone.KindRingList:
		return text(r.shelf.listed())
	case phone.KindDialPlan:
		return xml(r.settings.dialPlan())
	case phone.KindSyncInfo:
		return xml(phone.WriteSyncInfo())
	}
	return Answer{Status: Missing, Why: "this firmware is too old to read XML, and phonebox has no such file: only OS79XX.TXT can move the phone to a newer load"}
}

// os79xx tells images from before the universal loader which protocol or load to go on with: the name and one LF,
// because a blank would become part of the name that the phone asks for (phones.md c.5).
func (r *request) os79xx() Answer {
	if r.listed == nil {
		return Answer{Status: Harmless, Why: "who asks is not listed in the site, so no load is named; the phone keeps its protocol"}
	}
	if r.step.OS79XX == "" {
		return Answer{Status: Harmless, Why: r.why("no load is named, so the phone keeps its protocol")}
	}
	a := text([]byte(r.step.OS79XX + "\n"))
	a.Load, a.Why = r.step.OS79XX, r.step.why
	return a
}

// sep tells the universal loader and SCCP images which load to start. For a phone that the site does not list it is the
// load that the phone was seen running, or nothing (promise 9).
func (r *request) sep() Answer {
	load := r.step.LoadInformation
	switch {
	case load != "":
		a := xml(phone.WriteSEP(protocolOf(load), load))
		a.Load, a.Why = load, r.step.why
		return a
	case r.listed == nil:
		return Answer{Status: Missing, Why: "the site does not list this phone and its load is not known, so it is told none: add it to the site"}
	case r.step.why != "":
		return Answer{Status: Missing, Why: r.step.why}
	case r.step.OS79XX != "":
		return Answer{Status: Harmless, Why: "OS79XX.TXT and image_version move this phone on; it needs no load here"}
	case r.running.Protocol == phone.SCCP:
		return Answer{Status: Missing, Why: "the load of this SCCP phone is not known and the site names none: set firmware.target"}
	}
	return Answer{Status: Harmless, Why: "the load of this phone is not known and the site names none; a SIP phone goes on with " + sipName(r.mac)}
}

// xmlDefault is made for the one listed phone that asks. Everybody else gets none: a phone that is not listed must not
// be told a load by a file without a MAC in its name, and one without a load is of no use to the loader.
func (r *request) xmlDefault() Answer {
	switch {
	case r.listed == nil:
		return Answer{Status: Missing, Why: "who asks is not listed in the site, so it is told no load: add it to the site"}
	case r.step.LoadInformation == "":
		return Answer{Status: Missing, Why: r.why("no load is named")}
	}
	a := xml(phone.WriteXMLDefault(r.step.LoadInformation, r.settings.sccpServer))
	a.Load, a.Why = r.step.LoadInformation, r.step.why
	return a
}

// sipDefault is the same for all phones but for image_version, which only a listed phone is told.
func (r *request) sipDefault() Answer {
	load := ""
	if r.listed != nil {
		load = r.step.ImageVersion
	}
	content, err := r.settings.sipDefault(load)
	if err != nil {
		return r.unwritable(err)
	}
	a := text(content)
	a.Load, a.Why = load, r.step.why
	return a
}

// sipPhone is the phone's own configuration, with its passwords.
func (r *request) sipPhone() Answer {
	if r.listed == nil {
		return Answer{Status: Missing, Why: fmt.Sprintf("the site does not list the phone %s: add it to the site", r.mac)}
	}
	if r.staysSCCP() {
		return Answer{Status: Missing, Why: r.why("the phone runs SCCP and is told no SIP load; with this file its loader would look for a SIP application that it does not have")}
	}
	values := r.settings.phoneValues(r.listed, r.model())
	file, err := phone.WriteSIPMAC(values, r.model(), r.step.ImageVersion)
	if err != nil {
		return r.unwritable(err)
	}
	a := text(file.Content)
	a.Secret = holdsSecret(values)
	a.Load, a.Why = r.step.ImageVersion, r.step.why
	return a
}

// staysSCCP reports whether the phone runs SCCP under the universal loader and is not on its way to SIP. The loader
// goes by the first file that exists, and SIP<MAC>.cnf comes before XMLDefault.cnf.xml (phones.md a.4).
func (r *request) staysSCCP() bool {
	return r.running.Loader && r.running.Protocol == phone.SCCP && protocolOf(r.step.ImageVersion) != phone.SIP
}

// why is the reason of the step, or another sentence where there is none.
func (r *request) why(other string) string {
	if r.step.why != "" {
		return r.step.why
	}
	return other
}

// unwritable can only be reached by a load with an impossible name: the settings were proved when they were applied.
func (r *request) unwritable(err error) Answer {
	r.p.deps.Log.Error("file of a phone can't be written", "file", r.file.Clean, "err", err)
	return Answer{Status: Missing, Why: "the file can't be written: " + err.Error()}
}

func sipName(mac phone.MAC) string { return "SIP" + mac.Name() + ".cnf" }

func text(content []byte) Answer { return made(content, "text/plain; charset=iso-8859-1") }
func xml(content []byte) Answer  { return made(content, "text/xml") }

func made(content []byte, contentType string) Answer {
	return Answer{Status: OK, Content: bytes.NewReader(content), Bytes: content, Size: int64(len(content)), ContentType: contentType, Generated: true}
}
