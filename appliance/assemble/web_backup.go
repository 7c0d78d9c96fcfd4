package assemble

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"phonebox/appliance/backup"
	"phonebox/appliance/site"
	"phonebox/services/web"
)

// BackupParts implements [web.Backups].
func (k *keeper) BackupParts() ([]web.BackupPart, error) {
	var out []web.BackupPart
	for _, part := range backup.Parts() {
		entries, err := k.folder.Inventory(part)
		if err != nil {
			return nil, err
		}
		p := web.BackupPart{Name: string(part), Files: len(entries)}
		for _, e := range entries {
			p.Bytes += e.Size
		}
		switch part {
		case backup.Settings:
			p.Files, p.Bytes = 1, int64(len(k.b.current().text))
		case backup.Password:
			if hash, err := (secrets{k.b.store}).Password(); err == nil && hash != "" {
				p.Files, p.Bytes = 1, int64(len(hash))
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// Backup implements [web.Backups].
func (k *keeper) Backup(_ context.Context, names []string, passphrase string, begin func(name string) io.Writer) error {
	parts, err := partsOf(names)
	if err != nil {
		return err
	}
	entries, err := k.folder.Inventory(parts...)
	if err != nil {
		return fmt.Errorf("making a backup: %w", err)
	}
	cur, now := k.b.current(), k.b.clock.Now().Round(0).UTC()
	var sources []backup.Source
	if slices.Contains(parts, backup.Settings) {
		sources = append(sources, backup.Bytes(backup.SiteEntry, cur.text)) // those in force, whatever the file says
	}
	for _, e := range entries {
		if e.Name != backup.SiteEntry {
			sources = append(sources, k.folder.Source(e))
		}
	}
	if slices.Contains(parts, backup.Password) {
		hash, err := (secrets{k.b.store}).Password()
		if err != nil {
			return fmt.Errorf("making a backup: %w", err)
		}
		sources = append(sources, backup.Bytes(backup.PasswordEntry, []byte(hash)))
	}
	name := "phonebox-" + fileWord(cur.site.Name) + now.Format("-20060102-1504") + ".tar.gz"
	h := backup.Header{Made: now, Box: cur.site.Name, By: k.b.opt.Version, Parts: parts}
	if passphrase == "" {
		return backup.Write(begin(name), h, sources)
	}
	defer debug.FreeOSMemory() // what the passphrase cost
	w := &late{begin: func() io.Writer { return begin(name + ".age") }}
	out, err := backup.Encrypt(w, passphrase)
	if err != nil {
		return err
	}
	return errors.Join(backup.Write(out, h, sources), out.Close())
}

// late begins with the first byte.
type late struct {
	begin func() io.Writer
	w     io.Writer
}

// Write implements [io.Writer].
func (l *late) Write(b []byte) (int, error) {
	if l.w == nil {
		l.w = l.begin()
	}
	return l.w.Write(b)
}

// fileWord makes a part of a file's name of the name of an office.
func fileWord(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ', r == '-', r == '_', r == '.':
			return '-'
		}
		return -1
	}, strings.ToLower(s))
	if s = strings.Trim(s, "-"); s == "" {
		return "office"
	}
	return s[:min(len(s), 40)]
}

func partsOf(names []string) ([]backup.Part, error) {
	var out []backup.Part
	for _, p := range backup.Parts() {
		if slices.Contains(names, string(p)) {
			out = append(out, p)
		}
	}
	if len(out) == 0 || len(out) != len(names) {
		return nil, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "Choose at least one of the parts: settings, files, firmware, certificate, password."}
	}
	return out, nil
}

// stagedBackup is a backup that was uploaded and waits for a yes.
type stagedBackup struct {
	contents *backup.Contents
	preview  web.RestorePreview
}

// Stage implements [web.Backups].
func (k *keeper) Stage(_ context.Context, content io.Reader, passphrase string) (web.RestorePreview, error) {
	if !k.storing.TryLock() {
		return web.RestorePreview{}, busyRestoring()
	}
	defer k.storing.Unlock()
	if passphrase != "" {
		defer debug.FreeOSMemory()
	}
	k.setStaged(nil)
	c, err := k.folder.Stage(content, passphrase)
	if err != nil {
		return web.RestorePreview{}, refusedBackup(err)
	}
	p, err := k.preview(c)
	if err != nil {
		return web.RestorePreview{}, errors.Join(err, k.folder.Drop())
	}
	k.setStaged(&stagedBackup{c, p})
	return p, nil
}

func (k *keeper) setStaged(s *stagedBackup) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.staged = s
}

func (k *keeper) waiting() *stagedBackup {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.staged
}

func busyRestoring() error {
	return &web.PublicError{Status: http.StatusConflict, Text: "Another backup is being read or restored at this moment. Try again when that is over."}
}

// refusedBackup makes a public error of a refusal.
func refusedBackup(err error) error {
	var r *backup.Refusal
	switch {
	case errors.As(err, &r):
		return &web.PublicError{Status: http.StatusUnprocessableEntity, Text: r.Why}
	case errors.Is(err, backup.ErrDisk):
		return notKept(err)
	}
	return err
}

// Staged implements [web.Backups].
func (k *keeper) Staged() (web.RestorePreview, bool) {
	s := k.waiting()
	if s == nil {
		return web.RestorePreview{}, false
	}
	return s.preview, true
}

// Forget implements [web.Backups].
func (k *keeper) Forget(_ context.Context, id string) error {
	if !k.storing.TryLock() {
		return busyRestoring()
	}
	defer k.storing.Unlock()
	if s := k.waiting(); s == nil || s.preview.ID != id {
		return nil
	}
	k.setStaged(nil)
	return k.folder.Drop()
}

// preview compares a staged backup with the box.
func (k *keeper) preview(c *backup.Contents) (web.RestorePreview, error) {
	p := web.RestorePreview{ID: rand.Text(), Made: c.Made, Box: c.Box, By: c.By, Encrypted: c.Encrypted, Parts: []web.RestorePart{}, Warnings: []string{}}
	for _, part := range backup.Parts() {
		// A box without rings makes a backup with none: its part says that there were none, and they go.
		if !c.Has(part) && !(slices.Contains(c.Parts, part) && (part == backup.Files || part == backup.Firmware)) {
			continue
		}
		one := web.RestorePart{Name: string(part)}
		for _, e := range c.Entries {
			if of, _ := backup.PartOf(e.Name); of == part {
				one.Files++
				one.Bytes += e.Size
			}
		}
		var err error
		if part == backup.Settings {
			k.previewSettings(&one, &p)
		} else {
			err = k.previewFiles(c, part, &one)
		}
		if err != nil {
			return p, err
		}
		p.Parts = append(p.Parts, one)
	}
	if c.By != k.b.opt.Version {
		p.Warnings = append(p.Warnings, fmt.Sprintf("The backup was made by another version of phonebox: %s.", c.By))
	}
	for _, st := range k.b.director.States() {
		if !st.Unplug {
			p.Warnings = append(p.Warnings, "A phone is getting or writing firmware at this moment. Restore when that is over.")
			break
		}
	}
	return p, nil
}

// previewSettings compares the settings; those that the box would refuse cannot be restored.
func (k *keeper) previewSettings(one *web.RestorePart, p *web.RestorePreview) {
	text, err := k.folder.Staged(backup.SiteEntry)
	if err != nil {
		one.Refused = "The settings of the backup cannot be read."
		return
	}
	s, faults := site.Parse(text, site.Catalogue())
	if s == nil {
		one.Refused = "The settings of the backup are refused."
		for _, f := range faults {
			if !f.Warning {
				one.Refused += " " + sentence(f.String())
				break
			}
		}
		return
	}
	cur := k.b.current()
	one.Settings = keyChanges(site.Diff(cur.site, s))
	if old, now := cur.site.Network.Address, s.Network.Address; old != now {
		p.Warnings = append(p.Warnings, fmt.Sprintf("With these settings the box has another address: %s instead of %s. Afterwards this page is at https://%s/.", now.Addr(), old.Addr(), now.Addr()))
	}
	if s.Network.Interface != cur.site.Network.Interface {
		p.Warnings = append(p.Warnings, fmt.Sprintf("With these settings the box uses another network interface: %s instead of %s.", s.Network.Interface, cur.site.Network.Interface))
	}
}

// previewFiles compares the files of a part.
func (k *keeper) previewFiles(c *backup.Contents, part backup.Part, one *web.RestorePart) error {
	in := map[string]bool{}
	for _, e := range c.Entries {
		if of, _ := backup.PartOf(e.Name); of != part {
			continue
		}
		in[e.Name] = true
		now, err := k.sumNow(e.Name)
		if err != nil {
			return fmt.Errorf("comparing the backup: %w", err)
		}
		switch now {
		case e.SHA256:
			one.Same++
			continue
		case "":
			one.Changes = append(one.Changes, web.FileChange{Name: shownName(e.Name), Kind: "new", Size: e.Size})
		default:
			one.Changes = append(one.Changes, web.FileChange{Name: shownName(e.Name), Kind: "changed", Size: e.Size})
		}
		if why := k.unusable(e.Name); why != "" {
			one.Refused = why
		}
	}
	have, err := k.folder.Inventory(part)
	if err != nil {
		return fmt.Errorf("comparing the backup: %w", err)
	}
	for _, e := range have {
		if !in[e.Name] {
			one.Changes = append(one.Changes, web.FileChange{Name: shownName(e.Name), Kind: "gone", Size: e.Size})
		}
	}
	return nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// shownName is how people know a file of the box.
func shownName(name string) string {
	if name == backup.PasswordEntry {
		return "the password of this page"
	}
	return strings.TrimPrefix(name, "tftp/")
}

// sumNow is the sum of what the box has under a name; "" = nothing.
func (k *keeper) sumNow(name string) (string, error) {
	if name != backup.PasswordEntry {
		return k.folder.Sum(name)
	}
	hash, err := (secrets{k.b.store}).Password()
	if err != nil || hash == "" {
		return "", err
	}
	return sumOf([]byte(hash)), nil
}

// unusable says why a staged file would shut people out; "" = it would not.
func (k *keeper) unusable(name string) string {
	switch part, _ := backup.PartOf(name); part {
	case backup.Password:
		if hash, err := k.folder.Staged(name); err != nil || !web.ValidHash(string(hash)) {
			return "The password of the backup is none that this phonebox can check."
		}
	case backup.Certificate:
		text, err := k.folder.Staged(name)
		if err == nil {
			_, err = tls.X509KeyPair(text, text)
		}
		if err != nil {
			return "The certificate of the backup cannot be used: key and certificate do not belong together, or one is missing."
		}
	}
	return ""
}

// Restore implements [web.Backups].
func (k *keeper) Restore(ctx context.Context, id string, names []string) error {
	parts, err := partsOf(names)
	if err != nil {
		return err
	}
	if !k.storing.TryLock() {
		return busyRestoring()
	}
	defer k.storing.Unlock()
	s := k.waiting()
	if s == nil || s.preview.ID != id {
		return &web.PublicError{Status: http.StatusConflict, Text: "This backup no longer waits: another one was uploaded, or the box was started again. Upload it once more."}
	}
	for _, part := range parts {
		i := slices.IndexFunc(s.preview.Parts, func(p web.RestorePart) bool { return p.Name == string(part) })
		if i < 0 {
			return &web.PublicError{Status: http.StatusUnprocessableEntity, Text: fmt.Sprintf("The backup has no such part: %s.", part)}
		}
		if why := s.preview.Parts[i].Refused; why != "" {
			return &web.PublicError{Status: http.StatusUnprocessableEntity, Text: why}
		}
	}
	hash, err := (secrets{k.b.store}).Password()
	if err != nil {
		return fmt.Errorf("restoring a backup: %w", err)
	}
	k.setStaged(nil) // whatever comes, it is used up
	err = k.exchange(func() error {
		return k.folder.Restore(s.contents, parts, hash, k.b.clock.Now().Round(0), live{k.b, ctx})
	})
	switch {
	case errors.Is(err, backup.ErrHalf):
		return &web.PublicError{
			Status: http.StatusInternalServerError, Text: "The backup was restored in part only. Restart the box: it brings this to an end at its start.", Cause: err,
		}
	case err != nil:
		return &web.PublicError{
			Status: http.StatusInternalServerError, Text: "The backup was not restored; all is as it was before. The log says more.", Cause: err,
		}
	}
	return nil
}

// LastRestore implements [web.Backups].
func (k *keeper) LastRestore() (web.RestoreDone, bool) {
	from, at, parts, ok := k.folder.Undoable()
	d := web.RestoreDone{Time: at, Made: from.Made, Box: from.Box}
	for _, p := range parts {
		d.Parts = append(d.Parts, string(p))
	}
	return d, ok
}

// Undo implements [web.Backups].
func (k *keeper) Undo(ctx context.Context) error {
	if !k.storing.TryLock() {
		return busyRestoring()
	}
	defer k.storing.Unlock()
	k.setStaged(nil)
	err := k.exchange(func() error { return k.folder.Undo(k.b.clock.Now().Round(0), live{k.b, ctx}) })
	if errors.Is(err, backup.ErrNothingToUndo) {
		return &web.PublicError{Status: http.StatusConflict, Text: backup.ErrNothingToUndo.Error()}
	}
	if err != nil {
		return &web.PublicError{
			Status: http.StatusInternalServerError, Text: "The restore was not taken back as a whole. Restart the box: it goes on with it at its start.", Cause: err,
		}
	}
	return nil
}

// exchange runs change while nobody else changes the settings or the files, and makes the box see the new files. Its error is that of
// change alone: files that cannot be looked through now are looked through again soon.
func (k *keeper) exchange(change func() error) error {
	k.b.changing.Lock()
	defer k.b.changing.Unlock()
	var err error
	if seen := k.b.provision.Exclusively(func() error { err = change(); return nil }); seen != nil {
		k.b.log.Warn("looking through the files after a restore", "err", seen)
	}
	k.b.web.ReloadCertificate()
	return err
}

// live puts settings and password of a backup in force while the box runs; the caller holds b.changing.
type live struct {
	b   *Box
	ctx context.Context
}

// PutSite implements [backup.Live].
func (l live) PutSite(text []byte) error {
	if bytes.Equal(text, l.b.current().text) {
		return nil
	}
	s, faults := site.Parse(text, site.Catalogue())
	if err := refused(faults); err != nil {
		return err
	}
	return l.b.apply(l.ctx, s, text)
}

// PutPassword implements [backup.Live].
func (l live) PutPassword(hash string) error { return secrets{l.b.store}.SetPassword(hash) }

// starting does the same before the box runs.
type starting struct{ b *Box }

// PutSite implements [backup.Live].
func (s starting) PutSite(text []byte) error { return site.Save(s.b.opt.Data, text) }

// PutPassword implements [backup.Live].
func (s starting) PutPassword(hash string) error { return secrets{s.b.store}.SetPassword(hash) }

// recoverRestore finishes a restore that a power cut stopped, before anything reads the data. A restore that cannot be
// finished must not keep the box from serving phones.
func (b *Box) recoverRestore() {
	said, err := backup.Open(b.opt.Data).Recover(starting{b})
	if err != nil {
		b.log.Error("a restore was interrupted, and could not be finished", "err", err)
		b.refuse(fmt.Sprintf("restoring a backup was interrupted, and could not be finished: %v. Restore the backup again.", err))
	}
	b.restored = said
	if said != "" {
		b.log.Warn("restore", "what", said)
	}
}
