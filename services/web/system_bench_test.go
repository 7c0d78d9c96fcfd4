package web_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// BenchmarkMachinePages renders the pages of the section on a box with 500 phones, a full log and a full list of changes.
func BenchmarkMachinePages(b *testing.B) {
	box, system := newFakeBox(), newFakeSystem()
	for i := range 500 {
		m := phone.MAC{0, 6, 0xd7, 0, byte(i >> 8), byte(i)}
		box.site.phones[m] = web.PhoneEntry{MAC: m.String(), Label: fmt.Sprint("Phone ", i), Address: "10.77.1.9"}
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	furnishSystem(system, at)
	for i := range 2000 {
		system.write("info", "dhcp", fmt.Sprint("lease mac=00:06:D7:AA:2A:2E address=10.77.0.50 n=", i), at)
	}
	keys := fakePreview(false).Parts[0].Settings
	for i := range 1000 {
		system.changes = append(system.changes, web.AuditEntry{ID: uint64(i), Time: at, From: "10.77.0.20", How: "page", What: "The settings were changed.", Keys: keys})
	}
	staged := fakePreview(false)
	for range 500 {
		staged.Parts[0].Settings = append(staged.Parts[0].Settings, keys[1])
	}
	system.staged = &staged
	secrets := &fakeSecrets{key: make([]byte, 32)}
	server, err := web.New(web.Config{Single: true}, web.Deps{
		Box: box, Shop: &fakeShop{}, Files: fakeFiles{}, Secrets: secrets, Now: func() time.Time { return at }, Log: slog.New(slog.DiscardHandler), Report: func(web.Event) {}, System: system,
	})
	if err != nil {
		b.Fatal(err)
	}
	ask := func(path string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, http.NoBody)
		req.Host, req.RemoteAddr = "localhost", "127.0.0.1:4000"
		req.SetBasicAuth("admin", password)
		w := httptest.NewRecorder()
		server.HTTPHandler().ServeHTTP(w, req)
		return w
	}
	if err := server.SetPasswordForTest(b.Context(), secrets, password); err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/system", "/system/log", "/system/log?phone=Phone+77", "/system/changes", "/system/changes?text=router", "/system/backup", "/system/restore", "/system/versions"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := ask(path); w.Code != http.StatusOK {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
