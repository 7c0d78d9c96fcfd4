package assemble

import (
	"fmt"
	"net/netip"

	"phonebox/appliance/clock"
	"phonebox/appliance/journal"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sip"
	"phonebox/services/sntp"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

// The servers call the functions here on the goroutines that answer packets; see [recorder] for what they do there.

func (b *Box) onDHCP(e dhcp.Event) {
	if text := b.harm(e); text != "" {
		b.note("dhcp", text)
	}
	if e.MAC.IsZero() {
		return
	}
	if b.calls.heard(b.index.Load(), &e) {
		b.nameChanges.Add(1)
	}
	minor := (e.Kind == dhcp.EventOffer || e.Kind == dhcp.EventSeen || e.Kind == dhcp.EventIgnored) && b.index.Load().byMAC[e.MAC] == nil
	b.recorder.push(fromDHCPServer, minor, (*dhcpReport)(&e))
}

// onDHCPUnanswered counts; what is told of these packets comes to onDHCP.
func (b *Box) onDHCPUnanswered(reason string, mac phone.MAC, packets int) {
	b.unanswered.addPackets("dhcp", reason, mac, netip.Addr{}, packets)
}

type dhcpReport dhcp.Event

func (r *dhcpReport) record(b *Box) (journal.Event, bool) {
	switch r.Kind {
	case dhcp.EventNotStored: // of each lease while a disk is full
		if left, ok := b.unstoredLog.take(); ok {
			b.log.Error("lease not stored", append(left, "svc", "dhcp", "mac", r.MAC, "ip", r.Address, "err", r.Err)...)
		}
	case dhcp.EventAck:
		if left, ok := b.leaseLog.take(); ok {
			b.log.Info("lease", append(left, "svc", "dhcp", "mac", r.MAC, "ip", r.Address, "renewal", r.Renewal)...)
		}
	default:
	}
	return fromDHCP(dhcp.Event(*r))
}

// onClock keeps what the clock goes by in the box's own timeline; the clock logs it. The time that it begins with comes
// before there is a journal.
func (b *Box) onClock(e clock.Event) {
	if b.journal != nil && e.Text != "" {
		b.note("clock", e.Text)
	}
}

func (b *Box) onTFTP(e tftp.Event) {
	switch e.Kind {
	case tftp.EventMissing:
		return // told when the file was asked for
	case tftp.EventDropped, tftp.EventRefused:
		b.unanswered.add("tftp", e.Reason, phone.MAC{}, e.From.Addr())
		if !b.floods.take(e.From.Addr(), b.clock.Now()) {
			b.recorder.skip(fromTFTPServer)
			return
		}
	default:
	}
	b.recorder.push(fromTFTPServer, e.Kind == tftp.EventProgress || e.Kind == tftp.EventDropped || e.Kind == tftp.EventRefused, (*tftpReport)(&e))
}

type tftpReport tftp.Event

func (r *tftpReport) record(b *Box) (journal.Event, bool) {
	e := tftp.Event(*r)
	if e.Kind == tftp.EventSent {
		if left, ok := b.fileLog.take(); ok {
			b.log.Info("file sent", append(left, "svc", "tftp", "file", e.Name, "peer", e.From, "bytes", e.Bytes, "dur", e.Took)...)
		}
	}
	mac, leased := b.holder(e.From.Addr())
	ev, ok := fromTFTP(e, mac)
	// Without a lease of ours (a static address) the name says whose transfer it is.
	if !leased && !ev.File.MAC.IsZero() {
		ev.MAC = ev.File.MAC
	}
	b.desk.ended(e, ev.MAC)
	if ok {
		b.asks(&ev)
	}
	return ev, ok
}

func (b *Box) onSNTP(e sntp.Event) {
	if e.Kind == sntp.EventDropped {
		b.unanswered.addPackets("sntp", e.Reason, phone.MAC{}, e.From.Addr(), max(e.Count, 1))
		if !b.floods.take(e.From.Addr(), b.clock.Now()) {
			b.recorder.skip(fromSNTPServer)
			return
		}
	} else if !b.timeAsked.take(e.From.Addr(), e.Time) {
		b.recorder.skip(fromSNTPServer)
		return
	}
	b.recorder.push(fromSNTPServer, true, (*sntpReport)(&e))
}

type sntpReport sntp.Event

func (r *sntpReport) record(b *Box) (journal.Event, bool) {
	ev, ok := fromSNTP(sntp.Event(*r), b.whose(r.From.Addr()))
	if ok {
		b.times.keep(&ev)
	}
	return ev, ok
}

func (b *Box) onDNS(e dns.Event) {
	if e.Kind == dns.EventDropped {
		b.unanswered.add("dns", e.Reason, phone.MAC{}, e.From.Addr())
		return
	}
	if e.Kind == dns.EventUpstream {
		b.note("dns", e.Reason)
		return
	}
	if !b.namesAsked.take(e.From.Addr(), e.Time) {
		b.recorder.skip(fromDNSServer)
		return
	}
	b.recorder.push(fromDNSServer, true, (*dnsReport)(&e))
}

type dnsReport dns.Event

func (r *dnsReport) record(b *Box) (journal.Event, bool) {
	mac := b.whose(r.From.Addr())
	b.missing.heard((*dns.Event)(r), mac)
	return fromDNS(dns.Event(*r), mac)
}

func (b *Box) onSIP(e sip.Event) {
	if e.Kind == sip.EventDropped {
		b.unanswered.add("sip", e.Reason, e.MAC, e.Address.Addr())
	}
	if ev, ok := fromSIP(e); ok {
		b.later(ev)
	}
}

func (b *Box) onWeb(e web.Event) {
	switch e.Kind {
	case web.EventLogin, web.EventSetup, web.EventChanged, web.EventSecrets:
		b.log.Info("page", "svc", "web", "event", e.Kind, "peer", e.From, "what", e.What)
	case web.EventLoginFailed:
		b.log.Warn("login failed", "svc", "web", "peer", e.From)
	case web.EventSlowed:
		b.log.Warn("logins refused for a while", "svc", "web", "peer", e.From)
	case web.EventDropped:
		b.unanswered.add("web", e.What, phone.MAC{}, e.From)
	case web.EventPhoneFile:
		if ev, ok := fromWeb(e, b.whose(e.From)); ok {
			b.later(ev)
		}
	}
	b.auditEvent(e)
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
