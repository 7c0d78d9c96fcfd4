package repotest

import (
	"encoding/json"
	"fmt"
	"go/ast"
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

// mayskip is where a test may be skipped: it fails there where CI=true.
const mayskip = "services/testkit/need.go"

// CheckSkips returns a sentence for each place that can skip a test, whatever it calls the test, and for each that lets
// -short leave a part of one out: in CI nothing may skip.
func CheckSkips(files []File) []string {
	var out []string
	for _, f := range files {
		if f.Path == mayskip {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && (slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) || sel.Sel.Name == "Short" && isName(sel.X, "testing")) {
				out = append(out, fmt.Sprintf("%s calls %s: use testkit.Need or testkit.Lacking, which fail where CI=true", f.Path, sel.Sel.Name))
			}
			return true
		})
	}
	return out
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
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
