package assemble

import (
	"context"
	"slices"
	"sync"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/web"
)

const (
	// tallyEvery is how often the phones are counted for the chart of the last hour.
	tallyEvery = 10 * time.Second
	// lastEvents is how many of the things that phones asked just now are kept.
	lastEvents = 6
	hourOf     = 60
	minuteOf60 = 60
)

// activity keeps what the overview shows of the last minute and of the last hour: 60 counts each, in memory. It goes by the
// time since the box started, which nothing sets.
type activity struct {
	b      *Box
	uptime func() time.Duration

	mu      sync.Mutex
	seconds [minuteOf60]asked // by the second, modulo
	last    []journal.Event   // the oldest first
	minutes [hourOf]web.Tally // by the minute, modulo
	newest  int               // the minute that was counted last; -1 = none
}

// asked is what was asked in one second.
type asked struct {
	second                      int
	leases, files, times, names int
}

func newActivity(b *Box) *activity {
	return &activity{b: b, uptime: func() time.Duration { return time.Since(b.began) }, newest: -1}
}

// run follows the journal and counts the phones until ctx ends.
func (a *activity) run(ctx context.Context) error {
	events, cancel := a.b.journal.Subscribe()
	defer cancel()
	tick := time.NewTicker(tallyEvery)
	defer tick.Stop()
	a.count(web.Count(page{a.b}.Phones()))
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				return nil
			}
			a.note(&e)
		case <-tick.C:
			a.count(web.Count(page{a.b}.Phones()))
		}
	}
}

// note counts an event in its second.
func (a *activity) note(e *journal.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := int(a.uptime() / time.Second)
	s := &a.seconds[now%minuteOf60]
	if s.second != now {
		*s = asked{second: now}
	}
	keep := true
	switch {
	case e.Kind == journal.Lease && !e.Renewal:
		s.leases++
	case e.Kind == journal.Time:
		s.times += max(e.Count, 1)
	case e.Kind == journal.Name:
		s.names++
	case e.Kind == journal.Transfer && e.Phase == journal.Sent:
		s.files++
		keep = false // of a phone that starts there are a dozen
	default:
		keep = false
	}
	if keep {
		if len(a.last) >= lastEvents {
			a.last = slices.Delete(a.last, 0, 1)
		}
		a.last = append(a.last, *e)
	}
}

// count takes how many phones are how far now.
func (a *activity) count(t web.Tally) {
	a.mu.Lock()
	defer a.mu.Unlock()
	minute := int(a.uptime() / time.Minute)
	if a.newest < 0 {
		a.newest = minute
	}
	// Where nobody counted for a while, as on a box that was busy, the minutes are as the one before.
	for m := max(a.newest+1, minute-hourOf+1); m <= minute; m++ {
		a.minutes[m%hourOf] = a.minutes[a.newest%hourOf]
	}
	a.newest = minute
	a.minutes[minute%hourOf] = t
}

// Recent implements [web.Activity].
func (a *activity) Recent() web.Recent {
	a.b.settle()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := int(a.uptime() / time.Second)
	var r web.Recent
	for _, s := range a.seconds {
		if now-s.second < minuteOf60 {
			r.Leases, r.Files, r.Times, r.Names = r.Leases+s.leases, r.Files+s.files, r.Times+s.times, r.Names+s.names
		}
	}
	oldest := a.b.clock.Now().Add(-time.Minute)
	for _, e := range slices.Backward(a.last) {
		if e.Time.After(oldest) {
			r.Last = append(r.Last, webEvent(e))
		}
	}
	return r
}

// Hour implements [web.Activity].
func (a *activity) Hour() []web.Minute {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.newest < 0 {
		return nil
	}
	up := a.uptime()
	now := a.b.clock.Now()
	var out []web.Minute
	for m := max(0, a.newest-hourOf+1); m <= a.newest; m++ {
		ago := up - time.Duration(m)*time.Minute
		out = append(out, web.Minute{At: now.Add(-ago), Tally: a.minutes[m%hourOf]})
	}
	return out
}

// Transfers implements [web.Activity].
func (a *activity) Transfers(most int) (list []web.Transfer, all int) {
	running := a.b.tftp.Transfers(most)
	list = make([]web.Transfer, len(running))
	for i, t := range running {
		list[i] = web.Transfer{
			MAC: a.b.whose(t.From.Addr()), Address: t.From.Addr().String(), File: t.Name, Size: t.Size, Bytes: t.Bytes,
			Took: time.Since(t.Began), Waiting: t.Waiting,
		}
	}
	return list, max(a.b.tftp.Open(), len(list))
}

// Needs implements [web.Activity].
func (a *activity) Needs() []web.Need {
	var out []web.Need
	for _, n := range (page{a.b}).noticed() {
		out = append(out, n.need)
	}
	if n, ok := a.b.proxy.need(); ok {
		out = append(out, n)
	}
	return out
}
