// Package udp is the receive loop that phonebox's UDP servers (DHCP, TFTP, SNTP, DNS) stand on: batched reads and
// writes, large socket buffers, the interface and destination of each packet, the kernel's receive time, a recovery
// around each packet, and bounded work.
//
// A server listens with [Listen] and hands the socket to [Serve] with a handler. The handler runs on the loop's
// goroutine, so it must not block: long work belongs on a goroutine that the server bounds itself and answers with
// [Conn.Send] later. [Binding] does the listening for a server whose address may change while it runs, and [PanicLog]
// is where its panics go:
//
//	b := udp.NewBinding(udp.ListenConfig{Addr: cfg.Listen})
//	err := b.Run(ctx, func(ctx context.Context, c *udp.Conn) error {
//		return udp.Serve(ctx, c, s.handle, udp.Hooks{Panicked: panics.Panicked})
//	})
package udp
