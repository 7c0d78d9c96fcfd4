package phonesim

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"phonebox/services/phone"
)

// Flash is what a phone keeps when its power is cut. It can be given to another [Phone] in Config, which then goes on
// where this one stopped.
type Flash struct {
	Application  string     `json:"application"`             // the image, without suffix; "" = none
	LoaderID     string     `json:"loader,omitempty"`        // LA_VERSION of the universal loader; "" = there is none
	Erased       bool       `json:"erased,omitempty"`        // the application was erased and the new one is not there (yet): Protocol Application Invalid
	Damaged      bool       `json:"damaged,omitempty"`       // nothing in it starts: the phone is dead for good
	Sync         string     `json:"sync,omitempty"`          // of the .cnf files
	ImageVersion string     `json:"image_version,omitempty"` // that a SIP application was told last
	TFTP         netip.Addr `json:"tftp,omitzero"`           // the TFTP server that it used last
	Address      netip.Addr `json:"address,omitzero"`        // of its lease: it asks for it again when it boots
}

// protocol returns what the application in flash speaks.
func (f Flash) protocol() phone.Protocol { return loadProtocol(f.Application) }

// Flash returns what is in the phone's flash now, at any time, while an image is being written too.
func (p *Phone) Flash() Flash {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs
}

// Writing returns the name of the image that is being written to flash, "" while none is. fatal tells that a power cut now
// would kill the phone: the only program that starts is being replaced (an image from before the universal loader, or the
// loader itself). An application behind the loader can be written again (phones.md c.6).
func (p *Phone) Writing() (what string, fatal bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writing.image, p.writing.fatal
}

// writing is an image on its way into the flash.
type writing struct {
	image string
	fatal bool
	takes time.Duration // of the phone's own time
	// change is what the flash holds afterwards.
	change func(*Flash)
}

// errDead ends the last boot of a phone.
var errDead = errors.New("the phone is damaged")

// write writes an image, which takes its time, and ends the boot: with errReset, with errDead where the image harms the
// phone, or with the cause for which the power went. Only the power ends it early, not the loss of a lease.
func (b *boot) write(w writing) error {
	if err := b.beginWriting(w); err != nil {
		return err
	}
	b.emit(EventFlash, w.image, "writes %s, lamps flashing", w.image)
	return b.endWriting(w, b.pause(b.power, w.takes))
}

// beginWriting erases what is to be overwritten, unless the power went just now.
func (b *boot) beginWriting(w writing) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := context.Cause(b.power); err != nil {
		return err
	}
	b.writing = w
	b.display = displayUpgrading
	b.res.WaitingFor, b.res.Problem = "the writing of "+w.image, ""
	if !w.fatal {
		b.runs.Application, b.runs.Erased = "", true
	}
	return nil
}

// endWriting leaves the flash as the end of the writing, or the cut in the middle of it (the cause in err), makes it.
func (b *boot) endWriting(w writing, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		err = context.Cause(b.power)
	}
	if err != nil {
		b.cutWritingLocked()
		return err
	}
	b.writing = writing{}
	w.change(&b.runs)
	if len(b.res.Flashed) < maxFlashed {
		b.res.Flashed = append(b.res.Flashed, w.image)
	}
	if b.runs.Damaged {
		b.res.Problem = w.image + " harmed it"
		return errDead
	}
	return errReset
}

// cutWritingLocked leaves the flash as a power cut makes it.
func (p *Phone) cutWritingLocked() {
	if p.writing.fatal {
		p.runs.Damaged = true
		p.res.Problem = "the power was cut while " + p.writing.image + " was written"
	}
	p.writing = writing{}
}

// maxFlashed bounds the list of a phone that a server sends round in circles.
const maxFlashed = 100

// harm records a fault when the phone is given an image that phones.md c.4 does not allow for what it runs, and reports it.
// A real phone may survive that; this one does not, so that nobody overlooks it.
func (b *boot) harm(load string, k kind) bool {
	f := b.Flash()
	if stepAllowed(f, k, load) {
		return false
	}
	b.fault("TFTP: it was given %s while running %s, which phones.md c.4 does not allow", load, b.flashed())
	return true
}

// flashed says what is in flash, for people.
func (p *Phone) flashed() string {
	f := p.Flash()
	switch {
	case f.Damaged:
		return "nothing that starts"
	case f.Application == "":
		return "no application"
	case f.LoaderID != "":
		return f.Application + " and the universal loader"
	}
	return f.Application
}
