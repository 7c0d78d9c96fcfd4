package phonesim

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"phonebox/services/phone"
)

const ethernetMTU = 1500

// endpoint is the Ethernet side of a phone's IP stack: it writes whole frames at once, without a queue and a goroutine of
// its own, of which a thousand phones would need a thousand.
type endpoint struct {
	mac        phone.MAC
	send       func(frame []byte) error
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
}

var _ stack.LinkEndpoint = (*endpoint)(nil)

// MTU implements [stack.LinkEndpoint], as do the methods that follow.
func (e *endpoint) MTU() uint32 { return ethernetMTU }

// SetMTU changes nothing: an Ethernet is as it is.
func (e *endpoint) SetMTU(uint32) {}

// MaxHeaderLength makes the stack leave room for the frame's header.
func (e *endpoint) MaxHeaderLength() uint16 { return header.EthernetMinimumSize }

// LinkAddress is the phone's hardware address.
func (e *endpoint) LinkAddress() tcpip.LinkAddress { return tcpip.LinkAddress(e.mac[:]) }

// SetLinkAddress changes nothing: a phone keeps its address.
func (e *endpoint) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities: checksums that came in are not looked at, because a virtual Ethernet of the same machine leaves them out.
func (e *endpoint) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityResolutionRequired | stack.CapabilityRXChecksumOffload
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

// ARPHardwareType is Ethernet.
func (e *endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// AddHeader puts the frame's header in front.
func (e *endpoint) AddHeader(pkt *stack.PacketBuffer) {
	header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize)).Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress, DstAddr: pkt.EgressRoute.RemoteLinkAddress, Type: pkt.NetworkProtocolNumber,
	})
}

// ParseHeader takes it off.
func (e *endpoint) ParseHeader(pkt *stack.PacketBuffer) bool {
	_, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	return ok
}

// WritePackets sends frames. One that cannot be sent is lost, as on a wire.
func (e *endpoint) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	for _, pkt := range pkts.AsSlice() {
		v := pkt.ToView()
		_ = e.send(v.AsSlice())
		v.Release()
	}
	return pkts.Len(), nil
}

// inject hands a frame that came in to the stack; the bytes are copied.
func (e *endpoint) inject(h ether, frame []byte) {
	d := e.dispatcher.Load()
	if d == nil {
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame)})
	defer pkt.DecRef()
	if !e.ParseHeader(pkt) {
		return
	}
	pkt.PktType = tcpip.PacketHost
	if h.dst == everybody() {
		pkt.PktType = tcpip.PacketBroadcast
	}
	(*d).DeliverNetworkPacket(tcpip.NetworkProtocolNumber(h.kind), pkt)
}
