package sip_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/sip"
	"phonebox/services/testkit"
)

func TestRestartAllGoesOnPastASilentPhone(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Timeout = time.Hour // the silent phone is waited for longer than the test
	c := run(t, cfg)
	var list []sip.Target
	for i := range 6 {
		reply := says(200)
		if i == 1 {
			reply = func(*net.UDPConn, request, int) {}
		}
		to := device(t, "127.0.0.2", reply)
		to.MAC[5] = byte(i)
		list = append(list, to)
	}
	type step struct {
		done, code int
		mac        phone.MAC
		err        error
	}
	steps := make(chan step, 10)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- c.RestartAll(ctx, list, sip.Stagger{Every: time.Millisecond, AtOnce: 2}, func(done int, to sip.Target, code int, err error) {
			steps <- step{done, code, to.MAC, err}
		})
	}()
	seen := map[phone.MAC]bool{}
	for i := 1; i <= 5; i++ {
		s := <-steps
		if s.done != i || s.code != 200 || s.err != nil || s.mac[5] == 1 || seen[s.mac] {
			t.Errorf("step %d is %+v", i, s)
		}
		seen[s.mac] = true
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if s := <-steps; s.done != 6 || s.mac[5] != 1 || !errors.Is(s.err, context.Canceled) {
		t.Errorf("the silent phone is %+v", s)
	}
}

func TestRestartAllWaitsForFewAtOnce(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Timeout = time.Hour
	c := run(t, cfg)
	var open, most atomic.Int32
	answer := make(chan struct{})
	var list []sip.Target
	for range 8 {
		list = append(list, device(t, "127.0.0.2", func(conn *net.UDPConn, r request, n int) {
			if n > 0 {
				return // repeated
			}
			now := open.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			<-answer
			open.Add(-1)
			says(200)(conn, r, n)
		}))
	}
	result := make(chan error, 1)
	done := 0
	go func() {
		result <- c.RestartAll(t.Context(), list, sip.Stagger{Every: time.Millisecond, AtOnce: 3}, func(n int, _ sip.Target, _ int, _ error) { done = n })
	}()
	for range list {
		testkit.Eventually(t, limit, "a phone is told", func() bool { return open.Load() > 0 })
		answer <- struct{}{}
	}
	if err := <-result; err != nil || done != len(list) || most.Load() > 3 {
		t.Errorf("ended with %v after %d phones, %d were waited for at once", err, done, most.Load())
	}
}

func TestRestartAllCanBeStoppedBetweenTwoPhones(t *testing.T) {
	t.Parallel()
	c := run(t, config())
	list := []sip.Target{device(t, "127.0.0.2", says(200)), device(t, "127.0.0.2", says(200))}
	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	err := c.RestartAll(ctx, list, sip.Stagger{Every: time.Hour}, func(int, sip.Target, int, error) {
		told++
		cancel()
	})
	if told != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d phones were told, ended with %v", told, err)
	}
	if err := c.RestartAll(t.Context(), nil, sip.Stagger{}, nil); err != nil {
		t.Errorf("no phones: %v", err)
	}
}
