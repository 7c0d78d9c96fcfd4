package e2e_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"phonebox/appliance/assemble"
	"phonebox/appliance/phonesim"
)

// loopbackSite is a box on loopback, apart from that of -try.
const loopbackSite = `name = "Panics"
[network]
interface = "lo"
address = "127.78.0.1/16"
[dhcp]
pool = ["127.78.1.1-127.78.1.9"]
[time]
upstream = []
[[phones]]
mac = "00:06:D7:66:00:00"
[[phones.lines]]
name = "208"
password = "secret-208"
`

// TestPanicCostsOnePacket plants a panic in each service of a box on loopback: one packet is lost, the next is answered,
// and the others go on.
func TestPanicCostsOnePacket(t *testing.T) {
	waiting.enter(t)
	b, at := loopbackBox(t)
	mac := mustMAC("00:06:d7:66:00:00")
	call := func(method, path string, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+at.Web.String()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	if code, answer := call("POST", "/api/v1/setup", `{"password":"`+password+`"}`); code != http.StatusNoContent {
		t.Fatalf("setting the password: %d %s", code, answer)
	}
	ports := phonesim.Ports{DHCP: at.DHCP.Port(), TFTP: at.TFTP.Port(), SNTP: at.SNTP.Port(), DNS: at.DNS.Port(), HTTP: at.Web.Port()}
	link, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: addr("127.78.0.1"), Ports: ports})
	if err != nil {
		t.Fatal(err)
	}
	phone := phonesim.Config{Link: link, Ports: ports, MAC: mac, State: phonesim.StateSIP}
	_, unplug := boot(t, phone)

	restart := func() int {
		code, _ := call("POST", "/api/v1/phones/"+mac.String()+"/restart", "")
		return code
	}
	health := func() int {
		code, _ := call("GET", "/healthz", "")
		return code
	}
	for _, c := range []struct {
		service string
		ask     func() int
		broken  int // what is answered to who meets the panic; 0 = the probe asks again and notices nothing
		well    int
	}{
		{"dhcp", health, 0, http.StatusOK},
		{"tftp", health, 0, http.StatusOK},
		{"sntp", health, http.StatusServiceUnavailable, http.StatusOK},
		{"dns", health, http.StatusServiceUnavailable, http.StatusOK},
		{"web", health, http.StatusInternalServerError, http.StatusOK},
		{"sip", restart, http.StatusBadGateway, http.StatusNoContent},
	} {
		if code := c.ask(); code != c.well {
			t.Errorf("%s before the panic: found %d, wanted %d", c.service, code, c.well)
		}
		b.PanicNext(c.service)
		if code := c.ask(); code != c.broken && c.broken != 0 {
			t.Errorf("%s at the panic: found %d, wanted %d", c.service, code, c.broken)
		}
		if code := c.ask(); code != c.well {
			t.Errorf("%s after the panic: found %d, wanted %d", c.service, code, c.well)
		}
		if code, answer := call("GET", "/healthz", ""); code != http.StatusOK {
			t.Errorf("health after a panic in %s: %d %s", c.service, code, answer)
		}
	}
	_, metrics := call("GET", "/metrics", "")
	for _, service := range []string{"dhcp", "tftp", "sntp", "dns", "web", "sip"} {
		if n := panics(t, metrics, service); n != 1 {
			t.Errorf("found %g panics of %s in the metrics, wanted 1", n, service)
		}
	}
	unplug()
	if r, _ := boot(t, phone); r.Outcome != phonesim.OutcomeReady {
		t.Errorf("after all the panics the phone is %+v", r)
	}
}

// panics sums up what the metrics of a service say of panics.
func panics(t *testing.T, metrics, service string) (n float64) {
	t.Helper()
	for line := range strings.Lines(metrics) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(series, "phonebox_"+service+"_") && strings.Contains(series, "panic") {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			n += v
		}
	}
	return n
}

// loopbackBox runs a box in this process, on ports of 127.78.0.1 that the kernel picks.
func loopbackBox(t *testing.T) (*assemble.Box, assemble.Addrs) {
	t.Helper()
	dir := t.TempDir()
	seed := filepath.Join(dir, "seed.toml")
	if err := os.WriteFile(seed, []byte(loopbackSite), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(&testLog{t: t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := assemble.New(t.Context(), assemble.Options{
		Data: filepath.Join(dir, "data"), Site: seed, Try: true, Version: "test", Log: log, Terminal: io.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stopping the box: %v", err)
		}
	})
	ready, cancelReady := context.WithTimeout(ctx, patience)
	defer cancelReady()
	at, err := b.WaitReady(ready)
	if err != nil {
		t.Fatal(err)
	}
	return b, at
}

// testLog writes a log into the test's.
type testLog struct {
	t  *testing.T
	mu sync.Mutex
}

func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("box: %s", bytes.TrimSpace(b))
	return len(b), nil
}
