package e2e_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

const (
	// stormLimit is how long phones may take that live among losses or hostile clients.
	stormLimit = 8 * time.Minute
	// leastRenewals is how often a phone that renews every two seconds does so at least while others are hostile.
	leastRenewals = 5
)

// residents are phones that boot and then stay, and renew their leases, until the test sends them home.
type residents struct {
	t      *testing.T
	n      int
	cancel context.CancelFunc
	ended  chan struct{}
	report phonesim.Report
	err    error

	mu    sync.Mutex
	ready map[phone.MAC]bool
}

// moveIn begins a storm of phones that stay. They are in this process, so that it knows when each of them is ready.
func moveIn(t *testing.T, cfg phonesim.StormConfig) *residents {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &residents{t: t, n: cfg.Phones, cancel: cancel, ended: make(chan struct{}), ready: map[phone.MAC]bool{}}
	cfg.Stay, cfg.OnEvent = time.Hour, r.note
	go func() {
		defer close(r.ended)
		r.report, r.err = phonesim.Storm(ctx, cfg)
	}()
	t.Cleanup(func() { cancel(); <-r.ended })
	return r
}

func (r *residents) note(e phonesim.Event) {
	if e.Kind == phonesim.EventStep && e.Step == phone.Ready {
		r.mu.Lock()
		r.ready[e.MAC] = true
		r.mu.Unlock()
	}
}

// waitReady returns once every phone was ready; where one does not get there, the report says why.
func (r *residents) waitReady() {
	r.t.Helper()
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.ready)
	}
	for began := time.Now(); count() < r.n; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > stormLimit {
			wantAllReady(r.t, r.leave(), r.n)
			r.t.Fatalf("after %s %d of %d phones are ready", stormLimit, count(), r.n)
		}
	}
}

// leave sends the phones home and returns what became of them.
func (r *residents) leave() phonesim.Report {
	r.t.Helper()
	r.cancel()
	<-r.ended
	if r.err != nil {
		r.t.Fatalf("the storm: %v", r.err)
	}
	return r.report
}

// wantKept sends the phones home and demands that each had its address from the first to the last moment, by its own account
// and by that of the box.
func (r *residents) wantKept(b *box, before map[phone.MAC]string) {
	r.t.Helper()
	now := b.addresses()
	report := r.leave()
	wantAllReady(r.t, report, r.n)
	r.t.Logf("FIGURE %d phones renewed beside hostile clients: %+v", r.n, report.Renewals)
	for _, p := range report.Results {
		switch {
		case p.Renewals.Failed+p.Renewals.Lost > 0 || p.Renewals.Renewed < leastRenewals:
			r.t.Errorf("phone %s: %+v, wanted at least %d renewed and none failed or lost", p.MAC, p.Renewals, leastRenewals)
		case p.Address.String() != before[p.MAC] || p.Address.String() != now[p.MAC]:
			r.t.Errorf("phone %s has %s, the box said %q before and says %q now", p.MAC, p.Address, before[p.MAC], now[p.MAC])
		}
	}
}
