package phonesim

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// endpoint is where the TCP stack of a wire meets its phones: bare IP packets, which the phone that has the source address
// puts into frames of its own.
type endpoint struct {
	send       func(src, dst netip.Addr, frame []byte)
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
}

var _ stack.LinkEndpoint = (*endpoint)(nil)

// MTU implements [stack.LinkEndpoint], as do the methods that follow.
func (e *endpoint) MTU() uint32 { return ethernetMTU }

// SetMTU changes nothing: an Ethernet is as it is.
func (e *endpoint) SetMTU(uint32) {}

// MaxHeaderLength is 0: the phones make their headers.
func (e *endpoint) MaxHeaderLength() uint16 { return 0 }

// LinkAddress is none: each phone has its own.
func (e *endpoint) LinkAddress() tcpip.LinkAddress { return "" }

// SetLinkAddress changes nothing.
func (e *endpoint) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities: checksums that came in are not looked at, because a virtual Ethernet of the same machine leaves them out.
func (e *endpoint) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// Attach tells where packets go that come in.
func (e *endpoint) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.dispatcher.Store(nil)
		return
	}
	e.dispatcher.Store(&d)
}

// IsAttached reports whether packets that come in go anywhere.
func (e *endpoint) IsAttached() bool { return e.dispatcher.Load() != nil }

// Wait returns at once: there is no goroutine.
func (e *endpoint) Wait() {}

// Close does nothing: the link's socket belongs to all phones.
func (e *endpoint) Close() {}

// SetOnCloseAction does nothing.
func (e *endpoint) SetOnCloseAction(func()) {}

// ARPHardwareType is none: the phones resolve addresses.
func (e *endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// AddHeader adds none.
func (e *endpoint) AddHeader(*stack.PacketBuffer) {}

// ParseHeader finds none.
func (e *endpoint) ParseHeader(*stack.PacketBuffer) bool { return true }

// WritePackets sends packets. One that cannot be sent is lost, as on a wire.
func (e *endpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		v := pkt.ToView()
		frame := append(make([]byte, etherSize, etherSize+v.Size()), v.AsSlice()...)
		v.Release()
		binary.BigEndian.PutUint16(frame[12:], etherIPv4)
		if p, ok := parseIPv4(frame[etherSize:]); ok {
			e.send(p.src, p.dst, frame)
		}
	}
	return pkts.Len(), nil
}

// inject hands a packet that came in to the stack; the bytes are copied.
func (e *endpoint) inject(p ipv4Packet) {
	d := e.dispatcher.Load()
	if d == nil {
		return
	}
	whole := append(append(make([]byte, 0, len(p.header)+len(p.payload)), p.header...), p.payload...)
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(whole)})
	defer pkt.DecRef()
	pkt.PktType = tcpip.PacketHost
	(*d).DeliverNetworkPacket(ipv4.ProtocolNumber, pkt)
}
