package journal_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

func asks(i int, kind journal.Kind, name, text string) journal.Event {
	return journal.Event{MAC: mac(i), Service: "tftp", Kind: kind, Address: addr(i), File: phone.ParseFileName(name), Text: text}
}

func TestPollingDoesNotPushOutTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openMemory()
		j := open(t, journal.Config{MaxEvents: 20}, s)
		j.Add(note(1, "history"))
		config := "SIP" + mac(1).Name() + ".cnf"
		for i := range 40 {
			j.Add(asks(1, journal.FileMissing, config, "asked for "+config+": there is none"))
			if i%7 == 0 {
				flush(t, j)
			}
			time.Sleep(31 * time.Second)
		}
		check := func(when string) {
			t.Helper()
			got := j.Events(mac(1))
			if len(got) == 0 || got[0].Text != "history" {
				t.Fatalf("%s: the history is gone: %q", when, texts(got))
			}
			last := got[len(got)-1]
			// The first asks come before it is stuck, which is a line of its own.
			if len(got) > 4 || last.Count < 37 || !strings.Contains(last.Text, fmt.Sprintf("(%d times in ", last.Count)) || last.Since.IsZero() {
				t.Fatalf("%s: %d lines, the last %+v", when, len(got), last)
			}
		}
		check("before it is written")
		flush(t, j)
		check("after it is written")
		total := len(j.Events(mac(1)))
		j = open(t, journal.Config{MaxEvents: 20}, s)
		check("after a restart")
		if n := len(j.Events(mac(1))); n != total {
			t.Errorf("the store holds %d lines, want %d", n, total)
		}
	})
}

func TestAHuntFoldsAndABootDoesNot(t *testing.T) {
	j := open(t, journal.Config{}, openMemory())
	hunt := func() {
		for _, name := range []string{"CTLSEP" + mac(1).Name() + ".tlv", "SEP" + mac(1).Name() + ".cnf.xml", "SIP" + mac(1).Name() + ".cnf"} {
			j.Add(asks(1, journal.FileMissing, name, "asked for "+name))
		}
	}
	for range 10 {
		hunt()
	}
	got := j.Events(mac(1))
	if len(got) != 3 {
		t.Fatalf("%d lines: %q", len(got), texts(got))
	}
	for i, e := range got {
		if e.Count != 10 || i > 0 && got[i-1].ID >= e.ID {
			t.Errorf("line %d: %+v", i, e)
		}
	}
	j.Add(journal.Event{MAC: mac(1), Service: "dhcp", Kind: journal.Packet, Text: "asks for an address"})
	j.Add(journal.Event{MAC: mac(1), Service: "dhcp", Kind: journal.Lease, Address: addr(1), Text: "got it"})
	hunt()
	if got := j.Events(mac(1)); len(got) != 8 || got[7].Count != 0 {
		t.Errorf("the hunt of the next boot is not told: %q", texts(got))
	}
}

func TestTargetsAreThePhonesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := open(t, journal.Config{}, openMemory())
		j.SetListed([]phone.MAC{mac(1), mac(2)})
		j.SetTargets(map[phone.MAC]string{mac(1): "P00308010200"}, "P0S3-8-12-00", false)
		for i := 1; i <= 2; i++ {
			j.Add(journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Packet, Class: "Cisco Systems, Inc. IP Phone CP-7960G\x00"})
			j.Add(journal.Event{MAC: mac(i), Service: "dhcp", Kind: journal.Lease, Address: addr(i)})
			name := "SEP" + mac(i).Name() + ".cnf.xml"
			e := asks(i, journal.Request, name, "asks")
			e.Load = "P00308010200"
			j.Add(e)
			j.Add(journal.Event{MAC: mac(i), Service: "tftp", Kind: journal.Transfer, Phase: journal.Started, Transfer: uint64(i), File: phone.ParseFileName(name), Address: addr(i)})
			j.Add(journal.Event{MAC: mac(i), Service: "tftp", Kind: journal.Transfer, Phase: journal.Sent, Transfer: uint64(i), File: phone.ParseFileName(name), Address: addr(i)})
		}
		time.Sleep(61 * time.Second)
		j.Tick()
		for i, want := range map[int]phone.Step{1: phone.Ready, 2: phone.Loading} {
			if p, _ := j.Phone(mac(i)); p.Step != want {
				t.Errorf("phone %d is %s (%s), want %s", i, p.Step, p.WaitingFor, want)
			}
		}
	})
}

func TestWhatTheSiteSaysIsBelievedBeforeThePhoneIsSeen(t *testing.T) {
	s := openMemory()
	j := open(t, journal.Config{}, s)
	j.SetStated(map[phone.MAC]string{mac(1): "P0S3-06-3-00"})
	b, heard := j.Belief(mac(1))
	if b.Load != "P0S3-06-3-00" || b.Confidence != ladder.Likely || !heard.IsZero() {
		t.Errorf("believed %+v, heard %s", b, heard)
	}
	j.Add(note(1, "seen"))
	if b, heard := j.Belief(mac(1)); b.Load != "P0S3-06-3-00" || heard.IsZero() {
		t.Errorf("believed %+v, heard %s", b, heard)
	}
	flush(t, j)
	j = open(t, journal.Config{}, s)
	if b, _ := j.Belief(mac(1)); b.Load != "P0S3-06-3-00" {
		t.Errorf("after a restart: %+v", b)
	}
	j.SetStated(nil)
	if b, _ := j.Belief(mac(1)); b.Load != "" {
		t.Errorf("taken back: %+v", b)
	}
	if _, ok := j.Trace(mac(1)); !ok {
		t.Error("no trace of a phone that was seen")
	}
	if _, ok := j.Trace(mac(9)); ok {
		t.Error("a trace of a phone that was not")
	}
	j.SetConversion(mac(1), "anything")
	j.SetConversion(mac(9), "anything")
}

func TestAnnouncementsThatSayNothingNewAreNotTold(t *testing.T) {
	j := open(t, journal.Config{}, openMemory())
	for i, version := range []string{"P0S3-04-4-00", "P0S3-04-4-00", "P0S3-04-4-00", "P0S3-05-3-00"} {
		clue, ok := ladder.CDP("Cisco IP Phone 7960", version, time.Unix(int64(1000+60*i), 0))
		if !ok {
			t.Fatal("not understood")
		}
		j.Add(journal.Event{MAC: mac(1), Service: "cdp", Kind: journal.Hint, Clue: &clue, Text: clue.Text})
	}
	if got := j.Events(mac(1)); len(got) != 2 {
		t.Errorf("told %q", texts(got))
	}
	if b, _ := j.Belief(mac(1)); b.Load != "P0S3-05-3-00" {
		t.Errorf("believed %+v", b)
	}
}
