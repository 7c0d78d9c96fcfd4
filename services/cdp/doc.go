// Package cdp hears what phones say of themselves over the Cisco Discovery Protocol: about once a minute each sends a frame
// to 01:00:0C:CC:CC:CC with its name (SEP<MAC>), its model, and as its version the load that it runs. That is an exact
// clue, but only a clue: a switch that speaks CDP itself keeps these frames, so the box hears them on other
// switches alone. What CDP frames of a 7940 or 7960 hold in detail is unconfirmed (phones.md has no capture), so every
// part but the name is optional here.
//
// Announcements are not signed. One whose name has another MAC than the frame's sender is dropped; a host that also forges
// its sender cannot be told apart, and what is heard here must never be the only reason to flash a phone.
//
// Other devices that announce themselves, by CDP or by LLDP (IEEE 802.1AB), are kept as neighbours while what they said holds: the
// switch tells the port that the box is plugged into, its VLAN and the voice VLAN. That, too, is for people to read and nothing
// is decided by it.
package cdp
