package netdev

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"phonebox/services/phone"
)

const (
	// probes is how often an address is asked for within the wait (PROBE_NUM of RFC 5227).
	probes = 3
	// holderWait is how long MACOf waits for an answer, so that with settle it takes a second; holderRepeat is when it
	// asks again.
	holderWait   = 900 * time.Millisecond
	holderRepeat = 250 * time.Millisecond
	// settle is how long after the first answer a second host may contradict it.
	settle = 100 * time.Millisecond
	// silence is how long MACOf remembers that nobody answered.
	silence = time.Second
	// defendInterval is how long after one announcement in defence of the box's address none follows (DEFEND_INTERVAL of
	// RFC 5227).
	defendInterval = 10 * time.Second
	// duplicateRecheck is how often a duplicate is looked for again once there was one, duplicateWait how long.
	duplicateRecheck = time.Minute
	duplicateWait    = time.Second
)

// Probe implements dhcp.Wire. It asks by ARP and returns the first host that answers. It asks in the name of the box's
// address where the box has that for sure: a question from 0.0.0.0 is what a host that is just about to take the address
// must believe to come from another such host (RFC 5227 section 2.1.1), and gives the address up for. Elsewhere, and for
// the box's own address, where others that use it are looked for, it claims no address. An address beyond the wire, behind
// a router or a relay, is asked by ICMP echo instead; who answers then has no MAC here: it is zero.
func (d *Device) Probe(ctx context.Context, addr netip.Addr, wait time.Duration) (phone.MAC, bool, error) {
	w, cfg, err := d.current()
	if err != nil {
		return phone.MAC{}, false, fmt.Errorf("probing %s: %w", addr, err)
	}
	if !addr.Is4() {
		return phone.MAC{}, false, fmt.Errorf("probing %s: allowed is an IPv4 address", addr)
	}
	if !cfg.Address.Contains(addr) {
		there, err := d.echoes.ask(ctx, addr, wait)
		if err != nil {
			return phone.MAC{}, false, fmt.Errorf("probing %s: %w", addr, err)
		}
		return phone.MAC{}, there, nil
	}
	answers, cancel, err := d.listeners.add(addr)
	if err != nil {
		return phone.MAC{}, false, fmt.Errorf("probing %s: %w", addr, err)
	}
	defer cancel()
	frame := d.questionFor(w.mac, cfg.Address.Addr(), addr).marshal()
	if err := w.send(frame); err != nil {
		return phone.MAC{}, false, fmt.Errorf("probing %s: %w", addr, err)
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	again := time.NewTicker(max(wait/probes, time.Millisecond))
	defer again.Stop()
	for sent := 1; ; {
		select {
		case a := <-answers:
			return a.sender, true, nil
		case <-over.C:
			return phone.MAC{}, false, nil
		case <-ctx.Done():
			return phone.MAC{}, false, fmt.Errorf("probing %s: %w", addr, ctx.Err())
		case <-again.C:
			if sent == probes {
				continue
			}
			sent++
			if err := w.send(frame); err != nil {
				return phone.MAC{}, false, fmt.Errorf("probing %s: %w", addr, err)
			}
		}
	}
}

// questionFor is how Probe asks for an address.
func (d *Device) questionFor(own phone.MAC, box, addr netip.Addr) arpPacket {
	_, duplicate := d.DuplicateAddress()
	if addr == box || duplicate || d.State().Condition != Ready {
		return probeFor(own, addr)
	}
	return requestFor(own, box, addr)
}

// MACOf returns the hardware address that the frames of addr carry, and whether exactly one host holds the address: it
// is false where nobody answers, where two do, and where a host's frames carry another address than its ARP packets
// name. The answer is from the wire, at most Config.Freshness old and forgotten at the first packet that contradicts
// it; the kernel's table, which holds what we wrote ourselves, is not looked at. It takes a second at most. An address
// beyond the wire is an error, and so is a wire that is not there.
func (d *Device) MACOf(ctx context.Context, addr netip.Addr) (phone.MAC, bool, error) {
	w, cfg, err := d.current()
	if err != nil {
		return phone.MAC{}, false, fmt.Errorf("asking who has %s: %w", addr, err)
	}
	if !d.Up() {
		return phone.MAC{}, false, fmt.Errorf("asking who has %s: %s", addr, d.State().Text)
	}
	if addr == cfg.Address.Addr() {
		return w.mac, true, nil
	}
	if !cfg.Address.Contains(addr) {
		return phone.MAC{}, false, fmt.Errorf("asking who has %s: it is not of the wire's subnet %s", addr, cfg.Address.Masked())
	}
	if h, ok := d.holders.get(addr, cfg.fresh()); ok {
		return h.mac, h.one, nil
	}
	mac, one, err := d.resolve(ctx, w, cfg, addr)
	if err != nil {
		return phone.MAC{}, false, fmt.Errorf("asking who has %s: %w", addr, err)
	}
	return mac, one, nil
}

// resolve asks the wire, hears everybody who answers and remembers what that says. A zero MAC says that nobody did, or
// that they differ.
func (d *Device) resolve(ctx context.Context, w *wire, cfg Config, addr netip.Addr) (phone.MAC, bool, error) {
	answers, cancel, err := d.listeners.add(addr)
	if err != nil {
		return phone.MAC{}, false, err
	}
	defer cancel()
	mac, one, err := ask(ctx, w, cfg, addr, answers)
	if err != nil {
		return phone.MAC{}, false, err
	}
	d.holders.put(addr, mac, one, cfg.fresh())
	// What came since the wait ended contradicts it as well. hear hands a packet to those who listen before it tells the
	// holders, so that none falls between the two.
	for {
		select {
		case a := <-answers:
			if a.sender != mac || a.frame != mac {
				d.holders.forget(addr)
				return phone.MAC{}, false, nil
			}
		default:
			return mac, one, nil
		}
	}
}

// ask asks the wire and waits for those who answer.
func ask(ctx context.Context, w *wire, cfg Config, addr netip.Addr, answers <-chan answer) (phone.MAC, bool, error) {
	frame := requestFor(w.mac, cfg.Address.Addr(), addr).marshal()
	if err := w.send(frame); err != nil {
		return phone.MAC{}, false, err
	}
	over := time.NewTimer(holderWait)
	defer over.Stop()
	again := time.NewTicker(holderRepeat)
	defer again.Stop()
	var first phone.MAC
	for {
		select {
		case a := <-answers:
			if a.sender != a.frame || (!first.IsZero() && a.sender != first) {
				return phone.MAC{}, false, nil
			}
			if first.IsZero() {
				first = a.sender
				over.Reset(settle)
				again.Stop()
			}
		case <-over.C:
			return first, !first.IsZero(), nil
		case <-ctx.Done():
			return phone.MAC{}, false, ctx.Err()
		case <-again.C:
			if err := w.send(frame); err != nil {
				return phone.MAC{}, false, err
			}
		}
	}
}

// DuplicateAddress returns another host that uses the box's address, and false while none was seen. The box probes
// its address whenever the wire comes up and listens all the time.
func (d *Device) DuplicateAddress() (phone.MAC, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.duplicate, !d.duplicate.IsZero()
}

// sawDuplicate notes who uses the box's address; the zero MAC says that nobody does any more. It reports whether that is
// news.
func (d *Device) sawDuplicate(mac phone.MAC) bool {
	d.mu.Lock()
	changed := d.duplicate != mac
	d.duplicate = mac
	d.mu.Unlock()
	if changed {
		d.look()
		d.tell()
	}
	return changed
}

// defend announces the box's address once when another host begins to use it (RFC 5227 section 2.4), where the address
// was the box's first. It does not go on: two hosts that fight for an address both lose it, and people have to settle it.
func (d *Device) defend() {
	d.mu.Lock()
	now := time.Now()
	due := d.owned && d.cfg.Manage && now.Sub(d.defended) >= defendInterval
	if due {
		d.defended = now
	}
	d.mu.Unlock()
	if due {
		d.announce()
	}
}

// checkSoon has the box's own address probed.
func (d *Device) checkSoon() {
	select {
	case d.check <- struct{}{}:
	default:
	}
}

// watchOwnAddress probes the box's address when asked to, and goes on while another host uses it.
func (d *Device) watchOwnAddress(ctx context.Context) {
	tick := time.NewTicker(duplicateRecheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.check:
		case <-tick.C:
			if _, found := d.DuplicateAddress(); !found {
				continue
			}
		}
		cfg := d.config()
		mac, found, err := d.Probe(ctx, cfg.Address.Addr(), duplicateWait)
		if err != nil || cfg.Address != d.config().Address {
			continue // the wire is gone, or the address another: it is asked again when that changed
		}
		d.sawDuplicate(mac)
		d.mu.Lock()
		d.owned = !found
		d.mu.Unlock()
		if !found && cfg.Manage {
			d.announce()
		}
	}
}

// announce tells the wire that the address is ours: a host may remember who had it before.
func (d *Device) announce() {
	w, cfg, err := d.current()
	if err == nil {
		err = w.send(announcement(w.mac, cfg.Address.Addr()).marshal())
	}
	if err != nil {
		d.log.Info("announcing the address", "iface", cfg.Interface, "err", err)
	}
}

// SendUDP implements dhcp.Wire: it sends a datagram in a frame of its own to a host that has no address yet. Both
// checksums are set. It returns once the kernel has taken the frame.
func (d *Device) SendUDP(to phone.MAC, src, dst netip.AddrPort, payload []byte) error {
	w, _, err := d.current()
	if err != nil {
		return fmt.Errorf("sending a frame to %s: %w", to, err)
	}
	frame, err := udpFrame{From: w.mac, To: to, Src: src, Dst: dst, Payload: payload}.marshal()
	if err != nil {
		return fmt.Errorf("sending a frame to %s: %w", to, err)
	}
	if err := w.send(frame); err != nil {
		return fmt.Errorf("sending a frame to %s: %w", to, err)
	}
	return nil
}
