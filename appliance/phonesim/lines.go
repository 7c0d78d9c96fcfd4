package phonesim

import (
	"net/netip"
	"strconv"
	"time"
)

// Registration is one line at its proxy. It holds no password.
type Registration struct {
	Line    int       `json:"line"` // from 1
	Name    string    `json:"name"`
	Proxy   string    `json:"proxy,omitempty"`   // where it was found, address and port; "" = it was not found
	Code    int       `json:"code"`              // of the last final answer; 0 = none
	Expires int       `json:"expires,omitempty"` // seconds that the proxy granted last
	Until   time.Time `json:"until,omitzero"`    // of the last grant
	Granted int       `json:"granted"`           // how often it was registered, renewals included
}

// Registered reports whether the line is registered now.
func (r Registration) Registered() bool {
	return r.Code == codeOK && time.Now().Before(r.Until)
}

// line is what registering needs to know of one line.
type line struct {
	number                   int
	name, authName, password string
	host                     string
	port                     uint16
	proxy                    netip.AddrPort // not valid: not found yet
	due                      time.Time      // of the next REGISTER
}

// readLines returns the lines that have a name and a proxy (phones.md f.2): proxy 1 and the authentication of line 1 stand in
// for those that have none of their own.
func readLines(c cnf, model string) ([]line, []string) {
	var lines []line
	var faults []string
	own := func(prefix string, n int, suffix string) string {
		if v := c.get(prefix + strconv.Itoa(n) + suffix); v != "" {
			return v
		}
		return c.get(prefix + "1" + suffix)
	}
	for n := 1; n <= linesOf(model); n++ {
		l := line{
			number: n, name: c.get("line" + strconv.Itoa(n) + "_name"), authName: own("line", n, "_authname"),
			password: own("line", n, "_password"), host: own("proxy", n, "_address"), port: sipPort,
		}
		if l.name == "" || l.host == "" || l.host == "USECALLMANAGER" {
			continue
		}
		if l.authName == "" {
			l.authName = "UNPROVISIONED"
		}
		if l.password == "" {
			l.password = "UNPROVISIONED"
		}
		if v := own("proxy", n, "_port"); v != "" {
			port, err := strconv.ParseUint(v, 10, 16)
			if err != nil || port == 0 {
				faults = append(faults, "the port of proxy "+strconv.Itoa(n)+" is no port from 1 to 65535")
				continue
			}
			l.port = uint16(port)
		}
		lines = append(lines, l)
	}
	return lines, faults
}

// proxyName is where a line registers, for people.
func (r Registration) proxyName() string {
	if r.Proxy == "" {
		return "undefined:0"
	}
	return r.Proxy
}
