// Package lease holds the rules of addresses: which address a client gets, how long it is its own, and what a restart
// or a clock that jumps may do to it. It is pure: no sockets, no files, no clock of its own; the time of every call is
// an argument, and what must last goes out as [Record] values that the caller commits before it answers.
package lease
