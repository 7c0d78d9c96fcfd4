package assemble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// The states of a service, as the API names them.
const (
	stateRunning = "running"
	stateHeld    = "held"
	stateFailed  = "failed"
	stateOff     = "off"
)

const (
	firstBackOff = 200 * time.Millisecond
	lastBackOff  = 30 * time.Second
	// Ready tells of the first start only; one that was started again runs when it has not ended for so long.
	settled = time.Second
	// A service that ran for so long has recovered; its next failure is tried again at once.
	recovered = time.Minute
)

// service is what the supervisor needs of a server.
type service interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// unit is one supervised service.
type unit struct {
	name   string
	svc    service
	cancel context.CancelFunc // nil while off
	done   chan struct{}
	state  string
	detail string
}

// supervisor runs the services apart from each other: a panic or an error of one is its own, and it is started again.
type supervisor struct {
	log *slog.Logger

	mu    sync.Mutex
	units map[string]*unit
}

func newSupervisor(log *slog.Logger) *supervisor {
	return &supervisor{log: log, units: map[string]*unit{}}
}

func (s *supervisor) add(name string, svc service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[name] = &unit{name: name, svc: svc, state: stateOff, detail: "switched off in the settings"}
}

// enable starts or stops a service; it waits until a stopped one has ended.
func (s *supervisor) enable(ctx context.Context, name string, on bool) {
	s.mu.Lock()
	u := s.units[name]
	if on == (u.cancel != nil) {
		s.mu.Unlock()
		return
	}
	if on {
		var run context.Context
		run, u.cancel = context.WithCancel(ctx)
		u.done = make(chan struct{})
		u.state, u.detail = stateHeld, "starting"
		go s.keep(run, u, u.done)
		s.mu.Unlock()
		return
	}
	cancel, done := u.cancel, u.done
	u.cancel = nil
	s.mu.Unlock()
	cancel()
	<-done
	s.set(u, stateOff, "switched off in the settings")
}

// stop ends all services and waits for them until ctx ends; the error names those that did not stop.
func (s *supervisor) stop(ctx context.Context) error {
	s.mu.Lock()
	var waiting []*unit
	for _, u := range s.units {
		if u.cancel != nil {
			u.cancel()
			u.cancel = nil
			waiting = append(waiting, u)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, u := range waiting {
		select {
		case <-u.done:
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("stopping %s: %w", u.name, ctx.Err()))
		}
	}
	return errors.Join(errs...)
}

// keep runs one service until its context ends, with back-off after failures.
func (s *supervisor) keep(ctx context.Context, u *unit, done chan struct{}) {
	defer close(done)
	backOff := firstBackOff
	for settle := time.Duration(0); ; settle = settled {
		begin := time.Now()
		watch, stopWatch := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			select {
			case <-u.svc.Ready():
			case <-watch.Done():
				return
			}
			select {
			case <-time.After(settle):
				s.set(u, stateRunning, "")
			case <-watch.Done():
			}
		}()
		err := runGuarded(ctx, u.svc.Run)
		stopWatch()
		<-watched
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended without being asked to")
		}
		if time.Since(begin) > recovered {
			backOff = firstBackOff
		}
		s.set(u, stateFailed, fmt.Sprintf("%v; next try in %s", err, backOff))
		s.log.Error("service failed", "svc", u.name, "err", err, "retry", backOff, "stack", stackOf(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(backOff):
		}
		backOff = min(2*backOff, lastBackOff)
	}
}

// panicked is the error of a service that panicked; people see the value, the log has the stack.
type panicked struct {
	value any
	stack []byte
}

// Error implements error.
func (p *panicked) Error() string { return fmt.Sprintf("it panicked: %v", p.value) }

func stackOf(err error) string {
	var p *panicked
	if errors.As(err, &p) {
		return string(p.stack)
	}
	return ""
}

// runGuarded turns a panic into an error.
func runGuarded(ctx context.Context, run func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{value: v, stack: debug.Stack()}
		}
	}()
	return run(ctx)
}

func (s *supervisor) set(u *unit, state, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.state, u.detail = state, detail
}

// state returns what the supervisor knows of a service.
func (s *supervisor) state(name string) (state, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.units[name]
	if !ok {
		return stateOff, "not part of this box"
	}
	return u.state, u.detail
}
