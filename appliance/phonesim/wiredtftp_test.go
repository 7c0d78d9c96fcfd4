package phonesim_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"path"
	"strings"
)

// serveWiredTFTP answers read requests and ACKs from one socket and without a timer: the phones' own repeat what gets lost. The
// library's server opens a socket for each transfer, in the wrong namespace; its single port panics when an ACK comes twice.
func (o *office) serveWiredTFTP(c *net.UDPConn) {
	files := map[netip.AddrPort][]byte{} // what each port of a phone fetches
	buf := make([]byte, 2000)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n < 4 {
			continue
		}
		switch p := buf[:n]; binary.BigEndian.Uint16(p) {
		case 1:
			name, _, _ := strings.Cut(string(p[2:]), "\x00")
			content, ok := o.fileAsked(name)
			if !ok {
				_, _ = c.WriteToUDPAddrPort([]byte("\x00\x05\x00\x01not here\x00"), from)
				continue
			}
			files[from] = content
			_, _ = c.WriteToUDPAddrPort(dataBlock(content, 1), from)
		case 4:
			content, ok := files[from]
			if last := binary.BigEndian.Uint16(p[2:]); ok && int(last)*512 <= len(content) {
				_, _ = c.WriteToUDPAddrPort(dataBlock(content, last+1), from)
			}
		}
	}
}

// fileAsked notes a read request and returns the file.
func (o *office) fileAsked(name string) ([]byte, bool) {
	o.mu.Lock()
	o.asked = append(o.asked, name)
	content, ok := o.files[strings.ToLower(path.Clean("/" + name)[1:])]
	hook := o.onRRQ
	o.mu.Unlock()
	if hook != nil {
		hook(name)
	}
	return content, ok
}

// dataBlock is DATA with that number.
func dataBlock(content []byte, number uint16) []byte {
	at := (int(number) - 1) * 512
	b := binary.BigEndian.AppendUint16([]byte{0, 3}, number)
	return append(b, content[at:min(len(content), at+512)]...)
}
