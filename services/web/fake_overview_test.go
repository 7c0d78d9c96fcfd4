package web_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"phonebox/services/web"
)

// fakeActivity is what goes on at a box in memory. Its fields may be changed under mu.
type fakeActivity struct {
	mu        sync.Mutex
	transfers []web.Transfer
	running   int // more than the transfers that are listed
	recent    web.Recent
	hour      []web.Minute
	needs     []web.Need
	looks     int // how often the hour was asked for
}

func (f *fakeActivity) Transfers(most int) ([]web.Transfer, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.transfers[:min(len(f.transfers), most)]), max(f.running, len(f.transfers))
}

func (f *fakeActivity) Recent() web.Recent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.recent
}

func (f *fakeActivity) Hour() []web.Minute {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return slices.Clone(f.hour)
}

func (f *fakeActivity) Needs() []web.Need {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.needs)
}

func (f *fakeActivity) set(change func(*fakeActivity)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// furnishActivity lets two phones load files, others ask, and an hour have passed in which the power came back.
func furnishActivity(t *testing.T, r *rig) {
	t.Helper()
	at := r.clock.Now()
	up, rec := mac(t, "00:0A:41:AA:BB:CC"), mac(t, reception)
	r.activity.set(func(f *fakeActivity) {
		f.transfers = []web.Transfer{
			{MAC: up, Address: "10.77.1.14", File: "P0S3-8-12-00.sb2", Size: 756_524, Bytes: 461_824, Took: 12 * time.Second},
			{Address: "10.77.1.99", File: "RINGLIST.DAT", Size: 1204, Bytes: 512, Took: 100 * time.Millisecond},
			{MAC: rec, Address: "10.77.0.50", File: "P0S3-8-12-00.sb2", Size: 756_524, Waiting: true, Took: 3 * time.Second},
		}
		f.running = 12
		f.recent = web.Recent{Leases: 3, Files: 41, Times: 1, Names: 7, Last: []web.PhoneEvent{
			{Time: at.Add(-4 * time.Second), MAC: rec, Service: "dns", Kind: "name", Text: "asked for the name pbx.voice.home.arpa (A)"},
			{Time: at.Add(-9 * time.Second), MAC: mac(t, "00:0A:41:AA:BB:CD"), Service: "dhcp", Kind: "lease", Text: "got the address 10.77.1.15 for 8h"},
		}}
		f.hour = outage(at, 40, 20)
	})
}

// outage is minutes of an hour in which n phones lost their power and came back, all but one that is stuck.
func outage(now time.Time, minutes, n int) []web.Minute {
	out := make([]web.Minute, minutes)
	for i := range out {
		t := web.Tally{Listed: n, Ready: n}
		switch ago := minutes - 1 - i; {
		case ago > 20:
		case ago > 18:
			t = web.Tally{Listed: n, OnTheWay: n}
		case ago > 14:
			t = web.Tally{Listed: n, Ready: n * (19 - ago) / 6, Firmware: n / 10}
			t.OnTheWay = n - t.Ready - t.Firmware
		default:
			t = web.Tally{Listed: n, Ready: n - 1, Stuck: 1}
		}
		out[i] = web.Minute{At: now.Add(-time.Duration(minutes-1-i) * time.Minute), Tally: t}
	}
	return out
}
