// Package sip speaks to the SIP application of a phone: OPTIONS tells whether it runs, NOTIFY with Event check-sync
// makes it read its configuration anew (phones.md f.1). It registers nothing and carries no calls.
package sip
