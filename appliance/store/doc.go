// Package store keeps what must survive a power cut, in two bbolt files: leases.db (leases, decisions, secrets and the
// last applied site; small, checked whole at start) and journal.db (losing it costs no lease).
//
// One committer takes everything that waits into one transaction, so that a slow card costs latency and not throughput;
// what a caller was told to be stored is on disk.
//
//	s, err := store.Open("/perm/phonebox", log)
//	...
//	err = s.Commit(ctx, record) // on disk when it returns nil; the ACK leaves now
//
// A card that loses power in the wrong moment, or wears out, damages files. bbolt maps its file into memory and follows
// what it reads there, so a page that is gone ends the process with a fault that no caller can stop. Therefore the file
// is walked with plain reads first (check.go), then opened and checked by bbolt, and every record carries a checksum.
// A damaged leases.db is set aside and everything readable in it is saved into a new one (salvage.go).
package store
