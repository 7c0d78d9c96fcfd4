package assemble

import (
	"log/slog"
	"testing"
	"time"
)

func TestSyncVariable(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for text, want := range map[string]time.Duration{"": 0, "10ms": 10 * time.Millisecond} {
		t.Setenv(testSyncVariable, text)
		if d, err := testSync(log); d != want || err != nil {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"10", "-1s", "1h"} {
		t.Setenv(testSyncVariable, text)
		if d, err := testSync(log); err == nil {
			t.Errorf("%q was taken as %v", text, d)
		}
	}
}
