package mdns

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// group is where all hosts of a wire hear (RFC 6762 section 3).
var group = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), port)

const port = 5353

// The times of RFC 6762: sections 8.1 and 8.2 (probing), 8.3 (announcing), 6 (answering).
const (
	probes          = 3
	probeGap        = 250 * time.Millisecond
	probeLost       = time.Second // after a host with the same wish came first
	announcements   = 2
	announceGap     = time.Second
	oncePer         = time.Second            // a record goes to all hosts
	oncePerDefence  = 250 * time.Millisecond // ... to one that wants to take its name
	sharedFrom      = 20 * time.Millisecond  // an answer that others may give as well
	sharedRange     = 100 * time.Millisecond
	truncatedFrom   = 400 * time.Millisecond // who asks has more to say of what it knows
	truncatedRange  = 100 * time.Millisecond
	conflictsAtOnce = 15 // in ten seconds; then five seconds pass before each further try (section 8.1)
	conflictWindow  = 10 * time.Second
	conflictWait    = 5 * time.Second
	// A host that takes every name that the box looks for would have it change its name, and its certificate, for ever.
	conflictsAnHour = 20
	conflictQuiet   = 10 * time.Minute
)

// The bounds of what others can cause.
const (
	maxUnicast   = 50 // answers to single hosts in a second
	maxPending   = 32 // answers that wait
	lastNumber   = 99 // phonebox-99; then it begins again
	maxQuestions = 64 // of one packet; a host that looks for everything asks some twenty
)

type phase int

const (
	silent phase = iota // no wire
	probing
	announcing
	standing // the names are ours
)

// outgoing is a packet on its way.
type outgoing struct {
	msg *dns.Msg
	to  netip.AddrPort
}

// pending is an answer to all hosts that waits.
type pending struct {
	due     time.Time
	records []*record
	from    netip.Addr // who may still say what it knows; not valid = nobody
}

// responder decides what is said. It knows no clock and no socket: each call is told the time, and next says when the next
// is due at the latest. It is not safe for concurrent use.
type responder struct {
	cfg    Config
	random func(time.Duration) time.Duration // less than that
	report func(Event)

	phase    phase
	count    int // probes or announcements that were sent
	due      time.Time
	host     int // which choice of the label
	instance int
	records  []*record
	waiting  []*pending

	conflicts []time.Time // of the last hour
	second    time.Time   // the second that answers to single hosts are counted in
	answers   int
}

func newResponder(cfg Config, random func(time.Duration) time.Duration, report func(Event)) *responder {
	r := &responder{cfg: cfg, random: random, report: report, host: 1, instance: 1}
	for n := 2; n <= lastNumber; n++ {
		if cfg.Last == numbered(cfg.Host, n) {
			r.host = n
		}
	}
	r.rename()
	return r
}

// label is what stands before .local.
func (r *responder) label() string { return numbered(r.cfg.Host, r.host) }

func (r *responder) rename() {
	r.records = makeRecords(&r.cfg, r.label(), numberedInstance(r.cfg.Instance, r.instance))
}

// begin probes for the names, on a wire that is new or came back.
func (r *responder) begin(now time.Time) {
	r.phase, r.count, r.waiting = probing, 0, nil
	r.due = now.Add(r.random(probeGap)) // boxes that get power at the same instant (section 8.1)
	for _, rec := range r.records {
		rec.sent = time.Time{}
	}
}

// silence is for a wire that went away: nobody can be told.
func (r *responder) silence() { r.phase, r.waiting = silent, nil }

// next is when [responder.step] has something to do; the zero time = not before something happens.
func (r *responder) next() time.Time {
	var at time.Time
	if r.phase == probing || r.phase == announcing {
		at = r.due
	}
	for _, p := range r.waiting {
		if at.IsZero() || p.due.Before(at) {
			at = p.due
		}
	}
	return at
}

// step says what is due.
func (r *responder) step(now time.Time) (out []outgoing) {
	if (r.phase == probing || r.phase == announcing) && !now.Before(r.due) {
		out = r.advance(now)
	}
	return append(out, r.flushWaiting(now)...)
}

// advance takes the next step on the way to names of our own.
func (r *responder) advance(now time.Time) []outgoing {
	if r.phase == probing && r.count < probes {
		r.count++
		r.due = now.Add(probeGap)
		return []outgoing{{r.probe(), group}}
	}
	if r.phase == probing {
		r.phase, r.count = announcing, 0
		r.report(Event{Kind: EventNamed, Label: r.label()})
	}
	r.count++
	r.due = now.Add(announceGap)
	if r.count == announcements {
		r.phase = standing
	}
	return []outgoing{{r.tell(now, r.positive()), group}}
}

// positive are the records of what there is.
func (r *responder) positive() []*record {
	return slices.DeleteFunc(slices.Clone(r.records), func(rec *record) bool { return rec.negative })
}

// probe asks whether somebody has the names, and says what we would have of them (section 8.1). The answer may come to us
// alone.
func (r *responder) probe() *dns.Msg {
	m := new(dns.Msg)
	for _, rec := range r.records {
		if !rec.probed {
			continue
		}
		name := rec.rr.Header().Name
		if !slices.ContainsFunc(m.Question, func(q dns.Question) bool { return q.Name == name }) {
			m.Question = append(m.Question, dns.Question{Name: name, Qtype: dns.TypeANY, Qclass: dns.ClassINET | flush})
		}
		m.Ns = append(m.Ns, dns.Copy(rec.rr))
	}
	return m
}

// tell makes an answer to all hosts.
func (r *responder) tell(now time.Time, records []*record) *dns.Msg {
	m := answer()
	for _, rec := range records {
		m.Answer = append(m.Answer, rec.wire())
		rec.sent = now
	}
	m.Extra = r.additional(m.Answer, nil)
	return m
}

// wire is the record as hosts that know multicast DNS get it.
func (rec *record) wire() dns.RR {
	rr := dns.Copy(rec.rr)
	if rec.unique {
		rr.Header().Class |= flush
	}
	return rr
}

func answer() *dns.Msg {
	m := new(dns.Msg)
	m.Response, m.Authoritative, m.Compress = true, true, true
	return m
}

// goodbye tells all hosts to forget what we said (section 10.1); nil when they know nothing.
func (r *responder) goodbye() []outgoing {
	if r.phase != announcing && r.phase != standing {
		return nil
	}
	m := answer()
	for _, rec := range r.positive() {
		rr := rec.wire()
		rr.Header().Ttl = 0
		m.Answer = append(m.Answer, rr)
	}
	return []outgoing{{m, group}}
}

// flushWaiting gives the answers whose time has come, in one packet.
func (r *responder) flushWaiting(now time.Time) []outgoing {
	var records []*record
	r.waiting = slices.DeleteFunc(r.waiting, func(p *pending) bool {
		if now.Before(p.due) {
			return false
		}
		for _, rec := range p.records {
			if !slices.Contains(records, rec) && now.Sub(rec.sent) >= oncePer {
				records = append(records, rec)
			}
		}
		return true
	})
	if len(records) == 0 || r.phase == silent || r.phase == probing {
		return nil
	}
	return []outgoing{{r.tell(now, records), group}}
}
