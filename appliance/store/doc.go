// Package store keeps what must survive a power cut, in two bbolt files: leases.db (leases, decisions, secrets and the
// last applied site; small, checked whole at start) and journal.db (losing it costs no lease).
//
// One committer takes everything that waits into one transaction, so that a slow card costs latency and not throughput;
// what a caller was told to be stored is on disk.
package store
