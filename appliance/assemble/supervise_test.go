package assemble

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a service whose runs are scripted.
type fake struct {
	ready chan struct{}
	runs  atomic.Int32
	run   func(ctx context.Context, n int32) error
}

func (f *fake) Ready() <-chan struct{} { return f.ready }

func (f *fake) Run(ctx context.Context) error {
	n := f.runs.Add(1)
	return f.run(ctx, n)
}

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func TestAPanicIsRestartedAndNobodyElseNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		close(ready)
		bad := &fake{ready: ready, run: func(ctx context.Context, n int32) error {
			if n <= 2 {
				panic("planted")
			}
			return untilEnd(ctx)
		}}
		good := &fake{ready: ready, run: func(ctx context.Context, _ int32) error { return untilEnd(ctx) }}
		s := newSupervisor(slog.New(slog.DiscardHandler))
		s.add("bad", bad)
		s.add("good", good)
		s.enable(t.Context(), "bad", true)
		s.enable(t.Context(), "good", true)
		synctest.Wait()
		if state, detail := s.state("bad"); state != stateFailed || !strings.Contains(detail, "planted") || strings.Contains(detail, "goroutine") {
			t.Errorf("after the panic: %s, %q", state, detail)
		}
		time.Sleep(10 * time.Second) // of the test's own clock
		synctest.Wait()
		if state, _ := s.state("bad"); state != stateRunning || bad.runs.Load() != 3 {
			t.Errorf("after the restarts: %s, %d runs", state, bad.runs.Load())
		}
		if state, _ := s.state("good"); state != stateRunning || good.runs.Load() != 1 {
			t.Errorf("the other one: %s, %d runs", state, good.runs.Load())
		}
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAnEndThatNobodyAskedForIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &fake{ready: make(chan struct{}), run: func(context.Context, int32) error { return nil }}
		s := newSupervisor(slog.New(slog.DiscardHandler))
		s.add("svc", svc)
		s.enable(t.Context(), "svc", true)
		synctest.Wait()
		if state, detail := s.state("svc"); state != stateFailed || !strings.Contains(detail, "without being asked") {
			t.Errorf("got %s, %q", state, detail)
		}
		time.Sleep(3 * lastBackOff)
		if n := svc.runs.Load(); n < 5 || n > 20 {
			t.Errorf("%d runs in 90 s: the pause must grow, and never be longer than 30 s", n)
		}
		if err := s.stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestOffAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := make(chan struct{})
		close(ready)
		svc := &fake{ready: ready, run: func(ctx context.Context, _ int32) error { return untilEnd(ctx) }}
		s := newSupervisor(slog.New(slog.DiscardHandler))
		s.add("svc", svc)
		for range 3 {
			s.enable(t.Context(), "svc", true)
			s.enable(t.Context(), "svc", true)
			synctest.Wait()
			if state, _ := s.state("svc"); state != stateRunning {
				t.Fatalf("on: %s", state)
			}
			s.enable(t.Context(), "svc", false)
			if state, _ := s.state("svc"); state != stateOff {
				t.Fatalf("off: %s", state)
			}
		}
		if svc.runs.Load() != 3 {
			t.Errorf("%d runs, want 3", svc.runs.Load())
		}
	})
}

func TestAServiceThatDoesNotStopIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		svc := &fake{ready: make(chan struct{}), run: func(context.Context, int32) error { <-block; return errors.New("late") }}
		s := newSupervisor(slog.New(slog.DiscardHandler))
		s.add("slow", svc)
		s.enable(t.Context(), "slow", true)
		ctx, cancel := context.WithTimeout(t.Context(), stopTime)
		defer cancel()
		if err := s.stop(ctx); err == nil || !strings.Contains(err.Error(), "slow") {
			t.Errorf("got %v", err)
		}
		close(block)
	})
}
