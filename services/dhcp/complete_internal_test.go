package dhcp

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/internal/udp"
)

// header is the fixed part of a DISCOVER of a phone, up to the cookie.
func header() []byte {
	h := make([]byte, headerSize)
	h[0], h[1], h[2] = 1, 1, 6
	copy(h[4:], "\x12\x34\x56\x78")
	copy(h[28:], "\x00\x06\xd7\xaa\x2a\x2e")
	return h
}

// raw joins a header, the cookie and options.
func raw(h []byte, options ...byte) []byte { return append(append(h, cookie()...), options...) }

func TestBytesAreCompletedBeforeTheyAreParsed(t *testing.T) {
	withFile := func(file, sname string) []byte {
		h := header()
		copy(h[fileAt:], file)
		copy(h[snameAt:], sname)
		return h
	}
	tests := []struct {
		name  string
		in    []byte
		class string // what is read from option 60
		asked string // and from option 55
	}{
		{"a whole packet", raw(header(), 53, 1, 1, 60, 2, 'a', 'b', 255), "ab", ""},
		{"no end option", raw(header(), 53, 1, 1, 60, 2, 'a', 'b'), "ab", ""},
		{"no end option, padded", raw(header(), 53, 1, 1, 60, 2, 'a', 'b', 0, 0, 0), "ab", ""},
		{"padding between options", raw(header(), 53, 1, 1, 0, 0, 60, 2, 'a', 'b', 255), "ab", ""},
		{"options in file", raw(withFile("\x3c\x02ab\xff", ""), 53, 1, 1, 52, 1, 1, 255), "ab", ""},
		{"options in sname", raw(withFile("", "\x3c\x02ab\xff"), 53, 1, 1, 52, 1, 2, 255), "ab", ""},
		{"options in both, one split over them", raw(withFile("\x3c\x02cd\xff", "\x3c\x02ef\x37\x01\x42\xff"), 60, 2, 'a', 'b', 52, 1, 3, 53, 1, 1, 255), "abcdef", "\x42"},
		{"options in file, no end option anywhere", raw(withFile("\x3c\x02ab", ""), 53, 1, 1, 52, 1, 1), "ab", ""},
		{"file and sname without option 52 are no options", raw(withFile("\x3c\x02ab\xff", "\x3c\x02ab\xff"), 53, 1, 1, 255), "", ""},
		{"option 52 inside file means nothing", raw(withFile("\x34\x01\x02\xff", "\x3c\x02ab\xff"), 53, 1, 1, 52, 1, 1, 255), "", ""},
		{"as short as a packet can be", raw(header(), 53, 1, 1), "", ""},
		{"as long as BOOTP", append(raw(header(), 53, 1, 1, 255), make([]byte, 56)...), "", ""},
		{"a whole long packet", append(raw(header(), 60, 2, 'a', 'b', 53, 1, 1, 255), make([]byte, 90)...), "ab", ""},
		{"rubbish behind the end option of a long packet", append(raw(header(), 53, 1, 1, 255), bytes.Repeat([]byte{7}, 90)...), "", ""},
		{"a long packet that goes on in file", append(raw(withFile("\x3c\x02ab\xff", ""), 53, 1, 1, 52, 1, 1, 255), make([]byte, 90)...), "ab", ""},
		{"rubbish behind the end option", raw(header(), 53, 1, 1, 255, 60, 200, 1), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone(tt.in)
			r, err := parse(&udp.Packet{Payload: tt.in})
			if err != nil {
				t.Fatal(err)
			}
			if r.typ != dhcpv4.MessageTypeDiscover || r.client.VendorClass != tt.class || string(r.params) != tt.asked {
				t.Errorf("got %s, class %q, asked %q, want DISCOVER, %q, %q", r.typ, r.client.VendorClass, r.params, tt.class, tt.asked)
			}
			if !bytes.Equal(before, tt.in) {
				t.Error("the receive buffer was changed")
			}
			out, err := complete(tt.in)
			if err != nil || len(out) < minimumSize {
				t.Errorf("got %d bytes, %v, want at least %d", len(out), err, minimumSize)
			}
		})
	}
}

func TestPacketsThatAreRefusedSayWhy(t *testing.T) {
	reply := header()
	reply[0] = 2
	group := header()
	group[28] = 1
	tests := []struct {
		name, code string
		in         []byte
	}{
		{"nothing", "too_short", nil},
		{"half a header", "too_short", header()[:100]},
		{"no cookie", "no_cookie", header()},
		{"BOOTP without the cookie", "no_cookie", append(header(), make([]byte, 64)...)},
		{"option cut off in its value", "malformed", raw(header(), 53, 1, 1, 60, 9, 'a')},
		{"option cut off before its length", "malformed", raw(header(), 53, 1, 1, 60)},
		{"a reply", "not_a_request", raw(reply, 53, 1, 2, 255)},
		{"BOOTP with the cookie", "no_message_type", raw(header(), 60, 1, 'a', 255)},
		{"a group address", "no_identity", raw(group, 53, 1, 1, 255)},
		{"a client id of 510 bytes", "malformed", raw(header(), append(append([]byte{53, 1, 1}, long(61)...), long(61)...)...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(&udp.Packet{Payload: tt.in})
			var why *refusal
			if !errors.As(err, &why) || why.code != tt.code {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
}

func long(code byte) []byte { return append([]byte{code, 255}, make([]byte, 255)...) }

// FuzzDecode compares our reading of a packet with the codec's.
func FuzzDecode(f *testing.F) {
	h := header()
	copy(h[snameAt:], "server")
	copy(h[fileAt:], "\x3c\x02ab\xff")
	f.Add(raw(h, 53, 1, 1, 52, 1, 3, 60, 1, 'x', 12, 0, 12, 1, 'y', 255, 1))
	f.Add(packet(f, dhcpv4.MessageTypeDiscover, mac(1), wanted("10.77.1.1")).ToBytes())
	f.Add(raw(header(), append(long(61), long(61)...)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		done, err := complete(in)
		if err != nil {
			return
		}
		want, err := dhcpv4.FromBytes(bytes.Clone(done))
		if err != nil {
			t.Fatalf("the codec cannot read what was completed: %v", err)
		}
		got := decode(done)
		if !reflect.DeepEqual(want, got) {
			t.Errorf("read otherwise than by the codec:\n%s", cmp.Diff(want, got))
		}
		if typeOf(got) != want.MessageType() {
			t.Errorf("the type is %s, want %s", typeOf(got), want.MessageType())
		}
	})
}

// The loop reads the next packets into the same buffer while a request waits for a probe or the disk.
func TestRequestSharesNothingWithTheReceiveBuffer(t *testing.T) {
	for name, tail := range map[string]int{"as long as BOOTP": 60, "short": 0} {
		in := append(raw(header(), 53, 1, 1, 55, 2, 1, 3, 60, 2, 'a', 'b', 61, 3, 1, 2, 3, 82, 4, 1, 2, 'p', '7', 255), make([]byte, tail)...)
		want := bytes.Clone(in)
		r, err := parse(&udp.Packet{Payload: in})
		if err != nil {
			t.Fatal(err)
		}
		for i := range in {
			in[i] = 0xee
		}
		if r.mac.String() != "00:06:D7:AA:2A:2E" || string(r.params) != "\x01\x03" || string(r.client.ClientID) != "\x01\x02\x03" ||
			string(r.relay.circuit) != "p7" || string(r.client.HWAddr) != "\x00\x06\xd7\xaa\x2a\x2e" || !bytes.Equal(r.keep(), want) {
			t.Errorf("%s: changed with the buffer: %+v", name, r)
		}
	}
}
