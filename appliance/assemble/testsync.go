package assemble

import (
	"fmt"
	"log/slog"
	"os"
	"time"
)

// testSyncVariable is for tests and measurements only: with PHONEBOX_TEST_SYNC=10ms in the environment, each sync of
// leases takes 10 ms longer, as on a slow card. The box is otherwise the same.
const testSyncVariable = "PHONEBOX_TEST_SYNC"

// testSync returns how much longer a sync of leases shall take; 0 when nobody asks for it.
func testSync(log *slog.Logger) (time.Duration, error) {
	text := os.Getenv(testSyncVariable)
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > 10*time.Second {
		return 0, fmt.Errorf("reading %s: found %q, allowed is a time from 0s to 10s", testSyncVariable, text)
	}
	log.Warn("every sync of leases is slowed down for a test", "by", d)
	return d, nil
}
