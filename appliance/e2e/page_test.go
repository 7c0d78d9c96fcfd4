package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"phonebox/appliance/e2e/capacity/viewers"
	"phonebox/services/testkit"
)

// TestFivePagesWhilePhonesBoot is the short form of `go run ./appliance/e2e/capacity -only page`: five pages are open while two
// hundred phones start. Each page lives to the end and says that all are ready; no stream is cut, and the daemon stays small.
func TestFivePagesWhilePhonesBoot(t *testing.T) {
	crowding.enter(t)
	const n = 200
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:5a:00:00")
	b := startBox(t, lan, site{phones: listed(base, n)}.text(), shelf())
	b.setClock()
	client := &http.Client{Transport: b.laptop.Transport}
	var pages []*viewers.Viewer
	for i := range 5 {
		p := viewers.Overview
		if i >= 3 {
			p = viewers.Phones
		}
		v, err := viewers.Open(t.Context(), client, "http://"+boxAddr, password, p)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if i < 3 {
			v.Await(fmt.Sprintf("All %d phones are ready", n))
		}
		pages = append(pages, v)
	}
	r := runStorm(t, lan, "-n", itoa(n), "-window", "2s", "-mac", base.String(), "-seed", "9", "-timeout", "3m")
	wantAllReady(t, r, n)
	bytes := 0
	for i, v := range pages {
		testkit.Eventually(t, patience, "the page says that all phones are ready", func() bool {
			s, err := v.State()
			if err != nil {
				t.Fatal(err)
			}
			return i >= 3 || !s.Seen.IsZero()
		})
		s, err := v.State()
		if err != nil || s.Messages < 5 {
			t.Errorf("page %d got %d messages (%v), wanted it to live all the time", i, s.Messages, err)
		}
		// Twice a second at most, the first one and the comments that keep the stream open aside.
		if most := 2*int((r.All+patience)/time.Second) + 10; s.Messages > most {
			t.Errorf("page %d got %d messages, wanted at most %d: they are to come in batches", i, s.Messages, most)
		}
		bytes += s.Page + s.Stream
	}
	t.Logf("FIGURE five pages open while %d phones start: %d KB were sent to them", n, bytes/1000)
	b.memoryBelow(80)
	b.healthy()
}
