package repotest

import (
	"fmt"
	"strings"
)

// CheckImports returns a sentence for each import that DESIGN's "Import rules" forbid.
func CheckImports(files []File) []string {
	var out []string
	for _, f := range files {
		for _, i := range f.Imports {
			if why := forbidden(f, i); why != "" {
				out = append(out, fmt.Sprintf("%s imports %s: %s", f.Path, i, why))
			}
		}
	}
	return out
}

// pure reports whether a package imports the standard library and golang.org/x alone; the packages of services/phone may
// import each other.
func pure(pkg string) bool { return within(pkg, "services/phone") || pkg == "services/dhcp/lease" }

// banned are imports that nobody may have, with the reason.
var banned = map[string]string{
	"log":            "the logger is a *slog.Logger that is passed in",
	"io/ioutil":      "os and io have it",
	"math/rand":      "crypto/rand for what others must not guess, math/rand/v2 for the rest",
	"net/http/pprof": "it registers itself on the default mux",
}

func forbidden(f File, imported string) string {
	if why := banned[imported]; why != "" {
		return why
	}
	if pure(f.Package) && !f.Test && !standard(imported) && !strings.HasPrefix(imported, "golang.org/x/") &&
		!(within(f.Package, "services/phone") && within(strings.TrimPrefix(imported, Module+"/"), "services/phone")) {
		return "this package imports the standard library and golang.org/x alone"
	}
	if strings.HasPrefix(imported, "github.com/vishvananda/netlink") && f.Package != "appliance/netdev" {
		return "only appliance/netdev touches netlink"
	}
	own, ok := strings.CutPrefix(imported, Module+"/")
	if !ok {
		return ""
	}
	measures := f.Package == "appliance/e2e/capacity" && own == "services/testkit/netns" // in a lab of its own, as tests do
	if strings.HasPrefix(own, "services/testkit") && !f.Test && !within(f.Package, "services/testkit") && !measures {
		return "testkit is for tests"
	}
	if within(f.Package, "services") {
		return forbiddenToService(f, own)
	}
	if within(f.Package, "appliance/phonesim") && within(own, "services") && !within(own, "services/phone") && own != "services/testkit" {
		return "the virtual phone never imports a server: a shared mistake could hide"
	}
	if own == "appliance/assemble" && f.Package != "appliance/phoneboxd" && f.Package != "appliance/assemble" && f.Package != "appliance/e2e" {
		return "assemble knows all the others; only the daemon knows assemble"
	}
	return ""
}

// forbiddenToService are the rules of services/*: they know neither the appliance nor each other.
func forbiddenToService(f File, own string) string {
	switch {
	case within(own, "appliance"):
		return "services never import the appliance"
	case within(own, "services/phone"), within(own, "services/internal"), within(own, "services/testkit"):
		return ""
	case family(own) != family(f.Package):
		return "no service imports another"
	}
	return ""
}

// family is the service that a package belongs to: services/dhcp for services/dhcp/lease.
func family(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// standard reports whether an import path is of the standard library: its first element has no dot, and it is not ours.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && first != Module
}
