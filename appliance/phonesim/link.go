package phonesim

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"phonebox/services/phone"
)

// Link is what virtual phones are plugged into.
type Link interface {
	// Attach plugs a phone in. The same MAC twice is an error.
	Attach(mac phone.MAC) (NIC, error)
	// Addresses tells which addresses were held by two phones at once, as the link saw it.
	Addresses() *AddressBook
}

// NIC is the network interface of one phone. All methods may be called from several goroutines.
type NIC interface {
	// SendDHCP sends a message: to everybody where server is not valid, else to the server from the own address. A link on
	// which the phone is its own relay fills in the relay's fields.
	SendDHCP(m *dhcpv4.DHCPv4, server netip.Addr) error
	// DHCP delivers the DHCP packets that arrived for this phone; those that nobody takes are dropped.
	DHCP() <-chan DHCPPacket
	// Up probes the address and takes it. It returns [ErrAddressInUse] when somebody else has it.
	Up(ctx context.Context, lease Lease) error
	// Down gives the address up and closes its sockets.
	Down()
	// ListenUDP opens a port (0: any) on the own address.
	ListenUDP(port uint16) (net.PacketConn, error)
	// ListenTCP opens a port (0: any) on the own address for connections.
	ListenTCP(port uint16) (net.Listener, error)
	// DialTCP connects from the own address.
	DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	// Close unplugs the phone.
	Close() error
}

// ErrAddressInUse is returned by [NIC].Up when somebody else answers for the address; the phone then declines it.
var ErrAddressInUse = errors.New("the address is in use")

// DHCPPacket is a DHCP message as it came in.
type DHCPPacket struct {
	Payload []byte
	Unicast bool // the frame was addressed to the phone alone
}

// Lease is what a phone learnt from a DHCPACK.
type Lease struct {
	Address netip.Prefix // with the mask of option 1
	Server  netip.Addr   // option 54
	Gateway netip.Addr   // option 3; not valid = none
	DNS     []netip.Addr // option 6
	Domain  string       // option 15
	TFTP    netip.Addr   // by the order 150, 66, siaddr
	Times   LeaseTimes
}

// AddressBook watches that no address is held by two phones at once.
type AddressBook struct {
	mu         sync.Mutex
	holder     map[netip.Addr]phone.MAC
	duplicates []Duplicate
}

// Duplicate is an address that was given to a phone while another held it.
type Duplicate struct {
	Address netip.Addr `json:"address"`
	Holder  phone.MAC  `json:"holder"`
	Second  phone.MAC  `json:"second"`
}

func newAddressBook() *AddressBook { return &AddressBook{holder: map[netip.Addr]phone.MAC{}} }

// claim notes that mac takes addr and reports whether it was free. A second holder is noted as a duplicate.
func (b *AddressBook) claim(addr netip.Addr, mac phone.MAC) bool {
	b.mu.Lock()
	other, taken := b.holder[addr]
	if !taken {
		b.holder[addr] = mac
	}
	b.mu.Unlock()
	if taken && other != mac {
		b.conflict(addr, other, mac)
		return false
	}
	return true
}

// maxDuplicates bounds the list: an address that is fought over would fill it.
const maxDuplicates = 1000

// conflict notes that somebody, perhaps not of this link, uses the address of a phone of ours; each pair once.
func (b *AddressBook) conflict(addr netip.Addr, holder, second phone.MAC) {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := Duplicate{Address: addr, Holder: holder, Second: second}
	if len(b.duplicates) < maxDuplicates && !slices.Contains(b.duplicates, d) {
		b.duplicates = append(b.duplicates, d)
	}
}

// drop notes that mac no longer holds addr.
func (b *AddressBook) drop(addr netip.Addr, mac phone.MAC) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holder[addr] == mac {
		delete(b.holder, addr)
	}
}

// Duplicates returns every time that an address was given to a phone while another phone of this link held it.
func (b *AddressBook) Duplicates() []Duplicate {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Duplicate(nil), b.duplicates...)
}
