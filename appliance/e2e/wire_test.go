package e2e_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// fast divides the times that virtual phones spend on themselves. A storm runs at full length.
const fast = 20

// newWire opens the interface of a host for virtual phones.
func newWire(t *testing.T, n *testkit.Node) *phonesim.Wire {
	t.Helper()
	w := testkit.In(t, n, func() (*phonesim.Wire, error) { return phonesim.NewWire(testkit.Interface) })
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("closing the wire: %v", err)
		}
	})
	return w
}

// plug switches a virtual phone on that stays until the test ends or unplug is called.
func plug(t *testing.T, cfg phonesim.Config) (p *phonesim.Phone, unplug func()) {
	t.Helper()
	cfg.Stay = true
	cfg.OnEvent = tell(t)
	if cfg.Speed == 0 {
		cfg.Speed = fast
	}
	p, err := phonesim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if _, err := p.Run(ctx); err != nil {
			t.Errorf("the virtual phone %s: %v", cfg.MAC, err)
		}
	}()
	unplug = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(unplug)
	return p, unplug
}

// tell logs what virtual phones do.
func tell(t *testing.T) func(phonesim.Event) {
	return func(e phonesim.Event) { t.Logf("phone %s %-10s %-8s %s", e.MAC, e.Step, e.Kind, e.Text) }
}

// waitDone waits until the phone is where it is expected to get, without a fault of the box.
func waitDone(t *testing.T, p *phonesim.Phone, limit time.Duration) phonesim.Result {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(limit):
		r := p.Result()
		t.Fatalf("phone %s is in step %s after %s, waiting for %s (%s)", r.MAC, r.Step, limit, r.WaitingFor, r.Problem)
	}
	r := p.Result()
	for _, f := range r.Faults {
		t.Errorf("phone %s: %s", r.MAC, f)
	}
	return r
}

// boot plugs a phone in, waits until it is done and leaves it running.
func boot(t *testing.T, cfg phonesim.Config) (phonesim.Result, func()) {
	t.Helper()
	p, unplug := plug(t, cfg)
	return waitDone(t, p, time.Minute), unplug
}
