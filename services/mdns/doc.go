// Package mdns lets people find the box without knowing its address: it answers for phonebox.local on the wire (Multicast
// DNS, RFC 6762) and names the page in browsers' lists of services (DNS-SD, RFC 6763).
//
// What is said and when is a state machine without a clock or a socket ([responder]); [Server] gives it both.
package mdns
