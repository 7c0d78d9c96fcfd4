package load

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// ClientsConfig is a number of DHCP clients.
type ClientsConfig struct {
	Count     int
	Base      MAC        // of the first; the others count up
	Server    netip.Addr // for renewals, which go to it alone
	ServerMAC MAC
	Retry     time.Duration // before a client asks again; 0 = 1 s
	Tries     int           // then it gives up; 0 = 30
}

// Job is what a client does.
type Job int

// The jobs.
const (
	Boot    Job = iota // DISCOVER, OFFER, REQUEST, ACK: a client that knows nothing
	Reboot             // INIT-REBOOT: asks by broadcast for the address that it has (RFC 2131, 3.2)
	Renew              // RENEWING: asks the server alone for more time
	Release            // gives the address back; nobody answers that
)

// Tally is how a run of jobs went. Moved and Twice are what a server must never do.
type Tally struct {
	Started     int           `json:"started"`
	Done        int           `json:"done"`
	Refused     int           `json:"refused"` // a NAK
	GaveUp      int           `json:"gave_up"`
	Unfinished  int           `json:"unfinished"` // when the context ended
	Retransmits int           `json:"retransmits"`
	Moved       int           `json:"moved"` // an ACK for another address than the client has
	Twice       int           `json:"twice"` // an ACK for an address that another client holds
	Took        time.Duration `json:"took_ns"`
	Example     string        `json:"example,omitempty"` // of what must not be
}

// client is one client.
type client struct {
	addr    netip.Addr // acknowledged; not valid = none
	until   time.Time  // the end of its lease
	server  netip.Addr
	offered netip.Addr
	job     Job
	asked   byte // discover or request; 0 = idle
	gen     uint16
	tries   int
}

// retry is when a client asks again, unless its transaction has gone on.
type retry struct {
	at    time.Time
	who   int
	gen   uint16
	asked byte
}

// Clients keeps what every client was acknowledged: the record against which a server is judged. One goroutine uses it.
type Clients struct {
	w       *Wire
	cfg     ClientsConfig
	list    []client
	holder  map[netip.Addr]int
	retries []retry // in the order of their times
	open    int
	tally   Tally
}

// indexBits of a transaction id tell the client, the rest its generation.
const indexBits = 20

// NewClients makes clients that have no address yet.
func NewClients(w *Wire, cfg ClientsConfig) (*Clients, error) {
	if cfg.Count < 1 || cfg.Count > 1<<indexBits {
		return nil, fmt.Errorf("found %d clients, allowed is 1 to %d", cfg.Count, 1<<indexBits)
	}
	if cfg.Retry == 0 {
		cfg.Retry = time.Second
	}
	if cfg.Tries == 0 {
		cfg.Tries = 30
	}
	return &Clients{w: w, cfg: cfg, list: make([]client, cfg.Count), holder: map[netip.Addr]int{}}, nil
}

// Held returns the clients that have an acknowledged lease which runs.
func (c *Clients) Held() (who []int) {
	now := time.Now()
	for i := range c.list {
		if c.list[i].addr.IsValid() && now.Before(c.list[i].until) {
			who = append(who, i)
		}
	}
	return who
}

// Address returns what a client was acknowledged last; not valid = nothing.
func (c *Clients) Address(who int) netip.Addr { return c.list[who].addr }

// MAC returns the hardware address of a client.
func (c *Clients) MAC(who int) MAC { return c.cfg.Base.Plus(who) }

// Run lets each of the clients do a job, so many a second (0 = as fast as the wire takes them), and returns once all have
// done it or given up. When the context ends it answers no error: what is under way is left unfinished.
func (c *Clients) Run(ctx context.Context, job Job, who []int, rate float64) (Tally, error) {
	c.tally, c.open, c.retries = Tally{}, 0, c.retries[:0]
	begun := time.Now()
	for next := 0; ctx.Err() == nil && (next < len(who) || c.open > 0); {
		now := time.Now()
		due := len(who)
		if rate > 0 {
			due = min(due, 1+int(now.Sub(begun).Seconds()*rate))
		}
		for burst := 0; next < due && burst < batch; burst++ {
			c.begin(who[next], job, now)
			next++
		}
		c.askAgain(now)
		c.w.flush()
		wait := 20 * time.Millisecond
		if next < len(who) {
			wait = time.Millisecond
		}
		if err := c.listen(wait); err != nil {
			return c.tally, err
		}
	}
	c.tally.Unfinished = c.open
	c.tally.Took = time.Since(begun)
	return c.tally, nil
}

// RunUntil is Run for a server that is killed on the way. Once killed is closed nobody asks any more, and what the server
// sent before is read: an ACK that was on its way counts as one that was given.
func (c *Clients) RunUntil(ctx context.Context, job Job, who []int, rate float64, killed <-chan struct{}) (Tally, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-killed:
			cancel()
		case <-ctx.Done():
		}
	}()
	if _, err := c.Run(ctx, job, who, rate); err != nil {
		return c.tally, err
	}
	<-killed
	c.open = 0
	for quiet := 0; quiet < quietTimes; quiet++ {
		frames, err := c.w.receive(10 * time.Millisecond)
		if err != nil {
			return c.tally, err
		}
		for _, f := range frames {
			quiet = 0
			if m, who, ok := c.answer(f); ok && m.kind == ack {
				c.acknowledged(who, m, time.Now())
			}
		}
	}
	for i := range c.list {
		c.list[i].asked = 0
	}
	return c.tally, nil
}

// quietTimes is how often nothing may come until everything has come.
const quietTimes = 5

func (c *Clients) listen(wait time.Duration) error {
	frames, err := c.w.receive(wait)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, f := range frames {
		c.handle(f, now)
	}
	return nil
}

// begin starts a client's job.
func (c *Clients) begin(who int, job Job, now time.Time) {
	cl := &c.list[who]
	cl.job, cl.tries = job, 0
	cl.gen++
	c.tally.Started++
	c.open++
	cl.asked = request
	if job == Boot {
		cl.asked, cl.offered = discover, netip.Addr{}
	}
	c.ask(who, now)
	if job == Release {
		delete(c.holder, cl.addr)
		cl.addr, cl.until = netip.Addr{}, time.Time{}
		c.finish(who)
		c.tally.Done++
	}
}

func (c *Clients) finish(who int) {
	if c.list[who].asked != 0 {
		c.list[who].asked = 0
		c.open--
	}
}

// ask sends what the client's state wants.
func (c *Clients) ask(who int, now time.Time) {
	cl := &c.list[who]
	mac := c.MAC(who)
	m := message{kind: cl.asked, xid: c.xid(who), broadcast: who%2 == 1, mac: mac}
	d := datagram{from: mac, to: everybody, src: netip.IPv4Unspecified(), dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}), srcPort: clientPort, dstPort: serverPort}
	switch {
	case cl.job == Boot && cl.asked == request:
		m.wanted, m.server = cl.offered, cl.server
	case cl.job == Reboot:
		m.wanted = cl.addr
	case cl.job == Renew, cl.job == Release:
		m.ciaddr, m.broadcast = cl.addr, false
		d.src, d.dst, d.to = cl.addr, c.cfg.Server, c.cfg.ServerMAC
		if cl.job == Release {
			m.kind, m.server = release, c.cfg.Server
		}
	}
	d.payload = m.append(nil)
	c.w.send(d.appendFrame)
	c.retries = append(c.retries, retry{at: now.Add(c.cfg.Retry), who: who, gen: cl.gen, asked: cl.asked})
}

func (c *Clients) xid(who int) uint32 { return uint32(c.list[who].gen)<<indexBits | uint32(who) }

// askAgain repeats what was not answered in time.
func (c *Clients) askAgain(now time.Time) {
	for len(c.retries) > 0 && !now.Before(c.retries[0].at) {
		r := c.retries[0]
		c.retries = c.retries[1:]
		cl := &c.list[r.who]
		if cl.asked == 0 || cl.gen != r.gen || cl.asked != r.asked {
			continue
		}
		if cl.tries++; cl.tries >= c.cfg.Tries {
			c.tally.GaveUp++
			c.example("%x got no answer in %d tries", c.MAC(r.who), cl.tries)
			c.finish(r.who)
			continue
		}
		if cl.job == Boot && cl.asked == request && cl.tries%4 == 0 {
			cl.asked = discover // the offer is worth nothing any more (RFC 2131, 3.1.5)
			cl.gen++
		}
		c.tally.Retransmits++
		c.ask(r.who, now)
	}
}

func (c *Clients) example(format string, args ...any) {
	if c.tally.Example == "" {
		c.tally.Example = fmt.Sprintf(format, args...)
	}
}

func (c *Clients) handle(f []byte, now time.Time) {
	if asker, askerIP, wanted, ok := arpQuestion(f); ok {
		if who, held := c.holder[wanted]; held {
			c.w.send(func(b []byte) []byte { return appendARPAnswer(b, c.MAC(who), wanted, asker, askerIP) })
		}
		return
	}
	m, who, ok := c.answer(f)
	if !ok {
		return
	}
	cl := &c.list[who]
	switch {
	case m.kind == offer && cl.asked == discover:
		cl.offered, cl.server, cl.asked = m.yiaddr, m.server, request
		c.ask(who, now)
	case m.kind == ack:
		c.acknowledged(who, m, now)
	case m.kind == nak && cl.asked == request:
		c.tally.Refused++
		c.example("%x was refused %s", m.mac, cl.addr)
		if c.holder[cl.addr] == who {
			delete(c.holder, cl.addr)
		}
		cl.addr, cl.until = netip.Addr{}, time.Time{} // it must begin anew (RFC 2131, 3.1.4)
		c.finish(who)
	}
}

// answer reads a server's answer to the present transaction of one of the clients.
func (c *Clients) answer(f []byte) (m message, who int, ok bool) {
	d, ok := parseDatagram(f)
	if !ok || d.dstPort != clientPort {
		return m, 0, false
	}
	m, ok = parseAnswer(d.payload)
	who = int(m.xid & (1<<indexBits - 1))
	ok = ok && who < len(c.list) && m.mac == c.MAC(who) && m.xid>>indexBits == uint32(c.list[who].gen)&(1<<(32-indexBits)-1)
	return m, who, ok
}

// acknowledged records a lease, whether or not the client still waits for it: the server has given its word.
func (c *Clients) acknowledged(who int, m message, now time.Time) {
	cl := &c.list[who]
	if cl.addr.IsValid() && cl.addr != m.yiaddr && now.Before(cl.until) {
		c.tally.Moved++
		c.example("%x got %s, it had %s", m.mac, m.yiaddr, cl.addr)
		if c.holder[cl.addr] == who {
			delete(c.holder, cl.addr)
		}
	}
	if other, held := c.holder[m.yiaddr]; held && other != who && now.Before(c.list[other].until) {
		c.tally.Twice++
		c.example("%s was given to %x, %x has it", m.yiaddr, m.mac, c.MAC(other))
	}
	c.holder[m.yiaddr] = who
	cl.addr, cl.until = m.yiaddr, now.Add(m.lease)
	if cl.asked != 0 {
		c.tally.Done++
	}
	c.finish(who)
}
