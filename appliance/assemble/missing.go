package assemble

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/dns"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// The bounds of the list of names that nobody answers. A client that asks for made-up names displaces its own only.
const (
	maxMissing          = 256
	maxMissingPerClient = 16
	maxAskers           = 8
	longestName         = 253 // RFC 1035 section 3.1, as it is written
	missingAge          = 24 * time.Hour
)

// missing keeps the names that somebody asked an address for and that have none.
type missing struct {
	now func() time.Time

	mu    sync.Mutex
	names map[string]*missedName
	of    map[client]int // how many names each client was the first to ask for
}

// client is who asks: the phone, else the address.
type client struct {
	mac  phone.MAC
	addr netip.Addr
}

type missedName struct {
	name, why   string
	first, last time.Time
	count       int
	by          client // the first who asked
	askers      []asker
}

type asker struct {
	client
	at    netip.Addr
	count int
	last  time.Time
}

func newMissing(now func() time.Time) *missing {
	return &missing{now: now, names: map[string]*missedName{}, of: map[client]int{}}
}

// nobodyMaps are names that Windows and browsers ask for by themselves; whoever answers them takes over who asks.
func nobodyMaps(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return first == "wpad" || first == "isatap"
}

// heard takes what the DNS server answered; mac is the phone that asked, where that is known. A name that has an address
// by now is missing no longer.
func (m *missing) heard(e *dns.Event, mac phone.MAC) {
	if e.Kind != dns.EventAnswered || e.Type != "A" || e.Name == "" || len(e.Name) > longestName || nobodyMaps(e.Name) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Result {
	case "NOERROR":
		m.forget(e.Name)
		return
	case "NXDOMAIN", "NODATA", "SERVFAIL", "REFUSED":
	default:
		return
	}
	now := m.now()
	who := client{mac: mac}
	if mac.IsZero() {
		who.addr = e.From.Addr()
	}
	n := m.names[e.Name]
	if n == nil {
		n = m.add(e.Name, who, now)
	}
	n.why, n.last = whyMissing(e), now
	n.count++
	n.asked(who, e.From.Addr(), now)
}

// add makes room for a name of a client.
func (m *missing) add(name string, who client, now time.Time) *missedName {
	if m.of[who] >= maxMissingPerClient {
		m.displace(func(n *missedName) bool { return n.by == who })
	}
	if len(m.names) >= maxMissing {
		m.age(now)
	}
	if len(m.names) >= maxMissing {
		m.displace(func(*missedName) bool { return true })
	}
	n := &missedName{name: name, by: who, first: now}
	m.names[name] = n
	m.of[who]++
	return n
}

// displace forgets the name of least weight among those that fit: not of a phone before of a phone, asked for once or
// twice before more often, and then the one that was not asked for the longest.
func (m *missing) displace(fits func(*missedName) bool) {
	var least *missedName
	for _, n := range m.names {
		if fits(n) && (least == nil || n.lighter(least)) {
			least = n
		}
	}
	if least != nil {
		m.forget(least.name)
	}
}

func (n *missedName) lighter(than *missedName) bool {
	weight := func(n *missedName) int {
		w := min(n.count, 3)
		if !n.by.mac.IsZero() {
			w += 3
		}
		return w
	}
	if c := cmp.Compare(weight(n), weight(than)); c != 0 {
		return c < 0
	}
	return n.last.Before(than.last)
}

func (m *missing) forget(name string) {
	n := m.names[name]
	if n == nil {
		return
	}
	delete(m.names, name)
	if m.of[n.by]--; m.of[n.by] == 0 {
		delete(m.of, n.by)
	}
}

// age forgets what was not asked for in a day.
func (m *missing) age(now time.Time) {
	for name, n := range m.names {
		if now.Sub(n.last) > missingAge {
			m.forget(name)
		}
	}
}

// asked notes who asked; of too many the one that asked the longest ago is forgotten.
func (n *missedName) asked(who client, at netip.Addr, now time.Time) {
	i := slices.IndexFunc(n.askers, func(a asker) bool { return a.client == who })
	if i < 0 {
		if len(n.askers) == maxAskers {
			n.askers = slices.DeleteFunc(n.askers, func(a asker) bool { return a.last.Equal(oldest(n.askers)) })
		}
		n.askers = append(n.askers, asker{client: who})
		i = len(n.askers) - 1
	}
	a := &n.askers[i]
	a.at, a.last = at, now
	a.count++
}

func oldest(askers []asker) time.Time {
	return slices.MinFunc(askers, func(a, b asker) int { return a.last.Compare(b.last) }).last
}

// list returns the names, those of phones first, then the most frequent. label names a phone.
func (m *missing) list(label func(phone.MAC) string) []web.MissingName {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.age(m.now())
	out := make([]web.MissingName, 0, len(m.names))
	for _, n := range m.names {
		w := web.MissingName{
			Name: n.name, Why: n.why, Count: n.count, First: n.first, Last: n.last,
			Mappable: site.IsRescuable(n.name), Askers: make([]web.Asker, len(n.askers)),
		}
		for i, a := range n.askers {
			w.Askers[i] = web.Asker{MAC: a.mac, Label: label(a.mac), Address: a.at.String(), Count: a.count, Last: a.last}
		}
		slices.SortFunc(w.Askers, func(a, b web.Asker) int { return cmp.Or(b.Count-a.Count, strings.Compare(a.Address, b.Address)) })
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b web.MissingName) int {
		return cmp.Or(cmp.Compare(phonesAmong(b), phonesAmong(a)), b.Count-a.Count, strings.Compare(a.Name, b.Name))
	})
	return out
}

// phonesAmong is 1 when a phone asked for the name.
func phonesAmong(n web.MissingName) int {
	if slices.ContainsFunc(n.Askers, func(a web.Asker) bool { return !a.MAC.IsZero() }) {
		return 1
	}
	return 0
}

// whyMissing says why a name has no address. What the DNS server says of a failure is told as it is.
func whyMissing(e *dns.Event) string {
	switch {
	case e.Result == "NXDOMAIN" && e.Local:
		return "this office has no such name"
	case e.Result == "NXDOMAIN":
		return "the name servers say that it does not exist"
	case e.Result == "NODATA":
		return "it has no IPv4 address"
	case e.Reason != "":
		return e.Reason
	case e.Result == "SERVFAIL":
		return "no name server had an answer"
	}
	return "it is not of this office, and no name server is set that could be asked"
}
