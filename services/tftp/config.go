package tftp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is how the server listens and how patient it is. Zero durations and counts take the defaults.
type Config struct {
	Listen       netip.AddrPort // the box's address and port 69
	Interface    string         // the only interface that is served; "" = any
	Resend       time.Duration  // first retransmission of an unacknowledged block; default 1 s, then 2 s, then 4 s
	GiveUp       time.Duration  // a transfer without any ACK for so long is over; default 25 s (phones.md a.8: 20-30 s)
	MaxTransfers int            // transfers at once; default 8192. Above it a request is not answered (the phone asks again) and counted
	MaxImages    int            // of those, transfers of files over 64 KiB at once; default half of MaxTransfers. Further ones wait for their turn
	MaxPerClient int            // transfers at once from one address, not counting up to twice as many that wait for their last ACK; default 8
}

const (
	defaultResend    = time.Second
	defaultGiveUp    = 25 * time.Second
	defaultTransfers = 8192
	defaultPerClient = 8
)

// Request is a read request.
type Request struct {
	Name string // as on the wire
	Mode string // "octet" or "netascii", lower case
	From netip.AddrPort
}

// File is what a transfer sends. It must stay readable until Close, which may be nil, is called once.
type File struct {
	Content io.ReaderAt // read on a worker, for it may wait for a disk; not used where there are Bytes
	Bytes   []byte      // the whole content, where it is in memory: shared by transfers and never changed
	Size    int64
	Close   func() error // called on any goroutine; must not block
}

// Files decides which bytes are behind a name for who asks. An error that is [fs.ErrNotExist] or [fs.ErrPermission],
// and any other, becomes ERROR 1; the text for the phone is "File not found". Open is called on a worker and may block
// for at most a second; ctx ends when nobody waits for the answer any more. Names that are empty,
// longer than 255 bytes or have an element ".." are refused before. It is called concurrently.
//
// After [ErrLater] the request is not answered: who asks takes an ERROR for the last word on the file, and silence for a loss.
type Files interface {
	Open(ctx context.Context, r Request) (File, error)
}

// ErrLater is returned by Files where it cannot tell at the moment what is behind a name for who asks.
var ErrLater = errors.New("too many devices without a lease from here are being looked for at the moment")

// Deps are what the server needs from outside; Files, Log and Report are required.
type Deps struct {
	Files   Files
	Log     *slog.Logger
	Report  func(Event)           // called on many goroutines at once; must not block
	Metrics prometheus.Registerer // nil = no metrics

	// Settling returns what is closed when it is known who has the address of a client, so that Files need not wait for
	// it; nil where nobody finds out. Such a request holds no worker meanwhile. Settling nil = Files does the waiting.
	Settling func(client netip.Addr) <-chan struct{}
}

// EventKind says what happened.
type EventKind string

// The kinds of events of a transfer, and of packets that start none.
const (
	EventStart    EventKind = "start"    // a request was accepted and the first packet sent
	EventProgress EventKind = "progress" // at most one a second for each transfer
	EventSent     EventKind = "sent"     // the last ACK came
	EventAborted  EventKind = "aborted"  // the phone sent ERROR, gave up, or began anew: Reason says which
	EventMissing  EventKind = "missing"  // ERROR 1: Err is what Files said
	EventRefused  EventKind = "refused"  // a write request, a mode or opcode that is not served
	EventDropped  EventKind = "dropped"  // a packet that was not answered: Reason says why
)

// Event is one thing that the server did.
type Event struct {
	Kind        EventKind
	Time        time.Time
	Transfer    uint64 // counts up from 1; the same in all events of a transfer
	From        netip.AddrPort
	Name        string
	Size        int64 // of the file, as sent (netascii may be longer)
	Bytes       int64 // acknowledged so far
	Retransmits int
	Took        time.Duration
	Reason      string
	Err         error
}
