package netdev

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// originProtocol marks the addresses and routes that we set, so that a later process knows them as the box's own. It is
// none of those that rtnetlink(7) and routing programs use.
const originProtocol = 77

// manage makes the interface what the settings say. Where the interface is away there is nothing to do.
func (d *Device) manage(cfg Config) error {
	if d.managed != "" && d.managed != cfg.Interface {
		if err := unmanage(d.managed); err != nil {
			d.log.Warn("leaving the interface", "iface", d.managed, "err", err)
		}
	}
	d.managed = cfg.Interface
	f, err := observe(cfg.Interface)
	if err != nil || !f.present {
		return err
	}
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: f.index, Name: f.name}}
	if !f.on {
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("switching %s on: %w", cfg.Interface, err)
		}
	}
	return errors.Join(setAddress(f, cfg.Address), setRoute(link, cfg.Gateway))
}

// unmanage takes our addresses off an interface that the settings no longer name.
func unmanage(name string) error {
	f, err := observe(name)
	if err != nil || !f.present {
		return err
	}
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: f.index, Name: name}}
	return errors.Join(setRoute(link, netip.Addr{}), removeAddresses(f, netip.Prefix{}))
}

// setAddress removes what we set earlier and sets the address. An address that somebody else set is left alone.
func setAddress(f facts, want netip.Prefix) error {
	// First the old ones: with the first address of a subnet the kernel removes the others of that subnet, too.
	if err := removeAddresses(f, want); err != nil {
		return err
	}
	now, err := dump(func() ([]address, error) { return addresses(f.index) })
	if err != nil {
		return fmt.Errorf("reading the addresses of %s: %w", f.name, err)
	}
	if slices.ContainsFunc(now, func(a address) bool { return a.prefix == want }) {
		return nil
	}
	if err := addAddress(f.index, want); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("setting %s on %s: %w", want, f.name, err)
	}
	return nil
}

// removeAddresses removes the addresses that we set, but for one.
func removeAddresses(f facts, but netip.Prefix) error {
	for _, a := range f.addrs {
		if !a.ours || a.prefix == but {
			continue
		}
		if err := removeAddress(f.index, a.prefix); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("removing %s from %s: %w", a.prefix, f.name, err)
		}
	}
	return nil
}

// setRoute makes gateway the default route, and removes a default route that we set earlier.
func setRoute(link netlink.Link, gateway netip.Addr) error {
	name := link.Attrs().Name
	routes, err := dump(func() ([]netlink.Route, error) { return netlink.RouteList(link, netlink.FAMILY_V4) })
	if err != nil {
		return fmt.Errorf("reading the routes of %s: %w", name, err)
	}
	there := false
	for _, r := range routes {
		if r.Dst != nil && !isDefault(r.Dst) {
			continue
		}
		via, _ := netip.AddrFromSlice(r.Gw)
		if via = via.Unmap(); gateway.IsValid() && via == gateway {
			there = true
			continue
		}
		if r.Protocol != originProtocol {
			continue
		}
		if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("removing the route through %s: %w", via, err)
		}
	}
	if there || !gateway.IsValid() {
		return nil
	}
	err = netlink.RouteReplace(&netlink.Route{
		LinkIndex: link.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		Gw: gateway.AsSlice(), Protocol: originProtocol,
	})
	if err != nil {
		return fmt.Errorf("setting the route through %s: %w", gateway, err)
	}
	return nil
}

func isDefault(n *net.IPNet) bool {
	ones, _ := n.Mask.Size()
	return ones == 0 && n.IP.IsUnspecified()
}

// raiseLimits lifts the kernel's limits of neighbours, which are too low for a few hundred phones and those who ask for
// addresses that nobody has. They are of the whole machine: in a namespace they don't exist. A limit that is higher
// already stays.
func (d *Device) raiseLimits() {
	for _, l := range []struct {
		name string
		min  int
	}{{"gc_thresh3", 16384}, {"gc_thresh2", 8192}, {"gc_thresh1", 2048}} {
		path := filepath.Join(d.limits, l.name)
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return
		}
		if err == nil {
			var now int
			if now, err = strconv.Atoi(strings.TrimSpace(string(b))); err == nil && now < l.min {
				err = os.WriteFile(path, []byte(strconv.Itoa(l.min)), 0)
			}
		}
		if err != nil {
			d.log.Warn("raising the neighbour limit", "file", path, "err", err)
		}
	}
}
