package dhcp

import (
	"slices"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

func TestDescribe(t *testing.T) {
	msg := packet(t, dhcpv4.MessageTypeRequest, mac(1), wanted("10.77.1.5"),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionMaximumDHCPMessageSize, []byte{2, 64})),
		agent("\x01Gi1/0/1", "\x02\x00\x06", "\x05\x0a\x4e\x00\x00", "\x98\x00"),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.GenericOptionCode(224), []byte{1, 2})))
	got, err := Describe(msg.ToBytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []OptionText{
		{50, "requested address", "10.77.1.5"},
		{53, "message type", "REQUEST"},
		{55, "options asked for", "1 (subnet mask), 66 (TFTP server), 6 (DNS server), 3 (router), 15 (domain name), 150 (TFTP server addresses), 35 (ARP cache timeout)"},
		{57, "longest message", "576"},
		{60, "vendor class", "Cisco Systems, Inc. IP Phone CP-7960G"},
		{82, "relay agent information", "circuit Gi1/0/1, remote 0x0006, link 10.78.0.0, suboption 152 0x00"},
		{224, "", "0x0102"},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%+v is not in %+v", want, got)
		}
	}
	if !slices.IsSortedFunc(got, func(a, b OptionText) int { return int(a.Code) - int(b.Code) }) {
		t.Errorf("not in order: %+v", got)
	}
	if _, err := Describe([]byte("too short")); err == nil {
		t.Error("nine bytes are taken for a packet")
	}
}

func TestTheRelayInWords(t *testing.T) {
	for _, tt := range []struct{ option, want string }{
		{"\x13\x00", "answers go to the relay's own port"}, // RFC 8357: as phonesim's relay says
		{"\x01\x07Gi1/0/1\x13\x00", "circuit Gi1/0/1, answers go to the relay's own port"},
		{
			"\x01\x06\x00\x04\x00\x0a\x01\x05\x02\x08\x00\x06\x00\x1b\x0d\x01\x02\x03",
			"circuit 0x0004000a0105 (VLAN 10, module 1, port 5), remote 0x0006001b0d010203 (the switch 00:1B:0D:01:02:03)",
		},
		{"\x09\x03abc", "suboption 9 abc"},
		{"\x97\x00", "suboption 151"},
	} {
		if got, ok := suboptionsText([]byte(tt.option)); !ok || got != tt.want {
			t.Errorf("%q is told as %q (%v), want %q", tt.option, got, ok, tt.want)
		}
	}
}

// FuzzDescribe: whatever a packet holds, its options are told without a panic.
func FuzzDescribe(f *testing.F) {
	f.Add(packet(f, dhcpv4.MessageTypeDiscover, mac(1)).ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Describe(b); err == nil && len(got) > 255 {
			t.Errorf("%d options", len(got))
		}
	})
}
