package testkit_test

import (
	"fmt"
	"strings"
	"testing"

	"phonebox/services/testkit"
)

// recorder is a test that only notes how it would end.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Fatalf(f string, a ...any) { r.ended = "failed: " + fmt.Sprintf(f, a...); panic(r) }

func (r *recorder) Skipf(f string, a ...any) { r.ended = "skipped: " + fmt.Sprintf(f, a...); panic(r) }

func outcome(what ...string) string {
	r := &recorder{}
	func() {
		defer func() { _ = recover() }()
		testkit.Need(r, what...)
	}()
	return r.ended
}

func TestNeedSkipsWithTheReasonAndFailsInCI(t *testing.T) {
	const absent = "phonebox-no-such-program"
	reason := `needs ` + absent + `: exec: "` + absent + `": executable file not found in $PATH`
	for ci, want := range map[string]string{"": "skipped: " + reason, "true": "failed: " + reason} {
		t.Setenv("CI", ci)
		if got := outcome("sh", absent); got != want {
			t.Errorf("with CI=%q: got %q, want %q", ci, got, want)
		}
		if got := outcome("/no/such/device"); !strings.Contains(got, strings.Split(want, ":")[0]+": needs /no/such/device: ") {
			t.Errorf("with CI=%q a device that is not there: %q", ci, got)
		}
		if got := outcome("sh", "/dev/null"); got != "" {
			t.Errorf("with CI=%q and all there: %q", ci, got)
		}
	}
}
