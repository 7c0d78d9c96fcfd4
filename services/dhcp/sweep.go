package dhcp

import (
	"context"
	"net/netip"
	"time"
)

// sweepEvery is how often leases are ended. Whether an address is free does not depend on it.
const sweepEvery = time.Second

// sweep ends leases, takes over a clock that became right, and writes what nobody waits for.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.tidy(ctx)
	}
}

func (s *Server) tidy(ctx context.Context) {
	s.mu.Lock()
	loaded, retry := s.loaded, time.Since(s.lastTry) >= storeRetry
	s.mu.Unlock()
	if !loaded && retry {
		s.load(ctx)
	}
	eff := &effects{}
	s.locked(func() { s.tidyTable(eff, retry) })
	s.perform(eff, nil)
}

// tidyTable does what tidy does to the table; the caller holds the lock.
func (s *Server) tidyTable(eff *effects, retry bool) {
	m := s.moment()
	if m.Trusted && s.loaded && !s.trusted {
		s.trusted = true
		s.table.Trust(m)
		s.log.Info("clock is trusted, stored ends of leases count")
	}
	if n := s.table.Restamp(m); n > 0 {
		s.log.Info("clock was set, leases get their ends by the new time", "leases", n)
	}
	for _, rec := range s.table.Expire(m) {
		eff.unbind(rec.Address)
		still, _ := s.table.Other(rec.Key, rec.Address, m)
		eff.event(Event{
			Kind: EventExpire, Time: s.deps.Clock.Now(), MAC: macOf(&rec), Address: rec.Address, Still: still,
			VendorClass: rec.VendorClass, Hostname: rec.Hostname,
		})
	}
	s.checked.prune(func(_ netip.Addr, c check) bool { return !m.Mono.Before(c.until) })
	s.forgetOthers(m.Mono)
	if s.storeErr == nil || retry {
		s.flush(s.queue)
	}
	s.metrics.leases.Set(float64(s.table.Running(m)))
	untaken := 0
	if s.table.Promises() > untakenMost {
		untaken = s.table.Untaken(takeUp, m)
	}
	s.strangers.look(untaken)
	if s.phase.running() {
		s.phase = s.judge() // the detail follows the store's trouble
	}
}
