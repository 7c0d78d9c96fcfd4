package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/appliance/store"
	"phonebox/services/dhcp"
	"phonebox/services/dhcp/lease"
)

// TestDamagedFileOnAReadOnlyCard: what can be read is served, nothing is called stored, both faults are told, and as soon
// as the card takes writes again all is put in order.
func TestDamagedFileOnAReadOnlyCard(t *testing.T) { inMounts(t, "rotten") }

const rottenLeases = 400

// rottenAndReadOnly plays it for one kind of damage after the other, each in a file system of its own. It returns the
// exit code; 3 = no mounting here.
func rottenAndReadOnly(dir string) int {
	for what, hurt := range map[string]func(path string) error{
		"both meta pages gone": func(path string) error { return overwrite(path, 0, make([]byte, 8192)) },
		"a page gone":          func(path string) error { return overwrite(path, 5*4096, make([]byte, 4096)) },
		"the file gone":        os.Remove,
		"the file cut":         func(path string) error { return os.Truncate(path, 9000) },
	} {
		at := filepath.Join(dir, strings.ReplaceAll(what, " ", "-"))
		if err := os.Mkdir(at, 0o700); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=16m"); err != nil {
			fmt.Fprintln(os.Stderr, "mounting:", err)
			return 3
		}
		if err := rotten(at, hurt); err != nil {
			fmt.Fprintln(os.Stderr, what+":", err)
			return 1
		}
	}
	return 0
}

func overwrite(path string, at int64, with []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(with, at)
	return errors.Join(err, f.Close())
}

func rotten(dir string, hurt func(path string) error) error {
	ctx := context.Background()
	s, err := store.Open(dir, nil)
	if err != nil {
		return err
	}
	var all []lease.Record
	for i := range rottenLeases {
		all = append(all, record(i))
	}
	late := record(5000) // in the log alone
	err = errors.Join(s.Commit(ctx, all...), s.SetValue(ctx, "site", []byte("the site")), s.FoldNow(), s.Commit(ctx, late), s.Close())
	if err = errors.Join(err, hurt(filepath.Join(dir, "leases.db")), unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")); err != nil {
		return err
	}
	if s, err = store.Open(dir, nil); err != nil {
		return fmt.Errorf("a damaged file on a read-only card: %w", err)
	}
	defer func() { _ = s.Close() }()
	kept, err := s.Leases(ctx)
	if !errors.Is(err, dhcp.ErrIncomplete) || len(kept) == 0 || kept[len(kept)-1].Address != late.Address {
		return fmt.Errorf("read-only: %d leases: %w; want some, the last one, and to be told that others may be missing", len(kept), err)
	}
	if err := wantReadOnly(ctx, s); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, ""); err != nil {
		return err
	}
	fresh := record(5001)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // polling
		if err = s.Commit(ctx, fresh); err == nil {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the card can be written again: %w", err)
		}
	}
	if s.Failing() != nil {
		return fmt.Errorf("the card can be written again, and Failing says: %w", s.Failing())
	}
	if err := errors.Join(s.SetValue(ctx, "x", []byte("y")), s.Close()); err != nil {
		return err
	}
	return wantInOrder(ctx, dir, len(kept)+1)
}

// wantReadOnly looks for what a store must tell and refuse while nothing can be written.
func wantReadOnly(ctx context.Context, s *store.Store) error {
	faults := strings.Join(s.Faults(), " ")
	if !strings.Contains(faults, "leases.db is damaged") || !strings.Contains(faults, "read-only") || !strings.Contains(faults, "not kept") || s.Failing() == nil {
		return fmt.Errorf("told is %q, and that leases can't be written: %w", faults, s.Failing())
	}
	if err := s.Commit(ctx, record(5001)); err == nil {
		return errors.New("a commit on a read-only card succeeded")
	}
	if err := s.SetValue(ctx, "x", []byte("y")); err == nil {
		return errors.New("a value was stored on a read-only card")
	}
	if v, err := s.Value(ctx, "x"); v != nil || err != nil {
		return fmt.Errorf("a value that was refused is there: %q, %w", v, err)
	}
	return nil
}

// wantInOrder opens the store once more: all that was served from memory is on disk, and what was missing stays missing.
func wantInOrder(ctx context.Context, dir string, leases int) error {
	s, err := store.Open(dir, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	got, err := s.Leases(ctx)
	if !errors.Is(err, dhcp.ErrIncomplete) || len(got) != leases || s.Failing() != nil {
		return fmt.Errorf("opened again: %d leases of %d: %w; failing: %w", len(got), leases, err, s.Failing())
	}
	for _, f := range s.Faults() { // journal.db could not be made while the card was read-only, or is damaged no more
		if strings.Contains(f, "leases") {
			return fmt.Errorf("opened again: %q", f)
		}
	}
	if v, err := s.Value(ctx, "x"); string(v) != "y" || err != nil {
		return fmt.Errorf("opened again: the value is %q, %w", v, err)
	}
	return nil
}
