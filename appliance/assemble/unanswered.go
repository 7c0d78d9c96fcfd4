package assemble

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

const (
	// maxReasons bounds the reasons of one service; sentences are ours, so that there are some dozens.
	maxReasons = 64
	// otherReasons is where all others are counted.
	otherReasons = "other reasons"
)

// unanswered counts the packets of the last hour that were not answered, by service and reason.
type unanswered struct {
	now func() time.Time

	mu   sync.Mutex
	rows map[string]map[string]*unansweredRow
}

// unansweredRow is one reason; it counts each minute of an hour apart.
type unansweredRow struct {
	counts [60]uint32
	minute int64 // of the newest count, since 1970
	last   time.Time
	mac    phone.MAC
	addr   netip.Addr
}

func newUnanswered(now func() time.Time) *unanswered {
	return &unanswered{now: now, rows: map[string]map[string]*unansweredRow{}}
}

// add counts one packet. mac or addr say who sent it, where that is known.
func (u *unanswered) add(service, reason string, mac phone.MAC, addr netip.Addr) {
	u.addPackets(service, reason, mac, addr, 1)
}

// addPackets is add for several packets of which the reason is the same.
func (u *unanswered) addPackets(service, reason string, mac phone.MAC, addr netip.Addr, packets int) {
	reason = generalWords(reason)
	now := u.now()
	u.mu.Lock()
	defer u.mu.Unlock()
	rows := u.rows[service]
	if rows == nil {
		rows = map[string]*unansweredRow{}
		u.rows[service] = rows
	}
	row := rows[reason]
	if row == nil {
		if len(rows) >= maxReasons {
			u.clean(rows, now)
		}
		if len(rows) >= maxReasons {
			reason = otherReasons
		}
		if row = rows[reason]; row == nil {
			row = &unansweredRow{minute: minuteOf(now)}
			rows[reason] = row
		}
	}
	row.turn(now)
	row.counts[row.minute%60] += uint32(packets)
	row.last, row.mac, row.addr = now, mac, addr
}

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }

// turn forgets the minutes that are an hour old.
func (r *unansweredRow) turn(now time.Time) {
	minute := minuteOf(now)
	if minute < r.minute || minute-r.minute >= 60 { // an hour without any, or the clock was set
		r.counts, r.minute = [60]uint32{}, minute
		return
	}
	for ; r.minute < minute; r.minute++ {
		r.counts[(r.minute+1)%60] = 0
	}
}

func (r *unansweredRow) total() (n int) {
	for _, c := range r.counts {
		n += int(c)
	}
	return n
}

func (u *unanswered) clean(rows map[string]*unansweredRow, now time.Time) {
	for reason, row := range rows {
		if row.turn(now); row.total() == 0 {
			delete(rows, reason)
		}
	}
}

// list returns the reasons of the last hour, the most frequent first. whose tells the phone behind an address.
func (u *unanswered) list(whose func(netip.Addr) phone.MAC) []web.NotAnswered {
	now := u.now()
	u.mu.Lock()
	var out []web.NotAnswered
	var addrs []netip.Addr
	for service, rows := range u.rows {
		u.clean(rows, now)
		for reason, row := range rows {
			out = append(out, web.NotAnswered{Service: service, Reason: reason, Count: row.total(), MAC: row.mac, Last: row.last})
			addrs = append(addrs, row.addr)
		}
	}
	u.mu.Unlock()
	for i, addr := range addrs {
		if addr.IsValid() {
			out[i].Address = addr.String()
		}
		if out[i].MAC.IsZero() && addr.IsValid() {
			out[i].MAC = whose(addr)
		}
	}
	slices.SortFunc(out, func(a, b web.NotAnswered) int {
		return cmp.Or(b.Count-a.Count, strings.Compare(a.Service, b.Service), strings.Compare(a.Reason, b.Reason))
	})
	return out
}

// generalWords takes out of a reason what is only of the one packet: an address, a MAC or a number becomes "…", and what is
// quoted as well. So each kind of reason is one line.
func generalWords(reason string) string {
	digits := strings.ContainsAny(reason, "0123456789")
	if !digits && !strings.ContainsRune(reason, '"') {
		return reason
	}
	reason = cutQuoted(reason)
	words := strings.Split(reason, " ")
	for i, w := range words {
		if strings.ContainsAny(w, "0123456789") {
			bare := strings.TrimRight(w, ",.;:)")
			words[i] = "…" + w[len(bare):]
		}
	}
	return strings.Join(words, " ")
}

// cutQuoted puts "…" in place of what stands between quotation marks; it comes from outside.
func cutQuoted(text string) string {
	first, last := strings.IndexByte(text, '"'), strings.LastIndexByte(text, '"')
	if first < 0 || first == last {
		return text
	}
	return text[:first] + "…" + text[last+1:]
}
