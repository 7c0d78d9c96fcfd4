package netdev

import (
	"encoding/binary"
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// carrier reads whether an interface is switched on and has a link, and how often the carrier changed
// (IFLA_CARRIER_CHANGES), which tells of a link that went and came back before anybody looked. The library does not
// read the latter; all three come from one message, so that they belong together.
func carrier(index int) (on, running bool, changes uint32, err error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return false, false, 0, err
	}
	if len(msgs) != 1 || len(msgs[0]) < unix.SizeofIfInfomsg {
		return false, false, 0, errors.New("the kernel gave no answer")
	}
	info := nl.DeserializeIfInfomsg(msgs[0])
	attrs, err := nl.ParseRouteAttr(msgs[0][unix.SizeofIfInfomsg:])
	if err != nil {
		return false, false, 0, err
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.IFLA_CARRIER_CHANGES && len(a.Value) >= 4 {
			changes = binary.NativeEndian.Uint32(a.Value)
		}
	}
	return info.Flags&unix.IFF_UP != 0, info.Flags&unix.IFF_RUNNING != 0, changes, nil
}
