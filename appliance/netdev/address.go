package netdev

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ifaProto is IFA_PROTO of linux/if_addr.h, who set an address.
const ifaProto = 11

// address is an IPv4 address of an interface.
type address struct {
	prefix netip.Prefix
	ours   bool // we set it, in this process or an earlier one
}

// The library neither writes nor reads who set an address (IFA_PROTO, Linux 5.18; older kernels forget it), so these
// requests are made here. A label would mark it as well, but programs that look for addresses by the interface's name
// no longer find one that has a label.

// addAddress sets an address, marked as ours.
func addAddress(index int, p netip.Prefix) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	return changeAddress(req, index, p, nl.NewRtAttr(ifaProto, []byte{originProtocol}))
}

// removeAddress removes an address.
func removeAddress(index int, p netip.Prefix) error {
	return changeAddress(nl.NewNetlinkRequest(unix.RTM_DELADDR, unix.NLM_F_ACK), index, p)
}

func changeAddress(req *nl.NetlinkRequest, index int, p netip.Prefix, more ...*nl.RtAttr) error {
	msg := nl.NewIfAddrmsg(unix.AF_INET)
	msg.Index, msg.Prefixlen = uint32(index), uint8(p.Bits())
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, p.Addr().AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, p.Addr().AsSlice()))
	if p.Bits() < 31 {
		req.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, broadcastOf(p).AsSlice()))
	}
	for _, a := range more {
		req.AddData(a)
	}
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// broadcastOf returns the last address of a subnet.
func broadcastOf(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i, m := range net.CIDRMask(p.Bits(), 32) {
		a[i] |= ^m
	}
	return netip.AddrFrom4(a)
}

// addresses reads the IPv4 addresses of an interface.
func addresses(index int) ([]address, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfAddrmsg(unix.AF_INET))
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, err
	}
	var out []address
	for _, m := range msgs {
		if len(m) < unix.SizeofIfAddrmsg {
			continue
		}
		msg := nl.DeserializeIfAddrmsg(m)
		if msg.Family != unix.AF_INET || msg.Index != uint32(index) {
			continue
		}
		attrs, parseErr := nl.ParseRouteAttr(m[msg.Len():])
		if parseErr != nil {
			return nil, parseErr
		}
		if a := addressIn(attrs, int(msg.Prefixlen)); a.prefix.IsValid() {
			out = append(out, a)
		}
	}
	return out, err
}

func addressIn(attrs []syscall.NetlinkRouteAttr, bits int) (a address) {
	for _, attr := range attrs {
		switch attr.Attr.Type {
		case unix.IFA_LOCAL:
			if ip, ok := netip.AddrFromSlice(attr.Value); ok {
				a.prefix = netip.PrefixFrom(ip, bits)
			}
		case ifaProto:
			a.ours = len(attr.Value) > 0 && attr.Value[0] == originProtocol
		}
	}
	return a
}

// dump reads a table of the kernel. When the table changes meanwhile the kernel says so: then it is read again, and
// after some attempts taken as it is, for a change brings another look anyway.
func dump[T any](read func() (T, error)) (v T, err error) {
	for range 5 {
		if v, err = read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return v, err
		}
	}
	return v, nil
}
