package logbook_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"phonebox/appliance/logbook"
)

func TestLinesAreKeptAndStillWritten(t *testing.T) {
	var out bytes.Buffer
	b := logbook.New()
	log := slog.New(b.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}), slog.LevelInfo))
	log.Debug("not kept")
	log.Info("kept", "n", 1)
	log.With("svc", "dhcp", "mac", "00:06").Warn("both", "err", errors.New("a reason"), slog.Group("g", "k", ""))
	log.WithGroup("h").Error("grouped", "svc", "inner")
	if strings.Contains(out.String(), "kept") || !strings.Contains(out.String(), "svc=dhcp") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("the log has %q, want the warning and the error alone", out.String())
	}
	var got []string
	for _, l := range b.Lines(0, 10, nil) {
		got = append(got, fmt.Sprintf("%d %s %s: %s", l.Seq, l.Level, l.Service, l.Text))
	}
	want := []string{`3 ERROR : grouped h.svc=inner`, `2 WARN dhcp: both mac=00:06 err="a reason" g.k=""`, `1 INFO : kept n=1`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the book has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if after := b.Lines(2, 10, nil); len(after) != 1 || after[0].Seq != 3 {
		t.Errorf("after line 2 come %v, want line 3", after)
	}
	if warn := b.Lines(0, 10, func(l *logbook.Line) bool { return l.Level == slog.LevelWarn }); len(warn) != 1 {
		t.Errorf("filtered: %v, want one", warn)
	}
}

func TestTheBookIsBounded(t *testing.T) {
	b := logbook.New()
	log := slog.New(b.Handler(slog.DiscardHandler, slog.LevelInfo))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				log.Info("short", "i", i)
			}
		})
	}
	wg.Wait()
	lines := b.Lines(0, 10_000, nil)
	last, gone := b.Counts()
	if len(lines) != 2000 || last != 8000 || gone != 6000 || lines[0].Seq != 8000 || lines[1999].Seq != 6001 {
		t.Errorf("%d lines, last %d, gone %d, from %d; want the last 2000 of 8000", len(lines), last, gone, lines[len(lines)-1].Seq)
	}
	for range 1000 {
		log.Info(strings.Repeat("long", 1000))
	}
	total := 0
	lines = b.Lines(0, 10_000, nil)
	for i, l := range lines {
		total += len(l.Text)
		if i > 0 && l.Seq != lines[i-1].Seq-1 {
			t.Fatalf("after line %d comes %d", lines[i-1].Seq, l.Seq)
		}
	}
	if total > 512<<10 || total < 400<<10 {
		t.Errorf("the texts have %d bytes, want about 512 KB at most", total)
	}
}

func BenchmarkAdd(b *testing.B) {
	log := slog.New(logbook.New().Handler(slog.DiscardHandler, slog.LevelInfo)).With("svc", "dhcp")
	b.ReportAllocs()
	for b.Loop() {
		log.Info("lease", "mac", "00:06:D7:AA:2A:2E", "address", "10.77.1.1")
	}
}
