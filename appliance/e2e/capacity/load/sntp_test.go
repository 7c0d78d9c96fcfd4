package load

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"phonebox/services/testkit"
)

// askedServer answers as a time server does, on the other end of a veth.
func askedServer(t *testing.T, node *testkit.Node, every int) {
	t.Helper()
	c := testkit.In(t, node, func() (net.PacketConn, error) { return net.ListenPacket("udp4", ":123") })
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 100)
		for i := 0; ; i++ {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			a := make([]byte, 48)
			a[0], a[1] = buf[0]&0x38|4, 2
			copy(a[24:32], buf[40:48])
			switch {
			case n != 48 || buf[0]&7 != 3:
				continue
			case i%every == 1:
				a[0], a[1] = a[0]|3<<6, 0
				copy(a[12:], "RATE")
			case i%every == 2:
				a[24]++ // an answer to somebody else
			case i%every == 3:
				continue
			}
			_, _ = c.WriteTo(a, from)
		}
	}()
}

func TestQuestionsAreCountedByTheirAnswers(t *testing.T) {
	t.Parallel()
	lan := testkit.NewLAN(t, testkit.Host{Name: "server", MAC: "02:00:00:00:77:01", Addr: netip.MustParsePrefix("10.77.0.1/16")},
		testkit.Host{Name: "load"})
	askedServer(t, lan.Node("server"), 10)
	w := testkit.In(t, lan.Node("load"), func() (*Wire, error) { return Open(testkit.Interface) })
	defer w.Close()
	cfg := QuestionsConfig{
		Server: netip.MustParseAddr("10.77.0.1"), ServerMAC: MAC{2, 0, 0, 0, 0x77, 1}, Clients: 50,
		First: netip.MustParseAddr("10.77.1.1"), Base: MAC{0, 6, 0xd7, 0, 0, 0}, Total: 1000, Outstanding: 20,
	}
	got, err := Ask(t.Context(), w, cfg)
	if err != nil || got.Sent != 1000 || got.Answered != 700 || got.Kissed != 100 || got.Wrong != 100 {
		t.Errorf("found %+v, %v, wanted 700 of 1000 answered, 100 kissed and 100 wrong", got, err)
	}
	cfg.Rate, cfg.For = 2000, time.Second/2
	if got, err := Ask(t.Context(), w, cfg); err != nil || got.Sent != 1000 || got.Answered != 700 {
		t.Errorf("with a rate: found %+v, %v, wanted 700 of 1000 answered", got, err)
	}
	if _, err := Ask(t.Context(), w, QuestionsConfig{}); err == nil {
		t.Error("no clients were taken")
	}
}
