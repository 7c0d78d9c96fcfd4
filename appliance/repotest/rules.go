package repotest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// CheckPackageComments returns a sentence for each package without a comment, and for each whose comment begins wrongly.
func CheckPackageComments(files []File) []string {
	docs := map[string]string{}
	names := map[string]string{}
	for _, f := range files {
		if f.Test {
			if _, ok := docs[f.Package]; !ok && onlyTests(files, f.Package) {
				docs[f.Package], names[f.Package] = "", f.Name
			}
			if f.Doc != "" && onlyTests(files, f.Package) {
				docs[f.Package] = f.Doc
			}
			continue
		}
		if docs[f.Package] == "" {
			docs[f.Package] = f.Doc
		}
		names[f.Package] = f.Name
	}
	var out []string
	for pkg, doc := range docs {
		want := "Package " + strings.TrimSuffix(names[pkg], "_test") + " "
		if names[pkg] == "main" {
			want = "Command " + filepath.Base(pkg) + " "
		}
		if !strings.HasPrefix(doc, want) {
			out = append(out, fmt.Sprintf("%s: the package comment begins with %.40q, wanted %q", pkg, doc, want))
		}
	}
	slices.Sort(out)
	return out
}

func onlyTests(files []File, pkg string) bool {
	return !slices.ContainsFunc(files, func(f File) bool { return f.Package == pkg && !f.Test })
}

// clockSetters are the ways to set a clock of the machine.
var clockSetters = []string{"ClockSettime", "Settimeofday", "Adjtimex", "ClockAdjtime", "RTCSetTime", "RTC_SET_TIME", "IoctlSetRTCTime", "SYS_CLOCK_SETTIME", "SYS_SETTIMEOFDAY"}

// CheckClock returns a sentence for each file outside of appliance/clock that could set a clock.
func CheckClock(files []File) []string {
	var out []string
	for _, f := range files {
		if f.Package == "appliance/clock" || f.Package == "appliance/repotest" {
			continue
		}
		for _, s := range clockSetters {
			if strings.Contains(f.Source, s) {
				out = append(out, fmt.Sprintf("%s has %s: only appliance/clock may set a clock", f.Path, s))
			}
		}
	}
	return out
}

// CheckSkips returns a sentence for each test file that can skip a test without failing in CI.
func CheckSkips(files []File) []string {
	var out []string
	for _, f := range files {
		if strings.Contains(f.Source, "t.Skip"+"f(") || strings.Contains(f.Source, "t.Skip"+"(") || strings.Contains(f.Source, "t.Skip"+"Now(") {
			if !strings.Contains(f.Source, `os.Getenv("CI")`) {
				out = append(out, fmt.Sprintf("%s can skip a test: use testkit.Need, which fails where CI=true", f.Path))
			}
		}
	}
	return out
}

// CheckInstance returns a sentence for each disagreement between config.json and the checkout: every program of ours
// exists, every extra file exists and does not aim at /perm, and every file of the overlay goes into the image.
func CheckInstance(root string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "config.json"))
	if err != nil {
		return nil, err
	}
	var c struct {
		Packages        []string
		GokrazyPackages []string // of gokrazy itself
		PackageConfig   map[string]struct{ ExtraFilePaths map[string]string }
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, err
	}
	var out []string
	for _, p := range c.Packages {
		own, ok := strings.CutPrefix(p, Module+"/")
		if _, err := os.Stat(filepath.Join(root, own)); ok && err != nil {
			out = append(out, fmt.Sprintf("config.json names the package %s, which is not there", p))
		}
	}
	used := map[string]bool{}
	for pkg, pc := range c.PackageConfig {
		if !slices.Contains(c.Packages, pkg) && !slices.Contains(c.GokrazyPackages, pkg) {
			out = append(out, fmt.Sprintf("config.json configures %s, which is not among its packages", pkg))
		}
		for target, source := range pc.ExtraFilePaths {
			used[filepath.ToSlash(source)] = true
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				out = append(out, fmt.Sprintf("config.json takes %s, which is not there", source))
			}
			if strings.HasPrefix(target, "/perm") {
				out = append(out, fmt.Sprintf("config.json aims %s at %s: /perm is another partition", source, target))
			}
			if want := filepath.Join("overlay", target); filepath.ToSlash(want) != source {
				out = append(out, fmt.Sprintf("config.json lays %s over %s, wanted %s", source, target, want))
			}
		}
	}
	err = filepath.WalkDir(filepath.Join(root, "overlay"), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err == nil && !used[filepath.ToSlash(rel)] {
			out = append(out, fmt.Sprintf("%s goes nowhere: config.json does not take it", rel))
		}
		return err
	})
	return out, err
}
