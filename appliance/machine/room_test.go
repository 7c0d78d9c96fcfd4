package machine_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"phonebox/appliance/machine"
)

func TestRoomIsWhatIsFreeLessTheReserve(t *testing.T) {
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	got, total, err := machine.Room(dir)
	const others = 1 << 30 // what other tests write meanwhile
	if want := max(0, free-machine.Reserve); err != nil || got < want-others || got > want+others || total < free {
		t.Errorf("%d of %d, %v; %d bytes are free", got, total, err, free)
	}
	if _, _, err := machine.Room(dir + "/absent"); err == nil {
		t.Error("a folder that is not there has room")
	}
}
