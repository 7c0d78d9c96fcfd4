package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"phonebox/appliance/e2e/capacity/load"
	"phonebox/services/testkit/netns"
)

// The network that every server gets.
const (
	iface      = "eth0"
	serverIP   = "10.77.0.1"
	clientIP   = "10.77.0.2"
	network    = "10.77.0.0/16"
	netmask    = "255.255.0.0"
	domain     = "voice.home.arpa"
	poolFirst  = "10.77.1.0"
	poolSize   = 250 * 256 // at most: to 10.77.250.255
	serverMAC  = "02:00:00:00:77:01"
	namePrefix = "phonebox-capacity-"
)

// boxMAC is serverMAC for the loads.
var boxMAC = load.MAC{2, 0, 0, 0, 0x77, 1}

// lab is two network namespaces, joined by a cable: the servers in one, the load in the other.
type lab struct{ server, client string }

// newLab makes the namespaces. IPv6 is off in them, and the senders compute checksums, as on a wire.
func newLab() (*lab, error) {
	netns.Sweep(namePrefix)
	prefix := namePrefix + strconv.Itoa(os.Getpid())
	l := &lab{server: prefix + "-server", client: prefix + "-client"}
	for _, ns := range []string{l.server, l.client} {
		if err := ip("netns", "add", ns); err != nil {
			return nil, err
		}
		if err := netns.Do(ns, netns.WithoutIPv6); err != nil {
			return nil, fmt.Errorf("switching IPv6 off in %s: %w", ns, err)
		}
	}
	for _, line := range []string{
		fmt.Sprintf("-n %s link add %s address %s type veth peer name %s netns %s", l.server, iface, serverMAC, iface, l.client),
		fmt.Sprintf("-n %s addr add %s/16 brd + dev %s", l.server, serverIP, iface),
		fmt.Sprintf("-n %s addr add %s/16 brd + dev %s", l.client, clientIP, iface),
		fmt.Sprintf("-n %s link set lo up", l.server), fmt.Sprintf("-n %s link set lo up", l.client),
		fmt.Sprintf("-n %s link set %s up", l.server, iface), fmt.Sprintf("-n %s link set %s up", l.client, iface),
	} {
		if err := ip(strings.Fields(line)...); err != nil {
			return nil, err
		}
	}
	for _, ns := range []string{l.server, l.client} {
		if err := netns.Do(ns, func() error { return netns.SendChecksums(iface) }); err != nil {
			return nil, fmt.Errorf("asking %s for checksums: %w", ns, err)
		}
	}
	return l, nil
}

// fresh gives the server's side an empty neighbour table, as after a start.
func (l *lab) fresh() error { return ip("-n", l.server, "neigh", "flush", "all", "nud", "all") }

// close removes the namespaces and what still runs in them.
func (l *lab) close() {
	for _, ns := range []string{l.server, l.client} {
		_ = netns.Remove(ns)
	}
}

// wire opens a packet socket on the load's side.
func (l *lab) wire() (*load.Wire, error) {
	var w *load.Wire
	err := netns.Do(l.client, func() (err error) {
		w, err = load.Open(iface)
		return err
	})
	return w, err
}

// dial connects from the load's side.
func (l *lab) dial(proto, addr string) (net.Conn, error) {
	var c net.Conn
	err := netns.Do(l.client, func() (err error) {
		c, err = net.DialTimeout(proto, addr, dialPatience)
		return err
	})
	return c, err
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
