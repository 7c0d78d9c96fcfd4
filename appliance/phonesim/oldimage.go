package phonesim

import (
	"context"
	"fmt"
	"strings"

	"phonebox/services/phone"
)

// oldImage is an image without the universal loader (phones.md a.2, a.3): OS79XX.TXT decides the protocol, then the
// protocol's own files. On SCCP it begins again and again while no file gives it what it wants.
func (b *boot) oldImage(ctx context.Context) error {
	for {
		b.show(displayFiles)
		data, err := b.fetch(ctx, "OS79XX.TXT", loaderSchedule())
		if fatal(ctx, err) {
			return err
		}
		if err == nil {
			if name := b.readOS79XX(data); b.movedBy(name) {
				if err := b.writeOld(ctx, name); err != nil {
					return err
				}
			}
		}
		b.applicationRuns()
		switch {
		case b.flash.protocol() == phone.SIP:
			return b.sip(ctx)
		case b.flash.protocol() == phone.MGCP:
			return b.application(ctx, false)
		case readsXML(b.flash.Application):
			err = b.sccpOld(ctx)
		default:
			err = b.sccpBeforeXML(ctx)
		}
		if err != nil {
			return err
		}
	}
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

// movedBy reports whether the name in OS79XX.TXT makes the image load another (phones.md a.1): the first four characters
// are compared, and only a third one that differs, the protocol's, counts. An SCCP image from before XML compares the whole
// name: only OS79XX.TXT can move it to a newer SCCP (VI3), which has the same four.
func (b *boot) movedBy(name string) bool {
	const compared = 4
	runs := b.flash.Application
	if len(name) < compared || len(runs) < compared {
		return false
	}
	if b.flash.protocol() == phone.SCCP && !readsXML(runs) && name != runs {
		b.toldLoad(name)
		return true
	}
	if name[:compared] == runs[:compared] || name[2] == runs[2] {
		return false
	}
	b.toldLoad(name)
	return true
}

// sccpOld is SCCP from 3.1 to 5.x. It returns nil when it is time to begin again.
func (b *boot) sccpOld(ctx context.Context) error {
	load, ok, err := b.sccpConfig(ctx)
	switch {
	case err != nil:
		return err
	case ok && (load == "" || load == b.flash.Application):
		b.show(displayCallAgent)
		return b.quiet(ctx)
	case ok:
		if err := b.writeOld(ctx, load); err != nil {
			return err
		}
	}
	return b.pause(ctx, b.some(idleHunt))
}

// sccpBeforeXML is SCCP that knows only SEPDefault.cnf and asks for it over and over (VI3). What stands in it is not known
// here: any content will do. It returns nil when it is time to begin again.
func (b *boot) sccpBeforeXML(ctx context.Context) error {
	for range oldAsks {
		_, err := b.fetch(ctx, "SEPDefault.cnf", loaderSchedule())
		if fatal(ctx, err) {
			return err
		}
		if err == nil {
			b.show(displayCallAgent)
			return b.quiet(ctx)
		}
		if !b.unmet() {
			b.waiting("SEPDefault.cnf", "it knows no XML: only OS79XX.TXT can move it to a newer image")
		}
		if err := b.pause(ctx, oldWait); err != nil {
			return err
		}
	}
	return nil
}

// writeOld fetches an image as one without the universal loader does, writes it and resets: unsigned (.bin) before 5.x,
// signed (.sbn) from then on (phones.md c.3). It returns nil when the image was not to be had, was refused, or has a name
// that the running image cannot ask for (c.1).
func (b *boot) writeOld(ctx context.Context, load string) error {
	const shortName = 8
	if len(load) > shortName && !knowsLongNames(b.flash.Application) {
		problem := fmt.Sprintf("%s cannot ask for %s: it knows names of %d characters", b.flash.Application, load, shortName)
		b.waiting(load, problem)
		b.mu.Lock()
		b.judge.trouble = problem
		b.mu.Unlock()
		return nil
	}
	name, open := load+".bin", openUnsigned
	if takesSigned(b.flash.Application) {
		name, open = load+".sbn", openImage
	}
	data, err := b.fetch(ctx, name, loaderSchedule())
	if fatal(ctx, err) {
		return err
	}
	payload := data
	if err == nil {
		payload, err = open(name, data)
	}
	if err != nil {
		b.refuse(name, err)
		return nil
	}
	return b.replace(name, load, payload)
}

// replace writes an image over the one that runs. What an unsigned file truly holds, whatever its name, is what runs then.
func (b *boot) replace(name, load string, payload []byte) error {
	if inside := imageName(payload); inside != "" && inside != load {
		b.fault("TFTP: %s holds the image %s: it was renamed", name, inside)
		load = inside
	}
	w := writing{image: name, fatal: true, takes: b.some(oldFlash)}
	id, loader := imageID(payload), carriesLoader(load)
	k := single
	if loader {
		k, w.takes = loaderImage, b.some(loaderFlash)
	}
	harmed := b.harm(load, k)
	w.change = func(f *Flash) {
		f.Application, f.Damaged = load, harmed
		if loader { // it takes the place of the application
			f.Application, f.LoaderID, f.Erased = "", id, true
		}
	}
	return b.write(w)
}
