package web_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// fakeDesk knows what phones got, and records nothing but what it is told.
type fakeDesk struct {
	mu      sync.Mutex
	got     map[string]string // "MAC/name": the content
	at      time.Time
	rec     map[phone.MAC]web.Recording
	refuse  error // of the next Record
	content string
	done    []string
}

func newFakeDesk() *fakeDesk {
	return &fakeDesk{
		got: map[string]string{}, at: time.Date(2026, 3, 1, 11, 59, 0, 0, time.UTC), rec: map[phone.MAC]web.Recording{}, content: "pcap",
	}
}

func keptLines(content string) []web.KeptLine {
	var out []web.KeptLine
	for line := range strings.SplitSeq(strings.TrimSuffix(content, "\n"), "\n") {
		shown, secret := phone.HideSecrets(line)
		out = append(out, web.KeptLine{Text: shown, Mark: secret})
	}
	return out
}

func (d *fakeDesk) Compare(mac phone.MAC, name string, now []byte) (web.Comparison, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	got, ok := d.got[mac.Name()+"/"+name]
	if !ok {
		return web.Comparison{}, false
	}
	c := web.Comparison{Time: d.at, Size: len(got), Equal: got == string(now), Got: keptLines(got), Now: keptLines(string(now))}
	return c, true
}

func (d *fakeDesk) Recording(mac phone.MAC) web.Recording {
	d.mu.Lock()
	defer d.mu.Unlock()
	rec, ok := d.rec[mac]
	if !ok {
		rec.Possible = true
	}
	return rec
}

func (d *fakeDesk) Record(_ context.Context, mac phone.MAC, length time.Duration) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refuse; err != nil {
		d.refuse = nil
		return err
	}
	d.done = append(d.done, "record "+mac.Name()+" "+length.String())
	d.rec[mac] = web.Recording{Possible: true, Running: true, Began: d.at, Ends: d.at.Add(length), Frames: 214, Bytes: 35_120, Cut: 3}
	return nil
}

func (d *fakeDesk) StopRecording(mac phone.MAC) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, "stop "+mac.Name())
	rec := d.rec[mac]
	rec.Running = false
	d.rec[mac] = rec
}

func (d *fakeDesk) WriteRecording(mac phone.MAC, w io.Writer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rec[mac].Began.IsZero() {
		return &web.PublicError{Status: 404, Text: "Nothing was recorded of this phone."}
	}
	_, err := io.WriteString(w, d.content)
	return err
}

func (d *fakeDesk) list() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.done)
}

// happening makes the events of a phone as the journal tells them.
type happening struct {
	mac phone.MAC
	at  time.Time
	id  uint64
	out []web.PhoneEvent
}

func (h *happening) add(after time.Duration, service, kind, text string, step phone.Step, facts web.EventFacts, details ...string) {
	h.at = h.at.Add(after)
	h.id++
	e := web.PhoneEvent{ID: h.id, Time: h.at, MAC: h.mac, Service: service, Kind: kind, Text: text, Step: step, Facts: facts}
	for i := 0; i+1 < len(details); i += 2 {
		if e.Details == nil {
			e.Details = map[string]string{}
		}
		e.Details[details[i]] = details[i+1]
	}
	h.out = append(h.out, e)
}

// address is DHCP from DISCOVER to ACK.
func (h *happening) address() {
	h.add(time.Minute, "dhcp", "packet", "asks for an address", phone.Seen, web.EventFacts{Boot: true})
	h.add(time.Millisecond, "dhcp", "note", "was offered 10.77.0.50", phone.Seen, web.EventFacts{})
	h.add(300*time.Millisecond, "dhcp", "packet", "asks for an address", phone.Seen, web.EventFacts{Boot: true})
	h.add(20*time.Millisecond, "dhcp", "lease", "got the address 10.77.0.50 for 8h", phone.Addressed, web.EventFacts{})
}

func (h *happening) missing(name, why string, harmless bool, step phone.Step) {
	h.add(10*time.Millisecond, "tftp", "file_missing", "asked for "+name+": "+why, step, web.EventFacts{File: name, Harmless: harmless}, "why", why)
}

func (h *happening) file(name string, size int64, took time.Duration, step phone.Step) {
	n := h.id + 1000
	h.add(10*time.Millisecond, "tftp", "request", "asks for "+name, phone.Loading, web.EventFacts{File: name})
	h.add(time.Millisecond, "tftp", "transfer", name+" is being sent", phone.Loading, web.EventFacts{File: name, Phase: "started", Transfer: n, Size: size})
	h.add(took, "tftp", "transfer", "got "+name, step, web.EventFacts{File: name, Phase: "sent", Transfer: n, Size: size, Bytes: size})
}

// bootToReady is a whole boot of a phone that runs SIP.
func (h *happening) bootToReady() {
	m := h.mac.Name()
	h.address()
	h.missing("CTLSEP"+m+".tlv", "phonebox has no trust lists; the phone goes on to its next file at once", true, phone.Loading)
	h.missing("SEP"+m+".cnf.xml", "no load is named", false, phone.Loading)
	h.file("SIP"+m+".cnf", 1204, 20*time.Millisecond, phone.Configured)
	h.file("SIPDefault.cnf", 1724, 20*time.Millisecond, phone.Configured)
	h.add(20*time.Millisecond, "dns", "name", "asked for the name pbx.voice.home.arpa (A)", phone.Configured, web.EventFacts{})
	h.add(20*time.Millisecond, "sntp", "time", "asked the time and got it", phone.Configured, web.EventFacts{}, "stratum", "3")
	h.file("RINGLIST.DAT", 65, 5*time.Millisecond, phone.Ready)
}
