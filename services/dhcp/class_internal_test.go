package dhcp

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

func classed(classes ...Class) Config {
	cfg := config()
	cfg.Models = map[phone.MAC]string{mac(8): "7940"}
	cfg.Classes = classes
	return cfg
}

// offered is what a client is offered, as it reads it.
func offered(t *testing.T, st *settings, from byte, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	r := parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(from), mods...))
	if why := st.locate(r); why != nil {
		t.Fatal(why)
	}
	return decoded(t, st.lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), time.Hour))
}

func vendor(class string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptClassIdentifier(class))
}

func TestOptionsOfAClass(t *testing.T) {
	yealink := Class{Name: "Yealink", VendorClass: "yealink", Options: map[uint8]Value{
		66: {Text: "http://10.77.0.10/y/"}, 150: {}, 42: {Addresses: []netip.Addr{ip("10.77.0.10"), ip("10.77.0.11")}},
		43: {Bytes: []byte{1, 2, 3}}, 15: {}, 100: {Text: "CET-1"}, 3: {Addresses: []netip.Addr{ip("10.77.0.253")}},
	}}
	st := mustSettings(t, classed(yealink))
	got := offered(t, st, 3, vendor("YEALINK SIP-T46"), asks(1, 3, 6, 15, 42))
	if codes := codes(t, got); !slices.Equal(codes, []byte{1, 3, 6, 42, 43, 51, 53, 54, 58, 59, 66}) {
		t.Errorf("options: got %v", codes)
	}
	if got.TFTPServerName() != "http://10.77.0.10/y/" || got.Router()[0].String() != "10.77.0.253" || !bytes.Equal(got.Options[42], []byte{10, 77, 0, 10, 10, 77, 0, 11}) {
		t.Errorf("values: got %s", got.Summary())
	}
	if addrOf(got.ServerIPAddr) != ip("10.77.0.1") || addrOf(got.Options[54]) != ip("10.77.0.1") {
		t.Errorf("siaddr and 54 are %s and %v", got.ServerIPAddr, got.Options[54])
	}
	// Without a wish of its own a client gets all; asked for, what nobody has to look for its files in as well.
	if got := offered(t, st, 3, vendor("yealink"), asks(100)); string(got.Options[100]) != "CET-1" || got.Options[42] != nil {
		t.Errorf("asked for option 100: got %s", got.Summary())
	}
	if got := offered(t, st, 3, vendor("yealink"), without(dhcpv4.OptionParameterRequestList)); got.Options[100] == nil || got.Options[42] == nil || got.Options[15] != nil {
		t.Errorf("no list: got %s", got.Summary())
	}
	if got := offered(t, st, 3, vendor("Polycom-VVX"), asks(1, 66)); got.TFTPServerName() != "10.77.0.1" || got.Options[43] != nil {
		t.Errorf("another make: got %s", got.Summary())
	}
	wantBox(t, offered(t, st, 3))
}

func TestWhichClassAClientIsOf(t *testing.T) {
	set := func(text string) map[uint8]Value { return map[uint8]Value{100: {Text: text}} }
	st := mustSettings(t, classed(
		Class{Name: "one phone", MACs: []phone.MAC{mac(3)}, VendorClass: "snom", Options: set("mac and class")},
		Class{Name: "model", Model: "7940", Options: set("model")},
		Class{Name: "snom", VendorClass: "SNOM", Options: set("snom")},
		Class{Name: "rest", Options: set("rest")},
	))
	tests := []struct {
		name string
		from byte
		mods []dhcpv4.Modifier
		want string
	}{
		{"both conditions hold", 3, []dhcpv4.Modifier{vendor("snom720")}, "mac and class"},
		{"the MAC alone", 3, []dhcpv4.Modifier{vendor("yealink")}, "rest"},
		{"the class in other letters", 4, []dhcpv4.Modifier{vendor("sNom")}, "snom"},
		{"a listed phone of the model", 8, nil, "model"},
		{"a listed phone that tells its model", 9, []dhcpv4.Modifier{vendor("Cisco Systems, Inc. IP Phone CP-7940G\x00")}, "model"},
		{"a phone of the model that is not listed", 4, []dhcpv4.Modifier{vendor("Cisco Systems, Inc. IP Phone CP-7940G\x00")}, "rest"},
		{"no class at all", 4, []dhcpv4.Modifier{without(dhcpv4.OptionClassIdentifier)}, "rest"},
	}
	for _, tt := range tests {
		if got := offered(t, st, tt.from, append(tt.mods, asks(100))...); string(got.Options[100]) != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got.Options[100], tt.want)
		}
	}
}

// 66, 150 and siaddr are the box for a 7940 and 7960, always: a class that could change that is refused, and one that
// meets such a phone by a MAC that nobody lists changes nothing.
func TestNoClassTakesTheBoxFromACiscoPhone(t *testing.T) {
	files := map[uint8]Value{66: {Text: "http://elsewhere/"}, 150: {}}
	for name, class := range map[string]Class{
		"everybody": {}, "the model": {Model: "7960"}, "cisco": {VendorClass: "cisco"}, "a listed phone": {MACs: []phone.MAC{mac(8)}},
		"the 7960": {VendorClass: "Cisco Systems, Inc. IP Phone CP-7960G"},
	} {
		class.Options = files
		if err := classed(class).Validate(); err == nil || !strings.Contains(err.Error(), "66, 150 and siaddr") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, class := range map[string]Class{
		"a 7941": {VendorClass: "Cisco Systems, Inc. IP Phone CP-7941"}, "an adapter": {VendorClass: "CISCO ATA"}, "a MAC": {MACs: []phone.MAC{mac(3)}},
	} {
		class.Options = files
		if err := classed(class).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	st := mustSettings(t, classed(Class{MACs: []phone.MAC{mac(3)}, Options: files}))
	wantBox(t, offered(t, st, 3))
	if got := offered(t, st, 3, vendor("snom")); got.TFTPServerName() != "http://elsewhere/" || got.Options[150] != nil {
		t.Errorf("the same MAC as another make: got %s", got.Summary())
	}
}

func TestClassesThatCannotBe(t *testing.T) {
	for name, options := range map[string]map[uint8]Value{
		"lease time": {51: {Bytes: []byte{0, 0, 0, 1}}}, "server": {54: {Addresses: []netip.Addr{ip("10.77.0.9")}}}, "client id": {61: {Text: "x"}},
		"relay": {82: {Text: "x"}}, "subnet": {118: {Text: "x"}}, "rapid commit": {80: {}}, "pad": {0: {}}, "end": {255: {}},
		"IPv6": {42: {Addresses: []netip.Addr{netip.IPv6Loopback()}}}, "too long": {43: {Bytes: make([]byte, 1000)}},
	} {
		if err := classed(Class{VendorClass: "snom", Options: options}).Validate(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Classes give options; they let nobody in.
func TestPhonesOnlyStaysWithClasses(t *testing.T) {
	cfg := classed(Class{Name: "all", Options: map[uint8]Value{100: {Text: "x"}}}, Class{Name: "snom", VendorClass: "snom"})
	cfg.PhonesOnly = true
	st := mustSettings(t, cfg)
	tab, m := scene(t, st)
	for class, want := range map[string]act{"snom": ignore, "Cisco Systems, Inc. IP Phone": offer} {
		if v := st.decide(tab, parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(3), vendor(class))), true, m); v.act != want {
			t.Errorf("%s: got %d, want %d", class, v.act, want)
		}
	}
	if v := st.decide(tab, parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(8), vendor("snom"))), true, m); v.act != offer {
		t.Errorf("a listed phone: got %d", v.act)
	}
}

// A value of 400 bytes leaves in two options one behind the other (RFC 3396 section 5).
func TestLongValuesAreSplit(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 40)
	st := mustSettings(t, classed(Class{VendorClass: "snom", Options: map[uint8]Value{43: {Bytes: long}}}))
	r := parsed(t, packet(t, dhcpv4.MessageTypeDiscover, mac(3), vendor("snom"), dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(1500))))
	b := st.lend(r, dhcpv4.MessageTypeOffer, ip("10.77.1.1"), time.Hour).msg.ToBytes()
	want := append(append(append([]byte{43, 255}, long[:255]...), 43, 145), long[255:]...)
	if !bytes.Contains(b, want) {
		t.Errorf("not there in two pieces: %s", hex.EncodeToString(b[headerSize:]))
	}
	if got := decoded(t, outgoing{msg: message{bytes: b}}); !bytes.Equal(got.Options[43], long) {
		t.Errorf("put together again it is %d bytes", len(got.Options[43]))
	}
}

// What is written is what another implementation reads, and writes: the same bytes.
func TestReplyBytesAreThoseOfTheCodec(t *testing.T) {
	cfg := branches()
	cfg.Classes = []Class{{VendorClass: "snom", Options: map[uint8]Value{66: {Text: "http://x"}, 43: {Bytes: make([]byte, 300)}, 224: {Text: "z"}}}}
	st := mustSettings(t, cfg)
	id := dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte{255, 1, 2, 3, 4, 0, 3, 0, 1, 9}))
	for _, mods := range [][]dhcpv4.Modifier{
		{},
		{id},
		{through("10.78.0.1"), agent("\x01a")},
		{vendor("snom"), without(dhcpv4.OptionParameterRequestList), id},
		{has("10.77.1.1")},
		{dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptHostName("reception"))},
	} {
		r := parsed(t, packet(t, dhcpv4.MessageTypeRequest, mac(3), mods...))
		if why := st.locate(r); why != nil {
			t.Fatal(why)
		}
		for _, out := range []outgoing{st.lend(r, dhcpv4.MessageTypeAck, ip("10.77.1.1"), time.Hour), st.nak(r, "because"), st.inform(r, ip("10.77.5.5"))} {
			if got := decoded(t, out).ToBytes(); !bytes.Equal(got, out.msg.ToBytes()) {
				t.Errorf("ours:\n%s\nthe codec's:\n%s", hex.EncodeToString(out.msg.ToBytes()), hex.EncodeToString(got))
			}
		}
	}
}

// The last free addresses are kept for the listed phones; strangers are told why, and counted.
func TestStrangersDoNotStarveListedPhones(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cfg := config()
		cfg.Pool = []lease.Range{{First: ip("10.77.1.1"), Last: ip("10.77.1.4")}}
		cfg.Known = []phone.MAC{mac(101), mac(102), mac(9)} // 9 has a reservation
		b := started(t, cfg, newStore())
		defer b.stop()
		b.lease(1)
		b.lease(2)
		b.silent(packet(t, msgDiscover, mac(3)))
		if got := b.lastReason(); !strings.Contains(got, "kept for the listed phones") {
			t.Errorf("the reason is %q", got)
		}
		if n := counted(t, b.s.metrics.dropped.WithLabelValues("kept_for_listed")); n != 1 {
			t.Errorf("counted %v", n)
		}
		b.want(msgNak, "", packet(t, msgRequest, mac(3), wanted("10.77.1.4")))
		b.want(msgAck, "10.77.1.1", packet(t, msgRequest, mac(1), has("10.77.1.1")))
		b.lease(101)
		b.silent(packet(t, msgDiscover, mac(4)))
		b.lease(102)
		b.silent(packet(t, msgDiscover, mac(5)))
		if got := b.lastReason(); got != "all 4 addresses of the pool are in use" {
			t.Errorf("the reason is %q", got)
		}
	})
}
