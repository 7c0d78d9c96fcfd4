// Package explain says in words what phones do: for each file whether its absence matters to this phone now, for each step
// what it waits for and what comes next, for each known trouble what causes it and how it is cured (phones.md a, c.6). All
// is data and pure functions; what a phone is seen doing goes in, sentences for people come out.
package explain

import "phonebox/services/phone"

// Answer is yes, no, or not known.
type Answer int8

// The answers; the zero value is "not known".
const (
	Unknown Answer = iota
	Yes
	No
)

// Now is what is known of a phone at this moment. The zero Now is a phone of which nothing is known.
type Now struct {
	Protocol  phone.Protocol // of the application that was last seen
	Loader    Answer         // the universal loader is there (phones.md a.4)
	Listed    bool           // the site lists it
	HasTarget bool           // it is to run another load than it does, or its load is still to be named
	Load      string         // that it runs; "" = not known
	Named     string         // load that the files name to it now; "" = none, or not known
}
