// Package assemble makes one product of the servers: it turns the site into their settings, gives each what it asks of the
// others, runs them, restarts the one that fails, tells their events to the journal, and is the box that the page shows.
//
// It is the only package that knows all the others. Nothing of a protocol is decided here.
package assemble
