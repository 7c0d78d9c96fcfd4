package phonesim

import (
	"context"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// keepLease renews the lease until ctx ends (nil). A lease that is refused or runs out resets the phone (errReset).
func (p *Phone) keepLease(ctx context.Context, lease Lease) error {
	times, got := lease.Times, time.Now()
	for {
		if p.cfg.Renew > 0 && times.Lease > 0 {
			times.T1 = min(times.T1, p.cfg.Renew)
		}
		if times.Lease == 0 || sleep(ctx, time.Until(got.Add(times.T1))) != nil {
			if times.Lease == 0 {
				<-ctx.Done() // a lease without an end
			}
			return nil
		}
		ack, rebound, err := p.extend(ctx, lease, got, times)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if ack == nil {
			p.mu.Lock()
			p.runs.Address, p.res.Address = netip.Addr{}, netip.Addr{}
			p.res.Renewals.Failed++
			p.res.Renewals.Lost++
			p.mu.Unlock()
			p.emit(EventDHCP, "", "lost its lease of %s", lease.Address.Addr())
			return errReset
		}
		renewed, faults := readLease(ack)
		for _, f := range faults {
			p.fault("DHCP renewal: %s", f)
		}
		times, got = renewed.Times, time.Now()
		p.mu.Lock()
		if rebound {
			p.res.Renewals.Rebound++
		} else {
			p.res.Renewals.Renewed++
		}
		p.mu.Unlock()
		p.emit(EventDHCP, "", "renewed %s for %s", lease.Address.Addr(), times.Lease)
	}
}

// extend asks the server from T1 on, everybody from T2 on, each time after half of what remains but at least 60 s
// (RFC 2131, 4.4.5). nil: refused, or the lease ran out. rebound tells that everybody was asked.
func (p *Phone) extend(ctx context.Context, lease Lease, got time.Time, times LeaseTimes) (ack *dhcpv4.DHCPv4, rebound bool, err error) {
	addr, lost := lease.Address.Addr(), uint64(0)
	for first := true; ; first = false {
		until, server := got.Add(times.T2), lease.Server
		if time.Until(until) <= 0 {
			until, server = got.Add(times.Lease), netip.Addr{}
		}
		remains := time.Until(until)
		if remains <= 0 {
			return nil, false, nil
		}
		if !first {
			p.sentAgain(lost, func(r *Retransmissions) { r.DHCP++ })
		}
		m := p.message(dhcpv4.MessageTypeRequest, time.Now())
		m.ClientIPAddr = addr.AsSlice()
		lost = p.lostFrames()
		if err := p.nic.SendDHCP(m, server); err != nil {
			return nil, false, err
		}
		a, err := p.answer(ctx, m, min(remains, max(remains/2, time.Minute)), isAckOrNak)
		if err != nil {
			return nil, false, err
		}
		if a != nil {
			return p.acknowledged(a, addr), !server.IsValid(), nil
		}
	}
}
