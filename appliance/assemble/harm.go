package assemble

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"phonebox/appliance/netdev"
	"phonebox/services/dhcp"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// harm tells, for the timeline of the box, what the DHCP server does so that it takes down no network; "" = nothing. That
// it serves is worth a word after a hold, or beside another server.
func (b *Box) harm(e dhcp.Event) string {
	names := make([]string, len(e.Other))
	for i, o := range e.Other {
		names[i] = o.Address.String()
		if !o.MAC.IsZero() {
			names[i] += fmt.Sprintf(" (%s)", o.MAC)
		}
		if e.Kind == dhcp.EventOther && o.Offered.IsValid() {
			names[i] += fmt.Sprintf(", which gave %s to somebody", o.Offered)
		}
	}
	switch e.Kind {
	case dhcp.EventOther:
		return "another DHCP server answers on the wire: " + strings.Join(names, "; ")
	case dhcp.EventHeld, dhcp.EventDuplicate:
		b.held.Store(true)
		return "addresses are held back: " + e.Reason
	case dhcp.EventServing:
		again := b.held.Swap(false)
		if e.Reason != "" {
			return "addresses are handed out: " + e.Reason
		}
		if again {
			return "addresses are handed out again"
		}
	default:
	}
	return ""
}

// onNetwork keeps in the timeline of the box what is wrong with the network, and that it is no more. The end of the box
// is no trouble.
func (b *Box) onNetwork(s netdev.State) {
	if ctx := b.serveContext; ctx != nil && ctx.Err() != nil {
		return
	}
	if bad := s.Troubled(); b.cut.Swap(bad) || bad {
		b.note("network", s.Text)
	}
}

// webOther tells the page of another DHCP server.
func webOther(o dhcp.OtherServer) web.OtherDHCP {
	w := web.OtherDHCP{
		Address: o.Address.String(), MAC: macText(o.MAC), Offered: addrText(o.Offered), First: o.First, Seen: o.Seen, Accepted: o.Accepted,
	}
	for _, option := range o.Options {
		w.Options = append(w.Options, web.DHCPOption(option))
	}
	return w
}

func webDecision(d dhcp.Decision) web.DHCPDecision {
	w := web.DHCPDecision{Serve: d.Serve, Every: d.Serve && len(d.Servers) == 0 && !d.Blind, Blind: d.Blind, Time: d.Time, Servers: []string{}}
	for _, a := range d.Servers {
		w.Servers = append(w.Servers, a.String())
	}
	return w
}

func webNetwork(s netdev.State) web.Network {
	n := web.Network{
		Condition: string(s.Condition), Text: s.Text, MAC: macText(s.MAC), Duplicate: macText(s.Duplicate), ForeignGateway: addrText(s.ForeignGateway),
	}
	if s.Foreign.IsValid() {
		n.Foreign = s.Foreign.String()
	}
	return n
}

// macText writes a MAC; "" where there is none.
func macText(m phone.MAC) string {
	if m.IsZero() {
		return ""
	}
	return m.String()
}

// addrText writes an address; "" where there is none.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// ServeAnyway implements [web.Box].
func (p page) ServeAnyway(ctx context.Context, servers []netip.Addr) error {
	err := p.b.dhcp.ServeAnyway(ctx, servers...)
	if errors.Is(err, dhcp.ErrNothingToDecide) {
		return &web.PublicError{Status: http.StatusConflict, Cause: err, Text: "There is nothing to decide: no other DHCP server is known."}
	}
	return err
}

// HoldBack implements [web.Box].
func (p page) HoldBack(ctx context.Context) error { return p.b.dhcp.HoldBack(ctx) }

// LookAgain implements [web.Box].
func (p page) LookAgain() { p.b.dhcp.LookAgain() }
