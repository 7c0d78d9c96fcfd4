package assemble

import (
	"fmt"
	"net/netip"
	"strconv"
	"sync"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/sntp"
	"phonebox/services/web"
)

// The details of an event of a question for the time.
const (
	detailMode        = "mode"
	detailVersion     = "version"
	detailTo          = "to"
	detailDestination = "destination"
	detailStratum     = "stratum"
	detailCount       = "count" // left out for one
)

// fromSNTP tells what the time server did with requests of a phone.
func fromSNTP(e sntp.Event, mac phone.MAC) (journal.Event, bool) {
	if mac.IsZero() {
		return journal.Event{}, false
	}
	ev := journal.Event{Time: e.Time, MAC: mac, Service: "sntp", Kind: journal.Note, Address: e.From.Addr()}
	switch e.Kind {
	case sntp.EventAnswered:
		ev.Kind, ev.Text, ev.Details = journal.Time, timeText(e), timeDetails(e)
	case sntp.EventLimited:
		ev.Text, ev.Details = "asks the time too often, and was told to wait", timeDetails(e)
	case sntp.EventDropped:
		ev.Text = "NTP packet not answered: " + e.Reason
		if e.Count > 1 {
			ev.Text += fmt.Sprintf(" (%d of them in a second, perhaps not all from here)", e.Count)
		}
	default:
		return journal.Event{}, false
	}
	return ev, true
}

func timeText(e sntp.Event) string {
	text := "asked the time"
	if e.Destination != sntp.ToBox && e.Destination != "" {
		text += " at " + string(e.Destination)
	}
	if e.Stratum == 0 || e.Stratum >= 16 {
		return text + " and was told that the box does not know it yet"
	}
	return text + " and got it"
}

func timeDetails(e sntp.Event) map[string]string {
	d := map[string]string{
		detailMode: strconv.Itoa(int(e.Mode)), detailVersion: strconv.Itoa(int(e.Version)),
		detailDestination: string(e.Destination), detailStratum: strconv.Itoa(int(e.Stratum)),
	}
	if e.To.IsValid() {
		d[detailTo] = e.To.String()
	}
	if e.Count > 1 {
		d[detailCount] = strconv.Itoa(e.Count)
	}
	return d
}

// maxTimes bounds how many phones' last questions for the time are at hand; those of others are looked up in the journal.
const maxTimes = 4096

// times are the last questions for the time. They are in the journal as well, which takes longer to ask.
type times struct {
	mu   sync.Mutex
	last map[phone.MAC]*web.TimeAsked // nil = it is known that there is none
}

// keep notes an event, where it is a question that was answered.
func (t *times) keep(e *journal.Event) {
	asked := timeAsked(e)
	if asked == nil {
		return
	}
	t.put(e.MAC, asked, true)
}

// put notes a question; what was looked up in the journal is not the latest any more where there is one already.
func (t *times) put(mac phone.MAC, asked *web.TimeAsked, latest bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.last[mac]
	if known && !latest {
		return
	}
	if !known && len(t.last) >= maxTimes {
		clear(t.last)
	}
	if t.last == nil {
		t.last = map[phone.MAC]*web.TimeAsked{}
	}
	t.last[mac] = asked
}

func (t *times) get(mac phone.MAC) (*web.TimeAsked, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked, known := t.last[mac]
	return asked, known
}

// timeAsked reads a question for the time from its event; nil where it is none.
func timeAsked(e *journal.Event) *web.TimeAsked {
	if e.Service != "sntp" || e.Details[detailMode] == "" {
		return nil
	}
	number := func(key string) int {
		n, _ := strconv.Atoi(e.Details[key])
		return n
	}
	w := &web.TimeAsked{
		Time: e.Time, Mode: number(detailMode), Version: number(detailVersion), To: e.Details[detailTo],
		Destination: e.Details[detailDestination], Stratum: number(detailStratum), Count: max(number(detailCount), 1),
		TooOften: e.Kind != journal.Time,
	}
	if e.Address != (netip.Addr{}) {
		w.Address = e.Address.String()
	}
	return w
}

// Time implements [web.Box].
func (p page) Time(mac phone.MAC) (web.PhoneTime, bool) {
	_, known := p.Phone(mac) // after all that was reported is in the journal
	asked, at := p.b.times.get(mac)
	if !at {
		events := p.b.journal.Events(mac)
		for i := len(events) - 1; i >= 0 && asked == nil; i-- {
			asked = timeAsked(&events[i])
		}
		if known {
			p.b.times.put(mac, asked, false)
		}
	}
	return web.PhoneTime{Asked: asked}, known
}
