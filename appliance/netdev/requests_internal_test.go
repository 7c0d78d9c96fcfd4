package netdev

import (
	"os"
	"testing"
	"time"
)

// Under a flood that comes faster than it is read, everybody who asks would wait for its end.
func TestAFloodOfRequestsKeepsNobodyReading(t *testing.T) {
	t.Parallel()
	endless, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer endless.Close()
	r := newRequests(nil, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.drain(endless.Fd())
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it reads on and on")
	}
}
