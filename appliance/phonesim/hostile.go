package phonesim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/services/phone"
)

// HostileKind is a way to do harm on a voice VLAN.
type HostileKind string

// The kinds.
const (
	HostileStarve    HostileKind = "starve"    // made-up hardware addresses take leases: DISCOVER and REQUEST
	HostileFlood     HostileKind = "flood"     // the same without the REQUEST
	HostileDecline   HostileKind = "decline"   // forged DHCPDECLINE of the phones' addresses, in the name of the phone
	HostileRelease   HostileKind = "release"   // forged DHCPRELEASE of the phones' leases, with the phone's address as source
	HostileSpoof     HostileKind = "spoof"     // DISCOVER whose frame comes from another hardware address than chaddr says, made up or a phone's
	HostileTFTPFlood HostileKind = "tftpflood" // read requests for whatever phones ask for, each from another port, and no answer to anything
	HostileHalfOpen  HostileKind = "halfopen"  // read requests whose first block is acknowledged, and then silence
	HostileGarbage   HostileKind = "garbage"   // bytes without sense, and damaged DHCP, for the ports of the servers
)

// HostileKinds returns every kind.
func HostileKinds() []HostileKind {
	return []HostileKind{
		HostileStarve, HostileFlood, HostileDecline, HostileRelease, HostileSpoof, HostileTFTPFlood, HostileHalfOpen, HostileGarbage,
	}
}

// ParseHostileKinds reads a list such as "starve,decline"; the error quotes what was found and lists what is allowed.
func ParseHostileKinds(list string) ([]HostileKind, error) {
	var kinds []HostileKind
	var faults []error
	for name := range strings.SplitSeq(list, ",") {
		k := HostileKind(strings.TrimSpace(name))
		if !slices.Contains(HostileKinds(), k) {
			faults = append(faults, fmt.Errorf("found %q, allowed are %v", name, HostileKinds()))
		}
		kinds = append(kinds, k)
	}
	return kinds, errors.Join(faults...)
}

// Bounds of hostile clients. They are for tests of one's own servers in one's own lab.
const (
	maxHostileRate = 20000     // packets a second of each kind
	maxHostileFor  = time.Hour // of time
)

// HostileConfig is what hostile clients do on a wire. Every one of them is bounded: Rate times For packets of each kind.
type HostileConfig struct {
	Wire  *Wire
	Ports Ports
	Kinds []HostileKind
	Rate  int           // packets a second of each kind; 0 = 200, at most 20000
	For   time.Duration // how long; 0 = 10 s, at most 1 h
	Seed  uint64        // of everything random
	// MAC is the hardware address of the attacker's own host, which gets an address like any other client before it asks for
	// files; zero = 02:66:00:00:00:01.
	MAC phone.MAC
}

// withDefaults fills in what was left out and lists what is wrong.
func (c HostileConfig) withDefaults() (HostileConfig, error) {
	if c.Rate == 0 {
		c.Rate = 200
	}
	if c.For == 0 {
		c.For = 10 * time.Second
	}
	if c.MAC.IsZero() {
		c.MAC = phone.MAC{0x02, 0x66, 0, 0, 0, 1}
	}
	c.Ports = c.Ports.withDefaults()
	var faults []error
	if c.Wire == nil {
		faults = append(faults, errors.New("found no wire, hostile clients need one"))
	} else if c.Wire.isDefault {
		faults = append(faults, fmt.Errorf("the default route leads over %s, allowed is the interface of a lab, which has none", c.Wire.ifi.Name))
	}
	if len(c.Kinds) == 0 {
		faults = append(faults, fmt.Errorf("found no kind of hostile client, allowed are %v", HostileKinds()))
	}
	if c.Rate < 1 || c.Rate > maxHostileRate {
		faults = append(faults, fmt.Errorf("found %d packets a second, allowed is 1 to %d", c.Rate, maxHostileRate))
	}
	if c.For < 0 || c.For > maxHostileFor {
		faults = append(faults, fmt.Errorf("found %s of hostility, allowed is up to %s", c.For, maxHostileFor))
	}
	return c, errors.Join(faults...)
}

// hasDefaultRoute reports whether the kernel sends what it knows no better way for over the interface, as this namespace sees it.
func hasDefaultRoute(name string) bool {
	f, err := os.Open("/proc/thread-self/net/route")
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 2 && fields[0] == name && fields[1] == "00000000" {
			return true
		}
	}
	return false
}

// HostileSum is what one kind of hostile client did and got.
type HostileSum struct {
	Kind     HostileKind   `json:"kind"`
	Sent     uint64        `json:"sent"`
	Answered uint64        `json:"answered"` // offers, or files' first packets
	Leases   uint64        `json:"leases"`   // that it took
	For      time.Duration `json:"for_ns"`
	Error    string        `json:"error,omitempty"` // why it could not begin
}

// Hostile lets hostile clients loose until their time is up or ctx ends, and tells what they did. The error is about the
// configuration.
func Hostile(ctx context.Context, cfg HostileConfig) ([]HostileSum, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("letting hostile clients loose: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.For)
	defer cancel()
	var all []*attack
	for i, k := range cfg.Kinds {
		a := &attack{cfg: cfg, kind: k, begun: time.Now(), rand: rand.New(rand.NewPCG(cfg.Seed, uint64(i)+1))}
		a.crowd = phone.MAC{0x02, 0x66, byte(i + 1), 0, 0, 0}
		all = append(all, a)
	}
	cfg.Wire.strangers.Store(&strangers{attacks: all})
	defer cfg.Wire.strangers.Store(nil)
	host := &attacker{cfg: cfg}
	defer host.leave()
	var wg sync.WaitGroup
	for _, a := range all {
		a.host = host
		wg.Go(func() { a.run(ctx) })
	}
	wg.Wait()
	var sums []HostileSum
	for _, a := range all {
		sums = append(sums, HostileSum{
			Kind: a.kind, Sent: a.sent.Load(), Answered: a.answered.Load(), Leases: a.leases.Load(), For: a.took, Error: a.failure,
		})
	}
	return sums, nil
}

// startHostile lets the hostile clients of a storm loose and returns how to wait for their end.
func (c StormConfig) startHostile(ctx context.Context) (wait func() []HostileSum, err error) {
	if c.Hostile == nil {
		return func() []HostileSum { return nil }, nil
	}
	if _, err := c.Hostile.withDefaults(); err != nil {
		return nil, fmt.Errorf("letting hostile clients loose: %w", err)
	}
	done := make(chan []HostileSum, 1)
	go func() {
		sums, _ := Hostile(ctx, *c.Hostile) // its configuration was just checked
		done <- sums
	}()
	return func() []HostileSum { return <-done }, nil
}

// attack is one kind of hostile client at work.
type attack struct {
	cfg   HostileConfig
	kind  HostileKind
	host  *attacker
	crowd phone.MAC // the first made-up hardware address; the others count up
	begun time.Time
	rand  *rand.Rand
	next  int // of the crowd

	sent, answered, leases atomic.Uint64
	took                   time.Duration
	failure                string
}

// beat is how often packets go out, in bunches that make up the rate.
const beat = 5 * time.Millisecond

// run sends until ctx ends.
func (a *attack) run(ctx context.Context) {
	defer func() { a.took = time.Since(a.begun) }()
	one, err := a.weapon(ctx)
	if err != nil {
		a.failure = err.Error()
		return
	}
	t := time.NewTicker(beat)
	defer t.Stop()
	for begun := time.Now(); ; {
		due := uint64(time.Since(begun).Seconds() * float64(a.cfg.Rate))
		for tries := due - min(due, a.sent.Load()); tries > 0 && ctx.Err() == nil; tries-- {
			if err := one(); err != nil {
				a.failure = err.Error()
				return
			}
			a.sent.Add(1)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// weapon returns what sends one packet.
func (a *attack) weapon(ctx context.Context) (func() error, error) {
	switch a.kind {
	case HostileStarve, HostileFlood:
		return a.discover, nil
	case HostileSpoof:
		return a.spoof, nil
	}
	nic, lease, err := a.host.join(ctx)
	if err != nil {
		return nil, err
	}
	switch a.kind {
	case HostileDecline:
		return func() error { return a.decline(nic, lease) }, nil
	case HostileRelease:
		return func() error { return a.release(nic, lease) }, nil
	case HostileGarbage:
		return func() error { return a.garbage(nic, lease) }, nil
	}
	return func() error { return a.readRequest(nic, lease) }, nil
}

// member returns the next made-up hardware address.
func (a *attack) member() phone.MAC {
	a.next++
	return AddMAC(a.crowd, a.next)
}

// victim returns a phone of the wire that has an address, not the attacker's own host.
func (a *attack) victim() (phone.MAC, netip.Addr, bool) {
	w := a.cfg.Wire
	w.mu.RLock()
	defer w.mu.RUnlock()
	for addr, n := range w.byAddr { // any: the order of a map is random
		if n.mac != a.cfg.MAC {
			return n.mac, addr, true
		}
	}
	return phone.MAC{}, netip.Addr{}, false
}
