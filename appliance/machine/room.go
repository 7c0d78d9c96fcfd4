package machine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Reserve is what stays free of the card for leases, settings and timelines, in bytes. Whoever keeps what a person sends
// asks [Room] first: a card that a backup or a ring filled could not take the next lease.
const Reserve = 32 << 20

// Room tells how many bytes may still be kept in the file system of a folder, and how many it has: what is free of it, less
// [Reserve]; never below 0. The error says that the folder's file system did not tell.
func Room(dir string) (room, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("asking how much of the card is free: %w", err)
	}
	return max(0, int64(st.Bavail)*int64(st.Bsize)-Reserve), int64(st.Blocks) * int64(st.Bsize), nil
}
