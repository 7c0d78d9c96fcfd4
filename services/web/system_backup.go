package web

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// backupView is the page of backups.
type backupView struct {
	Parts   []partView
	Problem string
	Waits   bool // a backup was uploaded and waits for a yes
	Last    *lastRestoreView
	Min     int // characters of a passphrase
}

// partView is a part of a backup in words.
type partView struct {
	Name, Title, About, Size string
	Checked, Empty           bool
}

// lastRestoreView is the restore that can be taken back.
type lastRestoreView struct{ When, Box, Made, Parts string }

// partWords are the parts in words.
var partWords = map[string]struct{ title, about string }{
	"settings":    {"Settings", "Everything that this page sets, with all phones and their passwords."},
	"files":       {"Rings, logo and own files", "What people uploaded for the phones, but no firmware."},
	"firmware":    {"Firmware", "The loads on the shelf. They are large, and whoever gave them to you has them still."},
	"certificate": {"Certificate of this page", "With its key, so that a new box is not a stranger to your browsers."},
	"password":    {"Password of this page", "Its hash, from which it cannot be read. Without it a new box asks for a first password."},
}

const minPassphrase = 8

func partsView(parts []BackupPart) []partView {
	var out []partView
	for _, p := range parts {
		words := partWords[p.Name]
		v := partView{Name: p.Name, Title: words.title, About: words.about, Size: sizeOf(p.Files, p.Bytes), Empty: p.Files == 0}
		v.Checked = p.Name == "settings" || p.Name == "files"
		out = append(out, v)
	}
	return out
}

// sizeOf writes how much a part is.
func sizeOf(files int, bytes int64) string {
	if files == 0 {
		return "nothing"
	}
	return count(files, "file") + ", " + storageWords(bytes)
}

func partTitles(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, cmp.Or(partWords[n].title, n))
	}
	return strings.Join(out, ", ")
}

func (s *Server) backupPage(w http.ResponseWriter, r *http.Request) error {
	return s.showBackup(w, r, http.StatusOK, "")
}

func (s *Server) showBackup(w http.ResponseWriter, r *http.Request, code int, problem string) error {
	parts, err := s.deps.System.BackupParts()
	if err != nil {
		return orElse(err, http.StatusInternalServerError, "What could be backed up cannot be read from the card.")
	}
	v := backupView{Parts: partsView(parts), Problem: problem, Min: minPassphrase}
	_, v.Waits = s.deps.System.Staged()
	if last, ok := s.deps.System.LastRestore(); ok {
		now := s.deps.Now()
		v.Last = &lastRestoreView{When: timeWords(last.Time, now), Box: last.Box, Made: timeWords(last.Made, now), Parts: partTitles(last.Parts)}
	}
	return s.show(w, r, code, "systembackup", "Backup", "/system/backup", v)
}

// backupPost sends the backup.
func (s *Server) backupPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	passphrase := r.PostForm.Get("passphrase")
	switch {
	case passphrase != r.PostForm.Get("again"):
		return s.showBackup(w, r, http.StatusUnprocessableEntity, "The two passphrases are not the same.")
	case passphrase != "" && len(passphrase) < minPassphrase:
		return s.showBackup(w, r, http.StatusUnprocessableEntity, "The passphrase is too short: take several words.")
	}
	err := s.sendBackup(w, r, r.PostForm["part"], passphrase)
	var pub *PublicError
	if errors.As(err, &pub) && pub.Status == http.StatusUnprocessableEntity {
		return s.showBackup(w, r, pub.Status, pub.Text)
	}
	return err
}

// sendBackup streams a backup. What fails in its middle cuts the connection, so that nobody takes the half for a whole.
func (s *Server) sendBackup(w http.ResponseWriter, r *http.Request, parts []string, passphrase string) error {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(uploadTime))
	began := false
	err := s.deps.System.Backup(r.Context(), parts, passphrase, func(name string) io.Writer {
		began = true
		s.report(r, Event{Kind: EventSecrets, What: backupSentence(parts, passphrase), Code: http.StatusOK})
		attach(w, name, "application/octet-stream")
		return w
	})
	if err == nil {
		return nil
	}
	if began {
		s.deps.Log.Warn("a backup broke off", "err", err)
		panic(http.ErrAbortHandler)
	}
	return orElse(err, http.StatusInternalServerError, "The backup could not be made; the log says why.")
}

func backupSentence(parts []string, passphrase string) string {
	text := "A backup was made: " + partTitles(parts)
	if passphrase == "" {
		return text + ", not encrypted."
	}
	return text + ", encrypted."
}

// apiBackup sends a backup to a program; the passphrase comes in a header, for addresses stand in logs.
func (s *Server) apiBackup(w http.ResponseWriter, r *http.Request) error {
	parts := listed(r.URL.Query().Get("parts"))
	if len(parts) == 0 {
		parts = []string{"settings", "files"}
	}
	return s.sendBackup(w, r, parts, r.Header.Get(passphraseHeader))
}

const passphraseHeader = "X-Phonebox-Passphrase"

// listed reads names with commas between.
func listed(s string) []string {
	return slices.DeleteFunc(strings.Split(s, ","), func(name string) bool { return name == "" })
}

// restoreView is what a backup would change.
type restoreView struct {
	ID, Made, Box, By string
	Encrypted         bool
	Warnings          []string
	Busy              []string
	Parts             []restorePartView
	Problem           string
}

// restorePartView is one part of it.
type restorePartView struct {
	partView
	Refused  string
	Same     int
	Keys     []changeLine // differences of the settings that concern no phone
	Added    []string     // phones
	Removed  []string
	Phones   []changeLine // differences of phones that stay
	Files    []FileChange
	MoreKeys int
	MoreFile int
	Nothing  bool
}

// Bounds of what a preview lists.
const (
	maxPreviewKeys  = 200
	maxPreviewFiles = 200
)

func (s *Server) restorePage(w http.ResponseWriter, r *http.Request) error {
	return s.showRestore(w, r, http.StatusOK, "")
}

func (s *Server) showRestore(w http.ResponseWriter, r *http.Request, code int, problem string) error {
	p, ok := s.deps.System.Staged()
	if !ok {
		if problem == "" {
			return s.done(w, r, "/system/backup", "No backup waits to be restored.")
		}
		return s.showBackup(w, r, code, problem)
	}
	now := s.deps.Now()
	v := restoreView{ID: p.ID, Made: timeWords(p.Made, now), Box: p.Box, By: p.By, Encrypted: p.Encrypted, Warnings: p.Warnings, Problem: problem, Busy: s.busyPhones()}
	for _, part := range p.Parts {
		v.Parts = append(v.Parts, newRestorePart(part))
	}
	return s.show(w, r, code, "systemrestore", "Restore a backup", "/system/backup", v)
}

// newRestorePart sorts what a part would change into what people look for.
func newRestorePart(p RestorePart) restorePartView {
	words := partWords[p.Name]
	v := restorePartView{
		partView: partView{Name: p.Name, Title: words.title, About: words.about, Size: sizeOf(p.Files, p.Bytes), Checked: p.Refused == ""},
		Refused:  p.Refused, Same: p.Same, Nothing: p.Refused == "" && len(p.Settings)+len(p.Changes) == 0,
	}
	keys := p.Settings
	if v.MoreKeys = max(0, len(keys)-maxPreviewKeys); v.MoreKeys > 0 {
		keys = keys[:maxPreviewKeys]
	}
	for _, c := range keys {
		switch {
		case c.Key == "phones" && c.Kind == "added":
			v.Added = append(v.Added, strings.TrimSpace(c.Who+" "+c.New))
		case c.Key == "phones" && c.Kind == "removed":
			v.Removed = append(v.Removed, strings.TrimSpace(c.Who+" "+c.Old))
		case !c.MAC.IsZero():
			v.Phones = append(v.Phones, newChangeLine(c))
		default:
			v.Keys = append(v.Keys, newChangeLine(c))
		}
	}
	v.Files = p.Changes
	if v.MoreFile = max(0, len(v.Files)-maxPreviewFiles); v.MoreFile > 0 {
		v.Files = v.Files[:maxPreviewFiles]
	}
	return v
}

// restoreUpload reads a backup and leads to its preview.
func (s *Server) restoreUpload(w http.ResponseWriter, r *http.Request) error {
	passphrase, content, err := backupUpload(w, r)
	if err == nil {
		_, err = s.deps.System.Stage(context.WithoutCancel(r.Context()), content, passphrase)
	}
	var pub *PublicError
	switch {
	case errors.As(err, &pub):
		return s.showBackup(w, r, pub.Status, pub.Text)
	case err != nil:
		return readFailure(err)
	}
	http.Redirect(w, r, "/system/restore", http.StatusSeeOther)
	return nil
}

// backupUpload finds passphrase and file in a form, or takes the body. The passphrase has to come first, as it does in ours.
func backupUpload(w http.ResponseWriter, r *http.Request) (passphrase string, content io.Reader, err error) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(uploadTime))
	_ = rc.SetWriteDeadline(time.Now().Add(uploadTime + writeTimeout))
	passphrase = r.Header.Get(passphraseHeader)
	parts, err := r.MultipartReader()
	if err != nil {
		return passphrase, r.Body, nil //nolint:nilerr // no form: the body is the backup
	}
	for range maxFiles {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, readFailure(err)
		}
		switch {
		case part.FormName() == "passphrase":
			text, err := io.ReadAll(io.LimitReader(part, 1<<10))
			if err != nil {
				return "", nil, readFailure(err)
			}
			passphrase = string(text)
		case part.FileName() != "":
			return passphrase, part, nil
		}
	}
	return "", nil, public(http.StatusUnprocessableEntity, "Choose the file of the backup first.")
}

// busyText is told to whoever exchanges what phones fetch while one of them fetches it.
const busyText = "Nothing was done: a phone is writing firmware. Tick the box if you mean it."

// restoreDecide says yes to chosen parts, or no.
func (s *Server) restoreDecide(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, parts := r.PostForm.Get("id"), r.PostForm["part"]
	if r.PostForm.Get("yes") != "1" {
		if err := s.deps.System.Forget(r.Context(), id); err != nil {
			return orElse(err, http.StatusInternalServerError, "The upload could not be removed; it is at the next start.")
		}
		return s.done(w, r, "/system/backup", "Nothing was changed.")
	}
	switch {
	case len(parts) == 0:
		return s.showRestore(w, r, http.StatusUnprocessableEntity, "Choose at least one part.")
	case len(s.busyPhones()) > 0 && r.PostForm.Get("anyway") != "1":
		return s.showRestore(w, r, http.StatusConflict, busyText)
	}
	if err := s.restore(r, id, parts); err != nil {
		var pub *PublicError
		if errors.As(err, &pub) {
			return s.showRestore(w, r, pub.Status, pub.Text)
		}
		return err
	}
	text := "The backup is restored. If something is wrong with it, take it back below."
	if slices.Contains(parts, "password") {
		return s.openSession(w, r, "/system/backup?say="+s.says.put(flash{Text: text + " The password of this page is the one of the backup now."}))
	}
	return s.done(w, r, "/system/backup", text)
}

// restore does it. Who closes the tab meanwhile gets the whole of it all the same.
func (s *Server) restore(r *http.Request, id string, parts []string) error {
	staged, _ := s.deps.System.Staged()
	if err := s.deps.System.Restore(context.WithoutCancel(r.Context()), id, parts); err != nil {
		return orElse(err, http.StatusInternalServerError, "The backup was not restored; the log says why.")
	}
	s.changed(r, "A backup of "+cmp.Or(staged.Box, "a box without a name")+" was restored: "+partTitles(parts)+".")
	return nil
}

// undoView asks once more.
type undoView struct {
	Last    lastRestoreView
	Busy    []string
	Problem string
}

func (s *Server) undoAsk(w http.ResponseWriter, r *http.Request) error {
	return s.showUndo(w, r, http.StatusOK, "")
}

func (s *Server) showUndo(w http.ResponseWriter, r *http.Request, code int, problem string) error {
	last, ok := s.deps.System.LastRestore()
	if !ok {
		return s.done(w, r, "/system/backup", "There is no restore that could be taken back.")
	}
	now := s.deps.Now()
	v := undoView{Last: lastRestoreView{When: timeWords(last.Time, now), Box: last.Box, Made: timeWords(last.Made, now), Parts: partTitles(last.Parts)}, Busy: s.busyPhones(), Problem: problem}
	return s.show(w, r, code, "systemundo", "Take a restore back", "/system/backup", v)
}

func (s *Server) undoPost(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if len(s.busyPhones()) > 0 && r.PostForm.Get("anyway") != "1" {
		return s.showUndo(w, r, http.StatusConflict, busyText)
	}
	last, _ := s.deps.System.LastRestore()
	if err := s.undo(r); err != nil {
		return err
	}
	const text = "The restore is taken back: all is as it was before it."
	if slices.Contains(last.Parts, "password") {
		return s.openSession(w, r, "/system/backup?say="+s.says.put(flash{Text: text}))
	}
	return s.done(w, r, "/system/backup", text)
}

func (s *Server) undo(r *http.Request) error {
	if err := s.deps.System.Undo(context.WithoutCancel(r.Context())); err != nil {
		return orElse(err, http.StatusInternalServerError, "The restore could not be taken back; the log says why.")
	}
	s.changed(r, "The last restore was taken back.")
	return nil
}

// apiRestore says what a backup would change, and does it without ?dry_run=1.
func (s *Server) apiRestore(w http.ResponseWriter, r *http.Request) error {
	dry := r.URL.Query().Get("dry_run") == "1"
	if !dry {
		if err := s.idleOrAnyway(r); err != nil {
			return err
		}
	}
	passphrase, content, err := backupUpload(w, r)
	if err != nil {
		return err
	}
	p, err := s.deps.System.Stage(context.WithoutCancel(r.Context()), content, passphrase)
	if err != nil {
		var pub *PublicError
		if errors.As(err, &pub) {
			return err
		}
		return readFailure(err)
	}
	if dry {
		if err := s.deps.System.Forget(r.Context(), p.ID); err != nil {
			return orElse(err, http.StatusInternalServerError, "The upload could not be removed; it is at the next start.")
		}
		writeJSON(w, http.StatusOK, p)
		return nil
	}
	parts := listed(r.URL.Query().Get("parts"))
	if len(parts) == 0 {
		for _, one := range p.Parts {
			parts = append(parts, one.Name)
		}
	}
	if err := s.restore(r, p.ID, parts); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, p)
	return nil
}

// idleOrAnyway refuses a program while a phone writes firmware, unless it sends ?anyway=1.
func (s *Server) idleOrAnyway(r *http.Request) error {
	if busy := s.busyPhones(); len(busy) > 0 && r.URL.Query().Get("anyway") != "1" {
		return public(http.StatusConflict, "A phone is writing firmware: "+and(busy)+". Send ?anyway=1 if you mean it.")
	}
	return nil
}

func (s *Server) apiUndo(w http.ResponseWriter, r *http.Request) error {
	if err := s.idleOrAnyway(r); err != nil {
		return err
	}
	if err := s.undo(r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
