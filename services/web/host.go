package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// boxNames lists the host names of the box in lower case, each once.
func boxNames(cfg *Config) []string {
	names := []string{"phonebox", "phonebox.local"}
	if cfg.Domain != "" {
		names = append(names, "phonebox."+strings.ToLower(strings.Trim(cfg.Domain, ".")))
	}
	for _, n := range cfg.Names {
		names = append(names, strings.ToLower(strings.TrimSuffix(n, ".")))
	}
	if cfg.Single {
		names = append(names, "localhost")
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// boxAddrs lists the configured addresses of the box, each once.
func boxAddrs(cfg *Config) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range []netip.Addr{cfg.Server.Addr(), cfg.HTTP.Addr(), cfg.HTTPS.Addr()} {
		if a.IsValid() && !a.IsUnspecified() {
			addrs = append(addrs, a.Unmap().WithZone(""))
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// isHostName reports whether n can stand in a certificate.
func isHostName(n string) bool {
	if n == "" || len(n) > 253 {
		return false
	}
	for _, r := range n {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_' {
			return false
		}
	}
	return true
}

// hostAllowed reports whether the Host header names the box. A page of somebody else whose name was made to point at
// the box (DNS rebinding) carries that name and is refused. Requests without one come from HTTP/1.0 clients such as
// old phones, which have no name to be fooled by.
func hostAllowed(cfg *Config, r *http.Request) bool {
	if r.Host == "" {
		return !r.ProtoAtLeast(1, 1)
	}
	host := hostOnly(r.Host)
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap().WithZone("")
		return slices.Contains(boxAddrs(cfg), a) || a == localAddr(r) || cfg.Single && a.IsLoopback()
	}
	return slices.Contains(boxNames(cfg), strings.TrimSuffix(strings.ToLower(host), "."))
}

// hostOnly cuts the port and the brackets off a Host header.
func hostOnly(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
}

// remoteAddr is the address of who asks; not valid when it cannot be told.
func remoteAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// localAddr is the address of the box that the request came to; not valid when it cannot be told.
func localAddr(r *http.Request) netip.Addr {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// fromBox reports whether the request comes from the box itself: from loopback, or from the very address that it went
// to, which over TCP nobody else can claim.
func fromBox(r *http.Request) bool {
	from := remoteAddr(r)
	return from.IsLoopback() || from.IsValid() && from == localAddr(r)
}

// maySetUp reports whether the first password may be set from there (promise 5).
func maySetUp(cfg *Config, from netip.Addr) bool {
	if !from.IsValid() {
		return false
	}
	if cfg.Single {
		return from.IsLoopback()
	}
	return cfg.Server.IsValid() && cfg.Server.Masked().Contains(from)
}
