package repotest_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"phonebox/appliance/repotest"
)

func tree(t *testing.T) (string, []repotest.File) {
	t.Helper()
	root, files, err := repotest.Tree(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d Go files in %s: this is not the whole checkout", len(files), root)
	}
	return root, files
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

func TestImports(t *testing.T) {
	_, files := tree(t)
	report(t, repotest.CheckImports(files))
}

func TestPackageComments(t *testing.T) {
	_, files := tree(t)
	report(t, repotest.CheckPackageComments(files))
}

func TestOnlyTheClockSetsAClock(t *testing.T) {
	_, files := tree(t)
	report(t, repotest.CheckClock(files))
}

func TestNothingSkipsInCI(t *testing.T) {
	_, files := tree(t)
	report(t, repotest.CheckSkips(files))
}

func TestInstance(t *testing.T) {
	root, _ := tree(t)
	faults, err := repotest.CheckInstance(root)
	if err != nil {
		t.Fatal(err)
	}
	report(t, faults)
}

// TestRulesBite shows that each import rule finds its fault.
func TestRulesBite(t *testing.T) {
	for _, tt := range []struct {
		pkg, imported string
		test          bool
		want          string
	}{
		{"services/dhcp", "phonebox/appliance/site", false, "services never import the appliance"},
		{"services/dhcp", "phonebox/services/dns", false, "no service imports another"},
		{"services/dhcp", "phonebox/services/dns", true, "no service imports another"},
		{"services/dhcp", "phonebox/services/dhcp/lease", false, ""},
		{"services/dhcp/lease", "phonebox/services/phone", false, "standard library"},
		{"services/phone", "github.com/miekg/dns", false, "standard library"},
		{"services/phone", "golang.org/x/image/bmp", false, ""},
		{"services/tftp", "phonebox/services/phone", false, ""},
		{"services/tftp", "phonebox/services/internal/udp", false, ""},
		{"services/tftp", "phonebox/services/testkit", false, "testkit is for tests"},
		{"services/tftp", "phonebox/services/testkit", true, ""},
		{"appliance/e2e/capacity", "phonebox/services/testkit/netns", false, ""},
		{"appliance/e2e/capacity", "phonebox/services/testkit", false, "testkit is for tests"},
		{"appliance/netdev", "phonebox/services/testkit/netns", false, "testkit is for tests"},
		{"services/provision", "phonebox/services/dhcp/lease", false, "no service imports another"},
		{"appliance/clock", "github.com/vishvananda/netlink", false, "only appliance/netdev"},
		{"appliance/netdev", "github.com/vishvananda/netlink", false, ""},
		{"appliance/phonesim", "phonebox/services/tftp", false, "never imports a server"},
		{"appliance/phonesim/cmd/phonesim", "phonebox/services/dhcp/lease", true, "never imports a server"},
		{"appliance/phonesim", "phonebox/services/phone", false, ""},
		{"appliance/journal", "phonebox/appliance/assemble", false, "only the daemon"},
		{"appliance/journal", "log", false, "slog"},
		{"appliance/assemble", "phonebox/services/dhcp", false, ""},
	} {
		f := repotest.File{Path: tt.pkg + "/x.go", Package: tt.pkg, Test: tt.test, Imports: []string{tt.imported}}
		got := strings.Join(repotest.CheckImports([]repotest.File{f}), "\n")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s imports %s (test %t): got %q, want %q", tt.pkg, tt.imported, tt.test, got, tt.want)
		}
	}
}

// TestSkipsAreFound plants each way to skip a test, and what only looks like one.
func TestSkipsAreFound(t *testing.T) {
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{"services/dns/x_test.go", "t.Skip()", 1},
		{"services/dns/x_test.go", `b.Skipf("no %s", "dig"); tb.SkipNow()`, 2},
		{"services/dns/x_test.go", `if os.Getenv("CI") != "true" { t.Skip("here") }`, 1}, // a reader could not trust it: one place decides
		{"services/testkit/x.go", "t.SkipNow()", 1},
		{"services/web/x_test.go", "if testing.Short() { return }", 1},
		{"services/testkit/need.go", "t.Skipf(\"needs it\")", 0},
		{"appliance/convert/x_test.go", "order(convert.Skip); d.Short(); skips(t)", 0},
	} {
		syntax, err := parser.ParseFile(token.NewFileSet(), tt.path, "package x\nfunc f() {"+tt.body+"}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := repotest.CheckSkips([]repotest.File{{Path: tt.path, Syntax: syntax}}); len(got) != tt.want {
			t.Errorf("%s: %s: found %q, wanted %d", tt.path, tt.body, got, tt.want)
		}
	}
}
