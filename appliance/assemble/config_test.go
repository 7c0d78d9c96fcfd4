package assemble

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
	"phonebox/services/phone"
)

// What stands in site.toml about networks and classes reaches the DHCP server and the DNS, and both take it.
func TestNetworksAndClassesReachTheServices(t *testing.T) {
	t.Parallel()
	s, faults := site.Parse([]byte(`
[network]
address = "10.77.0.1/16"
[dhcp]
pool = ["10.77.1.1-10.77.1.9"]
lease = "10s"
[[dhcp.subnet]]
name = "Warehouse"
network = "10.78.0.0/24"
gateway = "10.78.0.1"
pool = ["10.78.0.10-10.78.0.19", "10.78.0.30"]
lease = "2h"
circuit = ["Gi1/0/1", "0x0004"]
[[dhcp.class]]
name = "Door"
vendor_class = "snom"
macs = ["00:15:65:00:00:01"]
[dhcp.class.options]
"66" = "http://10.77.0.10/"
"42" = ["10.77.0.10"]
"43" = "0x0102"
"2" = -3600
"15" = ""
[[dhcp.class]]
name = "7940s"
model = "7940"
[dhcp.class.options]
"12" = "desk"
[time]
upstream = []
[[phones]]
mac = "00:06:D7:AA:2A:2E"
model = "7940"
address = "10.78.0.50"
`), site.Catalogue())
	if s == nil {
		t.Fatal(faults)
	}
	p := makePlan(s, Options{}, netip.AddrPort{})
	if err := p.dhcp.Validate(); err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr
	mac, door := phone.MAC{0, 6, 0xd7, 0xaa, 0x2a, 0x2e}, phone.MAC{0, 0x15, 0x65, 0, 0, 1}
	want := dhcp.Config{
		Subnets: []dhcp.Subnet{{
			Name: "Warehouse", Network: netip.MustParsePrefix("10.78.0.0/24"), Gateway: ip("10.78.0.1"), Lease: 2 * time.Hour, Circuit: []string{"Gi1/0/1", "0x0004"},
			Pool: []lease.Range{{First: ip("10.78.0.10"), Last: ip("10.78.0.19")}, {First: ip("10.78.0.30"), Last: ip("10.78.0.30")}},
		}},
		Classes: []dhcp.Class{
			{Name: "Door", VendorClass: "snom", MACs: []phone.MAC{door}, Options: map[uint8]dhcp.Value{
				66: {Text: "http://10.77.0.10/"}, 42: {Addresses: []netip.Addr{ip("10.77.0.10")}}, 43: {Bytes: []byte{1, 2}}, 2: {Bytes: []byte{0xff, 0xff, 0xf1, 0xf0}}, 15: {},
			}},
			{Name: "7940s", Model: "7940", Options: map[uint8]dhcp.Value{12: {Text: "desk"}}},
		},
		Known: []phone.MAC{mac}, Models: map[phone.MAC]string{mac: "7940"},
		Reservations: []dhcp.Reservation{{MAC: mac, Address: ip("10.78.0.50")}},
	}
	got := dhcp.Config{Subnets: p.dhcp.Subnets, Classes: p.dhcp.Classes, Known: p.dhcp.Known, Models: p.dhcp.Models, Reservations: p.dhcp.Reservations}
	same := cmp.Options{
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]netip.Prefix{netip.MustParsePrefix("10.78.0.0/24")}, p.dns.Subnets, same); diff != "" {
		t.Error(diff)
	}
}
