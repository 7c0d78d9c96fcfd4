// Package udp is the receive loop that phonebox's UDP servers (DHCP, TFTP, SNTP, DNS) stand on: batched reads and
// writes, large socket buffers, the interface and destination of each packet, the kernel's receive time, a recovery
// around each packet, and bounded work.
//
// A server listens with [Listen] and hands the socket to [Serve] with a handler. The handler runs on the loop's
// goroutine, so it must not block: long work belongs on a goroutine that the server bounds itself and answers with
// [Conn.Send] later.
package udp
