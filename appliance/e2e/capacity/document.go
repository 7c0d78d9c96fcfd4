package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The markers between which the document's tables stand.
const (
	beginMarker = "<!-- figures: written by go run ./appliance/e2e/capacity -doc docs/capacity.md -->"
	endMarker   = "<!-- figures: end -->"
)

// write prints the tables and writes what the flags ask for.
func (o options) write(stdout io.Writer, results []result) error {
	if len(results) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(stdout, markdown(results))
	if o.json != "" {
		err = errors.Join(err, writeJSON(o.json, results))
	}
	if o.doc != "" {
		err = errors.Join(err, document(o.doc, results))
	}
	return err
}

func writeJSON(path string, results []result) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// document renews the tables of a document. Measurements that were not made this time stay as they were.
func document(path string, results []result) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	head, rest, ok := strings.Cut(string(text), beginMarker)
	_, foot, ok2 := strings.Cut(rest, endMarker)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no markers %q and %q", path, beginMarker, endMarker)
	}
	store := strings.TrimSuffix(path, ".md") + ".json"
	var kept []result
	if old, err := os.ReadFile(store); err == nil {
		if err := json.Unmarshal(old, &kept); err != nil {
			return fmt.Errorf("reading %s: %w", store, err)
		}
	}
	kept = merge(kept, results)
	if err := writeJSON(store, kept); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(head+beginMarker+"\n\n"+strings.TrimRight(markdown(kept), "\n")+"\n\n"+endMarker+foot), 0o644)
}

// merge replaces results by newer ones of the same name, in the order of the measurements.
func merge(kept, results []result) []result {
	var out []result
	for _, m := range measurements() {
		for _, list := range [][]result{results, kept} {
			if i := slices.IndexFunc(list, func(r result) bool { return r.Name == m.name }); i >= 0 {
				out = append(out, list[i])
				break
			}
		}
	}
	return out
}

// commitName is the commit of the tree, with a plus where it was changed since; the documents do not count.
func commitName(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(out))
	if out, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":!/docs").Output(); err == nil && len(out) > 0 {
		name += "+"
	}
	return name
}

// machineName says what the figures were measured on.
func machineName() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := "Linux"
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
		kernel += " " + release
	}
	return fmt.Sprintf("%d processors (%s), %s, %s", runtime.NumCPU(), model, kernel, runtime.Version())
}
