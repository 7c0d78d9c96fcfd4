package assemble

import (
	"fmt"

	"phonebox/appliance/clock"
	"phonebox/appliance/journal"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/provision"
	"phonebox/services/sip"
	"phonebox/services/sntp"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

func (b *Box) onDHCP(e dhcp.Event) {
	switch e.Kind {
	case dhcp.EventHeld:
		b.log.Warn("dhcp holds back", "svc", "dhcp", "reason", e.Reason)
	case dhcp.EventServing:
		b.log.Info("dhcp serves", "svc", "dhcp")
	case dhcp.EventAck:
		b.log.Info("lease", "svc", "dhcp", "mac", e.MAC, "ip", e.Address, "renewal", e.Renewal)
	case dhcp.EventNotStored:
		b.log.Error("lease not stored", "svc", "dhcp", "mac", e.MAC, "ip", e.Address, "err", e.Err)
	default:
	}
	if ev, ok := fromDHCP(e); ok {
		b.record(ev)
	}
	if text := b.harm(e); text != "" {
		b.note("dhcp", text)
	}
}

// onClock keeps what the clock goes by in the box's own timeline; the clock logs it. The time that it begins with comes
// before there is a journal.
func (b *Box) onClock(e clock.Event) {
	if b.journal != nil && e.Text != "" {
		b.note("clock", e.Text)
	}
}

func (b *Box) onTFTP(e tftp.Event) {
	if e.Kind == tftp.EventMissing {
		return // told when the file was asked for
	}
	if e.Kind == tftp.EventSent {
		b.log.Info("file sent", "svc", "tftp", "file", e.Name, "peer", e.From, "bytes", e.Bytes, "dur", e.Took)
	}
	mac := b.whose(e.From.Addr())
	if ev, ok := fromTFTP(e, mac); ok {
		// Without a lease of ours (a static address) the name says whose transfer it is.
		if _, leased := b.dhcp.LeaseOf(e.From.Addr()); !leased && !ev.File.MAC.IsZero() {
			ev.MAC = ev.File.MAC
		}
		b.record(ev)
	}
}

func (b *Box) onSNTP(e sntp.Event) {
	if ev, ok := fromSNTP(e, b.whose(e.From.Addr())); ok {
		b.record(ev)
	}
}

func (b *Box) onDNS(e dns.Event) {
	if ev, ok := fromDNS(e, b.whose(e.From.Addr())); ok {
		b.record(ev)
	}
}

func (b *Box) onSIP(e sip.Event) {
	if ev, ok := fromSIP(e); ok {
		b.record(ev)
	}
}

func (b *Box) onWeb(e web.Event) {
	switch e.Kind {
	case web.EventLogin, web.EventSetup, web.EventChanged, web.EventSecrets:
		b.log.Info("page", "svc", "web", "event", e.Kind, "peer", e.From, "what", e.What)
	case web.EventLoginFailed:
		b.log.Warn("login failed", "svc", "web", "peer", e.From)
	default:
	}
	if ev, ok := fromWeb(e, b.whose(e.From)); ok {
		b.record(ev)
	}
	if text, ok := fromPage(e); ok {
		b.note("web", text)
	}
}

// note puts a sentence into the timeline of the box itself, which has the zero MAC.
func (b *Box) note(service, text string) {
	b.journal.Add(journal.Event{Time: b.clock.Now().Round(0), Service: service, Kind: journal.Note, Text: text})
}

// released journals that a file with a password is about to leave (promise 4); it returns when that is in the journal.
func (b *Box) released(r provision.Release) {
	if !r.From.IsValid() {
		return // the page's preview: its reader has logged in, and may read the site file as well
	}
	b.record(journal.Event{
		MAC: r.MAC, Service: "tftp", Kind: journal.Released, Address: r.From,
		Text: fmt.Sprintf("%s, with its SIP password, goes to %s", r.Name, r.From),
	})
}
