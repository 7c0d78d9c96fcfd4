package dhcp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/internal/udp"
)

// fromBytes parses a packet that no codec made.
func fromBytes(t *testing.T, b []byte) *request {
	t.Helper()
	r, err := parse(&udp.Packet{Payload: b, To: ip("255.255.255.255")})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// RFC 3396 section 7: the pieces of an option are put together in the order in which they come: the options field, then
// file, then sname.
func TestPiecesOfAnOptionAreJoined(t *testing.T) {
	h := header()
	copy(h[fileAt:], "\x37\x02\x03\x06\x3c\x04 Sys\xff")
	copy(h[snameAt:], "\x3c\x05tems!\x52\x03\x01\x01B\xff")
	r := fromBytes(t, raw(h, 53, 1, 1, 60, 3, 'C', 'i', 's', 55, 1, 1, 52, 1, 3, 60, 2, 'c', 'o', 82, 4, 2, 2, 'r', '1', 255))
	if r.client.VendorClass != "Cisco Systems!" || !slices.Equal(r.params, []byte{1, 3, 6}) {
		t.Errorf("got class %q, list %v", r.client.VendorClass, r.params)
	}
	if string(r.relay.circuit) != "B" || string(r.relay.remote) != "r1" {
		t.Errorf("option 82 in two pieces: got %+v", r.relay)
	}
	out := mustSettings(t, config()).nak(r, "no").msg.ToBytes()
	if want := []byte{82, 7, 2, 2, 'r', '1', 1, 1, 'B', 255}; !bytes.HasSuffix(bytes.TrimRight(out, "\x00"), want) {
		t.Errorf("option 82 comes back as %x", out[headerSize:])
	}
}

// RFC 4361 (a client id of type 255: IAID and DUID) and RFC 6842: the id is stored as it came and comes back, also in a
// NAK; on Ethernet the lease still belongs to the MAC, for phones change their id between loads.
func TestClientIDsAreStoredAndComeBack(t *testing.T) {
	id := []byte{255, 0, 0, 0, 7, 0, 3, 0, 1, 0, 6, 0xd7, 0xaa, 0x2a, 0x2e}
	option := append([]byte{61, byte(len(id))}, id...)
	inBubble(t, func(t *testing.T) {
		b := started(t, config(), newStore())
		defer b.stop()
		send := func(options ...byte) *dhcpv4.DHCPv4 {
			b.take()
			replies := b.s.handle(t.Context(), b, &udp.Packet{Payload: raw(header(), append(options, option...)...), To: ip("255.255.255.255"), Index: 3}, nil)
			time.Sleep(time.Second)
			got := append(b.decode(replies), b.take()...)
			if len(got) != 1 {
				t.Fatalf("got %d answers", len(got))
			}
			return got[0]
		}
		offer := send(53, 1, 1)
		addr := offer.YourIPAddr.To4()
		ack := send(append([]byte{53, 1, 3, 54, 4, 10, 77, 0, 1, 50, 4}, addr...)...)
		nak := send(53, 1, 3, 50, 4, 192, 168, 7, 7)
		for _, got := range []*dhcpv4.DHCPv4{offer, ack, nak} {
			if !bytes.Equal(got.Options[61], id) {
				t.Errorf("%s: the client id is %x", got.MessageType(), got.Options[61])
			}
		}
		if nak.MessageType() != msgNak {
			t.Errorf("got %s", nak.MessageType())
		}
		rec, ok := b.store.record(addr.String())
		if !ok || !bytes.Equal(rec.ClientID, id) || rec.Key != lease.MACKey([6]byte(header()[28:34])) {
			t.Errorf("stored: %+v", rec)
		}
	})
}

// On another link than Ethernet the client id is the client (RFC 4390): the same id keeps its address.
func TestClientIDIsTheKeyElsewhere(t *testing.T) {
	h := header()
	h[1], h[2] = 32, 0
	clear(h[28:44])
	r := fromBytes(t, raw(h, 53, 1, 1, 61, 3, 255, 1, 2))
	if r.client.Key != lease.IDKey([]byte{255, 1, 2}) || !r.mac.IsZero() {
		t.Errorf("got %q, %s", r.client.Key, r.mac)
	}
}

// RFC 4039 is not offered: who asks for rapid commit gets an OFFER like everybody, without option 80.
func TestRapidCommitIsNotOffered(t *testing.T) {
	r := fromBytes(t, raw(header(), 53, 1, 1, 80, 0, 55, 3, 1, 3, 80, 255))
	st := mustSettings(t, config())
	tab, m := scene(t, st)
	v := st.decide(tab, r, true, m)
	if v.act != offer {
		t.Fatalf("got %+v, want an offer", v)
	}
	msg := decoded(t, st.lend(r, dhcpv4.MessageTypeOffer, v.addr, time.Hour))
	if _, there := msg.Options[80]; there || msg.MessageType() != dhcpv4.MessageTypeOffer {
		t.Errorf("got %s", msg.Summary())
	}
	if _, leased := tab.At(v.addr, m); leased {
		t.Error("the address is leased without a REQUEST")
	}
}

// The vendor classes that phones were seen to send (phones.md b), some with a NUL behind, some without.
func TestOddPacketsOfPhonesAreAccepted(t *testing.T) {
	for _, class := range []string{
		"Cisco Systems, Inc. IP Phone\x00", "Cisco Systems, Inc. IP Phone CP-7940G\x00", "Cisco Systems, Inc. IP Phone CP-7960\x00",
		"Cisco Systems, Inc. IP Phone 7912", "Cisco Systems Inc. Wireless Phone 7921", "CISCO ATA190",
	} {
		options := append([]byte{53, 1, 1, 60, byte(len(class))}, class...)
		cfg := config()
		cfg.PhonesOnly = true
		st := mustSettings(t, cfg)
		tab, m := scene(t, st)
		for name, b := range map[string][]byte{
			"as it is":          raw(header(), append(slices.Clone(options), 255)...),
			"no end option":     raw(header(), options...),
			"padded to 576":     append(raw(header(), append(slices.Clone(options), 255)...), make([]byte, 300)...),
			"an empty option":   raw(header(), append(slices.Clone(options), 12, 0, 255)...),
			"an empty list":     raw(header(), append(slices.Clone(options), 55, 0, 255)...),
			"seconds and hops":  func() []byte { h := header(); h[3], h[8], h[9] = 3, 0xff, 0xff; return raw(h, options...) }(),
			"unknown flag bits": func() []byte { h := header(); h[11] = 0x7f; return raw(h, options...) }(),
		} {
			r := fromBytes(t, b)
			if v := st.decide(tab, r, true, m); v.act != offer {
				t.Errorf("%q, %s: got %+v", class, name, v)
			}
		}
	}
}
