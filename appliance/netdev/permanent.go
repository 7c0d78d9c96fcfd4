package netdev

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

// permanent is an entry of the kernel's neighbour table that somebody set.
type permanent struct {
	addr netip.Addr
	mac  phone.MAC
}

// permanentNeighbours reads those of an interface from the kernel. The table is taken in as it comes: netlink.NeighList would
// hold each entry of it three times over, which is megabytes with ten thousand phones.
func permanentNeighbours(index int) (found []permanent, err error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETNEIGH, unix.NLM_F_DUMP)
	req.AddData(&netlink.Ndmsg{Family: netlink.FAMILY_V4, Index: uint32(index)})
	err = req.ExecuteIter(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH, func(msg []byte) bool {
		e, bad := netlink.NeighDeserialize(msg)
		if bad != nil || e.LinkIndex != index || e.Family != netlink.FAMILY_V4 || e.State != netlink.NUD_PERMANENT {
			return true
		}
		if addr, ok := netip.AddrFromSlice(e.IP); ok {
			found = append(found, permanent{addr.Unmap(), macOf(e.HardwareAddr)})
		}
		return true
	})
	return found, err
}
