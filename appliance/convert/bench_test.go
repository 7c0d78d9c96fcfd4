package convert_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// storm is a director with 200 phones of four kinds that all want to go to the target.
func storm(b *testing.B) *convert.Director {
	b.Helper()
	j, err := journal.New(journal.Config{}, noStore{}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	shelf := fullShelf()
	d, err := convert.New(listed(200, sip812), convert.Deps{
		Belief: j.Belief, Shelf: func() ladder.Shelf { return shelf }, Restart: func(context.Context, phone.MAC) error { return nil },
		Report: func(phone.MAC, string) {}, Waits: j.SetConversion, Store: &store{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := 1; i <= 200; i++ {
		clue := ladder.ToldNot([]string{sip44, sip63, sip74, sccp8}[i%4], time.Now())
		see := func(e journal.Event) {
			e.MAC = number(i)
			j.Add(e)
			d.Observe(e)
		}
		see(journal.Event{Service: "tftp", Kind: journal.Hint, Clue: &clue})
		see(journal.Event{Service: "dhcp", Kind: journal.Packet, Class: class(ofModel)})
	}
	return d
}

// BenchmarkNaming is what each request of a name costs while 200 phones ask at once.
func BenchmarkNaming(b *testing.B) {
	d := storm(b)
	i := 0
	for b.Loop() {
		i++
		d.Naming(number(1 + i%200))
	}
}

func BenchmarkMayFetch(b *testing.B) {
	d := storm(b)
	f, i := phone.ParseFileName(sip812+".sb2"), 0
	for b.Loop() {
		i++
		d.MayFetch(number(1+i%200), f)
	}
}

func BenchmarkObserve(b *testing.B) {
	d := storm(b)
	f, i := phone.ParseFileName("SIPDefault.cnf"), 0
	for b.Loop() {
		i++
		mac := number(1 + i%200)
		d.Observe(journal.Event{MAC: mac, Service: "tftp", Kind: journal.Request, File: f, Address: address(mac)})
	}
}

func BenchmarkStates(b *testing.B) {
	d := storm(b)
	for b.Loop() {
		d.States()
	}
}

// BenchmarkObserveNewMACs is a flood of MACs that were never seen while unlisted phones are converted as well.
func BenchmarkObserveNewMACs(b *testing.B) {
	d := storm(b)
	cfg := listed(200, sip812)
	cfg.Unlisted = true
	d.Apply(cfg)
	i := 0
	for b.Loop() {
		i++
		mac := phone.MAC{2, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		d.Observe(journal.Event{MAC: mac, Service: "dhcp", Kind: journal.Packet})
	}
}
