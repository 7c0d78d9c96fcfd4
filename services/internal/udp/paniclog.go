package udp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

const (
	panicLogEvery = time.Minute
	panicsKept    = 16
)

// PanicLog is where the panics of one service's packets go: each is counted, a stack is logged at most once a minute,
// and the last 16 packets are kept, for they belong into the fuzz corpus. Its Panicked is made for [Hooks]. It is safe
// for concurrent use.
type PanicLog struct {
	log   *slog.Logger
	count func()

	mu         sync.Mutex
	logged     time.Time // zero = never
	suppressed int       // since logged
	packets    [][]byte
}

// NewPanicLog makes the log of one service. count, which may be nil, is called for each panic: it is the service's
// counter.
func NewPanicLog(log *slog.Logger, count func()) *PanicLog {
	return &PanicLog{log: log, count: count}
}

// Panicked records a panic. packet is the datagram that was being handled; it is copied.
func (l *PanicLog) Panicked(value any, stack, packet []byte) {
	if l.count != nil {
		l.count()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.packets) == panicsKept {
		l.packets = append(l.packets[:0], l.packets[1:]...)
	}
	l.packets = append(l.packets, bytes.Clone(packet))
	if !l.logged.IsZero() && time.Since(l.logged) < panicLogEvery {
		l.suppressed++
		return
	}
	// A panic is a fault of this program, whatever the packet was: a person must act, so it is an error.
	l.log.Error("handling a packet panicked", "panic", fmt.Sprint(value), "packet", hex.EncodeToString(packet),
		"not_logged_before", l.suppressed, "stack", string(stack))
	l.logged, l.suppressed = time.Now(), 0
}

// Recover is for the goroutines that a service starts itself: deferred directly, it records a panic and ends it.
//
//	defer panics.Recover(packet)
func (l *PanicLog) Recover(packet []byte) {
	if v := recover(); v != nil {
		l.Panicked(v, debug.Stack(), packet)
	}
}

// Packets returns copies of the last 16 packets on which a handler panicked, oldest first.
func (l *PanicLog) Packets() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([][]byte, len(l.packets))
	for i, p := range l.packets {
		out[i] = bytes.Clone(p)
	}
	return out
}
