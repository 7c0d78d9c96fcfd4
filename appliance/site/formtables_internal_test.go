package site

import (
	"slices"
	"testing"
)

// FuzzOptionForm: what a form says of an option is read as the same option again, on the wire at least.
func FuzzOptionForm(f *testing.F) {
	for _, seed := range []string{"", "http://10.77.0.10/", "10.77.0.1, 10.77.0.2", "[10.77.0.1]", "[", "0x", "0x0g", "-3600", " x ", "[10.77.0.1,]", "0xff"} {
		for _, code := range []uint8{2, 42, 43, 66} {
			f.Add(code, seed)
		}
	}
	f.Fuzz(func(t *testing.T, code uint8, text string) {
		o, _, allowed := optionForm(code, text)
		if allowed != "" {
			return
		}
		again, found, allowed := optionForm(code, o.form(code))
		if allowed != "" || o.Text+string(o.Bytes) != again.Text+string(again.Bytes) || !slices.Equal(o.Addresses, again.Addresses) {
			t.Errorf("option %d of %q is %+v, and %q is %+v (%s, %s)", code, text, o, o.form(code), again, found, allowed)
		}
	})
}

// FuzzSetTables sends anything as the tables of a form.
func FuzzSetTables(f *testing.F) {
	f.Add("2", "10.78.0.0/24", "66 = x\n42 = 1.2.3.4")
	f.Add("-1", "", "=\n==")
	f.Fuzz(func(t *testing.T, count, network, options string) {
		s := Default()
		values := map[string]string{"dhcp.subnet": count, "dhcp.subnet[0].network": network, "dhcp.class": count, "dhcp.class[0].options": options, "dhcp.class[0].macs": network}
		next, _ := s.SetFields(values, Options{})
		if next != nil && (len(next.DHCP.Subnets) > maxSubnets || len(next.DHCP.Classes) > maxClasses) {
			t.Errorf("%d networks, %d classes", len(next.DHCP.Subnets), len(next.DHCP.Classes))
		}
	})
}
