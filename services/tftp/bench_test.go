package tftp_test

import (
	"encoding/binary"
	"testing"

	"phonebox/services/tftp"
)

// BenchmarkTransfer512 sends an application image as a phone fetches it: 512 bytes and an ACK.
func BenchmarkTransfer512(b *testing.B) { benchmark(b, 756_524) }

// BenchmarkSmallFile sends a configuration file: socket, open and close are the most of it.
func BenchmarkSmallFile(b *testing.B) { benchmark(b, 2_000) }

func benchmark(b *testing.B, size int) {
	server := serve(b, &folder{files: map[string][]byte{"f": content(size)}}, tftp.Config{})
	p := newPhone(b, server)
	ask, ack := request(1, "f", "octet"), packet(4, 0, "")
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		to, out, got := p.main, ask, 0
		for got < size {
			if _, err := p.conn.WriteToUDPAddrPort(out, to); err != nil {
				b.Fatal(err)
			}
			n, from, err := p.conn.ReadFromUDPAddrPort(p.buf[:])
			if err != nil || binary.BigEndian.Uint16(p.buf[:]) != 3 {
				b.Fatal(err, p.buf[:n])
			}
			copy(ack[2:], p.buf[2:4])
			to, out = from, ack
			got += n - 4
		}
		if _, err := p.conn.WriteToUDPAddrPort(ack, to); err != nil {
			b.Fatal(err)
		}
		server.event(b, tftp.EventSent)
	}
}
