package udp_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/services/internal/udp"
)

func TestPanicLogCountsAllAndLogsOneAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		count := 0
		l := udp.NewPanicLog(slog.New(slog.NewTextHandler(&out, nil)), func() { count++ })
		packet := []byte{0, 1, 'x'}
		for i := range 20 {
			packet[2] = byte(i)
			l.Panicked("planted", []byte("the stack"), packet)
		}
		if count != 20 {
			t.Errorf("counted %d, want 20", count)
		}
		if n := strings.Count(out.String(), "the stack"); n != 1 || !strings.Contains(out.String(), "packet=000100") {
			t.Errorf("want one line with the stack and the first packet, got %s", &out)
		}
		kept := l.Packets()
		if len(kept) != 16 || kept[0][2] != 4 || kept[15][2] != 19 {
			t.Errorf("kept %v, want the last 16", kept)
		}
		time.Sleep(time.Minute)
		out.Reset()
		func() {
			defer l.Recover([]byte("rrq"))
			panic(fmt.Errorf("in a transfer"))
		}()
		if s := out.String(); !strings.Contains(s, "in a transfer") || !strings.Contains(s, "not_logged_before=19") || !strings.Contains(s, "TestPanicLog") {
			t.Errorf("want the next stack a minute later and how many were not logged, got %s", s)
		}
	})
}
