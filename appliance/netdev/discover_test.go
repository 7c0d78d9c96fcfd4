package netdev_test

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"phonebox/appliance/netdev"
	"phonebox/services/testkit"
)

// askFor sends a datagram, so that the kernel asks the wire for that address.
func askFor(addr netip.Addr) error {
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 9)))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("hello"))
	return err
}

// dnsmasq runs a DHCP server on a host until the test ends.
func dnsmasq(t *testing.T, n *testkit.Node, args ...string) *testkit.Process {
	t.Helper()
	p := n.Start(t, "dnsmasq", append([]string{
		"--no-daemon", "--conf-file=/dev/null", "--port=0", "--log-dhcp", "--interface=" + testkit.Interface, "--user=root",
		"--pid-file=", "--dhcp-leasefile=" + filepath.Join(t.TempDir(), "leases"),
	}, args...)...)
	p.WaitOutput("sockets bound exclusively to interface", limit)
	return p
}

func TestDiscoverFindsAnotherServer(t *testing.T) {
	const pool = "--dhcp-range=10.77.9.10,10.77.9.20,1h"
	for name, c := range map[string]struct {
		args  []string
		found bool
		wait  time.Duration
	}{
		"one that answers at once":                {[]string{pool, "--no-ping"}, true, limit},
		"one that pings for 3 s first":            {[]string{pool}, true, 3 * time.Second},
		"one for phones only":                     {[]string{"--dhcp-range=set:p,10.77.9.10,10.77.9.20,1h", "--no-ping", "--dhcp-vendorclass=set:cisco,Cisco Systems", "--dhcp-ignore=tag:!cisco"}, true, 5 * time.Second},
		"one that gives known hosts an address":   {[]string{"--dhcp-range=10.77.9.0,static"}, false, 500 * time.Millisecond},
		"one that only helps others with netboot": {[]string{"--dhcp-range=10.77.9.0,proxy"}, false, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Need(t, "dnsmasq")
			inBox(t, func(t *testing.T, lan *testkit.LAN) {
				dnsmasq(t, lan.Node("phone"), append(c.args, "--bind-interfaces")...)
				b := run(t, managed())
				b.wait(t, netdev.Ready)
				got, err := b.Discover(t.Context(), 3, c.wait)
				if err != nil {
					t.Fatal(err)
				}
				if !c.found {
					if len(got) != 0 {
						t.Errorf("found %+v", got)
					}
					return
				}
				if len(got) != 1 || got[0].Address != phoneNet.Addr() || got[0].MAC != mac(t, phoneMAC) || got[0].Seen.IsZero() ||
					!netip.MustParsePrefix("10.77.9.0/24").Contains(got[0].Offered) {
					t.Errorf("found %+v, want one server %s", got, phoneNet.Addr())
				}
			})
		})
	}
}

func TestDiscoverDoesNotFindTheBox(t *testing.T) {
	testkit.Need(t, "dnsmasq")
	inBox(t, func(t *testing.T, lan *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		p := dnsmasq(t, lan.Node("box"), "--dhcp-range=10.77.9.10,10.77.9.20,1h", "--no-ping", "--bind-interfaces", "--dhcp-broadcast")
		// Somebody else takes a lease from the box meanwhile.
		client := lan.Node("other").Start(t, "udhcpc", "-f", "-n", "-q", "-B", "-i", testkit.Interface, "-s", "/bin/true")
		got, err := b.Discover(t.Context(), 3, time.Second)
		if err != nil || len(got) != 0 {
			t.Errorf("found %+v, %v", got, err)
		}
		if err := client.Wait(); err != nil {
			t.Errorf("udhcpc: %v", err)
		}
		p.WaitOutput("DHCPACK(eth0)", limit)
	})
}

func TestDiscoverEndsWithItsContext(t *testing.T) {
	inBox(t, func(t *testing.T, _ *testkit.LAN) {
		b := run(t, managed())
		b.wait(t, netdev.Ready)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		for range 2 { // the second waits for the first
			go func() {
				_, err := b.Discover(ctx, 3, time.Hour)
				ended <- err
			}()
		}
		cancel()
		for range 2 {
			if err := <-ended; err == nil {
				t.Error("a cancelled look gives no error")
			}
		}
	})
}
