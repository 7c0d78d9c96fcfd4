package phonesim

import (
	"context"
	"errors"
	"fmt"

	"phonebox/services/phone"
)

// errHuntOver tells that the loader has to begin its hunt again; it paused already.
var errHuntOver = errors.New("the hunt begins again")

// loader is the universal loader (phones.md a.4): it hunts for the name of a load, brings the flash up to date and starts
// the application. It is entered at every reset; only right after it wrote an application (fresh) does it start that at once.
func (b *boot) loader(ctx context.Context, fresh bool) error {
	if fresh { // without a search, so that an SCCP application has to ask for its configuration itself (phones.md a.1)
		return b.application(ctx, false)
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
		case load == "" && b.flash.Application == "":
			b.show(displayInvalid)
			b.waiting("XMLDefault.cnf.xml with a load for the "+b.cfg.Model, "Protocol Application Invalid: no application in flash and no load named")
			if err := b.pause(ctx, huntPause); err != nil {
				return err
			}
			continue
		}
		b.waiting("the start of "+b.flash.Application, "")
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
			b.toldLoad(load)
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
		load = b.runs.ImageVersion // what the SIP application was told last
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
	app, loaderID := b.runs.Application, b.runs.LoaderID
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
	b.refuse(name, err)
	if err := b.pause(ctx, huntPause); err != nil {
		return err
	}
	return errHuntOver
}

// refuse says why an image or a list was not usable, and remembers it for as long as the phone runs.
func (b *boot) refuse(name string, err error) {
	var refused *tftpError
	problem := "the transfer of " + name + " broke off"
	switch {
	case errors.As(err, &refused):
		problem = name + " is missing on the server"
	case errors.Is(err, errUnanswered), errors.Is(err, errBroken):
	default:
		problem = displayRefused + ": " + err.Error()
		b.fault("TFTP: %s: %v", name, err)
		b.showFirst(displayRefused)
	}
	b.waiting(name, problem)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.judge.trouble = problem
}

// writeLoader fetches the universal loader, writes it and resets. The id that it then has is the image's own: where the list
// says another, it does this again at each boot.
func (b *boot) writeLoader(ctx context.Context, list loads) error {
	data, err := b.fetch(ctx, list.loader, loaderSchedule())
	var payload []byte
	if err == nil {
		payload, err = openImage(list.loader, data)
	}
	if err != nil {
		return b.noImage(ctx, list.loader, err)
	}
	id := imageID(payload)
	if id != list.loaderID {
		b.fault("TFTP: %s is loader %q, the .loads file says LA_VERSION=%s: the phone writes it again at each boot", list.loader, id, list.loaderID)
	}
	return b.write(writing{list.loader, true, b.some(loaderFlash), func(f *Flash) { f.LoaderID = id }})
}

// writeApplication fetches the application, writes it and resets; the loader then starts it at once.
func (b *boot) writeApplication(ctx context.Context, list loads) error {
	data, err := b.fetch(ctx, list.application, loaderSchedule())
	if err == nil {
		_, err = openImage(list.application, data)
	}
	if err != nil {
		return b.noImage(ctx, list.application, err)
	}
	app, _, _ := cutSuffix(list.application)
	harmed := b.harm(app, application)
	return b.write(writing{list.application, false, b.some(appFlash), func(f *Flash) {
		f.Application, f.Erased, f.Damaged = app, false, harmed
		b.fresh = true
	}})
}

// application starts what is in flash. found tells a phone on SCCP that the hunt met a configuration.
func (b *boot) application(ctx context.Context, found bool) error {
	b.applicationRuns()
	b.mu.Lock()
	protocol := b.runs.protocol()
	b.mu.Unlock()
	b.show(displayFiles)
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
