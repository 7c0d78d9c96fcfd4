package phonesim

import (
	"context"
	"errors"

	"phonebox/services/phone"
)

// sccp is the SCCP application behind the universal loader: files of its locale, none of which it needs, then quiet. While
// no configuration was found it goes on asking for one.
func (b *boot) sccp(ctx context.Context, found bool) error {
	b.show(displayCallAgent)
	for _, name := range []string{"/7960-font.xml", "US/7960-tones.xml"} {
		if _, err := b.fetch(ctx, name, loaderSchedule()); fatal(ctx, err) {
			return err
		}
	}
	for {
		if found {
			if err := b.quiet(ctx); err != nil {
				return err
			}
		}
		load, ok, err := b.sccpConfig(ctx)
		if err != nil {
			return err
		}
		if load != "" && load != b.flash.Application {
			return errReset // the loader fetches it
		}
		if !ok {
			if err := b.pause(ctx, huntPause); err != nil {
				return err
			}
		}
		found = ok
	}
}

// fatal reports an error that is no answer of the server: the context ended, or the machine refuses.
func fatal(ctx context.Context, err error) bool {
	var refused *tftpError
	return err != nil && (context.Cause(ctx) != nil ||
		!errors.As(err, &refused) && !errors.Is(err, errUnanswered) && !errors.Is(err, errBroken))
}

// sccpConfig asks for the configuration of an SCCP application: its own, then the default one. ok: one was there.
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
		b.toldLoad(load)
		return load, true, nil
	}
	b.toldLoad("")
	if !b.unmet() {
		b.waiting(own, "neither "+own+" nor "+def+" is there")
	}
	return "", false, nil
}

// quiet is an SCCP phone that has its configuration. With the load that it should run it is ready after a minute without a
// hunt, and stays so for as long as it is let. With another it looks for a new configuration after a while (nil): no call
// agent answers it, and somebody may offer it the load later.
func (b *boot) quiet(ctx context.Context) error {
	if b.unmet() {
		return b.pause(ctx, b.some(idleHunt))
	}
	b.waiting("a minute of quiet", "")
	if err := b.pause(ctx, phone.QuietTime); err != nil {
		return err
	}
	b.finish(OutcomeReady)
	b.settled()
	<-ctx.Done()
	return context.Cause(ctx)
}
