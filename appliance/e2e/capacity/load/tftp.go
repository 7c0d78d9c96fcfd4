package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// DownloadsConfig is a number of TFTP clients that read one file over and over, in blocks of 512 bytes in lockstep
// (RFC 1350), as a Cisco 7960 does: no options are asked for.
type DownloadsConfig struct {
	Server    netip.Addr
	ServerMAC MAC
	File      string
	Content   []byte // what the file holds: every block is compared
	Parallel  int    // so many clients at once
	Total     int    // so many downloads in all; 0 = until For is over
	For       time.Duration
	First     netip.Addr // of the first client; the others count up
	Base      MAC        // of the first client
}

// Downloads is what came of it.
type Downloads struct {
	Done        int             `json:"done"`
	Failed      int             `json:"failed"` // an ERROR, or nothing for half a minute
	Wrong       int             `json:"wrong"`  // blocks that differ from the file
	Bytes       int             `json:"bytes"`
	Retransmits int             `json:"retransmits"` // by this side, after 4 s as a phone
	Repeated    int             `json:"repeated"`    // blocks that came twice
	Took        time.Duration   `json:"took_ns"`
	Each        []time.Duration `json:"each_ns"` // per download, sorted
	Reason      string          `json:"reason,omitempty"`
}

const (
	tftpPort   = 69
	blockSize  = 512
	opRead     = 1
	opData     = 3
	opACK      = 4
	opError    = 5
	phoneWaits = 4 * time.Second  // before it asks again (phones.md a.8)
	givesUp    = 30 * time.Second // without anything new
	maxFailed  = 1000             // then no more are begun
)

// download is one client.
type download struct {
	mac      MAC
	ip       netip.Addr
	port     uint16 // of this download; the next has another
	tid      uint16 // of the server; 0 = not known yet
	want     uint16 // the block that comes next
	at       int    // offset in the file
	begun    time.Time
	progress time.Time
	sent     time.Time
	stopped  bool
}

type downloads struct {
	cfg     DownloadsConfig
	w       *Wire
	clients []download
	by      map[netip.Addr]int
	res     Downloads
	started int
	active  int
	ends    time.Time
}

// Download runs the downloads; it ends with the context, too.
func Download(ctx context.Context, w *Wire, cfg DownloadsConfig) (Downloads, error) {
	if cfg.Parallel < 1 || cfg.Total < 1 && cfg.For <= 0 {
		return Downloads{}, fmt.Errorf("found %d downloads at once, %d in all in %s, allowed is one or more, in all or for a time", cfg.Parallel, cfg.Total, cfg.For)
	}
	d := &downloads{cfg: cfg, w: w, by: map[netip.Addr]int{}, clients: make([]download, cfg.Parallel)}
	begun := time.Now()
	d.ends = begun.Add(cfg.For)
	ip := cfg.First
	for i := range d.clients {
		d.clients[i] = download{mac: cfg.Base.Plus(i), ip: ip, port: 2048}
		d.by[ip] = i
		ip = ip.Next()
		d.next(&d.clients[i], begun)
	}
	for looked := begun; d.active > 0 && ctx.Err() == nil; {
		frames, err := w.receive(20 * time.Millisecond)
		if err != nil {
			return d.res, err
		}
		now := time.Now()
		for _, f := range frames {
			d.handle(f, now)
		}
		if now.Sub(looked) > 100*time.Millisecond {
			looked = now
			d.lookAtTimes(now)
		}
		w.flush()
	}
	d.res.Took = time.Since(begun)
	slices.Sort(d.res.Each)
	return d.res, ctx.Err()
}

// next begins the client's next download, if there is one.
func (d *downloads) next(c *download, now time.Time) {
	over := d.cfg.Total > 0 && d.started >= d.cfg.Total || d.cfg.Total == 0 && !now.Before(d.ends)
	wasActive := c.tid != 0 || c.want != 0
	if over {
		if wasActive {
			d.active--
		}
		*c = download{mac: c.mac, ip: c.ip, stopped: true}
		return
	}
	if !wasActive {
		d.active++
	}
	d.started++
	c.port++
	if c.port < 2048 {
		c.port = 2048
	}
	c.tid, c.want, c.at, c.begun, c.progress = 0, 1, 0, now, now
	d.ask(c, now)
}

// ask sends the read request, or the last acknowledgement again.
func (d *downloads) ask(c *download, now time.Time) {
	c.sent = now
	if c.tid == 0 {
		payload := append([]byte{0, opRead}, d.cfg.File...)
		d.put(c, tftpPort, append(payload, "\x00octet\x00"...))
		return
	}
	d.ack(c, c.want-1)
}

func (d *downloads) ack(c *download, block uint16) {
	var payload [4]byte
	payload[1] = opACK
	binary.BigEndian.PutUint16(payload[2:], block)
	d.put(c, c.tid, payload[:])
}

func (d *downloads) put(c *download, port uint16, payload []byte) {
	g := datagram{from: c.mac, to: d.cfg.ServerMAC, src: c.ip, dst: d.cfg.Server, srcPort: c.port, dstPort: port, payload: payload}
	d.w.send(g.appendFrame)
}

// handle takes a frame: a question for one of our addresses, or a block.
func (d *downloads) handle(f []byte, now time.Time) {
	if asker, askerIP, wanted, ok := arpQuestion(f); ok {
		if i, ours := d.by[wanted]; ours {
			d.w.send(func(b []byte) []byte { return appendARPAnswer(b, d.clients[i].mac, wanted, asker, askerIP) })
		}
		return
	}
	g, ok := parseDatagram(f)
	if !ok || len(g.payload) < 4 {
		return
	}
	i, ours := d.by[g.dst]
	if !ours {
		return
	}
	c := &d.clients[i]
	if c.stopped || g.dstPort != c.port || c.tid != 0 && c.tid != g.srcPort {
		return // of a download that is over
	}
	switch binary.BigEndian.Uint16(g.payload) {
	case opError:
		d.fail(c, fmt.Sprintf("ERROR %d %q", g.payload[3], bytes.TrimRight(g.payload[4:], "\x00")), now)
	case opData:
		d.block(c, g, now)
	}
}

func (d *downloads) block(c *download, g datagram, now time.Time) {
	n, data := binary.BigEndian.Uint16(g.payload[2:]), g.payload[4:]
	if n != c.want {
		d.res.Repeated++ // not acknowledged again: the Sorcerer's Apprentice (RFC 1123, 4.2.3.1)
		return
	}
	c.tid = g.srcPort
	if c.at+len(data) > len(d.cfg.Content) || !bytes.Equal(data, d.cfg.Content[c.at:c.at+len(data)]) {
		d.res.Wrong++
	}
	c.at += len(data)
	c.want++
	c.progress, c.sent = now, now
	d.res.Bytes += len(data)
	d.ack(c, n)
	if len(data) < blockSize {
		d.res.Done++
		d.res.Each = append(d.res.Each, now.Sub(c.begun))
		d.next(c, now)
	}
}

func (d *downloads) fail(c *download, why string, now time.Time) {
	d.res.Failed++
	if d.res.Reason == "" {
		d.res.Reason = why
	}
	if d.res.Failed > maxFailed {
		d.cfg.Total, d.started = 1, 1 // no more: the server refuses
	}
	d.next(c, now)
}

// lookAtTimes repeats what was not answered, and gives up what is stuck.
func (d *downloads) lookAtTimes(now time.Time) {
	for i := range d.clients {
		c := &d.clients[i]
		switch {
		case c.stopped:
		case now.Sub(c.progress) > givesUp:
			d.fail(c, fmt.Sprintf("nothing for %s at byte %d", givesUp, c.at), now)
		case now.Sub(c.sent) > phoneWaits:
			d.res.Retransmits++
			d.ask(c, now)
		}
	}
}
