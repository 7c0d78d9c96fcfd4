// Package dhcp gives phones their addresses (RFC 2131, 2132; options 66 and 150 for the TFTP server).
//
// The rules of leases are in the package lease; this package has the loop, the packets and the replies. A [Server] is
// made with [New], serves a socket with Serve or opens its own with Run, and takes new settings with Apply.
package dhcp
