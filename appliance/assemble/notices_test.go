package assemble

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/web"
)

func TestWhatLooksWrongInTheSettingsIsSaidOnce(t *testing.T) {
	text := strings.Replace(goodSite, "upstream = []", "upstream = [\"pool.ntp.org\"]\nzone = \"Asia/Kathmandu\"", 1) + `
[[phones]]
mac = "00:06:D7:AA:2A:2F"
[[phones.lines]]
name = "208"
password = "x"
`
	b := open(t, t.TempDir(), map[string]string{site.FileName: text})
	notices := page{b}.notices()
	for _, want := range []string{"nobody can resolve", "also in phones[0]", "Asia/Kathmandu"} {
		n := 0
		for _, notice := range notices {
			if strings.Contains(notice, want) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d notices say %q, want one of %q", n, want, notices)
		}
	}
}

func TestARefusedReloadNamesFaultsAndNoWarnings(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)
	wrong := strings.Replace(goodSite, "upstream = []", "upstream = [\"pool.ntp.org\"]\ncolour = 3", 1)
	if err := os.WriteFile(filepath.Join(data, site.FileName), []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Reload(t.Context()); err == nil {
		t.Fatal("a wrong file was taken")
	}
	notices := strings.Join(page{b}.notices(), "\n")
	if !strings.Contains(notices, "colour") || strings.Contains(notices, "pool.ntp.org") {
		t.Errorf("the notices are %q, want the fault and not the warning", notices)
	}
}

// A notice must not say that the last good settings are in force where there are none, nor the other way round.
func TestTheNoticeOfARefusedFileSaysWhatIsInForce(t *testing.T) {
	data := t.TempDir()
	const last, none = "last settings that were good", "only this page runs"
	b := open(t, data, map[string]string{site.FileName: "name = 'no end"})
	if n := strings.Join(page{b}.notices(), "\n"); strings.Contains(n, last) || !strings.Contains(n, none) {
		t.Errorf("without any good settings: %q", n)
	}
	run(t, b)()
	b = open(t, data, map[string]string{site.FileName: goodSite})
	run(t, b)()
	if err := os.Remove(filepath.Join(data, site.FileName)); err != nil {
		t.Fatal(err)
	}
	b = open(t, data, nil)
	defer run(t, b)()
	if n := strings.Join(page{b}.notices(), "\n"); !strings.Contains(n, last) || strings.Contains(n, none) {
		t.Errorf("with the last good ones in the store: %q", n)
	}
}

// The passwords that leave over the page are journalled before they leave, and all else that people do is (DESIGN:
// "secrets masked unless ?secrets=1, which is journalled").
func TestWhatPeopleDoOnThePageIsInTheTimelineOfTheBox(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	for _, e := range []web.Event{
		{Kind: web.EventSecrets, From: addr, What: "The settings were read with their passwords."},
		{Kind: web.EventChanged, From: addr, MAC: mac, What: "The phone was changed."},
		{Kind: web.EventDropped, From: addr, What: "A request was refused."},
	} {
		b.onWeb(e)
	}
	events, ok := page{b}.Events([6]byte{})
	var got []string
	for _, e := range events {
		got = append(got, e.Text)
	}
	want := "The settings were read with their passwords (from 10.77.1.5)\n00:06:D7:AA:2A:2E: The phone was changed (from 10.77.1.5)"
	if !ok || strings.Join(got, "\n") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if p, _ := (page{b}).Phone(mac); p.Step != "" {
		t.Errorf("a phone that nobody saw is in step %q, because it was changed on the page", p.Step)
	}
}

func TestRefusedRequestsAreCounted(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://somebody.example/", http.NoBody)
	b.web.HTTPHandler().ServeHTTP(httptest.NewRecorder(), r)
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "phonebox_web_dropped_total" && f.GetMetric()[0].GetCounter().GetValue() == 1 {
			return
		}
	}
	t.Error("phonebox_web_dropped_total did not count a request for another host")
}

// A supervisor may send SIGHUP at any moment, also before the services were started.
func TestASignalBeforeTheStartReloadsAfterIt(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	next := strings.Replace(goodSite, "Loopback", "Another", 1)
	if err := os.WriteFile(filepath.Join(data, site.FileName), []byte(next), 0o600); err != nil {
		t.Fatal(err)
	}
	reload := make(chan os.Signal, 1)
	reload <- syscall.SIGHUP
	before, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	b.reloads(before, reload)
	if len(reload) == 0 {
		t.Fatal("the signal was taken before there was anything to reload")
	}
	defer run(t, b)()
	go b.reloads(t.Context(), reload)
	for b.current().site.Name != "Another" {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the settings were not read again")
		}
	}
}
