package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// fakeSystem is a machine in memory; what it was asked to do stands in done.
type fakeSystem struct {
	mu       sync.Mutex
	done     []string
	machine  web.Machine
	powers   web.Powers
	lines    []web.LogLine // the oldest first
	changes  []web.AuditEntry
	versions []web.SiteVersion
	parts    []web.BackupPart
	staged   *web.RestorePreview
	last     *web.RestoreDone
	refuse   error // of the next thing that is done
	breaks   bool  // the next backup breaks off in its middle
	actors   []string
}

func newFakeSystem() *fakeSystem {
	return &fakeSystem{
		machine: web.Machine{
			Version: "1.2.3", Go: "go1.26.0", Kernel: "6.12.47-v8", Board: "Raspberry Pi 4 Model B Rev 1.4", Arch: "arm64", CPUs: 4, UptimeS: 90000,
			MemTotal: 2 << 30, MemFree: 1600 << 20, Resident: 48 << 20, HeatC: 51.3, Supply: &web.Supply{}, DiskTotal: 30 << 30, DiskFree: 28 << 30, Data: "/perm/phonebox",
			Store: web.StoreFacts{Commits: 812, MeanS: 0.0123, Faults: []string{}},
			Links: []web.Link{
				{Name: "eth0", MAC: "DC:A6:32:00:00:01", Up: true, Running: true, Addresses: []string{"10.77.0.1/16"}, Ours: true},
				{Name: "wlan0", MAC: "DC:A6:32:00:00:02"},
			},
			Supervisor: "gokrazy",
		},
		parts: []web.BackupPart{
			{Name: "settings", Files: 1, Bytes: 4096},
			{Name: "files", Files: 3, Bytes: 20 << 10},
			{Name: "firmware", Files: 8, Bytes: 12 << 20},
			{Name: "certificate", Files: 1, Bytes: 700},
			{Name: "password", Files: 1, Bytes: 97},
		},
	}
}

func (f *fakeSystem) did(ctx context.Context, format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refuse; err != nil {
		f.refuse = nil
		return err
	}
	f.done = append(f.done, fmt.Sprintf(format, args...))
	if by := web.ActorOf(ctx); by != nil {
		f.actors = append(f.actors, by.How+" "+by.From.String())
	}
	return nil
}

func (f *fakeSystem) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

func (f *fakeSystem) Machine() web.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.machine
}

func (f *fakeSystem) Powers() web.Powers { return f.powers }

func (f *fakeSystem) Power(ctx context.Context, do string) error {
	if why := map[string]string{"restart": f.powers.Restart, "reboot": f.powers.Reboot, "off": f.powers.Off}[do]; why != "" {
		return &web.PublicError{Status: http.StatusConflict, Text: why}
	}
	return f.did(ctx, "power %s", do)
}

func (f *fakeSystem) write(level, service, text string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, web.LogLine{Seq: uint64(len(f.lines) + 1), Time: at, Level: level, Service: service, Text: text})
}

func (f *fakeSystem) Log(filter web.LogFilter, most int) web.LogLines {
	f.mu.Lock()
	defer f.mu.Unlock()
	rank := map[string]int{"": 0, "debug": 0, "info": 1, "warn": 2, "error": 3}
	out := web.LogLines{Lines: []web.LogLine{}, Last: uint64(len(f.lines))}
	for i := len(f.lines) - 1; i >= 0 && len(out.Lines) < most; i-- {
		l := f.lines[i]
		if l.Seq <= filter.After || rank[l.Level] < rank[filter.Level] || filter.Service != "" && l.Service != filter.Service ||
			!strings.Contains(l.Text, filter.Text) ||
			len(filter.Texts) > 0 && !slices.ContainsFunc(filter.Texts, func(t string) bool { return strings.Contains(l.Text, t) }) {
			continue
		}
		out.Lines = append(out.Lines, l)
	}
	return out
}

func (f *fakeSystem) Diagnostics() []web.DiagnosticsPart {
	return []web.DiagnosticsPart{
		{Name: "about.txt", About: "What this is.", Make: func(context.Context) ([]byte, error) { return []byte("a bundle\n"), nil }},
		{Name: "site.toml", About: "The settings, masked.", Make: func(context.Context) ([]byte, error) { return []byte("password = \"" + web.Mask + "\"\n"), nil }},
		{Name: "broken.txt", About: "A part that cannot be made.", Make: func(context.Context) ([]byte, error) { return nil, errors.New("hunter2-cause") }},
	}
}

func (f *fakeSystem) BackupParts() ([]web.BackupPart, error) { return f.parts, nil }

func (f *fakeSystem) Backup(ctx context.Context, parts []string, passphrase string, begin func(string) io.Writer) error {
	if len(parts) == 0 {
		return &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "Choose at least one of the parts."}
	}
	if err := f.did(ctx, "backup %s %q", strings.Join(parts, ","), passphrase); err != nil {
		return err
	}
	w := begin("phonebox-harbour.tar.gz")
	if _, err := io.WriteString(w, "backup of "+strings.Join(parts, ",")); err != nil {
		return err
	}
	if f.breaks {
		return errors.New("the card is gone")
	}
	return nil
}

// Stage takes what begins with "backup"; the passphrase "right" opens what begins with "age".
func (f *fakeSystem) Stage(_ context.Context, content io.Reader, passphrase string) (web.RestorePreview, error) {
	body, err := io.ReadAll(content)
	if err != nil {
		return web.RestorePreview{}, err
	}
	encrypted := strings.HasPrefix(string(body), "age")
	switch {
	case encrypted && passphrase != "right":
		return web.RestorePreview{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "This backup is encrypted, and the passphrase is missing or is another one."}
	case !encrypted && !strings.HasPrefix(string(body), "backup"):
		return web.RestorePreview{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "This is no backup of phonebox."}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := fakePreview(encrypted)
	f.staged = &p
	return p, nil
}

func fakePreview(encrypted bool) web.RestorePreview {
	m, _ := phone.ParseMAC(reception)
	return web.RestorePreview{
		ID: "ID1", Made: time.Date(2026, 2, 27, 9, 0, 0, 0, time.UTC), Box: "Harbour Street office", By: "1.2.2", Encrypted: encrypted,
		Warnings: []string{"The backup was made by another version of phonebox: 1.2.2."},
		Parts: []web.RestorePart{
			{Name: "settings", Files: 1, Bytes: 4000, Settings: []web.KeyChange{
				{Key: "network.gateway", What: "Router", Old: "10.77.0.254", New: "10.77.0.253", Kind: "changed"},
				{Key: "lines[0].password", What: "Password of line 1", Who: "Reception", MAC: m, Secret: true, Kind: "changed"},
				{Key: "phones", What: "Phone", Who: "Attic", MAC: phone.MAC{9}, New: "09:00:00:00:00:00 with the line 211", Kind: "added"},
				{Key: "phones", What: "Phone", Who: "Cellar", MAC: phone.MAC{8}, Old: "08:00:00:00:00:00", Kind: "removed"},
			}},
			{Name: "files", Files: 2, Bytes: 9000, Same: 4, Changes: []web.FileChange{
				{Name: "Bell.raw", Kind: "new", Size: 8000}, {Name: "logo.bmp", Kind: "changed", Size: 1000}, {Name: strings.Repeat("long-", 30) + ".raw", Kind: "gone", Size: 1},
			}},
			{Name: "certificate", Refused: "The certificate of the backup cannot be used: key and certificate do not belong together, or one is missing."},
			{Name: "password", Files: 1, Bytes: 97, Same: 1},
		},
	}
}

func (f *fakeSystem) Staged() (web.RestorePreview, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.staged == nil {
		return web.RestorePreview{}, false
	}
	return *f.staged, true
}

func (f *fakeSystem) Restore(ctx context.Context, id string, parts []string) error {
	if err := f.did(ctx, "restore %s %s", id, strings.Join(parts, ",")); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.staged = nil
	f.last = &web.RestoreDone{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Made: time.Date(2026, 2, 27, 9, 0, 0, 0, time.UTC), Box: "Harbour Street office", Parts: parts}
	return nil
}

func (f *fakeSystem) Forget(ctx context.Context, id string) error {
	err := f.did(ctx, "forget %s", id)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.staged = nil
	return err
}

func (f *fakeSystem) LastRestore() (web.RestoreDone, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		return web.RestoreDone{}, false
	}
	return *f.last, true
}

func (f *fakeSystem) Undo(ctx context.Context) error {
	if _, ok := f.LastRestore(); !ok {
		return &web.PublicError{Status: http.StatusConflict, Text: "There is no restore that could be taken back."}
	}
	err := f.did(ctx, "undo")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = nil
	return err
}

func (f *fakeSystem) Changes() ([]web.AuditEntry, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes), 1000
}

func (f *fakeSystem) Versions() ([]web.SiteVersion, error) { return f.versions, nil }

func (f *fakeSystem) Version(id string) (web.SiteVersion, bool, error) {
	for _, v := range f.versions {
		if v.ID == id {
			return v, true, nil
		}
	}
	return web.SiteVersion{}, false, nil
}

func (f *fakeSystem) BringBack(ctx context.Context, id, etag string) error {
	return f.did(ctx, "bring back %s %s", id, etag)
}

// furnishSystem fills log, changes and versions.
func furnishSystem(f *fakeSystem, at time.Time) {
	f.write("info", "dhcp", "lease mac=00:06:D7:AA:2A:2E address=10.77.0.50", at.Add(-90*time.Second))
	f.write("warn", "tftp", "not on the shelf name=P003-8-12-00.bin peer=10.77.1.12:50000", at.Add(-60*time.Second))
	f.write("error", "store", "group not written err=\"input/output error\" "+strings.Repeat("long", 60), at.Add(-30*time.Second))
	f.write("info", "box", "settings applied phones=5", at.Add(-10*time.Second))
	m, _ := phone.ParseMAC(reception)
	keys := fakePreview(false).Parts[0].Settings
	f.changes = []web.AuditEntry{
		{ID: 4, Time: at.Add(-time.Minute), From: "10.77.0.20", How: "page", What: "The settings were changed.", Keys: keys, More: 12},
		{ID: 3, Time: at.Add(-time.Hour), From: "10.77.0.21", How: "api", What: "The phone was changed.", MAC: m, Label: "Reception", Keys: keys[1:2]},
		{ID: 2, Time: at.Add(-2 * time.Hour), How: "stick", What: "The page's password was taken away by a USB stick with phonebox/reset-password."},
		{ID: 1, Time: at.Add(-400 * time.Hour), How: "file", What: "The settings were changed.", Keys: []web.KeyChange{{Key: "name", What: "Name of the office", Old: "=cmd()", New: "Harbour", Kind: "changed"}}},
	}
	f.versions = []web.SiteVersion{
		{ID: "aaaa", File: "site.toml.1", Until: at.Add(-time.Hour), Phones: 5, Keys: keys, ETag: `"now"`, Text: "name = \"Harbour\"\npassword = \"" + web.Mask + "\"\n"},
		{ID: "bbbb", File: "site.toml.2", Until: at.Add(-20 * time.Hour), Fault: "This version cannot be in force now. Line 3: network.address: found nothing."},
	}
}
