package assemble

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sntp"
	"phonebox/services/tftp"
)

var (
	mac  = phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}
	addr = netip.MustParseAddr("10.77.1.5")
	from = netip.AddrPortFrom(addr, 50000)
)

func TestEventsReadAsSentences(t *testing.T) {
	fromD := func(e dhcp.Event) journal.Event { e.MAC, e.Address = mac, addr; ev, _ := fromDHCP(e); return ev }
	fromT := func(e tftp.Event) journal.Event { e.From = from; ev, _ := fromTFTP(e, mac); return ev }
	fromN := func(e sntp.Event) journal.Event { e.From = from; ev, _ := fromSNTP(e, mac); return ev }
	name := func(e dns.Event) journal.Event { e.From = from; ev, _ := fromDNS(e, mac); return ev }
	for _, tt := range []struct {
		got  journal.Event
		kind journal.Kind
		text string
	}{
		{fromD(dhcp.Event{Kind: dhcp.EventSeen}), journal.Packet, "asks for an address"},
		{fromD(dhcp.Event{Kind: dhcp.EventAck, Duration: 8 * time.Hour}), journal.Lease, "got the address 10.77.1.5 for 8h"},
		{fromD(dhcp.Event{Kind: dhcp.EventAck, Duration: 10 * time.Minute, Renewal: true}), journal.Lease, "keeps the address 10.77.1.5 for 10m"},
		{fromD(dhcp.Event{Kind: dhcp.EventAck, Duration: 90 * time.Minute}), journal.Lease, "got the address 10.77.1.5 for 1h30m"},
		{fromD(dhcp.Event{Kind: dhcp.EventNak, Reason: "it is of another network"}), journal.LeaseTrouble, "was told to ask for another address: it is of another network"},
		{fromD(dhcp.Event{Kind: dhcp.EventExpire}), journal.LeaseEnded, "no longer has the address 10.77.1.5: it was not renewed"},
		{fromD(dhcp.Event{Kind: dhcp.EventExpire, Still: netip.MustParseAddr("10.78.0.9")}), journal.Note, "no longer has the address 10.77.1.5: it was not renewed, and goes on with 10.78.0.9"},
		{fromD(dhcp.Event{Kind: dhcp.EventRelease, Still: netip.MustParseAddr("10.78.0.9")}), journal.Note, "gave the address 10.77.1.5 back, and goes on with 10.78.0.9"},
		{fromD(dhcp.Event{Kind: dhcp.EventNotStored, Err: errors.New("disk full")}), journal.LeaseTrouble, "its address could not be written to the card: disk full"},
		{fromT(tftp.Event{Kind: tftp.EventSent, Name: "/SIPDefault.cnf", Size: 1200, Bytes: 1200, Took: 5 * time.Millisecond, Retransmits: 2}), journal.Transfer, "got SIPDefault.cnf (1200 bytes in 5ms, 2 blocks sent again)"},
		{fromT(tftp.Event{Kind: tftp.EventSent, Name: "OS79XX.TXT", Size: 13, Bytes: 13, Took: 90 * time.Microsecond}), journal.Transfer, "got OS79XX.TXT (13 bytes in under 1ms)"},
		{fromT(tftp.Event{Kind: tftp.EventProgress, Name: "P0S3-8-12-00.sb2", Size: 756524, Bytes: 378262}), journal.Transfer, "P0S3-8-12-00.sb2: 50 % sent"},
		{fromT(tftp.Event{Kind: tftp.EventAborted, Name: "P0S3-8-12-00.sb2", Size: 756524, Bytes: 1024, Reason: "no answer for 25 s"}), journal.Transfer, "P0S3-8-12-00.sb2 broke off after 1024 bytes of 757 KB: no answer for 25 s"},
		{fromN(sntp.Event{Kind: sntp.EventAnswered, Stratum: 3}), journal.Time, "asked the time and got it"},
		{fromN(sntp.Event{Kind: sntp.EventAnswered, Stratum: 16}), journal.Time, "asked the time and was told that the box does not know it yet"},
		{name(dns.Event{Kind: dns.EventAnswered, Name: "ciscocm1", Type: "A", Result: "NXDOMAIN"}), journal.Name, "asked for the name ciscocm1 (A), which does not exist"},
		{name(dns.Event{Kind: dns.EventAnswered, Name: "old.example", Type: "A", Result: "REFUSED"}), journal.Name, "asked for the name old.example (A), which the box does not know and asks nobody for"},
		{name(dns.Event{Kind: dns.EventAnswered, Name: "old.example", Type: "A", Result: "SERVFAIL"}), journal.Name, "asked for the name old.example (A), and no name server had an answer"},
		{name(dns.Event{Kind: dns.EventAnswered, Name: "old.example", Type: "SRV", Result: "NODATA"}), journal.Name, "asked for the name old.example (SRV), which has no such record"},
	} {
		if tt.got.Kind != tt.kind || tt.got.Text != tt.text || tt.got.MAC != mac {
			t.Errorf("got %s %q of %s, want %s %q", tt.got.Kind, tt.got.Text, tt.got.MAC, tt.kind, tt.text)
		}
	}
}

func TestWhatBelongsToNoPhoneIsNoEventOfOne(t *testing.T) {
	if _, ok := fromDHCP(dhcp.Event{Kind: dhcp.EventSeen}); ok {
		t.Error("a client without a MAC")
	}
	if _, ok := fromDHCP(dhcp.Event{Kind: dhcp.EventHeld, MAC: mac}); ok {
		t.Error("the hold of the whole server")
	}
	if _, ok := fromTFTP(tftp.Event{Kind: tftp.EventSent}, phone.MAC{}); ok {
		t.Error("a transfer to nobody known")
	}
}

func TestAnotherDeviceDoesNotMoveAPhone(t *testing.T) {
	other := phone.MAC{0x02, 1, 2, 3, 4, 5}
	a := provision.Answer{Status: provision.Harmless, File: phone.ParseFileName("CTLSEP0006D7AA2A2E.tlv"), MAC: mac}
	for _, tt := range []struct {
		name   string
		holder phone.MAC
		want   journal.Kind
	}{
		{"the phone itself", mac, journal.FileMissing},
		{"an address without a lease", phone.MAC{}, journal.FileMissing},
		{"another device with a lease", other, journal.Note},
	} {
		if ev := answered(a, addr, other, tt.holder); ev.Kind != tt.want || ev.MAC != mac || (ev.Kind == journal.Note) == ev.Address.IsValid() {
			t.Errorf("%s: got %s of %s at %s", tt.name, ev.Kind, ev.MAC, ev.Address)
		}
	}
}
