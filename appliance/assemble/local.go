package assemble

import (
	"context"
	"fmt"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/mdns"
	"phonebox/services/phone"
)

const (
	// keyLocalLabel is where the store keeps the box's name before .local, so that two boxes keep theirs.
	keyLocalLabel = "mdns/label"
	// localLabel is the one that the box would like to have; people and the certificate know it.
	localLabel = "phonebox"
	// localRetry is how long a failure to answer for the .local name is left alone. Nothing else depends on it.
	localRetry = 30 * time.Second
)

// mdnsConfig is the box's .local name and the page in lists of services. label is the one that the box had last.
func mdnsConfig(s *site.Site, iface, label string) mdns.Config {
	return mdns.Config{
		Interface: iface, Address: s.Network.Address, Host: localLabel, Last: label, Instance: s.Name, HTTP: portHTTP, HTTPS: portHTTPS,
	}
}

// makeLocal makes the answerer for the .local name; without a wire of its own the box has none.
func (b *Box) makeLocal(p plan) error {
	if b.opt.Try {
		return nil
	}
	var err error
	if b.mdns, err = mdns.New(p.mdns, mdns.Deps{Log: b.log.With("svc", "mdns"), Report: b.onLocal, Metrics: b.metrics}); err != nil {
		return fmt.Errorf("making mdns: %w", err)
	}
	return nil
}

func (b *Box) applyLocal(cfg mdns.Config) error {
	if b.mdns == nil {
		return nil
	}
	return b.mdns.Apply(cfg)
}

// localName is the name that is answered for now; "" = none.
func (b *Box) localName() string {
	if b.mdns == nil {
		return ""
	}
	return b.mdns.Name()
}

// lastLocalLabel reads the label of the last run; "" = none.
func (b *Box) lastLocalLabel(ctx context.Context) string {
	label, err := b.store.Value(ctx, keyLocalLabel)
	if err != nil {
		b.log.Warn("reading the last .local name", "err", err)
	}
	return string(label)
}

// localNames are the .local names of the page besides that which every box may have.
func (b *Box) localNames() []string {
	if label := b.label.Load(); label != nil && *label != "" && *label != localLabel {
		return []string{*label + ".local"}
	}
	return nil
}

// onLocal is called while settings change, too, so that what follows from a new name is left to [Box.followLocal].
func (b *Box) onLocal(e mdns.Event) {
	switch e.Kind {
	case mdns.EventDropped:
		b.unanswered.add("mdns", e.Reason, phone.MAC{}, e.From.Addr())
	case mdns.EventConflict:
		b.note("mdns", fmt.Sprintf("another host (%s) is called %s.local or shows the same name in lists; another name is looked for", e.From.Addr(), e.Label))
	case mdns.EventNamed:
		select {
		case b.labels <- e.Label:
		default: // several wait; the loop takes the name of then
		}
	}
}

// followLocal lets the page be reached under a new name, and keeps it for the next start.
func (b *Box) followLocal(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case label := <-b.labels:
			if old := b.label.Load(); old != nil && *old == label {
				continue
			}
			if err := b.takeLabel(ctx, label); err != nil {
				b.log.Warn("the page is not reached under its new name", "name", label+".local", "err", err)
			}
		}
	}
}

func (b *Box) takeLabel(ctx context.Context, label string) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	b.label.Store(&label)
	cur := b.current()
	cur.plan.web.Names = b.localNames()
	if err := b.web.Apply(cur.plan.web); err != nil {
		return err
	}
	b.mu.Lock()
	b.cur.plan.web.Names = cur.plan.web.Names
	b.mu.Unlock()
	b.note("mdns", fmt.Sprintf("the page is found at %s.local", label))
	if err := b.store.SetValue(ctx, keyLocalLabel, []byte(label)); err != nil {
		return fmt.Errorf("keeping the name: %w", err)
	}
	return nil
}

// answerLocal answers for the .local name for as long as it can.
func (b *Box) answerLocal(ctx context.Context) error {
	err := b.mdns.Run(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	b.log.Error("the .local name is not answered for", "svc", "mdns", "err", err, "retry", localRetry)
	select {
	case <-ctx.Done():
	case <-time.After(localRetry):
	}
	return nil
}
