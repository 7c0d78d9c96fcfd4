package assemble

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/phone"
	"phonebox/services/sip"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

// fromDHCP tells an event of the DHCP server in the journal's words. ok is false for what belongs to no phone.
func fromDHCP(e dhcp.Event) (ev journal.Event, ok bool) {
	ev = journal.Event{
		Time: e.Time, MAC: e.MAC, Service: "dhcp", Address: e.Address, Class: e.VendorClass,
		Renewal:  e.Renewal && !e.Boot, // INIT-REBOOT keeps the address and is a boot all the same
		Exchange: exchangeOf(e),
	}
	switch e.Kind {
	case dhcp.EventSeen:
		// The address of a request is what the client wants, not yet what it has.
		ev.Kind, ev.Text, ev.Address = journal.Packet, "asks for an address", netip.Addr{}
		if ev.Renewal {
			ev.Text = "asks to keep its address"
		}
	case dhcp.EventOffer:
		ev.Kind, ev.Text, ev.Address = journal.Note, "was offered "+e.Address.String(), netip.Addr{}
	case dhcp.EventAck:
		ev.Kind, ev.Text = journal.Lease, "got the address "+e.Address.String()+" for "+period(e.Duration)
		if e.Renewal {
			ev.Text = "keeps the address " + e.Address.String() + " for " + period(e.Duration)
		}
	case dhcp.EventNak:
		ev.Kind, ev.Text, ev.Address = journal.LeaseTrouble, "was told to ask for another address: "+e.Reason, netip.Addr{}
	case dhcp.EventDecline:
		ev.Kind, ev.Text, ev.Address = journal.LeaseTrouble, fmt.Sprintf("found %s in use by another device and gave it back", e.Address), netip.Addr{}
	case dhcp.EventNotStored:
		ev.Kind, ev.Text = journal.LeaseTrouble, fmt.Sprintf("its address could not be written to the card: %v", e.Err)
	case dhcp.EventIgnored:
		ev.Kind, ev.Text, ev.Address = journal.LeaseTrouble, "was not answered: "+e.Reason, netip.Addr{}
	case dhcp.EventRelease:
		ev.Kind, ev.Text = journal.LeaseEnded, fmt.Sprintf("gave the address %s back", e.Address)
		goesOn(&ev, e.Still)
	case dhcp.EventExpire:
		ev.Kind, ev.Text = journal.LeaseEnded, fmt.Sprintf("no longer has the address %s: it was not renewed", e.Address)
		goesOn(&ev, e.Still)
	case dhcp.EventInform:
		ev.Kind, ev.Text = journal.Packet, "has an address of its own and asks for the rest"
	default:
		return journal.Event{}, false
	}
	return ev, !e.MAC.IsZero()
}

// goesOn tells of a phone that gave up one address and has another: in another network, or there after it moved.
func goesOn(ev *journal.Event, still netip.Addr) {
	if still.IsValid() {
		ev.Kind, ev.Text, ev.Address = journal.Note, ev.Text+", and goes on with "+still.String(), netip.Addr{}
	}
}

// fromTFTP tells an event of a transfer; what Files decided was told when the file was opened.
func fromTFTP(e tftp.Event, mac phone.MAC) (ev journal.Event, ok bool) {
	file := phone.ParseFileName(e.Name)
	ev = journal.Event{
		Time: e.Time, MAC: mac, Service: "tftp", Kind: journal.Transfer, Address: e.From.Addr(), File: file,
		Transfer: e.Transfer, Size: e.Size, Bytes: e.Bytes,
	}
	switch e.Kind {
	case tftp.EventStart:
		ev.Phase, ev.Text = journal.Started, fmt.Sprintf("%s is being sent (%s)", file.Clean, size(e.Size))
	case tftp.EventProgress:
		ev.Phase, ev.Text = journal.Progress, fmt.Sprintf("%s: %d %% sent", file.Clean, percent(e.Bytes, e.Size))
	case tftp.EventSent:
		ev.Phase, ev.Text = journal.Sent, fmt.Sprintf("got %s (%s in %s%s)", file.Clean, size(e.Size), brief(e.Took), again(e.Retransmits))
	case tftp.EventAborted:
		ev.Phase = journal.Aborted
		ev.Text = fmt.Sprintf("%s broke off after %s of %s: %s", file.Clean, size(e.Bytes), size(e.Size), e.Reason)
	case tftp.EventRefused:
		ev.Kind, ev.Text = journal.Note, "TFTP request refused: "+e.Reason
	case tftp.EventDropped:
		ev.Kind, ev.Text = journal.Note, "TFTP packet not answered: "+e.Reason
	default:
		return journal.Event{}, false
	}
	return ev, !mac.IsZero()
}

func fromDNS(e dns.Event, mac phone.MAC) (journal.Event, bool) {
	if e.Kind != dns.EventAnswered || mac.IsZero() {
		return journal.Event{}, false
	}
	text := fmt.Sprintf("asked for the name %s (%s)", e.Name, e.Type)
	switch e.Result {
	case "NOERROR":
	case "NXDOMAIN":
		text += ", which does not exist"
	case "NODATA":
		text += ", which has no such record"
	case "SERVFAIL":
		text += ", and no name server had an answer"
	case "REFUSED":
		text += ", which the box does not know and asks nobody for"
	default:
		text += ": " + e.Result
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return journal.Event{Time: e.Time, MAC: mac, Service: "dns", Kind: journal.Name, Address: e.From.Addr(), Text: text}, true
}

func fromSIP(e sip.Event) (journal.Event, bool) {
	ev := journal.Event{Time: e.Time, MAC: e.MAC, Service: "sip", Address: e.Address.Addr()}
	switch e.Kind {
	case sip.EventAlive:
		ev.Kind, ev.Text, ev.Agent = journal.SIPAlive, "its SIP application answers", e.UserAgent
		if e.UserAgent != "" {
			ev.Text += " (" + e.UserAgent + ")"
		}
	case sip.EventSilent:
		ev.Kind, ev.Text = journal.SIPSilent, "its SIP application does not answer"
	case sip.EventNotified:
		ev.Kind, ev.Text = journal.Restart, fmt.Sprintf("was told to read its configuration anew and answered %d", e.Code)
	default:
		return journal.Event{}, false
	}
	return ev, !e.MAC.IsZero()
}

func fromWeb(e web.Event, mac phone.MAC) (journal.Event, bool) {
	if e.Kind != web.EventPhoneFile || mac.IsZero() {
		return journal.Event{}, false
	}
	return journal.Event{
		Time: e.Time, MAC: mac, Service: "web", Kind: journal.HTTPFile, Address: e.From,
		Text: fmt.Sprintf("fetched %s", e.What),
	}, true
}

// fromPage tells what a person did on the page, for the timeline of the box: what concerns a phone does not belong into
// that phone's own, which tells what the phone did.
func fromPage(e web.Event) (text string, ok bool) {
	switch e.Kind {
	case web.EventSetup, web.EventChanged, web.EventSecrets, web.EventSlowed:
	default:
		return "", false
	}
	text = strings.TrimSuffix(e.What, ".")
	if !e.MAC.IsZero() {
		text = fmt.Sprintf("%s: %s", e.MAC, text)
	}
	return fmt.Sprintf("%s (from %s)", text, e.From), true
}

// period writes how long a lease lasts: 8h, 10m, 1h30m.
func period(d time.Duration) string {
	d = d.Round(time.Second)
	if d > 0 && d%time.Hour == 0 {
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	}
	if s, minutes := strings.CutSuffix(d.String(), "m0s"); minutes {
		return s + "m"
	}
	return d.String()
}

func brief(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1ms"
	}
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

func size(n int64) string {
	if n < 10_000 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d KB", (n+500)/1000)
}

func percent(n, of int64) int64 {
	if of <= 0 {
		return 100
	}
	return n * 100 / of
}

func again(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d blocks sent again", n)
}
