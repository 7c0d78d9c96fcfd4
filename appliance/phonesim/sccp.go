package phonesim

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"phonebox/services/phone"
)

// sccp is the SCCP application behind the universal loader: files of its locale, none of which it needs, then quiet. While
// no configuration was found it goes on asking for one.
func (b *boot) sccp(ctx context.Context, found bool) error {
	for _, name := range []string{"/7960-font.xml", "US/7960-tones.xml"} {
		if _, err := b.fetch(ctx, name, loaderSchedule()); fatal(ctx, err) {
			return err
		}
	}
	for !found {
		load, ok, err := b.sccpConfig(ctx)
		if err != nil {
			return err
		}
		b.mu.Lock()
		other := load != "" && load != b.runs.app
		b.mu.Unlock()
		if other {
			return errReset // the loader fetches it
		}
		found = ok
	}
	return b.quiet(ctx)
}

// fatal reports an error that is no answer of the server: the context ended, or the machine refuses.
func fatal(ctx context.Context, err error) bool {
	var refused *tftpError
	return err != nil && (context.Cause(ctx) != nil ||
		!errors.As(err, &refused) && !errors.Is(err, errUnanswered) && !errors.Is(err, errBroken))
}

// sccpConfig asks for the configuration of an SCCP application: its own, then the default one. ok: one was there. When none
// was it has paused.
func (b *boot) sccpConfig(ctx context.Context) (load string, ok bool, err error) {
	own, def := "SEP"+b.cfg.MAC.Name()+".cnf.xml", "XMLDefault.cnf.xml"
	for _, f := range []struct{ name, root string }{{own, "device"}, {def, "Default"}} {
		data, err := b.fetch(ctx, f.name, loaderSchedule())
		if fatal(ctx, err) {
			return "", false, err
		}
		if err != nil {
			continue
		}
		load, err := loadInformation(data, f.root, b.cfg.Model)
		if err != nil {
			b.fault("TFTP: a phone cannot use %s: %v", f.name, err)
			continue
		}
		return load, true, nil
	}
	b.waiting(own, "neither "+own+" nor "+def+" is there")
	return "", false, b.pause(ctx, huntPause)
}

// quiet is an SCCP phone that has what it wants: ready after a minute without a hunt, then on for as long as it is let.
func (b *boot) quiet(ctx context.Context) error {
	b.waiting("a minute of quiet", "")
	if err := b.pause(ctx, phone.QuietTime); err != nil {
		return err
	}
	b.mu.Lock()
	wanted, runs := b.wantedLocked(), b.runs.app
	b.mu.Unlock()
	if wanted {
		b.finish(OutcomeReady)
		b.settled()
	} else {
		b.waiting("the load "+b.cfg.Want, fmt.Sprintf("the phone runs %s and no file names %s", runs, b.cfg.Want))
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// oldImage is an image without the universal loader (phones.md a.2, a.3): OS79XX.TXT decides the protocol, then the
// protocol's own files.
func (b *boot) oldImage(ctx context.Context) error {
	data, err := b.fetch(ctx, "OS79XX.TXT", loaderSchedule())
	if fatal(ctx, err) {
		return err
	}
	if err == nil {
		name := b.readOS79XX(data)
		// The third letter is the protocol's.
		if len(name) >= 4 && len(b.flash.app) >= 4 && name[2] != b.flash.app[2] {
			if err := b.writeOld(ctx, name); err != nil {
				return err
			}
		}
	}
	b.applicationRuns()
	if b.flash.protocol() == phone.SIP {
		return b.sip(ctx)
	}
	return b.sccpOld(ctx)
}

// readOS79XX returns the name in OS79XX.TXT as the phone reads it: up to the line feed, blanks included, so that a blank
// makes it ask for a name that nobody has (CSCdv19260, phones.md c.5).
func (b *boot) readOS79XX(data []byte) string {
	name, rest, _ := strings.Cut(string(data), "\n")
	if rest != "" || strings.TrimSpace(name) != name || name == "" {
		b.fault("TFTP: OS79XX.TXT holds %q, allowed is the name of an image and one line feed", data[:min(len(data), 80)])
	}
	return name
}

// sccpOld is SCCP up to 5.x.
func (b *boot) sccpOld(ctx context.Context) error {
	for {
		load, ok, err := b.sccpConfig(ctx)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if load == "" || load == b.flash.app {
			return b.quiet(ctx)
		}
		if err := b.writeOld(ctx, load); err != nil {
			return err
		}
		if err := b.pause(ctx, huntPause); err != nil {
			return err
		}
	}
}

// writeOld fetches an image as one without the universal loader does, writes it and resets: unsigned (.bin) before 5.x,
// signed (.sbn) from then on (phones.md c.3). It returns nil when the image was not to be had.
func (b *boot) writeOld(ctx context.Context, load string) error {
	signed := takesSigned(b.flash.app)
	name := load + ".bin"
	if signed {
		name = load + ".sbn"
	}
	data, err := b.fetch(ctx, name, loaderSchedule())
	if fatal(ctx, err) {
		return err
	}
	payload := data
	if err == nil && signed {
		payload, err = openSigned(name, data)
	} else if err == nil {
		if _, bad := parseContainer(data); bad == nil || len(data) == 0 {
			err = errors.New("found a signed or an empty file, an image before 5.x takes only unsigned ones")
		}
	}
	if err != nil {
		b.oldImageTrouble(name, err)
		return nil
	}
	loader := carriesLoader(load)
	return b.write(ctx, name, func(f *flash) {
		f.app = load
		if loader { // it takes the place of the application
			f.app, f.loaderID = "", imageID(payload)
		}
	}, loaderFlash)
}

// oldImageTrouble says why an image was not usable.
func (b *boot) oldImageTrouble(name string, err error) {
	var refused *tftpError
	if errors.As(err, &refused) || errors.Is(err, errUnanswered) || errors.Is(err, errBroken) {
		b.waiting(name, name+" was not to be had: "+err.Error())
		return
	}
	b.fault("TFTP: %s: %v", name, err)
	b.waiting(name, "Image Authentication Failed: "+err.Error())
}
