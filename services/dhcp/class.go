package dhcp

import (
	"fmt"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// The options that a phone looks for its files in. Of a class they are sent whether the phone asks for them or not: not
// every make lists what it takes (RFC 2131 section 4.3.1 has a server send what is meant for a class of clients).
func alwaysOfClass(code uint8) bool {
	switch code {
	case 43, 66, 67, 150, 159, 160:
		return true
	}
	return false
}

// MayMeetCisco reports whether a class could be that of a Cisco 7940 or 7960: such a class cannot change options 66 and
// 150, which name the box to these phones always, as siaddr does.
func (c Class) MayMeetCisco(listed func(phone.MAC) bool) bool {
	switch {
	case c.Model != "":
		return true
	case c.VendorClass != "":
		return phone.MayBeVendorClass(c.VendorClass)
	case len(c.MACs) > 0:
		return slices.ContainsFunc(c.MACs, listed)
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// classRule is a Class made ready for the loop.
type classRule struct {
	Class
	macs    map[phone.MAC]bool // nil = any
	options []option           // to send, by code; without a value: to leave out
}

func makeClasses(classes []Class) []classRule {
	out := make([]classRule, len(classes))
	for i, c := range classes {
		rule := classRule{Class: c}
		if c.MACs != nil {
			rule.macs = make(map[phone.MAC]bool, len(c.MACs))
			for _, mac := range c.MACs {
				rule.macs[mac] = true
			}
		}
		for code, v := range c.Options {
			rule.options = append(rule.options, option{code, v.bytes()})
		}
		slices.SortFunc(rule.options, func(a, b option) int { return int(a.code) - int(b.code) })
		out[i] = rule
	}
	return out
}

// bytes returns the value as it is sent; none leaves the option out.
func (v Value) bytes() []byte {
	switch {
	case v.Text != "":
		return []byte(v.Text)
	case len(v.Addresses) > 0:
		return join(v.Addresses...)
	}
	return v.Bytes
}

// classOf returns the options of the first class that fits the client.
func (st *settings) classOf(r *request) *classRule {
	for i := range st.classes {
		c := &st.classes[i]
		if (c.macs == nil || c.macs[r.mac]) && hasPrefixFold(r.client.VendorClass, c.VendorClass) &&
			(c.Model == "" || c.Model == st.modelOf(r)) {
			return c
		}
	}
	return nil
}

// modelOf returns what the site or, where it does not say, the vendor class tells of a listed phone.
func (st *settings) modelOf(r *request) string {
	if !st.known[r.mac] {
		return ""
	}
	if model := st.Models[r.mac]; model != "" {
		return model
	}
	for _, model := range []string{"7940", "7960"} {
		if strings.Contains(r.client.VendorClass, "CP-"+model) {
			return model
		}
	}
	return ""
}

// isOurs reports whether the client is a 7940 or 7960, as far as anybody can tell.
func (st *settings) isOurs(r *request) bool {
	return st.known[r.mac] || phone.IsVendorClass(r.client.VendorClass)
}

// apply puts the options of the class over those of the network. ours tells that the client is a Cisco 7940 or 7960.
func (c *classRule) apply(r *request, ours bool, d *draft) {
	for _, o := range c.options {
		switch {
		case ours && (o.code == 66 || o.code == 150): // promised to be the box, as siaddr is
		case len(o.value) == 0:
			d.drop(o.code)
		case alwaysOfClass(o.code) || r.asks(o.code):
			d.put(o.code, o.value)
		}
	}
}

// maxClassBytes bounds the options of one class: a reply with them has to fit an Ethernet frame.
const maxClassBytes = 900

func (c Config) validateClasses(fault func(format string, args ...any)) {
	listed := func(mac phone.MAC) bool { return slices.Contains(c.Known, mac) }
	for i, class := range c.Classes {
		at := fmt.Sprintf("classes[%d]", i)
		size := 0
		for code, v := range class.Options {
			if why := phone.ForbiddenOption(int(code)); why != "" {
				fault("%s: found option %d, which a class cannot have: %s", at, code, why)
			}
			if (code == 66 || code == 150) && class.MayMeetCisco(listed) {
				fault("%s: found option %d in a class that a Cisco 7940 or 7960 may be of; to these 66, 150 and siaddr name the box, always", at, code)
			}
			for _, a := range v.Addresses {
				if !a.Is4() {
					fault("%s: option %d: found %s, allowed are IPv4 addresses", at, code, a)
				}
			}
			size += 2 + len(v.bytes())
		}
		if size > maxClassBytes {
			fault("%s: found %d bytes of options, allowed are %d", at, size, maxClassBytes)
		}
	}
}
