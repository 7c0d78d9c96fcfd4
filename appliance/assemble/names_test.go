package assemble

import (
	"fmt"
	"maps"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/phone"
)

// The MACs of the tests.
func testMAC(last byte) phone.MAC { return phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, last} }

// namedSite has phones with labels that want to be somebody else, and two with one label.
const namedSite = `
[network]
address = "10.77.0.1/16"
[dhcp]
pool = ["10.77.1.1-10.77.1.9"]
[time]
upstream = ["clock.voice.home.arpa"]
[dns.hosts]
door = "10.77.0.9"
[dns.names]
"old-tftp" = "phonebox"
"tftp.old.example" = "phonebox"
[sip]
proxy = "pbx"
[[phones]]
mac = "00:06:D7:AA:2A:01"
label = "TFTP"
[[phones]]
mac = "00:06:D7:AA:2A:02"
label = "Door"
[[phones]]
mac = "00:06:D7:AA:2A:03"
label = "Front desk"
[[phones]]
mac = "00:06:D7:AA:2A:04"
label = "front-desk"
[[phones]]
mac = "00:06:D7:AA:2A:05"
label = "SEP0006D7AA2A03"
[[phones]]
mac = "00:06:D7:AA:2A:06"
label = "sep0006d7aa2a06"
[[phones]]
mac = "00:06:D7:AA:2A:07"
label = "CiscoCM2"
[[phones]]
mac = "00:06:D7:AA:2A:08"
label = "WPAD"
[[phones]]
mac = "00:06:D7:AA:2A:09"
label = "old tftp"
[[phones]]
mac = "00:06:D7:AA:2A:0A"
label = "PBX"
[[phones.lines]]
name = "1"
proxy = "pbx2.voice.home.arpa"
`

func namedIndex(t *testing.T) *index {
	t.Helper()
	s, faults := site.Parse([]byte(namedSite), site.Catalogue())
	if s == nil {
		t.Fatal(faults)
	}
	return makeIndex(s)
}

// A label is a name of its phone, unless the name is somebody else's; of two with one label the first in the settings has it.
func TestLabelsTakeNoNameOfOthers(t *testing.T) {
	t.Parallel()
	want := map[string]phone.MAC{"front-desk": testMAC(3), "sep0006d7aa2a06": testMAC(6), "pbx": testMAC(0x0a)}
	for range 20 { // not by the order of a map
		if got := namedIndex(t).byName; !maps.Equal(got, want) {
			t.Fatalf("the labels make the names %v, want %v", got, want)
		}
	}
}

// What a device calls itself is its name while nobody with a better right has it.
func TestWhatADeviceCallsItself(t *testing.T) {
	t.Parallel()
	ix := namedIndex(t)
	for _, tt := range []struct {
		mac      byte
		hostname string
		want     string
	}{
		{0x20, "laptop", "laptop"},
		{0x20, "Laptop.corp.example", "laptop"},
		{0x20, "John's PC", "john-s-pc"},
		{0x20, "", ""},
		{0x20, "...", ""},
		{0x20, "phonebox", ""},
		{0x20, "CiscoCM1", ""},
		{0x20, "ciscocm2", ""},
		{0x20, "ntp", ""},
		{0x20, "door", ""},
		{0x20, "old-tftp", ""},
		{0x20, "wpad", ""},
		{0x20, "localhost", ""},
		{0x20, "pbx", ""},   // sip.proxy
		{0x20, "pbx2", ""},  // of a line
		{0x20, "clock", ""}, // time.upstream
		{0x20, "front-desk", ""},
		{0x03, "front-desk", "front-desk"},
		{0x20, "SEP0006D7AA2A20", "sep0006d7aa2a20"},
		{0x20, "SIP0006D7AA2A20", "sip0006d7aa2a20"},
		{0x20, "SEP0006D7AA2A03", ""},
		{0x20, "SIP0006D7AA2A03", ""},
	} {
		if got := ix.ownName(testMAC(tt.mac), tt.hostname); got != tt.want {
			t.Errorf("%02x calls itself %q: found the name %q, want %q", tt.mac, tt.hostname, got, tt.want)
		}
	}
	if got := ix.ownName(phone.MAC{}, "laptop"); got != "" {
		t.Errorf("a client without an Ethernet address has the name %q", got)
	}
}

// Of two devices that call themselves the same the first has the name until its lease ends; a device that changes its name
// leaves nothing behind.
func TestNamesThatDevicesGiveThemselves(t *testing.T) {
	t.Parallel()
	ix := namedIndex(t)
	var c calls
	step := func(kind dhcp.EventKind, mac byte, hostname string, renewal, changed bool) {
		t.Helper()
		if got := c.heard(ix, &dhcp.Event{Kind: kind, MAC: testMAC(mac), Hostname: hostname, Renewal: renewal}); got != changed {
			t.Errorf("%s of %02x as %q: changed %v, want %v", kind, mac, hostname, got, changed)
		}
	}
	holds := func(name string, mac byte) {
		t.Helper()
		if got := c.holder[name]; got != testMAC(mac) {
			t.Errorf("%q is held by %s, want %s", name, got, testMAC(mac))
		}
	}
	step(dhcp.EventAck, 0x20, "laptop", false, true)
	step(dhcp.EventAck, 0x20, "laptop", true, false)
	step(dhcp.EventAck, 0x21, "Laptop", false, true)
	step(dhcp.EventAck, 0x21, "Laptop", true, false)
	step(dhcp.EventOffer, 0x21, "other", false, false)
	holds("laptop", 0x20)
	if !c.contested["laptop"] {
		t.Error("nobody knows that a second device waits for the name")
	}
	step(dhcp.EventAck, 0x20, "desk", true, true)
	holds("desk", 0x20)
	step(dhcp.EventAck, 0x21, "laptop", true, true)
	holds("laptop", 0x21)
	step(dhcp.EventExpire, 0x20, "desk", false, true)
	step(dhcp.EventRelease, 0x21, "laptop", false, true)
	if len(c.holder) != 0 || len(c.name) != 0 {
		t.Errorf("left behind: %v and %v", c.holder, c.name)
	}
	for i := range 1000 {
		step(dhcp.EventAck, 0x22, "n"+string(rune('a'+i%26))+"x", true, true)
	}
	if len(c.holder) != 1 || len(c.name) != 1 {
		t.Errorf("a device that changes its name has %d of them", len(c.holder))
	}
}

// Two devices that call themselves something else all the time cost no more memory than others.
func TestNamesThatDevicesWantAreBounded(t *testing.T) {
	t.Parallel()
	var c calls
	for i := range 10 * maxContested {
		name := fmt.Sprintf("n%d", i)
		c.take(testMAC(1), name)
		c.take(testMAC(2), name)
	}
	if len(c.contested) > maxContested || len(c.holder) > 2 || len(c.name) > 2 {
		t.Errorf("%d names are remembered that two wanted, %d of devices, %d devices", len(c.contested), len(c.holder), len(c.name))
	}
	c.take(testMAC(1), "printer")
	c.take(testMAC(2), "printer")
	if !c.contested["printer"] || c.holder["printer"] != testMAC(1) {
		t.Errorf("afterwards: %v, %v", c.contested["printer"], c.holder["printer"])
	}
}
