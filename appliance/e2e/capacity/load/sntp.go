package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// QuestionsConfig is a number of SNTP clients that ask the time (RFC 5905, mode 3), in turn.
type QuestionsConfig struct {
	Server    netip.Addr
	ServerMAC MAC
	Clients   int
	First     netip.Addr // of the first client; the others count up
	Base      MAC        // of the first client
	// Rate is how many requests a second are sent, and For how long; 0 = as many as come back, Total in all.
	Rate  int
	For   time.Duration
	Total int
	// Outstanding is how many requests may wait for their answers while Rate is 0.
	Outstanding int
}

// Questions is what came of it.
type Questions struct {
	Sent     int           `json:"sent"`
	Answered int           `json:"answered"` // with the time
	Kissed   int           `json:"kissed"`   // told to ask less often (kiss code RATE)
	Unset    int           `json:"unset"`    // told that the server does not know the time
	Wrong    int           `json:"wrong"`    // answers to nobody's question
	Took     time.Duration `json:"took_ns"`
}

const (
	ntpPort   = 123
	ntpSize   = 48
	ntpClient = 4<<3 | 3
	// askPort is where the clients ask from.
	askPort = 40123
	// lateAfter is how long an answer is waited for.
	lateAfter = time.Second
)

// questions is one run. The number of a request is its transmit timestamp, which comes back as origin.
type questions struct {
	cfg    QuestionsConfig
	w      *Wire
	frames [][]byte // of each client
	macs   map[netip.Addr]MAC
	res    Questions
	open   int // requests that wait for an answer
}

// Ask runs the questions; it ends with the context, too.
func Ask(ctx context.Context, w *Wire, cfg QuestionsConfig) (Questions, error) {
	if cfg.Clients < 1 || (cfg.Rate < 1 || cfg.For <= 0) && (cfg.Total < 1 || cfg.Outstanding < 1) {
		return Questions{}, fmt.Errorf("found %d clients, %d requests a second for %s, %d in all, %d at once, allowed is a rate and a time, or a number of both",
			cfg.Clients, cfg.Rate, cfg.For, cfg.Total, cfg.Outstanding)
	}
	q := &questions{cfg: cfg, w: w, macs: map[netip.Addr]MAC{}}
	ip := cfg.First
	for i := range cfg.Clients {
		d := datagram{
			from: cfg.Base.Plus(i), to: cfg.ServerMAC, src: ip, dst: cfg.Server, srcPort: askPort, dstPort: ntpPort,
			payload: append([]byte{ntpClient, 0, 6}, make([]byte, ntpSize-3)...),
		}
		f := d.appendFrame(nil)
		binary.BigEndian.PutUint16(f[etherLen+ipLen+6:], 0) // no UDP checksum: the payload changes
		q.frames = append(q.frames, f)
		q.macs[ip] = d.from
		ip = ip.Next()
	}
	begun := time.Now()
	err := q.run(ctx, begun)
	return q.res, err
}

func (q *questions) run(ctx context.Context, begun time.Time) error {
	last := begun // when something was sent or came
	for ctx.Err() == nil {
		now := time.Now()
		before := q.res.Sent + q.res.Answered
		due, over := q.due(now.Sub(begun))
		for range due {
			q.ask()
		}
		q.w.flush()
		frames, err := q.w.receive(time.Millisecond)
		if err != nil {
			return err
		}
		for _, f := range frames {
			q.handle(f)
		}
		q.w.flush()
		if q.res.Sent+q.res.Answered != before {
			last, q.res.Took = time.Now(), time.Since(begun)
		}
		if late := time.Since(last) > lateAfter; over && (q.open <= 0 || late) {
			return nil
		} else if late {
			q.open = 0 // what was outstanding is lost
			last = time.Now()
		}
	}
	return ctx.Err()
}

// due is how many requests are to be sent now, and whether these are the last.
func (q *questions) due(since time.Duration) (n int, over bool) {
	if q.cfg.Rate == 0 {
		left := q.cfg.Total - q.res.Sent
		return min(left, q.cfg.Outstanding-q.open), left <= 0
	}
	over = since >= q.cfg.For
	should := int(min(since, q.cfg.For).Seconds() * float64(q.cfg.Rate))
	return min(should-q.res.Sent, batch), over && should <= q.res.Sent
}

// ask sends the request of the next client.
func (q *questions) ask() {
	f := q.frames[q.res.Sent%len(q.frames)]
	q.res.Sent++
	q.open++
	q.w.send(func(b []byte) []byte {
		b = append(b, f...)
		binary.BigEndian.PutUint64(b[len(b)-8:], uint64(q.res.Sent))
		return b
	})
}

// handle takes a frame: a question for one of our addresses, or an answer.
func (q *questions) handle(f []byte) {
	if asker, askerIP, wanted, ok := arpQuestion(f); ok {
		if mac, ours := q.macs[wanted]; ours {
			q.w.send(func(b []byte) []byte { return appendARPAnswer(b, mac, wanted, asker, askerIP) })
		}
		return
	}
	d, ok := parseDatagram(f)
	if !ok || d.srcPort != ntpPort || d.dstPort != askPort {
		return
	}
	p := d.payload
	if len(p) < ntpSize || p[0]&7 != 4 || d.src != q.cfg.Server {
		q.res.Wrong++
		return
	}
	number := binary.BigEndian.Uint64(p[24:])
	client := int((number - 1) % uint64(len(q.frames)))
	if number < 1 || number > uint64(q.res.Sent) || [4]byte(q.frames[client][etherLen+12:]) != d.dst.As4() {
		q.res.Wrong++
		return
	}
	q.open--
	switch {
	case p[1] != 0 && p[0]>>6 != 3:
		q.res.Answered++
	case string(p[12:16]) == "RATE":
		q.res.Kissed++
	default:
		q.res.Unset++
	}
}
