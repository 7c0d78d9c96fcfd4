// Package dns answers the names of the voice VLAN (the box, CiscoCM1, tftp, ntp, the site's hosts, the phones, SRV of the
// proxy and the addresses backwards) and forwards the rest to the site's upstream servers (RFC 1035, 2308, 2782).
package dns
