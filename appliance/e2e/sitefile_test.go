package e2e_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"phonebox/appliance/phonesim"
	"phonebox/services/testkit"
)

// TestWrongSiteFile refuses a wrong site file with every fault, at start, at SIGHUP and over the API; the last good one
// stays in force.
func TestWrongSiteFile(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"})
	mac := mustMAC("00:06:d7:64:00:00")
	good := site{phones: listed(mac, 1)}.text()
	b := startBox(t, lan, good, nil)
	bad := strings.NewReplacer(
		`10.77.1.1-10.77.3.250`, `10.77.3.250-10.77.1.1`, // the wrong way round
		`"Europe/Brussels"`, `"Europe/Brussel"`,
		"plain_http = true", "plain_http = \"yes\"\nplane_http = true",
		`password = "secret-200"`, `password = 7`,
	).Replace(good)
	keys := []string{"dhcp.pool", "time.zone", "web.plain_http", "web.plane_http"}

	t.Run("PUT", func(t *testing.T) {
		b := b.with(t)
		before, etag := b.site()
		code, answer := b.putSite([]byte(bad))
		if code != http.StatusUnprocessableEntity {
			t.Fatalf("found %d, wanted 422", code)
		}
		for _, key := range keys {
			found := false
			for _, f := range answer.Faults {
				found = found || strings.HasPrefix(f.Key, key) && f.Line > 0 && f.Found != "" && f.Allowed != ""
			}
			if !found {
				t.Errorf("no fault with line, key, found and allowed for %s among %+v", key, answer.Faults)
			}
		}
		if after, now := b.site(); now != etag || string(after) != string(before) {
			t.Error("the settings changed although they were refused")
		}
		if code, _, _ := b.call(b.laptop, http.MethodPut, "/api/v1/site", []byte(good), "If-Match", `"stale"`); code != http.StatusPreconditionFailed {
			t.Errorf("a stale ETag: found %d, wanted 412", code)
		}
	})
	check := func(t *testing.T, b *box) {
		t.Helper()
		testkit.Eventually(t, patience, "the notices list every fault", func() bool {
			notices := strings.Join(b.status().Notices, "\n")
			for _, key := range keys {
				if !strings.Contains(notices, key) {
					return false
				}
			}
			return true
		})
		for _, n := range b.status().Notices {
			if strings.Contains(n, "secret-") {
				t.Errorf("a notice tells a password: %s", n)
			}
		}
		b.waitReady()
		r, unplug := boot(t, phonesim.Config{Link: newWire(t, lan.Node("wire")), MAC: mac})
		defer unplug()
		if len(r.Lines) != 1 || r.Lines[0] != "200" {
			t.Errorf("the phone got the lines %v, wanted those of the last good site", r.Lines)
		}
	}
	t.Run("SIGHUP", func(t *testing.T) {
		b := b.with(t)
		b.writeSite(bad)
		b.proc.Signal(syscall.SIGHUP)
		check(t, b)
	})
	t.Run("start", func(t *testing.T) {
		b := b.with(t)
		b.kill()
		b.start()
		check(t, b)
	})
	t.Run("never a good one", func(t *testing.T) {
		b := newBox(t, office(t), bad, nil)
		b.start()
		code, body, _ := b.call(b.laptop, http.MethodGet, "/healthz", nil)
		if code != http.StatusOK || !strings.Contains(string(body), `"web"`) {
			t.Errorf("/healthz: found %d %s, wanted the page alone to be well", code, body)
		}
	})
}
