package sntp

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"phonebox/services/internal/udp"
)

const (
	// readBatch is how many requests are read at once.
	readBatch = 64
	// sendBatch is how many answers are sent at once. It is small because all of them carry the time of the first.
	sendBatch = 16
	// largestPacket is what is looked at of a packet: the header, and enough to tell that there is more.
	largestPacket = 128
)

// loop receives and answers on one socket. Nothing is allocated for a request, but for the events.
type loop struct {
	s    *Server
	conn *udp.Conn
	in   *udp.Inbox
	out  *udp.Outbox

	// Of the answers that wait to be sent.
	counts  [4]int // by the places of destinations
	unknown int    // that the time is not known
	kisses  int

	// Of the batch that is being answered.
	cfg     *Config
	limit   Limit
	quality Quality
	offset  time.Duration // from the system clock to the box's
	box     time.Time     // the box's time
	now     int64         // see client
	index   int           // the last interface that was found to be served
	events  []Event
}

// destinations are what loop.counts counts.
var destinations = [4]Destination{ToBox, ToSubnet, ToEverybody, ToMulticast}

// serve serves a socket until ctx ends (nil) or the socket fails.
func (s *Server) serve(ctx context.Context, conn *udp.Conn) error {
	conn.StampArrivals()
	in, err := udp.NewInbox(conn, readBatch, largestPacket)
	if err != nil {
		return err
	}
	out, err := udp.NewOutbox(conn, sendBatch, packetSize)
	if err != nil {
		return err
	}
	// The deadline may still be that of an earlier serve whose context ended.
	if err := conn.UDP.SetDeadline(time.Time{}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = conn.UDP.SetDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	defer func() {
		if !stop() {
			<-interrupted // or it would interrupt the next serve on this socket
		}
	}()
	wg.Go(func() { s.announce(ctx, conn) })
	l := &loop{s: s, conn: conn, in: in, out: out}
	for {
		n, err := in.Read()
		switch {
		case err == nil:
			l.batch(n)
		case ctx.Err() != nil:
			return nil
		case udp.Transient(err):
		case errors.Is(err, os.ErrDeadlineExceeded): // somebody else's: an earlier one
		default:
			return err
		}
	}
}

// batch answers n packets that were read, and reports what came of them when the answers are out. A packet that was answered
// is in the metrics before its answer leaves.
func (l *loop) batch(n int) {
	l.begin()
	l.s.metrics.lost.Add(float64(l.in.Lost()))
	func() {
		l.s.mu.Lock()
		defer l.s.mu.Unlock()
		for i := range n {
			p := l.in.Packet(i)
			l.guarded(&p)
		}
		l.flush()
	}()
	l.tell()
}

// begin looks at what holds for the whole batch.
func (l *loop) begin() {
	l.cfg = l.s.cfg.Load()
	l.limit = l.cfg.Limit
	if l.limit == (Limit{}) {
		l.limit = DefaultLimit
	}
	l.quality = l.s.deps.Clock.Quality()
	system := time.Now()
	l.box = l.s.deps.Clock.Adjust(system)
	l.offset = l.box.Sub(system)
	l.now = int64(system.Sub(l.s.begun))
	l.index, l.events = 0, l.events[:0]
}

// guarded survives a panic: one bad packet must not stop the service.
func (l *loop) guarded(p *udp.Packet) {
	defer func() {
		if v := recover(); v != nil {
			l.s.panics.Panicked(v, debug.Stack(), p.Payload)
		}
	}()
	l.handle(p)
}

// handle answers one packet by unicast from the box's address, whatever address it was sent to.
func (l *loop) handle(p *udp.Packet) {
	if l.s.panicNext.CompareAndSwap(true, false) {
		panic("planted by PanicNext")
	}
	if !l.serves(p) {
		l.drop(p, request{}, dropInterface)
		return
	}
	to, code := l.cfg.destination(p)
	if code != answered {
		l.drop(p, request{}, code)
		return
	}
	r, code := parse(p.Payload, p.From.Port())
	if code != answered {
		l.drop(p, r, code)
		return
	}
	c := l.s.clients.find(p.From.Addr(), l.now, l.limit)
	switch {
	case c.take() || p.From.Addr() == p.To: // the box's own probe always gets through
		l.answer(p, &r, false)
		l.counts[to]++
		l.report(p, &r, to, c, EventAnswered)
	case c.kiss(l.now):
		l.answer(p, &r, true)
		l.kisses++
		l.report(p, &r, to, c, EventLimited)
	default:
		l.drop(p, r, dropRate)
	}
}

// serves is [udp.Conn.Serves], asked once in a batch for each interface.
func (l *loop) serves(p *udp.Packet) bool {
	if p.Index != 0 && p.Index == l.index {
		return true
	}
	if !l.conn.Serves(p) {
		return false
	}
	if p.From.Addr() != p.To { // of the box to itself nothing follows for others
		l.index = p.Index
	}
	return true
}

// answer puts the answer into the box of those that are sent together.
func (l *loop) answer(p *udp.Packet, r *request, kiss bool) {
	if l.out.Room() == 0 {
		l.flush()
	}
	received := l.box
	if !p.Received.IsZero() {
		received = p.Received.Add(l.offset)
	}
	var b [packetSize]byte
	writeReply(b[:], r, &l.quality, stamp(received))
	if kiss {
		writeKiss(b[:])
	} else if !l.quality.known() {
		l.unknown++
	}
	l.out.AddVia(outgoing(p), p.From, l.cfg.Server.Addr(), b[:])
}

// outgoing is the interface of the answer; the box's own probes come in through lo and are left to the kernel's route.
func outgoing(p *udp.Packet) int {
	if p.From.Addr() == p.To {
		return 0
	}
	return p.Index
}

// flush takes the transmit timestamp and sends what waits.
func (l *loop) flush() {
	if l.out.Len() == 0 {
		return
	}
	l.count()
	sent := stamp(l.s.deps.Clock.Now())
	for i := range l.out.Len() {
		b := l.out.Queued(i)
		if !stayed(binary.BigEndian.Uint64(b[atReceive:]), sent) {
			binary.BigEndian.PutUint64(b[atReceive:], sent)
		}
		binary.BigEndian.PutUint64(b[atTransmit:], sent)
	}
	l.out.Flush(l.s.sendFailed)
}

func (s *Server) sendFailed(error) { s.metrics.sendErrors.Inc() }

// report notes an event of a client, where one is due.
func (l *loop) report(p *udp.Packet, r *request, to int, c *client, kind EventKind) {
	n := c.report()
	if n == 0 {
		return
	}
	e := Event{
		Kind: kind, Time: l.box, From: p.From, Destination: destinations[to], To: p.To, Mode: r.mode, Version: r.version,
		Stratum: 16, Count: n,
	}
	if l.quality.known() {
		e.Stratum = l.quality.Stratum
	}
	if kind == EventLimited {
		e.Reason = dropRate.sentence()
	}
	l.events = append(l.events, e)
}

// drop counts a packet that is not answered. The first of a second is reported with how many there were since.
func (l *loop) drop(p *udp.Packet, r request, code dropCode) {
	if code == dropOwn && len(p.Payload) > 0 && p.Payload[0]&7 == modeBroadcast {
		return // the kernel gives the box's own broadcasts back
	}
	l.s.metrics.dropped[code].Inc()
	d := &l.s.drops[code]
	d.waiting++
	d.last = Event{Kind: EventDropped, Time: l.box, From: p.From, To: p.To, Mode: r.mode, Version: r.version, Reason: code.sentence()}
	if e, due := d.due(l.now); due {
		l.events = append(l.events, e)
	}
}

// drops are those of one reason that were not reported yet.
type drops struct {
	waiting int
	told    int64 // when some were reported last; 0 = never
	last    Event
}

// due returns the event of the drops that wait, at most one a second.
func (d *drops) due(now int64) (Event, bool) {
	if d.waiting == 0 || d.told != 0 && now-d.told < second {
		return Event{}, false
	}
	e := d.last
	e.Count, d.waiting, d.told = d.waiting, 0, max(now, 1)
	return e, true
}

// count puts what was counted into the metrics.
func (l *loop) count() {
	m := l.s.metrics
	for i, n := range l.counts {
		if n > 0 {
			m.answered.Add(float64(n))
			m.to[destinations[i]].Add(float64(n))
		}
	}
	if l.unknown > 0 {
		m.unsynchronised.Add(float64(l.unknown))
	}
	if l.kisses > 0 {
		m.kisses.Add(float64(l.kisses))
	}
	l.counts, l.unknown, l.kisses = [4]int{}, 0, 0
}

// tell reports what came of the batch.
func (l *loop) tell() {
	for i := range l.events {
		l.s.deps.Report(l.events[i])
	}
}
