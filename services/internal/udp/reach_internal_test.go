package udp

import (
	"net/netip"
	"slices"
	"testing"
)

// The broadcast address has no neighbour that could be known, in a subnet with an odd number as well.
func TestLastAddressOfASubnet(t *testing.T) {
	t.Parallel()
	for subnet, want := range map[string]string{
		"10.77.0.1/16":       "10.77.255.255",
		"10.76.0.1/16":       "10.76.255.255",
		"192.168.1.9/24":     "192.168.1.255",
		"192.168.2.9/24":     "192.168.2.255",
		"192.168.2.9/30":     "192.168.2.11",
		"255.255.255.129/25": "255.255.255.255",
	} {
		if got := lastOf(netip.MustParsePrefix(subnet)); got != netip.MustParseAddr(want) {
			t.Errorf("%s: %s, wanted %s", subnet, got, want)
		}
	}
}

func TestWhoCanBeReached(t *testing.T) {
	t.Parallel()
	wires := []wireOf{
		{"eth0", netip.MustParsePrefix("10.77.0.1/16")},
		{"eth1", netip.MustParsePrefix("10.78.0.1/16")},
		{"wlan0", netip.MustParsePrefix("10.77.0.2/16")},
	}
	for what, c := range map[string]struct {
		addr  string
		known []string // where the kernel knows the owner
		want  bool
	}{
		"known":                            {"10.77.1.1", []string{"eth0", "wlan0"}, true},
		"not known":                        {"10.77.1.1", nil, false},
		"known on one wire of two":         {"10.77.1.1", []string{"wlan0"}, true},
		"known on a wire that is not its":  {"10.77.1.1", []string{"eth1"}, false},
		"behind a router":                  {"192.0.2.1", nil, true},
		"the machine itself":               {"10.77.0.2", nil, true},
		"everybody on the wire":            {"10.77.255.255", nil, true},
		"the broadcast address of another": {"10.76.255.255", nil, true}, // behind a router
	} {
		got := reachable(wires, netip.MustParseAddr(c.addr), func(device string) bool { return slices.Contains(c.known, device) })
		if got != c.want {
			t.Errorf("%s: %v, wanted %v", what, got, c.want)
		}
	}
}
