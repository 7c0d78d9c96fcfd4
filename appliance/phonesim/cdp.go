package phonesim

import (
	"context"
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"phonebox/services/phone"
)

// What a phone tells the switch by CDP before it has an address, and then every minute.
const (
	cdpEvery   = 60 * time.Second
	cdpHold    = 180 // seconds for which a neighbour remembers it
	cdpVersion = 2

	cdpDevice       = 0x0001
	cdpAddress      = 0x0002
	cdpPort         = 0x0003
	cdpCapabilities = 0x0004
	cdpSoftware     = 0x0005
	cdpPlatform     = 0x0006

	cdpIsHostAndPhone = 0x90
)

// frameSender is a NIC that can send a bare frame.
type frameSender interface {
	sendFrame(frame []byte) error
}

// announce sends CDP at once and then every minute until ctx ends, where the phone is to and sits on a wire.
func (p *Phone) announce(ctx context.Context) {
	wire, ok := p.nic.(frameSender)
	if !ok || !p.cfg.CDP {
		return
	}
	for {
		if err := wire.sendFrame(p.cdpFrame()); err != nil {
			return
		}
		if sleep(ctx, cdpEvery) != nil {
			return
		}
	}
}

// cdpFrame is the announcement as of now.
func (p *Phone) cdpFrame() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	prefix := strings.ToUpper(string(p.runs.protocol()))
	if prefix != "SIP" {
		prefix = "SEP"
	}
	version := p.runs.Application
	if version == "" {
		version = p.runs.LoaderID
	}
	return cdpFrame(p.cfg.MAC, prefix+p.cfg.MAC.Name(), version, "Cisco IP Phone "+p.cfg.Model, p.res.Address)
}

// cdpFrame makes an announcement: 802.3 with LLC and SNAP 00-00-0C 0x2000, to the address that switches listen to.
func cdpFrame(mac phone.MAC, device, version, platform string, addr netip.Addr) []byte {
	cdp := []byte{cdpVersion, cdpHold, 0, 0}
	tlv := func(kind uint16, value []byte) {
		cdp = binary.BigEndian.AppendUint16(cdp, kind)
		cdp = binary.BigEndian.AppendUint16(cdp, uint16(4+len(value)))
		cdp = append(cdp, value...)
	}
	tlv(cdpDevice, []byte(device))
	if addr.Is4() {
		tlv(cdpAddress, append([]byte{0, 0, 0, 1, 1, 1, 0xCC, 0, 4}, addr.AsSlice()...)) // one, NLPID, IP
	}
	tlv(cdpPort, []byte("Port 1"))
	tlv(cdpCapabilities, []byte{0, 0, 0, cdpIsHostAndPhone})
	tlv(cdpSoftware, []byte(version))
	tlv(cdpPlatform, []byte(platform))
	binary.BigEndian.PutUint16(cdp[2:], cdpChecksum(cdp))
	snap := []byte{0xAA, 0xAA, 3, 0, 0, 0x0C, 0x20, 0}
	frame := appendEther(nil, ether{dst: phone.MAC{0x01, 0x00, 0x0C, 0xCC, 0xCC, 0xCC}, src: mac, kind: uint16(len(snap) + len(cdp))})
	return append(append(frame, snap...), cdp...)
}

// cdpChecksum is the Internet checksum, but for a last odd byte, which CDP counts as the lower half of a word.
func cdpChecksum(b []byte) uint16 {
	last := uint32(0)
	if len(b)%2 == 1 {
		last, b = uint32(b[len(b)-1]), b[:len(b)-1]
	}
	return ^sum16(b, last)
}
