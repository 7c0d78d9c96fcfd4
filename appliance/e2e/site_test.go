package e2e_test

import (
	"bytes"
	"fmt"
	"strings"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

// site is a site file; each field but the phones is the body of a table.
type site struct {
	dhcp, time, dns, sip, firmware string
	phones                         []sitePhone
}

type sitePhone struct {
	mac     phone.MAC
	label   string
	line    string // name of the first line, whose password is "secret-" and the name
	address string
	more    string
}

// text writes the file. Nothing in it asks the internet.
func (s site) text() string {
	var b bytes.Buffer
	table := func(name, body string, defaults ...string) {
		fmt.Fprintf(&b, "[%s]\n%s\n", name, body)
		for _, d := range defaults {
			if key, _, _ := strings.Cut(d, " "); !strings.Contains(body, key) {
				fmt.Fprintln(&b, d)
			}
		}
	}
	fmt.Fprintln(&b, `name = "End to end"`)
	table("network", `address = "`+boxAddr+`/16"`)
	table("dhcp", s.dhcp, `pool = ["10.77.1.1-10.77.3.250"]`)
	table("time", s.time, `zone = "Europe/Brussels"`, `upstream = []`)
	table("dns", s.dns)
	table("sip", s.sip)
	table("firmware", s.firmware)
	table("web", "plain_http = true")
	for _, p := range s.phones {
		fmt.Fprintf(&b, "[[phones]]\nmac = %q\nlabel = %q\naddress = %q\n%s\n", p.mac, p.label, p.address, p.more)
		if p.line != "" {
			fmt.Fprintf(&b, "[[phones.lines]]\nname = %q\nauthname = %q\npassword = %q\n", p.line, p.line, "secret-"+p.line)
		}
	}
	return b.String()
}

// listed makes n phones that count up from base, each with a line.
func listed(base phone.MAC, n int) []sitePhone {
	var out []sitePhone
	for i := range n {
		out = append(out, sitePhone{
			mac: phonesim.AddMAC(base, i), label: fmt.Sprintf("Desk %d", i+1), line: fmt.Sprint(200 + i),
		})
	}
	return out
}
