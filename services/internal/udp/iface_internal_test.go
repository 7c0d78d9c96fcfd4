package udp

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// The kernel is asked once a second at most, except when an index shows up that is not known.
func TestInterfacesAreLookedUpSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := []net.Interface{{Index: 1, Name: "lo", Flags: net.FlagLoopback}, {Index: 2, Name: "eth0"}, {Index: 3, Name: "wlan0"}}
		looks := 0
		f := interfaces{list: func() ([]net.Interface, error) { looks++; return all, nil }}
		f.serve("eth0")
		check := func(what string, index int, want interfaceKind, wantLooks int) {
			t.Helper()
			for range 3 {
				if got := f.kind(index); got != want {
					t.Errorf("%s: interface %d is %d, want %d", what, index, got, want)
				}
			}
			if looks != wantLooks {
				t.Errorf("%s: the kernel was asked %d times, want %d", what, looks, wantLooks)
			}
		}
		check("first packet", 2, served, 1)
		check("through lo", 1, loopback, 1)
		check("another interface", 3, foreign, 1)
		all = []net.Interface{all[0], {Index: 7, Name: "eth0"}}
		check("the adapter was pulled and put back", 7, served, 2)
		check("an index that is gone", 2, foreign, 3)
		check("an index that never was", 99, foreign, 4)
		time.Sleep(interfacesAge + 1)
		all = []net.Interface{all[0], {Index: 7, Name: "old0"}, {Index: 8, Name: "eth0"}}
		check("renamed", 7, foreign, 5)
		f.list = func() ([]net.Interface, error) { looks++; return nil, errors.New("no") }
		time.Sleep(interfacesAge + 1)
		check("the kernel does not tell", 8, foreign, 6)
		f.serve("")
		check("all are served", 99, served, 6)
	})
}
