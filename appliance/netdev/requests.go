package netdev

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

const (
	tftpPort = 69
	// requestBytes is as much of a frame as is looked at: the headers of Ethernet, IPv4 with options, and UDP.
	requestBytes = ethernetHeader + 60 + udpHeader
	// requestBuffer is the receive buffer in bytes of the socket that sees the requests: some thousand of them, for they
	// are read only when somebody asks.
	requestBuffer = 2 << 20
	// requestsRead bounds the frames that are read for one question. It is more than the socket holds, for the kernel counts
	// over 256 bytes for each and gives twice of requestBuffer: the frame of a request that was there when the question was put
	// is among them, and a flood that comes as fast as it is read keeps nobody here.
	requestsRead = 2 * requestBuffer / 256
	// requestsKept bounds the memory of senders, requestsFor how long they are kept; at most twice of both.
	requestsKept = 8192
	requestsFor  = 10 * time.Second
)

// toTFTP accepts UDP datagrams to the port of TFTP that came in, and of those in fragments the first one, which has the ports.
// A socket of all protocols is shown what this host sends as well, and every frame of a transfer: most of them end after a few
// instructions. A frame with one more tag in it is accepted unread: see take.
func toTFTP() []bpf.Instruction {
	const udp = ethernetHeader // after LoadMemShift, X is the length of the IPv4 header
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_8021Q, SkipTrue: 12},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_8021AD, SkipTrue: 11},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: typeIPv4, SkipTrue: 9},
		bpf.LoadAbsolute{Off: ethernetHeader + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 7},
		bpf.LoadMemShift{Off: ethernetHeader},
		bpf.LoadIndirect{Off: udp + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: tftpPort, SkipTrue: 4},
		bpf.LoadAbsolute{Off: ethernetHeader + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: fragmentOffset, SkipTrue: 2},
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: requestBytes},
	}
}

// fragmentOffset is the field of an IPv4 header that is 0 in a datagram as a whole and in its first fragment.
const fragmentOffset = 0x1fff

// requests tell which frame carried a TFTP request. The kernel hands a frame to a socket of all protocols before it hands
// the packet to UDP, so whoever has read a request finds its frame here, unless it was lost; that is known as well.
// Nothing reads the socket but who asks: it costs no goroutine, and one system call for each frame.
type requests struct {
	conn *packet.Conn
	raw  syscall.RawConn

	mu        sync.Mutex
	now, past map[netip.AddrPort]sender // two generations
	turned    time.Time
	unclear   bool // a frame could not be read that may have been a request
	buf       [requestBytes]byte
	drain     func(fd uintptr)
	heard     func(netip.Addr, phone.MAC) // while drain runs
}

// sender is whose frames came from an address and port.
type sender struct {
	mac   phone.MAC
	mixed bool // of several
}

// hearRequests opens the socket.
func hearRequests(ifi *net.Interface) (*requests, error) {
	conn, err := listenIncoming(ifi, toTFTP())
	if err != nil {
		return nil, fmt.Errorf("listening for TFTP requests: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	_ = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, requestBuffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, requestBuffer)
		}
	})
	return newRequests(conn, raw), nil
}

func newRequests(conn *packet.Conn, raw syscall.RawConn) *requests {
	r := &requests{conn: conn, raw: raw, now: make(map[netip.AddrPort]sender), past: make(map[netip.AddrPort]sender)}
	r.drain = func(fd uintptr) {
		for range requestsRead {
			n, err := unix.Read(int(fd), r.buf[:])
			if err != nil && !errors.Is(err, unix.EINTR) {
				return // nothing waits any more
			}
			if err == nil {
				r.take(r.buf[:n])
			}
		}
	}
	return r
}

// sent reports whether the request that came from an address and port last was in a frame of mac, and no other frame from
// there in a frame of another. heard is told of each request whose it was.
func (r *requests) sent(from netip.AddrPort, mac phone.MAC, heard func(netip.Addr, phone.MAC)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); len(r.now) >= requestsKept || now.Sub(r.turned) >= requestsFor {
		r.now, r.past, r.turned = r.past, r.now, now
		clear(r.now)
	}
	r.heard, r.unclear = heard, false
	err := r.raw.Control(r.drain)
	r.heard = nil
	if lost, statErr := r.conn.Stats(); err != nil || statErr != nil || lost.Drops > 0 || r.unclear {
		// The frame of this request may be among those that were lost, and another's be taken for it.
		r.forget()
		return false
	}
	s, ok := r.of(from)
	return ok && s.mac == mac && !s.mixed
}

// take notes the sender of a frame. One in which a second tag follows a first one of VLAN 0 may become a request, too, for the
// kernel takes off any number of those. No phone sends such frames, so nobody is vouched for who would have to be told apart
// from who does.
func (r *requests) take(frame []byte) {
	from, mac, ok := parseSender(frame)
	if !ok {
		r.unclear = true
		return
	}
	s, known := r.of(from)
	if !known {
		s.mac = mac
	}
	s.mixed = s.mixed || s.mac != mac
	if len(r.now) >= 2*requestsKept { // a flood
		r.forget()
	}
	r.now[from] = s
	r.heard(from.Addr(), mac)
}

// of returns what is known of an address and port.
func (r *requests) of(from netip.AddrPort) (s sender, ok bool) {
	if s, ok = r.now[from]; !ok {
		s, ok = r.past[from]
	}
	return s, ok
}

// forget makes sure that nothing is taken for the frame of a request whose own was not seen.
func (r *requests) forget() {
	clear(r.now)
	clear(r.past)
}

// parseSender reads who sent a UDP datagram; of the frame the headers are enough.
func parseSender(frame []byte) (from netip.AddrPort, mac phone.MAC, ok bool) {
	if len(frame) < ethernetHeader+ipv4Header+udpHeader || binary.BigEndian.Uint16(frame[12:]) != typeIPv4 {
		return netip.AddrPort{}, phone.MAC{}, false
	}
	ip := frame[ethernetHeader:]
	header := int(ip[0]&0x0f) * 4
	if ip[0]>>4 != 4 || header < ipv4Header || len(ip) < header+udpHeader || ip[9] != protoUDP || binary.BigEndian.Uint16(ip[6:])&fragmentOffset != 0 {
		return netip.AddrPort{}, phone.MAC{}, false
	}
	addr := netip.AddrFrom4([4]byte(ip[12:16]))
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(ip[header:])), phone.MAC(frame[6:12]), true
}
