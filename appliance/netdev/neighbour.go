package netdev

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// maxNeighbours bounds the entries; it is the size of the largest subnet that a pool may fill.
const maxNeighbours = 1 << 16

// neighbour is a permanent entry of the kernel's table.
type neighbour struct {
	mac phone.MAC
	set bool // the kernel has it, as far as is known
}

// Neighbour implements dhcp.Wire: it binds an address to a hardware address in the kernel's table, permanently, until
// it is called with the zero MAC. What it says is remembered while the interface is away and set when it returns. An
// address beyond the wire (a relayed phone's) needs no entry and is not an error.
func (d *Device) Neighbour(addr netip.Addr, mac phone.MAC) error {
	w, cfg, away := d.attached()
	d.neighbourMu.Lock()
	defer d.neighbourMu.Unlock()
	_, known := d.neighbours[addr]
	switch {
	case mac.IsZero():
		delete(d.neighbours, addr)
	case !known && len(d.neighbours) >= maxNeighbours:
		return fmt.Errorf("setting the neighbour entry of %s: there are %d already", addr, maxNeighbours)
	default:
		d.neighbours[addr] = neighbour{mac: mac}
	}
	if away != nil || !cfg.Address.Contains(addr) {
		return nil // set once the interface is there, or never
	}
	d.early.await(addr, mac)
	if mac.IsZero() {
		return removeNeighbour(w.index, addr)
	}
	return d.set(w.index, addr, mac)
}

// bound reports whether the kernel sends to mac, and to nobody else, what is for an address.
func (d *Device) bound(addr netip.Addr, mac phone.MAC) bool {
	d.neighbourMu.Lock()
	defer d.neighbourMu.Unlock()
	return d.neighbours[addr] == neighbour{mac: mac, set: true}
}

// set gives the kernel an entry; the caller holds the lock.
func (d *Device) set(index int, addr netip.Addr, mac phone.MAC) error {
	there, err := setNeighbour(index, addr, mac)
	d.neighbours[addr] = neighbour{mac: mac, set: there}
	return err
}

// setNeighbour reports whether the kernel took the entry. That the interface is gone is no error.
func setNeighbour(index int, addr netip.Addr, mac phone.MAC) (bool, error) {
	err := netlink.NeighSet(&netlink.Neigh{
		LinkIndex: index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT,
		IP: addr.AsSlice(), HardwareAddr: net.HardwareAddr(mac[:]),
	})
	if err != nil && !interfaceGone(err) {
		return false, fmt.Errorf("setting the neighbour entry of %s: %w", addr, err)
	}
	return err == nil, nil
}

func removeNeighbour(index int, addr netip.Addr) error {
	err := netlink.NeighDel(&netlink.Neigh{LinkIndex: index, Family: netlink.FAMILY_V4, IP: addr.AsSlice()})
	if err != nil && !errors.Is(err, unix.ENOENT) && !interfaceGone(err) {
		return fmt.Errorf("removing the neighbour entry of %s: %w", addr, err)
	}
	return nil
}

// interfaceGone reports errors of an interface that is away or switched off: its entries went with it, and come back
// with it.
func interfaceGone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENETDOWN)
}

// reconcileNeighbours makes the kernel's permanent entries what they should be: switching an interface off drops them.
// Where the box owns the interface, entries that nobody asked for are removed: they are of a box that was killed.
func (d *Device) reconcileNeighbours(cfg Config, f facts) error {
	if !f.present || !f.on {
		return nil
	}
	d.neighbourMu.Lock()
	defer d.neighbourMu.Unlock()
	entries, err := dump(func() ([]permanent, error) { return permanentNeighbours(f.index) })
	if err != nil {
		return fmt.Errorf("reading the neighbour table: %w", err)
	}
	var faults []error
	right := make(map[netip.Addr]bool, len(entries))
	for _, e := range entries {
		wanted, ok := d.neighbours[e.addr]
		switch {
		case ok && cfg.Address.Contains(e.addr):
			right[e.addr] = wanted.mac == e.mac
		case cfg.Manage:
			faults = append(faults, removeNeighbour(f.index, e.addr))
		}
	}
	for addr, n := range d.neighbours {
		if cfg.Address.Contains(addr) && !right[addr] {
			faults = append(faults, d.set(f.index, addr, n.mac))
		}
	}
	return firstOf(faults)
}

// removeNeighbours takes our entries out of the kernel's table and keeps them in mind for the next Run.
func (d *Device) removeNeighbours() error {
	w, cfg, err := d.attached()
	if err != nil {
		return nil // they went with the interface
	}
	d.neighbourMu.Lock()
	defer d.neighbourMu.Unlock()
	var faults []error
	for addr, n := range d.neighbours {
		d.neighbours[addr] = neighbour{mac: n.mac}
		if cfg.Address.Contains(addr) {
			faults = append(faults, removeNeighbour(w.index, addr))
		}
	}
	return firstOf(faults)
}

// firstOf returns the first error: a hundred entries fail for the same reason.
func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func macOf(h net.HardwareAddr) (m phone.MAC) {
	copy(m[:], h)
	return m
}
