package udp_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/internal/udp"
)

func run(t *testing.T, b *udp.Binding) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Run(ctx, func(ctx context.Context, c *udp.Conn) error { return udp.Serve(ctx, c, echo, udp.Hooks{}) })
	}()
	receive(t, b.Ready(), "readiness")
	return func() error {
		cancel()
		return receive(t, done, "the end of Run")
	}
}

func TestBindingMoves(t *testing.T) {
	t.Parallel()
	b := udp.NewBinding(udp.ListenConfig{Addr: anyPort})
	if b.Addr().IsValid() {
		t.Errorf("bound to %v before Run", b.Addr())
	}
	stop := run(t, b)
	first := b.Addr()
	ask(t, dial(t, "127.77.1.2", first), "first")

	if err := b.Move(udp.ListenConfig{Addr: anyPort, Interface: "lo"}); err != nil || b.Addr() != first {
		t.Errorf("another interface moved the socket to %v (%v)", b.Addr(), err)
	}
	ask(t, dial(t, "127.77.1.2", first), "still")

	taken := listen(t, udp.ListenConfig{Addr: anyPort})
	if err := b.Move(udp.ListenConfig{Addr: taken.LocalAddr()}); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("moving to a taken address: got %v", err)
	}
	ask(t, dial(t, "127.77.1.2", first), "the old one goes on")

	for range 10 {
		if err := b.Move(udp.ListenConfig{Addr: netip.MustParseAddrPort("127.77.0.2:0")}); err != nil {
			t.Fatal(err)
		}
		if err := b.Move(udp.ListenConfig{Addr: netip.MustParseAddrPort("127.77.0.3:0")}); err != nil {
			t.Fatal(err)
		}
		ask(t, dial(t, "127.77.1.2", b.Addr()), "moved")
	}
	if b.Addr().Addr().String() != "127.77.0.3" {
		t.Errorf("bound to %v", b.Addr())
	}
	last := b.Addr()
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, addr := range []netip.AddrPort{first, last} {
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(addr))
		if err != nil {
			t.Errorf("%v is still bound: %v", addr, err)
			continue
		}
		c.Close()
	}
	stop = run(t, b) // again, on the address that it was moved to
	for end := time.Now().Add(patience); !b.Addr().IsValid() && time.Now().Before(end); {
		runtime.Gosched()
	}
	if b.Addr().Addr().String() != "127.77.0.3" {
		t.Errorf("bound to %v after the restart", b.Addr())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestBindingFreesTheSocketWhenServeFails(t *testing.T) {
	t.Parallel()
	b := udp.NewBinding(udp.ListenConfig{Addr: anyPort})
	var addr netip.AddrPort
	planted := errors.New("planted")
	err := b.Run(t.Context(), func(_ context.Context, c *udp.Conn) error { addr = c.LocalAddr(); return planted })
	if !errors.Is(err, planted) {
		t.Errorf("got %v", err)
	}
	if err := b.Run(t.Context(), func(context.Context, *udp.Conn) error { return nil }); err == nil {
		t.Error("an end without a reason is no success")
	}
	func() {
		defer func() { _ = recover() }()
		_ = b.Run(t.Context(), func(context.Context, *udp.Conn) error { panic("planted") })
	}()
	c := listen(t, udp.ListenConfig{Addr: addr})
	if err := b.Move(udp.ListenConfig{Addr: c.LocalAddr()}); err != nil {
		t.Errorf("while it does not run, Move only remembers: %v", err)
	}
	if err := b.Run(t.Context(), nil); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("got %v, want the address in use", err)
	}
}
