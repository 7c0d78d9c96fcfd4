package netdev

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"phonebox/services/dhcp"
	"phonebox/services/phone"
)

// Loopback is the wire of -try: always up, nobody else on it, and no frames. There the phones are their own relays.
type Loopback struct{}

// NewLoopback returns the wire of -try.
func NewLoopback() *Loopback { return &Loopback{} }

var _ dhcp.Wire = (*Loopback)(nil)

// Up is always true.
func (*Loopback) Up() bool { return true }

// Changes delivers true, once.
func (*Loopback) Changes() <-chan bool {
	c := make(chan bool, 1)
	c <- true
	return c
}

// State says that all is well.
func (*Loopback) State() State {
	return State{Condition: Ready, Text: "the box runs on loopback, without a wire"}
}

// DuplicateAddress finds nobody.
func (*Loopback) DuplicateAddress() (phone.MAC, bool) { return phone.MAC{}, false }

// Probe finds nobody.
func (*Loopback) Probe(ctx context.Context, _ netip.Addr, _ time.Duration) (phone.MAC, bool, error) {
	return phone.MAC{}, false, ctx.Err()
}

// MACOf finds nobody: through a relay the lease says whose an address is.
func (*Loopback) MACOf(ctx context.Context, _ netip.Addr) (phone.MAC, bool, error) {
	return phone.MAC{}, false, ctx.Err()
}

// Settling knows of no question.
func (*Loopback) Settling(netip.Addr) <-chan struct{} { return nil }

// SentBy knows nothing: loopback has no frames.
func (*Loopback) SentBy(context.Context, netip.AddrPort, phone.MAC) bool { return false }

// SendUDP always fails: loopback has no frames.
func (*Loopback) SendUDP(phone.MAC, netip.AddrPort, netip.AddrPort, []byte) error {
	return errors.New("sending a raw frame: loopback has none")
}

// Discover finds nobody, at once.
func (*Loopback) Discover(ctx context.Context, _ int, _ time.Duration) ([]dhcp.OtherServer, error) {
	return nil, ctx.Err()
}

// Overheard finds nobody.
func (*Loopback) Overheard() []dhcp.OtherServer { return nil }

// News delivers nothing.
func (*Loopback) News() <-chan struct{} { return nil }

// Neighbour does nothing: loopback needs no neighbour entries.
func (*Loopback) Neighbour(netip.Addr, phone.MAC) error { return nil }
