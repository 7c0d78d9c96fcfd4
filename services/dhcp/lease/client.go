package lease

import (
	"bytes"
	"encoding/hex"
	"slices"
)

// Ethernet is the hardware type (htype) of Ethernet (RFC 1700).
const Ethernet = 1

// Client is who asks: the identity that a lease belongs to, and what is stored beside it.
type Client struct {
	Key         Key
	HType       uint8
	HWAddr      []byte
	ClientID    []byte // option 61 as it came; nil = none was sent
	Hostname    string // option 12
	VendorClass string // option 60, trailing NULs removed
}

// MACKey returns the key of a client on Ethernet.
func MACKey(mac [6]byte) Key {
	var b [4 + 12]byte
	copy(b[:], "mac:")
	hex.Encode(b[4:], mac[:])
	return Key(b[:])
}

// IDKey returns the key of a client on another kind of link, which is told apart by its client identifier.
func IDKey(clientID []byte) Key { return Key("id:" + hex.EncodeToString(clientID)) }

var zeroMAC [6]byte

// KeyOf returns the key for what a packet says of its sender; false when it says nothing that could be a key. On
// Ethernet that is the hardware address: not all zeros and not a group address.
func KeyOf(htype uint8, hwaddr, clientID []byte) (Key, bool) {
	if htype == Ethernet && len(hwaddr) == 6 {
		if hwaddr[0]&1 == 1 || bytes.Equal(hwaddr, zeroMAC[:]) {
			return "", false
		}
		return MACKey([6]byte(hwaddr)), true
	}
	if htype == Ethernet || len(clientID) == 0 {
		return "", false
	}
	return IDKey(clientID), true
}

// record builds the record of an acknowledged lease; it shares no bytes with the client.
func (c Client) record() Record {
	return Record{
		Key: c.Key, HType: c.HType, HWAddr: slices.Clone(c.HWAddr), ClientID: slices.Clone(c.ClientID),
		Hostname: c.Hostname, VendorClass: c.VendorClass,
	}
}
