package assemble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/web"
)

// The keys of the first-run wizard in the store.
const (
	keyStart = "web/start"
	keyMove  = "web/move" // a move that nobody confirmed yet
)

// starter is what the first-run wizard of the page needs.
type starter struct {
	b        *Box
	moves    chan move
	patience time.Duration // with people who are to find the page at its new address

	mu     sync.Mutex
	state  web.StartState
	moving *move // the box moved, and nobody has been seen at the new address yet
}

// move is a new address for the box, and the way back.
type move struct {
	Values map[string]string `json:"values"`
	Back   map[string]string `json:"back"`
	To     string            `json:"to"` // the address alone
	etag   string
}

// moveDelay lets the answer to whoever asked for a move leave before the address goes.
const moveDelay = 1500 * time.Millisecond

// newStarter reads how far the wizard has come. Without any record it is wanted on a box that knows nothing yet: without a password,
// and with the settings that every new box has. One that was given settings, or was in use before there was a wizard, has none.
func newStarter(ctx context.Context, b *Box, s *site.Site) (*starter, error) {
	st := &starter{b: b, moves: make(chan move, 1), patience: web.MoveTime}
	raw, err := b.store.Value(ctx, keyStart)
	if err != nil {
		return nil, fmt.Errorf("reading how far the first settings have come: %w", err)
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &st.state); err != nil {
			b.log.Warn("how far the first settings have come is not known any more", "err", err)
		}
		return st, nil
	}
	hash, err := secrets{b.store}.Password()
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	if hash != "" || !isNew(s) || b.opt.Try {
		return st, nil
	}
	if err := st.SetStartState(ctx, web.StartState{Wanted: true}); err != nil {
		b.log.Warn("that the first settings are missing is not stored", "err", err)
	}
	return st, nil
}

// isNew reports whether a site says nothing but what every new box does by itself.
func isNew(s *site.Site) bool {
	fresh, _ := site.Parse([]byte(bareSite), site.Catalogue())
	return fresh != nil && reflect.DeepEqual(s, fresh)
}

// StartState implements [web.Starter].
func (st *starter) StartState() (web.StartState, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.state, nil
}

// SetStartState implements [web.Starter]. What cannot be stored holds until the box starts again.
func (st *starter) SetStartState(ctx context.Context, state web.StartState) error {
	st.mu.Lock()
	st.state = state
	st.mu.Unlock()
	raw, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("writing how far the first settings have come: %w", err)
	}
	return st.b.store.SetValue(ctx, keyStart, raw)
}

// MovesItself implements [web.Starter].
func (st *starter) MovesItself() bool { return st.b.opt.ManageAddress }

// CheckFields implements [web.Starter].
func (st *starter) CheckFields(values map[string]string) error {
	_, faults := st.b.current().site.SetFields(values, site.Catalogue())
	return refused(faults)
}

// Neighbours implements [web.Starter].
func (st *starter) Neighbours() []web.Neighbour {
	if st.b.cdp == nil {
		return nil
	}
	var out []web.Neighbour
	for _, n := range st.b.cdp.Neighbours() {
		out = append(out, web.Neighbour{
			Protocol: n.Protocol, MAC: macText(n.From), Name: n.Name, Platform: n.Platform, Port: n.Port, Address: addrText(n.Address),
			VLAN: int(n.VLAN), Voice: int(n.Voice), Switch: n.Switch, Heard: n.Heard,
		})
	}
	return out
}

// CheckProxy implements [web.Starter].
func (st *starter) CheckProxy(ctx context.Context, host, port string) web.ProxyCheck {
	var n uint64
	if port != "" {
		var err error
		if n, err = strconv.ParseUint(strings.TrimSpace(port), 10, 16); err != nil || n == 0 {
			return web.ProxyCheck{Verdict: "not_configured", Text: fmt.Sprintf("The port %q is none: allowed is a number from 1 to 65535.", port)}
		}
	}
	v := st.b.sip.CheckServer(ctx, st.b.shop.qualified(strings.TrimSpace(host)), uint16(n))
	c := web.ProxyCheck{OK: v.OK(), Verdict: string(v.Kind), Text: v.Text, NAT: v.NAT, Server: v.Server, TookMS: float64(v.Took.Microseconds()) / 1000}
	for _, a := range v.Asked {
		c.Addresses = append(c.Addresses, a.String())
	}
	return c
}

// Move implements [web.Starter].
func (st *starter) Move(_ context.Context, values map[string]string, etag string) error {
	if err := st.CheckFields(values); err != nil {
		return err
	}
	cur := st.b.current()
	if cur.etag != etag {
		return web.StaleError{}
	}
	to, err := netip.ParsePrefix(values["network.address"])
	if err != nil {
		return &web.PublicError{Status: 422, Text: "The new address of the box is missing."}
	}
	m := move{Values: values, To: to.Addr().String(), Back: map[string]string{}, etag: etag}
	for _, f := range cur.site.Fields() {
		if _, changes := values[f.Key]; changes {
			m.Back[f.Key] = f.Value
		}
	}
	select {
	case st.moves <- m:
		return nil
	default:
		return &web.PublicError{Status: 409, Text: "The box is moving already: wait a moment."}
	}
}

// Moving implements [web.Starter].
func (st *starter) Moving() string {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.moving == nil {
		return ""
	}
	return st.moving.To
}

// Arrived implements [web.Starter].
func (st *starter) Arrived() {
	st.mu.Lock()
	was := st.moving
	st.moving = nil
	st.mu.Unlock()
	if was == nil {
		return
	}
	st.keep(nil)
	st.b.note("web", fmt.Sprintf("the page was found at the new address %s: the box stays there", was.To))
}

// keep stores a move that is not confirmed; nil = there is none.
func (st *starter) keep(m *move) {
	var raw []byte
	if m != nil {
		raw, _ = json.Marshal(m) // maps of texts always can
	}
	if err := st.b.store.SetValue(context.Background(), keyMove, raw); err != nil {
		st.b.log.Error("the way back from a new address is not stored", "err", err)
	}
}

// followMoves moves the box, and back where nobody came along. A move that was under way when the power went is followed on.
func (b *Box) followMoves(ctx context.Context) error { return b.starter.follow(ctx) }

func (st *starter) follow(ctx context.Context) error {
	over := time.NewTimer(st.patience)
	defer over.Stop()
	st.resume(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-st.moves:
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(moveDelay):
			}
			st.goTo(ctx, m)
			over.Reset(st.patience)
		case <-over.C:
			st.goBack(ctx)
		}
	}
}

// resume takes up a move of before the box started.
func (st *starter) resume(ctx context.Context) {
	raw, err := st.b.store.Value(ctx, keyMove)
	if err != nil || len(raw) == 0 {
		return
	}
	var m move
	if json.Unmarshal(raw, &m) != nil || st.b.current().site.Network.Address.Addr().String() != m.To {
		st.keep(nil)
		return
	}
	st.mu.Lock()
	st.moving = &m
	st.mu.Unlock()
}

func (st *starter) goTo(ctx context.Context, m move) {
	// The way back is on the card before the box goes.
	st.keep(&m)
	if err := (settings{st.b}).SetFields(ctx, m.Values, m.etag); err != nil {
		st.keep(nil)
		st.b.log.Error("the box could not move", "to", m.To, "err", err)
		st.trouble(ctx, fmt.Sprintf("The box could not move to %s and stayed where it was.", m.To))
		return
	}
	st.mu.Lock()
	st.moving = &m
	st.mu.Unlock()
	st.b.note("web", fmt.Sprintf("the box moved to %s", m.To))
}

// goBack ends a move that nobody confirmed.
func (st *starter) goBack(ctx context.Context) {
	st.mu.Lock()
	m := st.moving
	st.moving = nil
	st.mu.Unlock()
	if m == nil {
		return
	}
	text := fmt.Sprintf("Nobody opened the page at %s, so the box went back to %s.", m.To, m.Back["network.address"])
	for range 10 {
		err := (settings{st.b}).SetFields(ctx, m.Back, st.b.current().etag)
		if errors.As(err, new(web.StaleError)) {
			continue // somebody else's change came between; the next try goes with it
		}
		if err != nil {
			st.b.log.Error("the box could not move back", "err", err)
			text = fmt.Sprintf("Nobody opened the page at %s, and the box could not go back to %s.", m.To, m.Back["network.address"])
		}
		break
	}
	st.keep(nil)
	st.b.note("web", strings.TrimSuffix(text, "."))
	st.trouble(ctx, text)
}

// trouble tells the person in the wizard what happened, and opens the step about addresses again.
func (st *starter) trouble(ctx context.Context, text string) {
	state, _ := st.StartState()
	var done []string
	for _, step := range state.Done {
		if step != "address" {
			done = append(done, step)
		}
	}
	state.Done, state.Problem = done, text
	if err := st.SetStartState(context.WithoutCancel(ctx), state); err != nil {
		st.b.log.Error("how far the first settings have come is not stored", "err", err)
	}
}

// probeWait is how long an address is asked for whether somebody has it, and mostProbes how many are asked.
const (
	probeWait  = 300 * time.Millisecond
	mostProbes = 6
)

// Propose implements [web.Starter].
func (st *starter) Propose(ctx context.Context) web.Proposal {
	cur := st.b.current().site
	seen, ok := st.seenNetwork()
	if !ok || seen.network.Overlaps(cur.Network.Address.Masked()) {
		return web.Proposal{}
	}
	free := func(a netip.Addr) bool {
		_, taken, err := st.b.wire.Probe(ctx, a, probeWait)
		return err == nil && !taken
	}
	return seen.propose(free)
}

// seenNetwork is a network of others on the wire.
type seenNetwork struct {
	network netip.Prefix
	gateway netip.Addr // not valid = not known
	names   string     // name servers, one a line
	server  string     // the DHCP server that told it; "" = its hosts were heard
}

// seenNetwork returns what a DHCP server offers, else the network whose hosts are heard.
func (st *starter) seenNetwork() (seenNetwork, bool) {
	_, _, others := st.b.dhcp.State()
	for _, o := range others {
		n := seenNetwork{server: o.Address.String()}
		bits := 0
		for _, option := range o.Options {
			first, _, _ := strings.Cut(option.Value, ",")
			addr, err := netip.ParseAddr(strings.TrimSpace(first))
			if err != nil {
				continue
			}
			switch option.Code {
			case 1:
				bits = maskBits(addr)
			case 3:
				n.gateway = addr
			case 6:
				n.names = strings.Join(strings.Fields(strings.ReplaceAll(option.Value, ",", " ")), "\n")
			}
		}
		if p, err := o.Offered.Prefix(bits); o.Offered.IsValid() && err == nil && bits >= 8 && bits <= 28 {
			n.network = p
			return n, true
		}
	}
	if s := st.b.wire.State(); s.Foreign.IsValid() && s.Foreign.Bits() >= 8 && s.Foreign.Bits() <= 28 {
		return seenNetwork{network: s.Foreign.Masked(), gateway: s.ForeignGateway}, true
	}
	return seenNetwork{}, false
}

// maskBits counts the ones of a netmask; 0 = it is none.
func maskBits(mask netip.Addr) int {
	b := mask.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	bits := 0
	for ; bits < 32 && n&0x80000000 != 0; bits++ {
		n <<= 1
	}
	if n != 0 {
		return 0
	}
	return bits
}

// propose makes settings for the box in that network: an address near its end that nobody has, and a quarter of the network below it
// as the pool, but for the router.
func (n seenNetwork) propose(free func(netip.Addr) bool) web.Proposal {
	base := n.network.Addr().As4()
	first := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
	at := func(host uint32) netip.Addr {
		v := first + host
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	size := uint32(1) << (32 - n.network.Bits())
	box := size - min(6, size/4+1)
	for tries := 0; tries < mostProbes && box > size/2 && (at(box) == n.gateway || at(box).String() == n.server || !free(at(box))); tries++ {
		box--
	}
	if at(box) == n.gateway || at(box).String() == n.server {
		box--
	}
	last := box - 1
	low := last - min(size/4, 500)
	for host := low; host <= last; host++ {
		if at(host) != n.gateway {
			continue
		}
		if host-low > last-host { // the larger part beside the router
			last = host - 1
		} else {
			low = host + 1
		}
		break
	}
	p := web.Proposal{Values: map[string]string{
		"network.address": netip.PrefixFrom(at(box), n.network.Bits()).String(), "network.gateway": addrText(n.gateway),
		"dhcp.pool": at(low).String() + "-" + at(last).String(),
	}}
	p.Why = fmt.Sprintf("Devices of the network %s are on this wire. This is an address of it that nobody answers for.", n.network)
	if n.server != "" {
		p.Why = fmt.Sprintf("The DHCP server %s gives addresses of the network %s here. "+
			"This is an address of it that nobody answers for. Take care that the addresses of that server and those of the box are different ones.", n.server, n.network)
	}
	return p
}

var _ web.Starter = (*starter)(nil)
