// Package lease holds the rules of addresses: which address a client gets, how long it is its own, and what a restart
// or a clock that jumps may do to it. It is pure: no sockets, no files, no clock of its own; the time of every call is
// an argument, and what must last goes out as [Record] values that the caller commits before it answers.
//
// # What the disk protects
//
// A client may use its address until the end that it was told. So at every moment the record on disk must keep the
// address from others at least until then, whatever restart follows. An offer is no promise and stays in memory. For an
// acknowledged lease of Duration the record's End is [Slack] later than what the client is told:
//
//	Start ── Duration ── told ── Slack ── End
//
// A restart gives a stored lease what is left until End, or its Duration from the restart on if that is less; where
// either clock (of then or of now) was not trusted, its Duration from the restart on. [Table.Trust] shortens that to End
// once the clock is trusted. A renewal may therefore be acknowledged without a write ([Table.Extend]) when
//
//   - the record on disk is the one in force, and says the same of the client (name, class, identifier);
//   - it is not told more than Duration: a restart after the ACK adds at least Duration from the restart on;
//   - the new end is not after End, by the wall clock and by the monotonic one;
//   - the clock is trusted now as it was when the record was made, else there is no saying what End means.
//
// All else is written first. The slack is five eighths of a lease: clients renew at half of it, so every other renewal
// is written, and a client that restarts again and again is written once. A larger slack saves little more and keeps
// the addresses of clients that went away longer, after a restart only: while the process runs an address is free when
// the end that was told has passed.
//
// # Who has what
//
// A record is told apart by its address. A client has one for each address that it was acknowledged and whose end has not
// come: it may show up in another network, or somebody may ask there in its name, and the address before stays its own.
// [Table.Offer] gives a client what it has in that network already, so that it has one in each. When it is over, the record
// stays so that the client may get the same address again; [Table.Dirty] has an [Erased] record for what it can do without.
//
// # A clock that is set
//
// A wall clock that is set forward makes every End too early; [Table.Restamp] has such records written anew. One that is
// set back makes them too late, which only keeps an address for longer.
package lease
