package assemble

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// goodSite is a site that runs on loopback.
const goodSite = `name = "Loopback"
[network]
interface = "lo"
address = "127.77.0.1/16"
[dhcp]
pool = ["127.77.1.1-127.77.1.9"]
[time]
upstream = []
[[phones]]
mac = "00:06:D7:AA:2A:2E"
label = "Front desk"
[[phones.lines]]
name = "208"
password = "geheim"
`

// open makes a box on a data folder; extra files are laid into it first.
func open(t *testing.T, data string, files map[string]string) *Box {
	t.Helper()
	for name, content := range files {
		if err := errors.Join(os.MkdirAll(data, 0o700), os.WriteFile(filepath.Join(data, name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := New(t.Context(), Options{Data: data, Try: true, Version: "test", Log: slog.New(slog.DiscardHandler), Terminal: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run serves until the returned function is called, which waits for the end.
func run(t *testing.T, b *Box) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	ready, cancelReady := context.WithTimeout(ctx, 20*time.Second)
	defer cancelReady()
	if _, err := b.WaitReady(ready); err != nil {
		t.Fatal(err)
	}
	for !(page{b}).Status().Ready {
		select {
		case <-time.After(time.Millisecond):
		case <-ready.Done():
			t.Fatalf("not ready: %+v", page{b}.Status().Services)
		}
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestThePreSeedBecomesTheSiteAndAWrongFileTheLastGoodOne(t *testing.T) {
	data, seed := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "seed.toml")
	if err := os.WriteFile(seed, []byte(goodSite), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := New(t.Context(), Options{Data: data, Site: seed, Try: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)()
	if got, err := os.ReadFile(filepath.Join(data, site.FileName)); err != nil || string(got) != goodSite {
		t.Fatalf("the data folder has %q (%v)", got, err)
	}
	wrong := strings.Replace(goodSite, "127.77.0.1/16", "127.77.0.1/160", 1) + "colour = \"green\"\n"
	b = open(t, data, map[string]string{site.FileName: wrong})
	run(t, b)
	st := page{b}.Status()
	notices := strings.Join(st.Notices, "\n")
	for _, want := range []string{"refused", "network.address", "127.77.0.1/160", "colour"} {
		if !strings.Contains(notices, want) {
			t.Errorf("the notices do not say %q: %s", want, notices)
		}
	}
	if b.current().site.Name != "Loopback" || st.Services["dhcp"].State != stateRunning {
		t.Errorf("site %q, dhcp %+v: the last good site must be in force", b.current().site.Name, st.Services["dhcp"])
	}
	if got, _ := os.ReadFile(filepath.Join(data, site.FileName)); string(got) != wrong {
		t.Error("the person's file was changed")
	}
}

func TestWithoutAnySettingsOnlyThePageRuns(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: "name = 'no end"})
	run(t, b)
	st := page{b}.Status()
	for name, s := range st.Services {
		if want := map[bool]string{true: stateRunning, false: stateOff}[name == "web"]; s.State != want {
			t.Errorf("%s is %s, want %s", name, s.State, want)
		}
	}
	resp, err := http.Get("http://" + b.web.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", resp.Status)
	}
}

func TestSettingsChangeWhileTheBoxServes(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	s := page{b}.Settings()
	mac := phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}
	entry, etag, ok := s.Phone(mac)
	if !ok || entry.Lines[0].Password != web.Mask {
		t.Fatalf("the form shows %+v", entry)
	}
	entry.Label = "Back office"
	if err := s.PutPhone(t.Context(), mac, entry, etag); err != nil {
		t.Fatal(err)
	}
	if got := b.current().site.Phones[0]; got.Label != "Back office" || got.Lines[0].Password != "geheim" {
		t.Errorf("the phone is %+v: the mask must keep the password", got)
	}
	if got, ok := (names{b}).Lookup("back-office"); ok {
		t.Errorf("a phone without an address has the address %s", got)
	}
	if err := s.PutPhone(t.Context(), mac, entry, etag); !errors.As(err, &web.StaleError{}) {
		t.Errorf("with an old etag: %v", err)
	}
	_, etag, _ = s.Phone(mac)
	entry.Address, entry.MAC = "10.9.9.9", "00:06"
	var refused *web.Refused
	if err := s.PutPhone(t.Context(), mac, entry, etag); !errors.As(err, &refused) || len(refused.Faults) < 1 || strings.Contains(refused.Faults[0].Key, "phones[") {
		t.Errorf("two wrong fields: %v", err)
	}
	if err := s.SetFields(t.Context(), map[string]string{"time.enabled": "false"}, etag); err != nil {
		t.Fatal(err)
	}
	if st := (page{b}).Status().Services["sntp"]; st.State != stateOff {
		t.Errorf("sntp is %s after it was switched off", st.State)
	}
	stop()
	if b = open(t, data, nil); b.current().site.Phones[0].Label != "Back office" || b.current().site.Time.Enabled {
		t.Error("the change is gone after a restart")
	}
	if err := b.store.Close(); err != nil {
		t.Error(err)
	}
}

// TestWhatCannotBeSavedIsNotInForce: a full or read-only card must not leave the box in a state that the next start forgets.
func TestWhatCannotBeSavedIsNotInForce(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)
	// A folder in its place cannot be replaced by a file.
	if err := errors.Join(os.Remove(filepath.Join(data, site.FileName)), os.MkdirAll(filepath.Join(data, site.FileName, "x"), 0o700)); err != nil {
		t.Fatal(err)
	}
	s := page{b}.Settings()
	_, etag := s.TOML(false)
	if err := s.SetFields(t.Context(), map[string]string{"name": "New", "time.enabled": "false"}, etag); err == nil {
		t.Fatal("no error")
	}
	if st := (page{b}).Status().Services["sntp"]; st.State == stateOff || b.current().site.Name != "Loopback" {
		t.Errorf("sntp %s, site %q: the former settings must be in force again", st.State, b.current().site.Name)
	}
}

// TestACardWithoutAPlaceForDataIsNoEnd: plain gok leaves /perm unformatted.
func TestACardWithoutAPlaceForDataIsNoEnd(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	opt := Options{Data: "/dev/null/phonebox", Try: true, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(t.Context(), opt); err == nil {
		t.Fatal("on a machine that is not ours, a folder that cannot be made is the end")
	}
	opt.OwnsMachine = true
	b, err := New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	// It is not run: it would look for USB sticks of this machine.
	if n := strings.Join(page{b}.Status().Notices, "\n"); !strings.Contains(n, "lost at the next start") {
		t.Errorf("the notices do not say it: %s", n)
	}
	if err := b.store.Close(); err != nil {
		t.Error(err)
	}
}
