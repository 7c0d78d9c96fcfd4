package assemble

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"phonebox/services/phone"
)

// stopTime is how long the services have to end; with a card that answers the box as a whole stops in under two seconds.
const stopTime = 1500 * time.Millisecond

// Run serves until ctx ends, then stops everything and closes the store. It returns nil when ctx ended and nothing was lost.
func (b *Box) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var background sync.WaitGroup
	b.serveContext = life
	for name, run := range b.background() {
		background.Go(func() { b.keepBackground(life, name, run) })
	}
	if err := b.start(ctx, life); err != nil && ctx.Err() == nil {
		b.log.Error("starting", "err", err)
	}
	close(b.started)
	<-ctx.Done()
	b.log.Info("stopping")
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err := b.sup.stop(deadline)
	end()
	return errors.Join(err, b.save(&background))
}

// saveTime is how long a card may take for the last of the journal and for closing the store. It is far longer than a
// card that works needs.
const saveTime = 10 * time.Second

// save writes what is not on disk yet and closes the store. A card that no longer answers must not keep the box from
// stopping: what was acknowledged is on it already.
func (b *Box) save(background *sync.WaitGroup) error {
	saved := make(chan error, 1)
	go func() {
		background.Wait()
		b.settle() // a part that ended last may have had something to tell
		err := errors.Join(b.journal.Flush(), b.desk.kept.Flush(context.Background()))
		if closeErr := b.store.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("closing the store: %w", closeErr))
		}
		saved <- err
	}()
	select {
	case err := <-saved:
		return err
	case <-time.After(saveTime):
		return errors.New("saving the journal: the card does not answer; the last seconds of the journal are lost")
	}
}

// background are the parts that serve nobody directly.
func (b *Box) background() map[string]func(context.Context) error {
	parts := map[string]func(context.Context) error{"journal": b.journal.Run, "clock": b.clock.Run, "house keeping": b.houseKeeping, "conversions": b.director.Run, "questions": b.askWhatRuns, "events": b.keepEvents, "memory": b.rest, "changes": b.audit.run}
	parts["moves"] = b.followMoves
	parts["activity"], parts["proxy"] = b.activity.run, b.proxy.run
	parts["what phones got"] = b.desk.run
	if b.netdev != nil {
		parts["netdev"] = b.netdev.Run
	}
	if b.cdp != nil {
		parts["cdp"] = b.hearCDP
	}
	if b.mdns != nil {
		parts["local name"], parts["new local names"] = b.answerLocal, b.followLocal
	}
	if b.opt.OwnsMachine {
		parts["sticks"] = b.watchSticks
	}
	return parts
}

// houseKeepingEvery is how often the folder of files is looked through, so that firmware copied in by hand completes a
// load, and how often the journal hears whose leases run.
const houseKeepingEvery = 5 * time.Second

func (b *Box) houseKeeping(ctx context.Context) error {
	tick := time.NewTicker(houseKeepingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := b.provision.Rescan(); err != nil {
			b.log.Warn("looking through the files", "err", err)
		}
		b.tellLeases()
	}
}

// tellLeases tells the journal which of its phones have a lease now. There may be thirty times as many leases.
func (b *Box) tellLeases() {
	b.settle()
	leased := b.journal.MACs()
	leased = slices.DeleteFunc(leased, func(mac phone.MAC) bool {
		_, ok := b.dhcp.LeaseFor(mac)
		return !ok
	})
	b.journal.SetLeased(leased)
}

// keepEvents records what the services report.
func (b *Box) keepEvents(ctx context.Context) error { return b.recorder.run(ctx, b) }

// keepBackground runs a background part again when it fails.
func (b *Box) keepBackground(ctx context.Context, name string, run func(context.Context) error) {
	for ctx.Err() == nil {
		err := runGuarded(ctx, run)
		if ctx.Err() != nil {
			return
		}
		b.log.Error("part failed", "part", name, "err", err, "stack", stackOf(err))
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// start begins with all services at once. With -try the page comes first: the kernel chose its port, and the phones' files
// name it.
func (b *Box) start(ctx, life context.Context) error {
	if b.opt.Try {
		b.sup.enable(life, "web", true)
		select {
		case <-b.web.Ready():
		case <-ctx.Done():
			return ctx.Err()
		}
		b.mu.Lock()
		b.http = b.web.Addr()
		b.mu.Unlock()
	}
	b.changing.Lock()
	defer b.changing.Unlock()
	cur := b.current()
	cur.plan = b.planOf(cur.site)
	b.mu.Lock()
	b.cur = cur
	b.mu.Unlock()
	if err := b.provision.Apply(cur.plan.provision); err != nil {
		return fmt.Errorf("phones' files: %w", err)
	}
	b.enableServices(cur.plan)
	return nil
}

// enableServices starts and stops services as the plan says.
func (b *Box) enableServices(p plan) {
	for name, on := range p.enabled {
		b.sup.enable(b.serveContext, name, on)
	}
}

// Addrs are the addresses that the services were bound to; with -try the kernel chose the ports.
type Addrs struct{ DHCP, TFTP, SNTP, DNS, Web netip.AddrPort }

// WaitReady waits until every enabled service is bound and returns where.
func (b *Box) WaitReady(ctx context.Context) (Addrs, error) {
	for name, svc := range map[string]service{
		"web": b.web, "dhcp": b.dhcp, "tftp": b.tftp, "sntp": b.sntp, "dns": b.dns, "sip": b.sip,
	} {
		if !b.current().plan.enabled[name] {
			continue
		}
		select {
		case <-svc.Ready():
		case <-ctx.Done():
			return Addrs{}, fmt.Errorf("waiting for %s: %w", name, ctx.Err())
		}
	}
	return Addrs{DHCP: b.dhcp.Addr(), TFTP: b.tftp.Addr(), SNTP: b.sntp.Addr(), DNS: b.dns.Addr(), Web: b.web.Addr()}, nil
}
