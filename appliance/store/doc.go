// Package store keeps what must survive a power cut: leases.db (leases, decisions, secrets and the last applied site;
// small, checked whole at start), two logs that take its leases first, and journal.db (losing it costs no lease).
//
// One committer takes everything that waits into one write and one sync of a log, so that a slow card costs latency and
// not throughput; what a caller was told to be stored is on disk. When a log is full, the other one is taken, and what
// the first holds is folded into leases.db in the background.
//
//	s, err := store.Open("/perm/phonebox", log)
//	...
//	err = s.Commit(ctx, record) // on disk when it returns nil; the ACK leaves now
//
// A card that loses power in the wrong moment, or wears out, damages files. bbolt maps its file into memory and follows
// what it reads there, so a page that is gone ends the process with a fault that no caller can stop. Therefore the file
// is walked with plain reads first (check.go), then opened and checked by bbolt, and every record carries a checksum.
// A damaged leases.db is set aside and everything readable in it and in the logs is saved into a new one (salvage.go).
// Every sector of a log is valid at any time (sector.go), which tells damage from a write that a power cut stopped. When
// records may be missing, [Store.Leases] says so (mark.go).
package store
