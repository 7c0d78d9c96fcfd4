package phonesim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"phonebox/services/phone"
)

// errHuntOver tells that the loader has to begin its hunt again; it paused already.
var errHuntOver = errors.New("the hunt begins again")

// loader is the universal loader (phones.md a.4): it hunts for the name of a load, brings the flash up to date and starts
// the application. It is entered at every reset; only right after it wrote an application does it start that at once.
func (b *boot) loader(ctx context.Context) error {
	if b.flash.fresh {
		return b.application(ctx, true)
	}
	for {
		load, found, err := b.hunt(ctx)
		if err == nil && load != "" {
			err = b.update(ctx, load)
		}
		switch {
		case errors.Is(err, errHuntOver):
			continue
		case err != nil:
			return err
		case load == "" && b.flash.app == "":
			b.waiting("XMLDefault.cnf.xml with a load for the "+b.cfg.Model, "Protocol Application Invalid: no application in flash and no load named")
			if err := b.pause(ctx, huntPause); err != nil {
				return err
			}
			continue
		}
		b.waiting("the start of "+b.flash.app, "")
		if err := b.pause(ctx, appStart); err != nil {
			return err
		}
		return b.application(ctx, found)
	}
}

// hunt asks for the five names of phones.md a.4 until one names a load. found tells that a file which configures the
// phone's application was there; load is "" where none named one.
func (b *boot) hunt(ctx context.Context) (load string, found bool, err error) {
	mac, sip := b.cfg.MAC.Name(), false
	for _, name := range []string{"CTLSEP" + mac + ".tlv", "SEP" + mac + ".cnf.xml", "SIP" + mac + ".cnf", "MGC" + mac + ".cnf", "XMLDefault.cnf.xml"} {
		data, err := b.fetch(ctx, name, loaderSchedule())
		if err != nil {
			if err := b.huntGoesOn(ctx, name, err); err != nil {
				return "", false, err
			}
			continue
		}
		load, err := b.namedLoad(ctx, name, data)
		if err != nil {
			return "", false, err
		}
		if load != "" {
			return load, true, nil
		}
		if file := phone.ParseFileName(name); file.Kind == phone.KindSIP {
			sip = true
		} else {
			found = true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.runs.protocol() != phone.SIP {
		return load, found, nil // SIP<MAC>.cnf configures no other application
	}
	if found = found || sip; found {
		load = b.runs.image // what the SIP application was told last
	}
	return load, found, nil
}

// huntGoesOn says what the failure to get a file means: nil, the next name; errHuntOver, from the beginning.
func (b *boot) huntGoesOn(ctx context.Context, name string, err error) error {
	var refused *tftpError
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case errors.As(err, &refused) && refused.code == codeNotFound:
		return nil
	case errors.As(err, &refused):
		b.waiting(name, fmt.Sprintf("the server answered with error code %d, which stops the loader's hunt", refused.code))
	case errors.Is(err, errUnanswered) && name != "SEP"+b.cfg.MAC.Name()+".cnf.xml":
		b.waiting(name, "the TFTP server does not answer")
		return nil
	case errors.Is(err, errUnanswered):
		b.waiting(name, "the TFTP server does not answer")
	case errors.Is(err, errBroken):
		b.waiting(name, "the transfer of "+name+" broke off")
		return b.again(ctx)
	default:
		return err
	}
	if err := b.pause(ctx, huntPause); err != nil {
		return err
	}
	return errHuntOver
}

// again pauses for a second before the cycle begins again at once.
func (b *boot) again(ctx context.Context) error {
	if err := b.pause(ctx, badSEPPause); err != nil {
		return err
	}
	return errHuntOver
}

// namedLoad reads the load out of a file of the hunt. An unusable SEP<MAC>.cnf.xml makes the loader ask for the first two
// files about once a second (phones.md a.8).
func (b *boot) namedLoad(ctx context.Context, name string, data []byte) (string, error) {
	switch name[:3] {
	case "CTL", "MGC":
		b.fault("TFTP: %s was sent, it must be missing", name)
		return "", nil
	case "SIP":
		c, faults := parseCNF(data)
		b.cnfFaults(name, faults)
		return c.get("image_version"), nil
	case "XML":
		load, err := loadInformation(data, "Default", b.cfg.Model)
		if err != nil {
			b.fault("TFTP: a phone cannot use %s: %v", name, err)
		}
		return load, nil
	}
	load, err := loadInformation(data, "device", b.cfg.Model)
	if err == nil && load == "" {
		err = errors.New("found no loadInformation")
	}
	if err != nil {
		b.fault("TFTP: a phone cannot use %s: %v", name, err)
		b.waiting(name, "the file cannot be used")
		return "", b.again(ctx)
	}
	return load, nil
}

// cnfFaults reports what is wrong with a .cnf file.
func (b *boot) cnfFaults(name string, faults []string) {
	for _, f := range faults {
		b.fault("TFTP: %s %s", name, f)
	}
}

// update brings the flash to the load: first the loader, then, a boot later, the application. It returns nil when
// both are what the .loads file lists, errReset after it wrote one.
func (b *boot) update(ctx context.Context, load string) error {
	name := load + ".loads"
	data, err := b.fetch(ctx, name, loaderSchedule())
	var list loads
	if err == nil {
		var payload []byte
		if payload, err = openSigned(name, data); err == nil {
			list, err = parseLoads(payload)
		}
	}
	if err != nil {
		return b.noImage(ctx, name, err)
	}
	b.mu.Lock()
	app, loaderID := b.runs.app, b.runs.loaderID
	b.mu.Unlock()
	if list.loaderID != loaderID {
		return b.writeLoader(ctx, list)
	}
	if want, _, _ := cutSuffix(list.application); want != app {
		return b.writeApplication(ctx, list)
	}
	return nil
}

// cutSuffix splits a file name at its last dot.
func cutSuffix(name string) (base, suffix string, ok bool) {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

// noImage says why a firmware file was not usable and begins the cycle again, as the loader does.
func (b *boot) noImage(ctx context.Context, name string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var refused *tftpError
	switch {
	case errors.As(err, &refused):
		b.waiting(name, name+" is missing on the server")
	case errors.Is(err, errUnanswered), errors.Is(err, errBroken):
		b.waiting(name, "the transfer of "+name+" broke off")
	default:
		b.fault("TFTP: %s: %v", name, err)
		b.waiting(name, "Image Authentication Failed: "+err.Error())
	}
	if err := b.pause(ctx, huntPause); err != nil {
		return err
	}
	return errHuntOver
}

// writeLoader fetches the universal loader, writes it and resets.
func (b *boot) writeLoader(ctx context.Context, list loads) error {
	data, err := b.fetch(ctx, list.loader, loaderSchedule())
	var payload []byte
	if err == nil {
		payload, err = openSigned(list.loader, data)
	}
	if err != nil {
		return b.noImage(ctx, list.loader, err)
	}
	id := imageID(payload)
	if id != list.loaderID {
		b.fault("TFTP: %s is loader %q, the .loads file says LA_VERSION=%s: the phone would write it again at each boot", list.loader, id, list.loaderID)
	}
	return b.write(ctx, list.loader, func(f *flash) { f.loaderID = list.loaderID }, loaderFlash)
}

// writeApplication fetches the application, writes it and resets; the loader then starts it at once.
func (b *boot) writeApplication(ctx context.Context, list loads) error {
	data, err := b.fetch(ctx, list.application, loaderSchedule())
	if err == nil {
		_, err = openSigned(list.application, data)
	}
	if err != nil {
		return b.noImage(ctx, list.application, err)
	}
	app, _, _ := cutSuffix(list.application)
	return b.write(ctx, list.application, func(f *flash) { f.app, f.fresh = app, true }, appFlash)
}

// write takes the time that flashing takes, changes the flash and resets.
func (b *boot) write(ctx context.Context, image string, change func(*flash), takes time.Duration) error {
	b.waiting("the writing of "+image, "")
	b.emit(EventFlash, image, "writes %s, lamps flashing", image)
	if err := b.pause(ctx, takes); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.runs)
	if len(b.res.Flashed) < maxFlashed {
		b.res.Flashed = append(b.res.Flashed, image)
	}
	return errReset
}

// maxFlashed bounds the list of a phone that a server sends round in circles.
const maxFlashed = 100

// application starts what is in flash. found tells a phone on SCCP that the hunt met a configuration.
func (b *boot) application(ctx context.Context, found bool) error {
	b.applicationRuns()
	b.mu.Lock()
	protocol := b.runs.protocol()
	b.mu.Unlock()
	switch protocol {
	case phone.SIP:
		return b.sip(ctx)
	case phone.SCCP:
		return b.sccp(ctx, found)
	}
	b.waiting("nothing", fmt.Sprintf("an application that speaks %q is not simulated", protocol))
	<-ctx.Done()
	return context.Cause(ctx)
}
