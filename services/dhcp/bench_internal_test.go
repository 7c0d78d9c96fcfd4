package dhcp

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
	"phonebox/services/phone"
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func mac(n byte) phone.MAC { return phone.MAC{0, 6, 0xd7, 0xaa, 0, n} }

const ciscoClass = "Cisco Systems, Inc. IP Phone CP-7960G\x00"

// config is the example of the design: a /16, a pool, one reservation for phone 9.
func config() Config {
	return Config{
		Listen: netip.MustParseAddrPort("0.0.0.0:67"), Interface: "eth0",
		Server: netip.MustParsePrefix("10.77.0.1/16"), Gateway: ip("10.77.0.254"), Domain: "voice.home.arpa",
		DNS: []netip.Addr{ip("10.77.0.1")}, NTP: []netip.Addr{ip("10.77.0.1")},
		Pool:         []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.200")}},
		Reservations: []Reservation{{MAC: mac(9), Address: ip("10.77.0.50")}},
		Known:        []phone.MAC{mac(8), mac(9)},
		Lease:        8 * time.Hour,
	}
}

// packet builds a client's packet.
func packet(t testing.TB, typ dhcpv4.MessageType, from phone.MAC, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	all := append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(typ), dhcpv4.WithHwAddr(from[:]), dhcpv4.WithOption(dhcpv4.OptClassIdentifier(ciscoClass)),
		asks(1, 66, 6, 3, 15, 150, 35), // phones.md b
	}, mods...)
	msg, err := dhcpv4.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// sentFrom is a datagram from a client's own address, as a RELEASE is.
func sentFrom(addr string) func(*udp.Packet) {
	return func(p *udp.Packet) { p.From, p.To = netip.AddrPortFrom(ip(addr), 68), ip("10.77.0.1") }
}

// release gives an address back, and waits until that is believed.
func (b *bench) release(n byte, addr string) {
	b.in(packet(b.t, dhcpv4.MessageTypeRelease, mac(n), has(addr), toServer("10.77.0.1")), sentFrom(addr))
	time.Sleep(leaveTime + probeWait)
	synctest.Wait()
}

// asks is option 55.
func asks(codes ...byte) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, codes))
}

func wanted(addr string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(ip(addr).AsSlice()))
}

func toServer(addr string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(ip(addr).AsSlice()))
}

func has(addr string) dhcpv4.Modifier { return dhcpv4.WithClientIP(ip(addr).AsSlice()) }

func without(code dhcpv4.OptionCode) dhcpv4.Modifier {
	return func(d *dhcpv4.DHCPv4) { d.DeleteOption(code) }
}

func onLink(htype iana.HWType) dhcpv4.Modifier {
	return func(d *dhcpv4.DHCPv4) { d.HWType = htype }
}

// parsed is the packet as the loop would see it, broadcast on the wire.
func parsed(t testing.TB, msg *dhcpv4.DHCPv4) *request {
	t.Helper()
	r, err := parse(&udp.Packet{
		Payload: msg.ToBytes(), From: netip.MustParseAddrPort("0.0.0.0:68"), To: ip("255.255.255.255"), Index: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustSettings(t testing.TB, cfg Config) *settings {
	t.Helper()
	st, err := newSettings(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// memoryStore is a store in memory, with a hook before each commit.
type memoryStore struct {
	mu       sync.Mutex
	records  map[netip.Addr]lease.Record
	decision Decision
	before   func([]lease.Record) error // nil = always works
	readErr  error
	commits  int
}

func newStore(records ...lease.Record) *memoryStore {
	s := &memoryStore{records: make(map[netip.Addr]lease.Record)}
	for _, rec := range records {
		s.records[rec.Address] = rec
	}
	return s
}

func (s *memoryStore) Leases(context.Context) ([]lease.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.records)), s.readErr
}

func (s *memoryStore) Commit(_ context.Context, records ...lease.Record) error {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(records); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits++
	for _, rec := range records {
		if rec.State == lease.Forgotten {
			delete(s.records, rec.Address)
			continue
		}
		s.records[rec.Address] = rec
	}
	return nil
}

func (s *memoryStore) onCommit(f func([]lease.Record) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

func (s *memoryStore) record(addr string) (lease.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, ok := s.records[ip(addr)]
	return rec, ok
}

func (s *memoryStore) Decision(context.Context) (Decision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.decision, nil
}

func (s *memoryStore) SetDecision(_ context.Context, d Decision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decision = d
	return nil
}

// fakeWire is a link whose hosts and servers the test decides on.
type fakeWire struct {
	mu         sync.Mutex
	up         bool
	changes    chan bool
	hosts      map[netip.Addr]phone.MAC // who answers ARP
	servers    []OtherServer
	overheard  []OtherServer
	news       chan struct{}
	lookErr    error
	probeErr   error
	frameErr   error
	frames     []frame
	neighbours map[netip.Addr]phone.MAC
	probed     []netip.Addr
	looks      int
	packets    int // that the looks sent
}

type frame struct {
	to       phone.MAC
	src, dst netip.AddrPort
	msg      *dhcpv4.DHCPv4
}

func newWire() *fakeWire {
	return &fakeWire{
		up: true, changes: make(chan bool, 4), news: make(chan struct{}, 1), hosts: make(map[netip.Addr]phone.MAC), neighbours: make(map[netip.Addr]phone.MAC),
	}
}

func (w *fakeWire) set(f func(*fakeWire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

func (w *fakeWire) link(up bool) {
	w.set(func(w *fakeWire) { w.up = up })
	w.changes <- up
}

func (w *fakeWire) Up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.up
}

func (w *fakeWire) Changes() <-chan bool { return w.changes }

func (w *fakeWire) Probe(ctx context.Context, addr netip.Addr, wait time.Duration) (phone.MAC, bool, error) {
	w.mu.Lock()
	holder, found := w.hosts[addr]
	err := w.probeErr
	w.probed = append(w.probed, addr)
	w.mu.Unlock()
	if err != nil || found {
		return holder, found, err
	}
	return phone.MAC{}, false, pause(ctx, wait)
}

func (w *fakeWire) SendUDP(to phone.MAC, src, dst netip.AddrPort, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frameErr != nil {
		return w.frameErr
	}
	msg, err := dhcpv4.FromBytes(payload)
	w.frames = append(w.frames, frame{to, src, dst, msg})
	return err
}

func (w *fakeWire) Discover(ctx context.Context, n int, wait time.Duration) ([]OtherServer, error) {
	if (n != 3 && n != 1) || wait != 3*time.Second {
		return nil, errors.New("the look is three packets in three seconds, or one")
	}
	w.mu.Lock()
	w.looks++
	w.packets += n
	servers, err := slices.Clone(w.servers), w.lookErr
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return servers, pause(ctx, wait)
}

func (w *fakeWire) Overheard() []OtherServer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.overheard)
}

func (w *fakeWire) News() <-chan struct{} { return w.news }

// looked returns how many looks there were, and with how many packets.
func (w *fakeWire) looked() (looks, packets int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks, w.packets
}

// hear makes the wire overhear a server now.
func (w *fakeWire) hear(o OtherServer) {
	o.Seen = time.Now()
	w.set(func(w *fakeWire) { w.overheard = append(w.overheard, o) })
	w.news <- struct{}{}
}

func (w *fakeWire) Neighbour(addr netip.Addr, m phone.MAC) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.IsZero() {
		delete(w.neighbours, addr)
	} else {
		w.neighbours[addr] = m
	}
	return nil
}

func (w *fakeWire) neighbour(addr string) phone.MAC {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.neighbours[ip(addr)]
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fakeClock is Go's clock plus an offset, as a box without a real-time clock has it.
type fakeClock struct {
	mu      sync.Mutex
	offset  time.Duration
	trusted bool
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *fakeClock) Trusted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trusted
}

func (c *fakeClock) set(offset time.Duration, trusted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset, c.trusted = offset, trusted
}

// bench is a server that runs without a socket: packets go into its handler, what it sends is collected.
type bench struct {
	t     *testing.T
	s     *Server
	store *memoryStore
	wire  *fakeWire
	clock *fakeClock
	ctx   context.Context
	stop  func()

	mu     sync.Mutex
	sent   []udp.Reply
	events []Event

	notAnswered map[string]int // packets, by reason
}

// Send implements sender.
func (b *bench) Send(replies ...udp.Reply) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, replies...)
	return nil
}

// newBench makes a server that is not started yet; started starts it and lets the look pass.
func newBench(t *testing.T, cfg Config, store *memoryStore) *bench {
	t.Helper()
	b := &bench{t: t, store: store, wire: newWire(), clock: &fakeClock{trusted: true}}
	b.notAnswered = map[string]int{}
	b.make(cfg)
	return b
}

func (b *bench) make(cfg Config) {
	b.t.Helper()
	s, err := New(cfg, Deps{Clock: b.clock, Store: b.store, Wire: b.wire, Log: slog.New(slog.DiscardHandler), Report: func(ev Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.events = append(b.events, ev)
	}, NotAnswered: func(reason string, _ phone.MAC, packets int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.notAnswered[reason] += packets
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.s = s
}

func (b *bench) start() {
	ctx, cancel := context.WithCancelCause(b.t.Context())
	stop := b.s.start(ctx, cancel, b, netip.MustParseAddrPort("0.0.0.0:67"))
	b.ctx = ctx
	b.stop = func() { cancel(nil); stop() }
}

// started is a server that serves.
func started(t *testing.T, cfg Config, store *memoryStore) *bench {
	t.Helper()
	b := newBench(t, cfg, store)
	b.start()
	time.Sleep(3100 * time.Millisecond) // in a bubble: the look
	b.wantState("running")
	b.take()
	return b
}

func (b *bench) wantState(want string) {
	b.t.Helper()
	if state, detail, _ := b.s.State(); state != want {
		b.t.Fatalf("state: got %s (%s), want %s", state, detail, want)
	}
}

// in gives a packet to the handler and returns what is answered at once.
func (b *bench) in(msg *dhcpv4.DHCPv4, mods ...func(*udp.Packet)) []*dhcpv4.DHCPv4 {
	b.t.Helper()
	p := &udp.Packet{
		Payload: msg.ToBytes(), From: netip.MustParseAddrPort("0.0.0.0:68"), To: ip("255.255.255.255"), Index: 3,
	}
	for _, mod := range mods {
		mod(p)
	}
	return b.decode(b.s.handle(b.ctx, b, p, nil))
}

func (b *bench) decode(replies []udp.Reply) (out []*dhcpv4.DHCPv4) {
	b.t.Helper()
	for _, r := range replies {
		msg, err := dhcpv4.FromBytes(r.Payload)
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, msg)
	}
	b.wire.mu.Lock()
	defer b.wire.mu.Unlock()
	for _, f := range b.wire.frames {
		out = append(out, f.msg)
	}
	b.wire.frames = nil
	return out
}

// take returns what was sent since, raw or not.
func (b *bench) take() []*dhcpv4.DHCPv4 {
	b.t.Helper()
	b.mu.Lock()
	sent := b.sent
	b.sent = nil
	b.mu.Unlock()
	return b.decode(sent)
}

// ask gives a packet to the handler and returns the one answer that comes within a second, nil for none.
func (b *bench) ask(msg *dhcpv4.DHCPv4, mods ...func(*udp.Packet)) *dhcpv4.DHCPv4 {
	b.t.Helper()
	got := b.in(msg, mods...)
	time.Sleep(time.Second) // in a bubble: probes and commits
	got = append(got, b.take()...)
	if len(got) > 1 {
		b.t.Fatalf("got %d answers, want one", len(got))
	}
	if len(got) == 0 {
		return nil
	}
	return got[0]
}

// want asks and checks the type and the address of the answer; "" for a NAK.
func (b *bench) want(typ dhcpv4.MessageType, addr string, msg *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	b.t.Helper()
	got := b.ask(msg)
	if got == nil {
		b.t.Fatalf("%s: no answer (%s), want %s %s", msg.MessageType(), b.lastReason(), typ, addr)
	}
	if got.MessageType() != typ || (addr != "" && addrOf(got.YourIPAddr) != ip(addr)) {
		b.t.Fatalf("%s: got %s %s (%s), want %s %s", msg.MessageType(), got.MessageType(), got.YourIPAddr, got.Message(), typ, addr)
	}
	return got
}

// silent asks and wants no answer, for a reason that is reported.
func (b *bench) silent(msg *dhcpv4.DHCPv4) {
	b.t.Helper()
	b.forget()
	if got := b.ask(msg); got != nil {
		b.t.Fatalf("%s: got %s %s, want silence", msg.MessageType(), got.MessageType(), got.YourIPAddr)
	}
	if b.lastReason() == "" {
		b.t.Fatalf("%s: silence without a reason", msg.MessageType())
	}
}

// lease boots a phone: DISCOVER and REQUEST.
func (b *bench) lease(n byte) string {
	b.t.Helper()
	got := b.want(dhcpv4.MessageTypeOffer, "", packet(b.t, dhcpv4.MessageTypeDiscover, mac(n)))
	addr := got.YourIPAddr.String()
	b.want(dhcpv4.MessageTypeAck, addr, packet(b.t, dhcpv4.MessageTypeRequest, mac(n), wanted(addr), toServer("10.77.0.1")))
	return addr
}

func (b *bench) kinds(kind EventKind) (out []Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ev := range b.events {
		if ev.Kind == kind {
			out = append(out, ev)
		}
	}
	return out
}

// forget drops the events so far, and what the server remembers to have said.
func (b *bench) forget() {
	b.s.mu.Lock()
	b.s.said.clear()
	b.s.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = nil
}

func (b *bench) lastReason() string {
	if evs := b.kinds(EventIgnored); len(evs) > 0 {
		return evs[len(evs)-1].Reason
	}
	return ""
}
