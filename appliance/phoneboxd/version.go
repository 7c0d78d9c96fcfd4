//go:build linux

package main

import (
	"os"
	"runtime/debug"
	"time"
)

// version names the build by its commit, where the build knows it, and tells when it was made: no clock of the box may show
// less than that.
func version() (name string, built time.Time) {
	name = "development"
	if exe, err := os.Executable(); err == nil {
		if st, err := os.Stat(exe); err == nil {
			built = st.ModTime()
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name, built
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			name = s.Value[:min(12, len(s.Value))]
		case "vcs.time":
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil && t.After(built) {
				built = t
			}
		}
	}
	return name, built
}
