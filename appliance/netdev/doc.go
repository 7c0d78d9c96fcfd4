// Package netdev is the interface of the box: its address and route, the link, the neighbours, ARP probes, raw frames and
// the look for other DHCP servers. It is the only package that touches netlink.
package netdev
