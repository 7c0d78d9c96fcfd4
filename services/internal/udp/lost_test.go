package udp_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/internal/udp"
)

// The kernel drops what does not fit into the receive buffer, and tells with the next packet how many.
func TestPacketsThatTheKernelDropsAreTold(t *testing.T) {
	t.Parallel()
	uc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close()
	if err := uc.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	c, err := udp.NewConn(uc, udp.ListenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("udp4", uc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const flood = 500
	for range flood {
		if _, err := out.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, lost, more := 0, 0, 0
	err = udp.Serve(ctx, c, func(p *udp.Packet, replies []udp.Reply) []udp.Reply {
		if got++; len(p.Payload) < 1000 { // sent when all that had room was read: the count comes with it
			if more++; more == 2 {
				cancel()
			} else if _, err := out.Write([]byte("again")); err != nil {
				t.Error(err)
			}
		} else if got == 1 {
			if _, err := out.Write([]byte("more")); err != nil {
				t.Error(err)
			}
		}
		return append(replies, udp.Reply{Payload: []byte("ok"), To: netip.MustParseAddrPort(p.From.String())})
	}, udp.Hooks{Lost: func(n int) { lost += n }})
	if err != nil {
		t.Fatal(err)
	}
	if got-more+lost != flood || lost == 0 {
		t.Errorf("read %d and lost %d of %d", got-more, lost, flood)
	}
}

// The same for a server with a loop of its own.
func TestTheInboxTellsWhatTheKernelDrops(t *testing.T) {
	t.Parallel()
	uc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close()
	if err := uc.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	c, err := udp.NewConn(uc, udp.ListenConfig{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := udp.NewInbox(c, 8, 516)
	if err != nil {
		t.Fatal(err)
	}
	out, err := net.Dial("udp4", uc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	const rounds, flood = 2, 300
	got, lost := 0, 0
	read := func(n int, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		got, lost = got+n, lost+in.Lost()
	}
	for range rounds {
		for range flood {
			if _, err := out.Write(make([]byte, 400)); err != nil {
				t.Fatal(err)
			}
		}
		for before := -1; before != got; {
			before = got
			read(in.Poll())
		}
		if _, err := out.Write([]byte("the count comes with this")); err != nil {
			t.Fatal(err)
		}
		read(in.Read())
	}
	if got+lost != rounds*(flood+1) || lost == 0 {
		t.Errorf("read %d and lost %d of %d", got, lost, rounds*(flood+1))
	}
	if n, err := in.Poll(); n != 0 || err != nil || in.Lost() != 0 {
		t.Errorf("after that: %d, %v, lost %d", n, err, in.Lost())
	}
}
