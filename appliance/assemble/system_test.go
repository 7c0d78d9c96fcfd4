package assemble

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/backup"
	"phonebox/appliance/journal"
	"phonebox/appliance/site"
	"phonebox/services/web"
)

// backedUp returns a backup of everything.
func backedUp(t *testing.T, b *Box, passphrase string) []byte {
	t.Helper()
	var out bytes.Buffer
	err := b.keeper.Backup(t.Context(), []string{"settings", "files", "firmware", "certificate", "password"}, passphrase, func(name string) io.Writer {
		if want := ".tar.gz" + map[bool]string{true: "", false: ".age"}[passphrase == ""]; !strings.HasPrefix(name, "phonebox-loopback-") || !strings.HasSuffix(name, want) {
			t.Errorf("the backup is called %q, want phonebox-loopback-...%s", name, want)
		}
		return &out
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tftpFiles are the names in the folder of the phones' files with their sizes.
func tftpNames(t *testing.T, b *Box) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(b.opt.Data, "tftp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func by(t *testing.T, how string) context.Context {
	return web.WithActor(t.Context(), &web.Actor{From: netip.MustParseAddr("10.77.1.5"), How: how})
}

// change exchanges a text of the settings, as a person does with the file on the page.
func change(t *testing.T, b *Box, from, to string) {
	t.Helper()
	cur := b.current()
	text := strings.Replace(string(cur.site.TOML(true)), from, to, 1)
	if _, err := (settings{b}).Replace(by(t, "page"), []byte(text), cur.etag); err != nil {
		t.Fatal(err)
	}
}

func TestABackupIsRestoredAndTakenBack(t *testing.T) {
	for _, passphrase := range []string{"", "horse battery"} {
		b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
		run(t, b)
		if err := (secrets{b.store}).SetPassword(validHash); err != nil {
			t.Fatal(err)
		}
		if _, err := b.shop.AddRing(t.Context(), "Bell", bytes.NewReader([]byte(ringOf(2400)))); err != nil {
			if _, err := b.provision.Add("bell.raw", strings.NewReader(ringOf(2400))); err != nil {
				t.Fatal(err)
			}
		}
		before, files := b.current().text, tftpNames(t, b)
		saved := backedUp(t, b, passphrase)
		if passphrase != "" && bytes.Contains(saved, []byte("geheim")) {
			t.Error("the encrypted backup tells a password")
		}

		change(t, b, `label = "Front desk"`, `label = "Back door"`)
		change(t, b, `password = "geheim"`, `password = "anders"`)
		if _, err := b.provision.Add("later.raw", strings.NewReader(ringOf(1200))); err != nil {
			t.Fatal(err)
		}
		changed, changedFiles := b.current().text, tftpNames(t, b)
		p, err := b.keeper.Stage(by(t, "page"), bytes.NewReader(saved), passphrase)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range p.Parts[0].Settings {
			lines = append(lines, web.ChangeText(c))
		}
		if want := []string{"Front desk: Label: Back door → Front desk", "Front desk: Password of line 1 was changed"}; !slices.Equal(lines, want) {
			t.Errorf("the preview says %q, want %q", lines, want)
		}
		if !slices.ContainsFunc(p.Parts[1].Changes, func(c web.FileChange) bool { return c.Name == "later.raw" && c.Kind == "gone" }) {
			t.Errorf("the preview says of files %+v, want that later.raw goes", p.Parts[1].Changes)
		}
		if !bytes.Equal(b.current().text, changed) {
			t.Fatal("the preview changed the settings")
		}
		if err := b.keeper.Restore(by(t, "page"), p.ID, []string{"settings", "files"}); err != nil {
			t.Fatal(err)
		}
		onDisk, err := os.ReadFile(filepath.Join(b.opt.Data, site.FileName))
		if err != nil || !bytes.Equal(onDisk, before) || !bytes.Equal(b.current().text, before) || !slices.Equal(tftpNames(t, b), files) {
			t.Errorf("restored: settings %q, files %v; want %q, %v", b.current().text, tftpNames(t, b), before, files)
		}
		if b.index.Load().byMAC[mac].Lines[0].Password != "geheim" {
			t.Error("the phone has another password than in the backup")
		}
		if n := len(b.shop.Rings()); n != 1 {
			t.Errorf("the shelf has %d rings, want the one of the backup", n)
		}
		if err := b.keeper.Undo(by(t, "page")); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.current().text, changed) || !slices.Equal(tftpNames(t, b), changedFiles) {
			t.Errorf("undone: %q, %v; want %q, %v", b.current().text, tftpNames(t, b), changed, changedFiles)
		}
		if err := b.keeper.Undo(by(t, "page")); err == nil {
			t.Error("it was undone twice")
		}
	}
}

const validHash = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// What would shut people out, or what the box could not run, is no choice.
func TestPartsThatCannotBeRestored(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	var archive bytes.Buffer
	err := backup.Write(&archive, backup.Header{Made: time.Now(), Box: "x"}, []backup.Source{
		backup.Bytes("site.toml", []byte("colour = 3\npassword = \"planted\"\n")), backup.Bytes("certs/page.pem", []byte("no PEM")), backup.Bytes("password", []byte("12345678")),
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.keeper.Stage(t.Context(), &archive, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range p.Parts {
		if part.Refused == "" || strings.Contains(part.Refused, "planted") {
			t.Errorf("%s is refused with %q, want a reason without secrets", part.Name, part.Refused)
		}
		if err := b.keeper.Restore(t.Context(), p.ID, []string{part.Name}); err == nil {
			t.Errorf("%s was restored", part.Name)
		}
	}
	if len(p.Parts) != 3 || b.current().site.Name != "Loopback" {
		t.Errorf("%d parts, site %q", len(p.Parts), b.current().site.Name)
	}
	if _, err := b.keeper.Stage(t.Context(), strings.NewReader("no backup"), ""); err == nil {
		t.Error("nonsense was taken")
	}
	if err := b.keeper.Restore(t.Context(), p.ID, []string{"settings"}); err == nil {
		t.Error("a backup that was replaced was restored")
	}
}

// stopping panics where the power is cut.
type stopping struct{ starting }

func (stopping) PutPassword(string) error { panic("cut") }

// A restore that was cut off in its middle is finished before anything reads the data.
func TestARestoreThatWasCutOffIsFinishedAtTheStart(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	if err := (secrets{b.store}).SetPassword(validHash); err != nil {
		t.Fatal(err)
	}
	saved := backedUp(t, b, "")
	change(t, b, `label = "Front desk"`, `label = "Back door"`)
	if err := (secrets{b.store}).SetPassword(strings.Replace(validHash, "AAAA", "BBBB", 1)); err != nil {
		t.Fatal(err)
	}
	stop()
	f := backup.Open(data)
	c, err := f.Stage(bytes.NewReader(saved), "")
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() != "cut" {
				t.Error("it was not cut")
			}
		}()
		_ = f.Restore(c, []backup.Part{backup.Settings, backup.Password}, "other", time.Now(), stopping{starting{&Box{opt: Options{Data: data}}}})
	}()
	b = open(t, data, nil)
	defer run(t, b)()
	if hash, err := (secrets{b.store}).Password(); err != nil || hash != validHash {
		t.Errorf("the password is %q, %v; want the one of the backup", hash, err)
	}
	if got := b.current().site.Phones[0].Label; got != "Front desk" {
		t.Errorf("the label is %q, want the one of the backup", got)
	}
	if list, _ := b.keeper.Changes(); len(list) == 0 || !strings.Contains(list[0].What, "was interrupted, and was finished now") {
		t.Errorf("the list of changes says %+v, want that a restore was finished", list)
	}
	if _, ok := b.keeper.LastRestore(); !ok {
		t.Error("the restore cannot be taken back")
	}
}

func TestChangesAreListedWithWhoAndOutliveARestart(t *testing.T) {
	data := t.TempDir()
	b := open(t, data, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	ctx := by(t, "api")
	cur := b.current()
	text := strings.Replace(string(cur.site.TOML(true)), `"geheim"`, `"planted-secret"`, 1)
	if _, err := (settings{b}).Replace(ctx, []byte(text), cur.etag); err != nil {
		t.Fatal(err)
	}
	// The page has a sentence for it, which comes into the same entry.
	b.onWeb(web.Event{Kind: web.EventChanged, From: addr, What: "The settings were replaced.", By: web.ActorOf(ctx)})
	b.onWeb(web.Event{Kind: web.EventChanged, From: addr, What: "A ring was added.", By: web.ActorOf(ctx)})
	if err := os.WriteFile(filepath.Join(data, site.FileName), []byte(strings.Replace(text, "Front desk", "Hall", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(b *Box, want ...string) {
		t.Helper()
		list, kept := b.keeper.Changes()
		var got []string
		for _, e := range list {
			line := e.How + " " + e.From + ": " + e.What
			for _, c := range e.Keys {
				line += " | " + web.ChangeText(c)
			}
			got = append(got, line)
			if strings.Contains(fmt.Sprintf("%+v", e), "planted") {
				t.Errorf("the list tells a secret: %+v", e)
			}
		}
		if !slices.Equal(got, want) || kept != maxAudit {
			t.Errorf("the list is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	want := []string{
		"file : The settings were changed. | Hall: Label: Front desk → Hall",
		"api 10.77.1.5: A ring was added.",
		"api 10.77.1.5: The settings were replaced. | Front desk: Password of line 1 was changed",
	}
	check(b, want...)
	stop()
	// Changed by hand while the box was off.
	if err := os.WriteFile(filepath.Join(data, site.FileName), []byte(strings.Replace(text, "Front desk", "Attic", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	b = open(t, data, nil)
	defer run(t, b)()
	check(b, append([]string{"file : At the start site.toml was another than the one that was in force before. | Attic: Label: Hall → Attic"}, want...)...)
}

// The list is bounded in entries and bytes, on the disk as well.
func TestTheListOfChangesIsBounded(t *testing.T) {
	store := memoryStore{}
	a := newAudit(t.Context(), store, slog.New(slog.DiscardHandler), time.Now)
	for i := range maxAudit + 50 {
		a.add(web.AuditEntry{What: fmt.Sprint("change ", i)})
		if i%100 == 0 {
			a.flush(t.Context())
		}
	}
	a.flush(t.Context())
	if list := a.entries(); len(list) != maxAudit || list[0].What != fmt.Sprint("change ", maxAudit+49) || len(store) != maxAudit {
		t.Errorf("%d entries, the newest %q, %d on disk; want %d", len(list), list[0].What, len(store), maxAudit)
	}
	for range 500 {
		a.add(web.AuditEntry{What: strings.Repeat("x", 10_000)})
	}
	a.flush(t.Context())
	size := 0
	for _, v := range store {
		size += len(v)
	}
	if size > maxAuditSize || len(a.entries()) < 40 {
		t.Errorf("%d bytes on disk, %d entries; want at most %d", size, len(a.entries()), maxAuditSize)
	}
	again := newAudit(t.Context(), store, slog.New(slog.DiscardHandler), time.Now)
	if got, want := again.entries(), a.entries(); len(got) != len(want) || got[0].ID != want[0].ID {
		t.Errorf("read again there are %d, want %d", len(got), len(want))
	}
	if id := again.add(web.AuditEntry{What: "one more"}); id <= a.entries()[0].ID {
		t.Errorf("the next number is %d, which was used", id)
	}
}

// memoryStore is the part of the store that the list needs.
type memoryStore map[string][]byte

func (m memoryStore) ScanJournal(_ context.Context, prefix string, visit func(string, []byte) bool) error {
	var keys []string
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !visit(k, m[k]) {
			return nil
		}
	}
	return nil
}

func (m memoryStore) WriteJournal(_ context.Context, put map[string][]byte, remove []string) error {
	for k, v := range put {
		m[k] = v
	}
	for _, k := range remove {
		delete(m, k)
	}
	return nil
}

// stoppedStore fails writes that are asked for by a run that ended, as the store does when it is stopped in the middle.
type stoppedStore struct {
	memoryStore
	begun chan struct{} // told at the first write
}

func (s stoppedStore) WriteJournal(ctx context.Context, put map[string][]byte, remove []string) error {
	select {
	case s.begun <- struct{}{}:
		<-ctx.Done()
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.memoryStore.WriteJournal(ctx, put, remove)
}

// A change whose writing is interrupted by the end of the run is written at its end.
func TestAChangeIsKeptWhenTheRunEndsWhileItIsWritten(t *testing.T) {
	store := stoppedStore{memoryStore{}, make(chan struct{}, 1)}
	a := newAudit(t.Context(), store, slog.New(slog.DiscardHandler), time.Now)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.run(ctx) }()
	a.add(web.AuditEntry{What: "a change"})
	<-store.begun
	store.begun <- struct{}{} // the next write does not wait
	stop()
	if err := <-ended; err != nil || len(store.memoryStore) != 1 {
		t.Errorf("%d entries are on disk, %v", len(store.memoryStore), err)
	}
}

func TestSettingsOfBeforeComeBackOnTheBox(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	first := b.current().site.TOML(true)
	change(t, b, `label = "Front desk"`, `label = "Back door"`)
	change(t, b, `password = "geheim"`, `password = "anders"`)
	list, err := b.keeper.Versions()
	if err != nil || len(list) != 2 || list[0].File != "site.toml.1" || len(list[0].Keys) != 1 || len(list[1].Keys) != 2 {
		t.Fatalf("the versions are %+v, %v", list, err)
	}
	if strings.Contains(list[1].Text, "geheim") {
		t.Error("a version tells a password")
	}
	if err := b.keeper.BringBack(by(t, "page"), list[1].ID, "stale"); !errors.As(err, new(web.StaleError)) {
		t.Errorf("with a stale tag: %v", err)
	}
	if err := b.keeper.BringBack(by(t, "page"), list[1].ID, list[1].ETag); err != nil {
		t.Fatal(err)
	}
	if got := b.current().text; !bytes.Equal(got, first) {
		t.Errorf("got %q, want %q", got, first)
	}
	var public *web.PublicError
	if err := b.keeper.BringBack(by(t, "page"), "nothing", b.current().etag); !errors.As(err, &public) {
		t.Errorf("a version that is not there: %v", err)
	}
}

// Secrets with everything that a notation could hide, planted wherever the box could pick one up.
const plantedSite = `name = "Loopback"
[network]
interface = "lo"
address = "127.77.0.1/16"
[dhcp]
pool = ["127.77.1.1-127.77.1.9"]
[time]
upstream = []
[sip.parameters]
phone_password = "planted-site-%d"
[models.7960.parameters]
phone_password = "planted-model-%d"
[[phones]]
mac = "00:06:D7:AA:2A:2E"
label = "Front desk"
[[phones.lines]]
name = "208"
authname = "planted-login-%d"
password = 'planted\<&>%%/+ %d'
[phones.parameters]
line2_password = "planted-param-%d"
`

func plantedText(i int) string { return fmt.Sprintf(plantedSite, i, i, i, i, i) }

// TestTheBundleHoldsNoSecret plants secrets in the settings, in former ones, in the log and in the timelines in every
// notation, and looks for them in all that leaves the box for asking help.
func TestTheBundleHoldsNoSecret(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: plantedText(1)})
	defer run(t, b)()
	for i := 2; i <= 4; i++ { // former versions have secrets too
		if _, err := (settings{b}).Replace(by(t, "page"), []byte(plantedText(i)), b.current().etag); err != nil {
			t.Fatal(err)
		}
	}
	hash := "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$plantedAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if err := (secrets{b.store}).SetPassword(hash); err != nil {
		t.Fatal(err)
	}
	key, err := (secrets{b.store}).SessionKey()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := 1; i <= 4; i++ {
		for _, secret := range []string{fmt.Sprintf("planted-site-%d", i), fmt.Sprintf("planted-model-%d", i), fmt.Sprintf("planted-login-%d", i), fmt.Sprintf(`planted\<&>%%/+ %d`, i), fmt.Sprintf("planted-param-%d", i), hash} {
			for _, form := range notations(secret) {
				n++
				b.log.Warn("a fault quotes "+form, "err", errors.New(form))
				b.record(journal.Event{MAC: mac, Service: "tftp", Kind: journal.Note, Time: b.clock.Now(), Text: "said " + form})
				b.note("box", "said "+form)
				b.audit.add(web.AuditEntry{What: "said " + form})
			}
		}
	}
	for _, form := range notations(string(key)) {
		b.log.Warn("key " + form)
	}
	b.settle()
	forbidden := append([]string{"planted", "cGxhbnRlZ", "706c616e746564"}, notations(string(key))...)
	names := []string{}
	for _, part := range b.keeper.Diagnostics() {
		body, err := part.Make(t.Context())
		if err != nil || len(body) < 3 {
			t.Errorf("%s: %d bytes, %v", part.Name, len(body), err)
		}
		for _, bad := range forbidden {
			if i := strings.Index(string(body), bad); bad != "" && i >= 0 {
				t.Errorf("%s tells a secret: %q", part.Name, body[max(0, i-40):min(len(body), i+60)])
			}
		}
		names = append(names, part.Name)
	}
	for part, want := range map[string]string{"log.txt": "a fault quotes " + web.Mask, "timelines.txt": "said " + web.Mask, "site.toml": `authname = "` + web.Mask + `"`, "changes.txt": "said " + web.Mask, "goroutines.txt": "goroutine profile", "metrics.txt": "phonebox_store_commit_seconds"} {
		i := slices.Index(names, part)
		if i < 0 {
			t.Fatalf("the bundle has no %s", part)
		}
		body, _ := b.keeper.Diagnostics()[i].Make(t.Context())
		if !strings.Contains(string(body), want) {
			t.Errorf("%s does not say %q: the test would not find a secret there", part, want)
		}
	}
	// Nor does the page of the log, nor looking for a secret in it.
	for _, l := range b.keeper.Log(web.LogFilter{}, 5000).Lines {
		if strings.Contains(l.Text, "planted") {
			t.Fatalf("the log tells a secret: %s", l.Text)
		}
	}
	if found := b.keeper.Log(web.LogFilter{Text: "planted-site-4"}, 10).Lines; len(found) != 0 {
		t.Errorf("looking for a secret in the log finds %v", found)
	}
	t.Logf("planted %d texts", n)
}

// notations are the ways in which a program may quote a text; the test has its own list of them.
func notations(s string) []string {
	j, _ := json.Marshal(s)
	return []string{
		s, strconv.Quote(s), string(j), html.EscapeString(s), url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)),
		base64.StdEncoding.EncodeToString([]byte(s)), fmt.Sprintf("%q", "password="+s),
	}
}

func TestTheLogOnTheBoxIsFiltered(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	b.log.With("svc", "dhcp").Warn("nak", "address", "10.77.1.1")
	b.log.With("svc", "dhcp").Info("ack", "address", "10.77.1.12")
	for _, tt := range []struct {
		f    web.LogFilter
		want int
	}{
		{web.LogFilter{Text: "NAK"}, 1},
		{web.LogFilter{Texts: []string{"10.77.1.1"}}, 1},
		{web.LogFilter{Texts: []string{"10.77.1.1", "10.77.1.12"}}, 2},
		{web.LogFilter{Service: "dhcp", Level: "warn", Text: "nak"}, 1},
		{web.LogFilter{Service: "tftp", Text: "nak"}, 0},
		{web.LogFilter{Service: "box", Text: "nak"}, 0},
	} {
		if got := b.keeper.Log(tt.f, 100).Lines; len(got) != tt.want {
			t.Errorf("%+v: got %v, want %d lines", tt.f, got, tt.want)
		}
	}
}

func TestPowersOfTry(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	for _, do := range []string{"restart", "reboot", "off", "explode"} {
		var public *web.PublicError
		if err := b.keeper.Power(t.Context(), do); !errors.As(err, &public) {
			t.Errorf("%s: %v, want a plain no", do, err)
		}
	}
	m := b.keeper.Machine()
	if m.Go == "" || m.Kernel == "" || m.MemTotal == 0 || m.Resident == 0 || m.DiskTotal == 0 || len(m.Links) == 0 || !m.Links[0].Ours {
		t.Errorf("the machine is %+v", m)
	}
}

func FuzzContainsWord(f *testing.F) {
	f.Add("to 10.77.1.12", "10.77.1.1")
	f.Fuzz(func(t *testing.T, s, word string) {
		if containsWord(s, word) && !strings.Contains(s, word) {
			t.Errorf("%q is not in %q", word, s)
		}
	})
}
