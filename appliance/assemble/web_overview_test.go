package assemble

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

func TestTheLastMinuteIsKept(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	mac := phone.MAC{0x00, 0x06, 0xD7, 0xAA, 0x2A, 0x2E}
	up := 10 * time.Hour
	a := newActivity(b)
	a.uptime = func() time.Duration { return up }
	note := func(e journal.Event) {
		e.MAC, e.Time = mac, b.clock.Now()
		a.note(&e)
	}
	note(journal.Event{Kind: journal.Lease, Text: "got the address 10.77.1.5 for 8h"})
	note(journal.Event{Kind: journal.Lease, Renewal: true})
	note(journal.Event{Kind: journal.Transfer, Phase: journal.Started})
	note(journal.Event{Kind: journal.Transfer, Phase: journal.Sent})
	up += 59 * time.Second
	for i := range 10 {
		note(journal.Event{Kind: journal.Name, Text: fmt.Sprint("name ", i)})
	}
	note(journal.Event{Kind: journal.Time, Count: 3, Text: "asked the time"})
	if r := a.Recent(); r.Leases != 1 || r.Files != 1 || r.Names != 10 || r.Times != 3 {
		t.Errorf("within the minute: %+v", r)
	} else if len(r.Last) != lastEvents || r.Last[0].Text != "asked the time" || r.Last[1].Text != "name 9" {
		t.Errorf("the last are %+v", r.Last)
	}
	up += time.Second
	if r := a.Recent(); r.Leases != 0 || r.Files != 0 || r.Names != 10 {
		t.Errorf("what is older than a minute counts: %+v", r)
	}
	up += time.Hour // the same second of another minute
	note(journal.Event{Kind: journal.Name})
	if r := a.Recent(); r.Names != 1 {
		t.Errorf("an hour later: %+v", r)
	}
}

func TestTheLastHourIsKept(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	up := 5 * time.Second
	a := newActivity(b)
	a.uptime = func() time.Duration { return up }
	if got := a.Hour(); got != nil {
		t.Errorf("before anything was counted: %+v", got)
	}
	ready := func() (out []int) {
		for _, m := range a.Hour() {
			out = append(out, m.Ready)
		}
		return out
	}
	a.count(web.Tally{Ready: 1})
	a.count(web.Tally{Ready: 2})
	up = 65 * time.Second
	a.count(web.Tally{Ready: 3})
	up = 4*time.Minute + 10*time.Second // nobody counted for a while
	a.count(web.Tally{Ready: 9})
	if got := fmt.Sprint(ready()); got != "[2 3 3 3 9]" {
		t.Errorf("the minutes are %s", got)
	}
	hour := a.Hour()
	if gap := hour[4].At.Sub(hour[3].At); gap != time.Minute || b.clock.Now().Sub(hour[4].At).Round(time.Second) != 10*time.Second {
		t.Errorf("the last minute began at %s, %s after the one before", hour[4].At, gap)
	}
	for range 200 {
		up += time.Minute
		a.count(web.Tally{Ready: int(up / time.Minute)})
	}
	if got := ready(); len(got) != 60 || got[59] != 204 || got[0] != 145 {
		t.Errorf("after hours there are %d minutes: %v", len(got), got)
	}
	up += 3 * time.Hour
	a.count(web.Tally{Ready: 1})
	if got := ready(); len(got) != 60 || got[0] != 204 || got[58] != 204 || got[59] != 1 {
		t.Errorf("after a gap of hours: %v", got)
	}
}

// The page and its API tell what runs on the real box.
func TestTheBoxTellsTheOverviewWhatItNoticed(t *testing.T) {
	text := strings.Replace(goodSite, "upstream = []", "upstream = [\"pool.ntp.org\"]", 1) + "[firmware]\nconvert_unlisted = true\n"
	b := open(t, t.TempDir(), map[string]string{site.FileName: text})
	run(t, b)
	b.mu.Lock()
	b.refused = []string{"the settings in site.toml were refused; the former ones go on:", "line 3: colour: found 3"}
	b.mu.Unlock()
	keys := map[string]web.Need{}
	for _, n := range b.activity.Needs() {
		keys[n.Key] = n
		if n.What == "" || n.Why == "" || len(n.Do) == 0 || n.Do[0].Path == "" {
			t.Errorf("a need that helps nobody: %+v", n)
		}
	}
	for _, key := range []string{"site-refused", "convert-unlisted", "doubts"} {
		if _, ok := keys[key]; !ok {
			t.Errorf("%s is not told; told are %v", key, keys)
		}
	}
	if n := keys["site-refused"]; len(n.More) != 1 || !strings.Contains(n.More[0], "colour") {
		t.Errorf("the refused file: %+v", n)
	}
	if got := strings.Join(page{b}.notices(), "\n"); !strings.Contains(got, "line 3: colour") || !strings.Contains(got, "convert_unlisted is set") {
		t.Errorf("the notices of the status are %q", got)
	}
	if hour := b.activity.Hour(); len(hour) == 0 || hour[len(hour)-1].Listed != 1 {
		t.Errorf("the phones were not counted: %+v", hour)
	}
}

// answerOPTIONS is a proxy that says that it does not know the method, which proves that it is there.
func answerOPTIONS(conn net.PacketConn) {
	buf := make([]byte, 2000)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var out strings.Builder
		out.WriteString("SIP/2.0 405 Method Not Allowed\r\n")
		for line := range strings.SplitSeq(string(buf[:n]), "\r\n") {
			for _, h := range []string{"Via:", "From:", "To:", "Call-ID:", "CSeq:"} {
				if strings.HasPrefix(line, h) {
					out.WriteString(line + "\r\n")
				}
			}
		}
		_, _ = conn.WriteTo([]byte(out.String()+"Content-Length: 0\r\n\r\n"), from)
	}
}

func TestWhenNobodyAnswersAtTheProxyAPersonIsNeeded(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.77.0.10:0")
	if err != nil {
		t.Fatal(err)
	}
	port := conn.LocalAddr().(*net.UDPAddr).Port
	text := goodSite + fmt.Sprintf("[sip]\nproxy = \"127.77.0.10\"\nport = %d\n", port)
	b := open(t, t.TempDir(), map[string]string{site.FileName: text})
	run(t, b)
	look := func(times int) {
		var wg sync.WaitGroup
		for range times {
			wg.Go(func() { b.proxy.look(t.Context()) })
		}
		wg.Wait()
	}
	look(silentTimes - 1)
	if n, needed := b.proxy.need(); needed {
		t.Errorf("after %d silences a person is needed already: %+v", silentTimes-1, n)
	}
	look(1)
	n, needed := b.proxy.need()
	if !needed || n.Key != "proxy" || !strings.Contains(n.Why, fmt.Sprintf("127.77.0.10 port %d", port)) {
		t.Errorf("after %d silences: %v, %+v", silentTimes, needed, n)
	}
	done := make(chan struct{})
	go func() { defer close(done); answerOPTIONS(conn) }()
	look(1)
	if n, needed := b.proxy.need(); needed {
		t.Errorf("it answers, and a person is needed: %+v", n)
	}
	conn.Close()
	<-done
	b.proxy.of, b.proxy.failed = "x", silentTimes
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.proxy.look(ctx) // the box stops: nothing is learned
	if b.proxy.failed != silentTimes {
		t.Errorf("a look that was broken off changed the count to %d", b.proxy.failed)
	}
}
