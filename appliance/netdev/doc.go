// Package netdev is the interface of the box: its address and route, the link, the neighbours, ARP probes, raw frames and
// the watch for other DHCP servers, for another network and for a second host with the box's address. It is the only package
// that touches netlink.
//
// A [Device] follows one interface from [Device.Run] on. It is the wire of the DHCP server (it implements dhcp.Wire), and
// [Device.MACOf] is the ground that promise 4 stands on: it says which hardware address the frames of an address carry,
// by asking the wire itself. The kernel's neighbour table is never asked, for the box writes permanent entries into it
// (one for each live lease, because those don't count against the kernel's limit).
//
// The interface may be absent, come later, go and return: the device then says so in [Device.State], delivers a change,
// and sets everything up anew without being told. Where there is no wire at all (-try), [Loopback] takes its place.
package netdev
