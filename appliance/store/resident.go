package store

import (
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const (
	// journalMapping is how much of journal.db is mapped from the start. A journal within its bounds never gets there, so it is
	// never mapped anew, for which bbolt copies all that the transaction has touched. It takes addresses, no memory.
	journalMapping = 64 << 20
	// journalGrowth is what the file grows by. Without it, that would be 16 MB with such a mapping.
	journalGrowth = 256 << 10
	// residentPart is how much of journal.db is read before what is mapped of it is let go.
	residentPart = 2 << 20
)

// letGo takes the pages of a mapped file out of this process. They stay in the kernel's cache, where they cost nobody
// anything: the next one that is read is found there. Without it all pages that were ever touched count as ours, and their
// neighbours, sixteen at a time. tx keeps the mapping where it is meanwhile; what it has read so far can still be read.
func letGo(tx *bbolt.Tx) {
	// An error would mean that nothing was let go, which harms nothing.
	_, _, _ = unix.Syscall(unix.SYS_MADVISE, tx.DB().Info().Data, uintptr(tx.Size()), unix.MADV_DONTNEED)
}

// letGoAll is letGo outside a transaction.
func letGoAll(db *bbolt.DB) {
	_ = db.View(func(tx *bbolt.Tx) error { // it fails when db is closed: nothing is mapped then
		letGo(tx)
		return nil
	})
}

// letter lets pages go as a transaction reads on.
type letter struct {
	tx   *bbolt.Tx
	read int
}

// saw counts what was read. Entries that were dropped since share their pages with those that are left: a page counts as
// half full.
func (l *letter) saw(k, v []byte) {
	if l.read += 2 * (len(k) + len(v)); l.read >= residentPart {
		l.read = 0
		letGo(l.tx)
	}
}
