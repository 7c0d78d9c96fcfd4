package phonesim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// LeaseTimes are the times of a lease, counted from the ACK. Lease 0 means without an end.
type LeaseTimes struct{ T1, T2, Lease time.Duration }

// optionTFTPServers is Cisco's option 150 (RFC 5859): a list of addresses.
const optionTFTPServers = 150

// readLease reads what an ACK says and lists what is wrong with it.
func readLease(a *dhcpv4.DHCPv4) (Lease, []string) {
	var faults []string
	l := Lease{
		Server: toAddr(a.ServerIdentifier()),
		Domain: strings.TrimRight(string(a.Options.Get(dhcpv4.OptionDomainName)), "\x00"),
	}
	bits := 24
	if m := a.SubnetMask(); m == nil {
		faults = append(faults, "the ACK has no subnet mask (option 1)")
	} else if ones, size := m.Size(); size == 0 {
		faults = append(faults, fmt.Sprintf("found the subnet mask %s, allowed are ones, then zeros", m))
	} else {
		bits = ones
	}
	l.Address = netip.PrefixFrom(toAddr(a.YourIPAddr), bits)
	for _, ip := range a.DNS() {
		l.DNS = append(l.DNS, toAddr(ip))
	}
	if r := a.Router(); len(r) > 0 {
		l.Gateway = toAddr(r[0])
		if !l.Address.Masked().Contains(l.Gateway) {
			faults = append(faults, fmt.Sprintf("the router %s is outside of %s", l.Gateway, l.Address.Masked()))
		}
	}
	if !l.Server.IsValid() {
		faults = append(faults, "the ACK has no server identifier (option 54)")
	}
	if addr := l.Address.Addr(); bits < 31 && (addr == l.Address.Masked().Addr() || addr == broadcastOf(l.Address)) {
		faults = append(faults, fmt.Sprintf("the address %s is the subnet's own or its broadcast address", addr))
	}
	times, timeFaults := readTimes(a)
	tftp, tftpFaults := readTFTP(a, l.Server)
	l.Times, l.TFTP = times, tftp
	return l, append(append(faults, timeFaults...), tftpFaults...)
}

// readTimes reads options 51, 58 and 59, with the defaults of RFC 2131, 4.4.5.
func readTimes(a *dhcpv4.DHCPv4) (LeaseTimes, []string) {
	seconds := func(code dhcpv4.OptionCode) (time.Duration, bool) {
		raw := a.Options.Get(code)
		if len(raw) != 4 {
			return 0, false
		}
		return time.Duration(binary.BigEndian.Uint32(raw)) * time.Second, true
	}
	const infinite = (1<<32 - 1) * time.Second
	lease, ok := seconds(dhcpv4.OptionIPAddressLeaseTime)
	if !ok || lease == 0 {
		return LeaseTimes{}, []string{"the ACK has no lease time (option 51)"}
	}
	if lease == infinite {
		return LeaseTimes{}, nil
	}
	t := LeaseTimes{T1: lease / 2, T2: lease / 8 * 7, Lease: lease}
	t1, ok1 := seconds(dhcpv4.OptionRenewTimeValue)
	t2, ok2 := seconds(dhcpv4.OptionRebindingTimeValue)
	if ok1 != ok2 {
		return t, []string{"the ACK has one of T1 and T2 (options 58 and 59), not both"}
	}
	if ok1 && (t1 <= 0 || t1 >= t2 || t2 >= lease) {
		return t, []string{fmt.Sprintf("found T1 %s, T2 %s and lease %s, allowed is T1 before T2 before the lease's end", t1, t2, lease)}
	}
	if ok1 {
		t.T1, t.T2 = t1, t2
	}
	return t, nil
}

// readTFTP finds the TFTP server by the order 150, 66, siaddr, and demands that the three agree (phones.md b).
func readTFTP(a *dhcpv4.DHCPv4, server netip.Addr) (netip.Addr, []string) {
	said := [3]netip.Addr{}
	shown := [3]string{"nothing", "nothing", "nothing"}
	if raw := a.Options.Get(dhcpv4.GenericOptionCode(optionTFTPServers)); len(raw) >= 4 && len(raw)%4 == 0 {
		said[0] = toAddr(raw[:4])
		shown[0] = said[0].String()
	}
	if raw := a.Options.Get(dhcpv4.OptionTFTPServerName); len(raw) > 0 {
		text := strings.TrimRight(string(raw), "\x00")
		said[1], _ = netip.ParseAddr(text)
		shown[1] = fmt.Sprintf("%q", text)
	}
	if said[2] = toAddr(a.ServerIPAddr); said[2].IsValid() {
		shown[2] = said[2].String()
	}
	var faults []string
	if said[0] != said[1] || said[1] != said[2] || !said[0].IsValid() {
		faults = append(faults, fmt.Sprintf("the TFTP server is not told alike: option 150 says %s, option 66 says %s, siaddr says %s",
			shown[0], shown[1], shown[2]))
	}
	for _, s := range said {
		if s.IsValid() {
			return s, faults
		}
	}
	return server, faults
}

// broadcastOf returns the last address of a subnet.
func broadcastOf(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	v := binary.BigEndian.Uint32(a[:]) | (1<<(32-p.Bits()) - 1)
	binary.BigEndian.PutUint32(a[:], v)
	return netip.AddrFrom4(a)
}
