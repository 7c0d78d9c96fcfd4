package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// Restore makes the chosen parts of the staged backup the data: afterwards these parts are what the backup holds, and nothing
// else. passwordNow is the hash that is in force. When a step fails, what was done is taken back and the error says what it
// was; where that failed as well it is [ErrHalf]. The caller sees to it that nobody else writes these files meanwhile.
func (f *Folder) Restore(c *Contents, parts []Part, passwordNow string, now time.Time, live Live) error {
	p := plan{Made: now, From: c.Header, Parts: parts}
	put := map[string]bool{}
	for _, e := range c.Entries {
		if part, _ := PartOf(e.Name); slices.Contains(parts, part) {
			put[e.Name] = true
		}
	}
	have, err := f.Inventory(parts...)
	if err != nil {
		return err
	}
	had := map[string]bool{PasswordEntry: true}
	for _, e := range have {
		had[e.Name] = true
	}
	for _, e := range c.Entries {
		if put[e.Name] {
			p.Ops = append(p.Ops, op{Name: e.Name, Put: true, Had: had[e.Name]})
		}
	}
	for _, e := range have {
		// A backup without settings has nothing to put in their place.
		if !put[e.Name] && e.Name != SiteEntry {
			p.Ops = append(p.Ops, op{Name: e.Name, Had: true})
		}
	}
	sortOps(p.Ops)
	if err := f.keepOld(p.Ops, passwordNow); err != nil {
		return errors.Join(err, f.Drop())
	}
	if err := f.begin(p); err != nil {
		return errors.Join(err, f.Drop())
	}
	if err := f.carryOut(p, live); err != nil {
		if again := f.takeBack(live); again != nil {
			return errors.Join(ErrHalf, err, again)
		}
		return err
	}
	return nil
}

// ErrHalf says that a restore failed in its middle and could not be taken back: the next start brings it to an end.
var ErrHalf = errors.New("the restore is neither done nor taken back")

// sortOps puts the files first, then the settings, which may fail, then the password.
func sortOps(ops []op) {
	rank := func(o op) int {
		switch {
		case o.Name == SiteEntry:
			return 2
		case o.Name == PasswordEntry:
			return 3
		case o.Put:
			return 1
		}
		return 0 // removals first: a file may give way to a folder of its name
	}
	slices.SortStableFunc(ops, func(a, b op) int { return rank(a) - rank(b) })
}

// keepOld puts what is there now beside the staged backup, for the undo.
func (f *Folder) keepOld(ops []op, passwordNow string) error {
	if err := os.RemoveAll(f.in(stageDir, oldDir)); err != nil {
		return fmt.Errorf("keeping what is there now: %w", err)
	}
	for _, o := range ops {
		if !o.Had {
			continue
		}
		to := f.in(stageDir, oldDir, filepath.FromSlash(o.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return fmt.Errorf("keeping what is there now: %w", err)
		}
		var err error
		if o.Name == PasswordEntry {
			err = renameio.WriteFile(to, []byte(passwordNow), 0o600)
		} else {
			err = linkOrCopy(f.in(filepath.FromSlash(o.Name)), to)
		}
		if err != nil {
			return fmt.Errorf("keeping what is there now: %w", err)
		}
	}
	return nil
}

// linkOrCopy gives a file a second name. Every file of the box is replaced by renaming, never written in place, so the second
// name keeps what was there.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

// begin stores the plan and makes the staged folder the active one: from then on the restore is carried out, whatever happens.
func (f *Folder) begin(p plan) error {
	if err := f.writePlan(p); err != nil {
		return err
	}
	f.step("sync the plan")
	if err := f.flush(); err != nil {
		return err
	}
	f.step("put the last restore aside")
	if err := os.RemoveAll(f.in(formerDir)); err != nil {
		return fmt.Errorf("beginning the restore: %w", err)
	}
	if err := os.Rename(f.in(activeDir), f.in(formerDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("beginning the restore: %w", err)
	}
	f.step("begin")
	if err := os.Rename(f.in(stageDir), f.in(activeDir)); err != nil {
		return errors.Join(fmt.Errorf("beginning the restore: %w", err), f.bringFormerBack())
	}
	f.step("sync the beginning")
	if err := f.flush(); err != nil {
		return errors.Join(err, f.notBegun())
	}
	_ = os.RemoveAll(f.in(formerDir)) // what cannot be removed now is removed at the next start
	return nil
}

// notBegun makes the active restore none, where the card did not say that it has it: nothing of it was done, and the next start must
// not do what a person was told has failed.
func (f *Folder) notBegun() error {
	if err := os.RemoveAll(f.in(activeDir)); err != nil {
		return fmt.Errorf("giving the restore up: %w", err)
	}
	return f.bringFormerBack()
}

// bringFormerBack makes the restore that was put aside the last one again, where none took its place.
func (f *Folder) bringFormerBack() error {
	if _, err := os.Stat(f.in(activeDir)); err == nil {
		return os.RemoveAll(f.in(formerDir))
	}
	if err := os.Rename(f.in(formerDir), f.in(activeDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for a restore: %w", err)
	}
	return nil
}

// carryOut does what the active plan says, from the beginning or from wherever it was stopped.
func (f *Folder) carryOut(p plan, live Live) error {
	for _, o := range p.Ops {
		f.step("do " + o.Name)
		if err := f.do(o, live); err != nil {
			return fmt.Errorf("restoring %s: %w", o.Name, err)
		}
	}
	f.step("sync what was done")
	if err := f.flush(); err != nil {
		return err
	}
	f.step("note that it is done")
	if p.Undo {
		if err := os.RemoveAll(f.in(activeDir)); err != nil {
			return fmt.Errorf("ending the undo: %w", err)
		}
		return f.flush()
	}
	if err := renameio.WriteFile(f.in(activeDir, doneFile), nil, 0o600); err != nil {
		return fmt.Errorf("ending the restore: %w", err)
	}
	f.step("tidy up")
	if err := os.RemoveAll(f.in(activeDir, newDir)); err != nil {
		return fmt.Errorf("ending the restore: %w", err)
	}
	return f.flush()
}

// do is one operation. What is to be put is renamed into its place; when it is no longer where it was, that has been done.
func (f *Folder) do(o op, live Live) error {
	from, to := f.in(activeDir, newDir, filepath.FromSlash(o.Name)), f.in(filepath.FromSlash(o.Name))
	switch o.Name {
	case SiteEntry, PasswordEntry:
		if !o.Put {
			return nil // there was none before: what is there now is better than nothing
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if o.Name == SiteEntry {
			return live.PutSite(content)
		}
		return live.PutPassword(string(content))
	}
	if !o.Put {
		// Done before it was stopped, its place may be taken by a folder, or its folder by a file.
		if info, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || err == nil && info.IsDir() {
			return nil
		}
		if err := os.Remove(to); err != nil {
			return err
		}
		// Folders that are empty now go as well; one that is not stays.
		for dir := filepath.Dir(to); len(dir) > len(f.in(tftpFolder)) && os.Remove(dir) == nil; dir = filepath.Dir(dir) {
		}
		return nil
	}
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// Undoable returns the last restore and when it was, if it can be taken back.
func (f *Folder) Undoable() (from Header, at time.Time, parts []Part, ok bool) {
	p, done, err := f.active()
	if err != nil || !done || p.Undo {
		return Header{}, time.Time{}, nil, false
	}
	return p.From, p.Made, p.Parts, true
}

// ErrNothingToUndo says that there is no restore that could be taken back.
var ErrNothingToUndo error = &Refusal{"There is no restore that could be taken back."}

// Undo brings back what was there before the last restore. It works once. When a step fails, the next start goes on.
func (f *Folder) Undo(now time.Time, live Live) error {
	p, done, err := f.active()
	if err != nil || !done || p.Undo {
		return ErrNothingToUndo
	}
	if err := f.Drop(); err != nil {
		return err
	}
	u, err := f.stageUndo(p, now)
	if err != nil {
		return errors.Join(err, f.Drop())
	}
	if err := f.begin(u); err != nil {
		return errors.Join(err, f.Drop())
	}
	return f.carryOut(u, live)
}

// stageUndo makes the old files of the active restore what is to be put in place.
func (f *Folder) stageUndo(p plan, now time.Time) (plan, error) {
	u := plan{Made: now, Undo: true, From: p.From, Parts: p.Parts}
	if err := os.MkdirAll(f.in(stageDir, newDir), 0o700); err != nil {
		return u, fmt.Errorf("preparing the undo: %w", err)
	}
	for _, o := range p.Ops {
		u.Ops = append(u.Ops, op{Name: o.Name, Put: o.Had, Had: o.Put})
		if !o.Had {
			continue
		}
		to := f.in(stageDir, newDir, filepath.FromSlash(o.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return u, fmt.Errorf("preparing the undo: %w", err)
		}
		if err := linkOrCopy(f.in(activeDir, oldDir, filepath.FromSlash(o.Name)), to); err != nil {
			return u, fmt.Errorf("preparing the undo: %w", err)
		}
	}
	sortOps(u.Ops)
	return u, nil
}

// takeBack undoes a restore that failed in its middle.
func (f *Folder) takeBack(live Live) error {
	p, _, err := f.active()
	if err != nil {
		return err
	}
	if err := f.Drop(); err != nil {
		return err
	}
	u, err := f.stageUndo(p, p.Made)
	if err != nil {
		return err
	}
	if err := f.begin(u); err != nil {
		return err
	}
	return f.carryOut(u, live)
}

// Recover tidies up after the last run, at the start of the box before anything reads the data: a backup that was only
// uploaded is dropped, a restore or an undo that had begun is carried out. said tells of the latter; "" = there was none.
func (f *Folder) Recover(live Live) (said string, err error) {
	if err := errors.Join(f.Drop(), f.bringFormerBack()); err != nil {
		return "", err
	}
	p, done, err := f.active()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case done:
		return "", os.RemoveAll(f.in(activeDir, newDir))
	}
	if err := f.carryOut(p, live); err != nil {
		return "", err
	}
	if p.Undo {
		return "taking a restore back was interrupted, and was finished now", nil
	}
	return fmt.Sprintf("restoring the backup of %q was interrupted, and was finished now", p.From.Box), nil
}
