package site

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"phonebox/services/phone"
)

// Lines returns how many lines a model has; for "" (not known yet) those of the largest.
func Lines(model string) int {
	if model == "7940" {
		return 2
	}
	return 6
}

// longestShown is what the phones' guide allows for passwords and names; longer ones circulate in working files, so they
// are warned of and not cut (phones.md a.8).
const longestShown = 31

// owners remembers which phone had a MAC, an address or an account first.
type owners struct {
	macs     map[phone.MAC]int
	address  map[netip.Addr]int
	accounts map[string]int
}

func (c *checker) phones() {
	o := owners{map[phone.MAC]int{}, map[netip.Addr]int{}, map[string]int{}}
	for i := range c.site.Phones {
		path := fmt.Sprintf("phones[%d]", i)
		p := &c.site.Phones[i]
		if c.faulty[path] {
			continue
		}
		c.mac(path, i, p.MAC, o.macs)
		if p.Address.IsValid() {
			c.reservation(path+".address", i, p.Address, o.address)
		}
		c.lines(path, i, p, o.accounts)
		c.zone(path+".zone", p.Zone)
		c.parameters(path+".parameters", ScopePhone, p.Parameters)
		c.forced(path+".forced", p.Forced)
	}
	c.waiting(o.accounts)
}

// also words where something stands already.
func (c *checker) also(i int) string {
	path := fmt.Sprintf("phones[%d]", i)
	if line := c.line(path); line > 0 {
		return fmt.Sprintf("also in %s (line %d)", path, line)
	}
	return "also in " + path
}

func (c *checker) mac(path string, i int, mac phone.MAC, seen map[phone.MAC]int) {
	key := path + ".mac"
	if mac.IsZero() {
		if !c.faulty[key] && !c.faulty["phones.mac"] {
			c.fault(key, "nothing", "the Ethernet address on the phone's back, such as 00:06:D7:AA:2A:2E")
		}
		return
	}
	if first, twice := seen[mac]; twice {
		c.fault(key, mac.String()+", "+c.also(first), "each phone once")
		return
	}
	seen[mac] = i
}

func (c *checker) reservation(key string, i int, a netip.Addr, seen map[netip.Addr]int) {
	if first, twice := seen[a]; twice {
		c.fault(key, a.String()+", "+c.also(first), "each address once")
		return
	}
	seen[a] = i
	if in, ok := c.subnetOf(a); ok {
		c.reservedInSubnet(key, a, in)
		return
	}
	if why := c.place(a); why != "" {
		if strings.HasPrefix(why, "outside") && len(c.site.DHCP.Subnets) > 0 {
			why += " and of every dhcp.subnet"
		}
		c.fault(key, a.String()+", "+why, "another address of the box's network, or an empty text")
		return
	}
	if a == c.site.Network.Gateway {
		c.fault(key, a.String()+", which is network.gateway", "another address of the box's network, or an empty text")
	}
	if n, in := c.poolOf(a); in {
		c.fault(key, fmt.Sprintf("%s, which dhcp.pool[%d] gives to any phone", a, n), "an address outside of dhcp.pool, or an empty text")
	}
}

func (c *checker) lines(path string, i int, p *Phone, accounts map[string]int) {
	if most := Lines(p.Model); len(p.Lines) > most {
		model := p.Model
		if model == "" {
			model = "7960"
		}
		key := fmt.Sprintf("%s.lines[%d]", path, most)
		c.fault(key, fmt.Sprintf("%d lines", len(p.Lines)), fmt.Sprintf("up to %d lines, which a %s has", most, model))
	} else if most := Lines("7940"); p.Model == "" && len(p.Lines) > most && !c.faulty[path+".model"] {
		key := fmt.Sprintf("%s.lines[%d]", path, most)
		c.warn(key, fmt.Sprintf("%d lines and no model", len(p.Lines)), fmt.Sprintf("%d lines if it is a 7940: the others then stay unused", most))
	}
	here := map[string]int{}
	for j := range p.Lines {
		linePath := fmt.Sprintf("%s.lines[%d]", path, j)
		l := &p.Lines[j]
		if c.faulty[linePath] {
			continue
		}
		c.lineTexts(linePath, l)
		if l.Name == "" {
			if !c.faulty[linePath+".name"] && !c.faulty["phones.lines.name"] {
				c.fault(linePath+".name", "nothing", "the number or name of the account")
			}
			continue
		}
		if first, twice := here[l.Name]; twice {
			c.fault(linePath+".name", fmt.Sprintf("%s, also in %s.lines[%d]", quote(l.Name), path, first), "each line of a phone once")
			continue
		}
		here[l.Name] = j
		if first, twice := accounts[l.Name]; twice {
			c.warn(linePath+".name", quote(l.Name)+", "+c.also(first), "the same account on two phones if both shall ring")
			continue
		}
		accounts[l.Name] = i
	}
}

// lineTexts warns of texts that the phones' guide does not allow, and refuses a mask that stands for no password.
func (c *checker) lineTexts(path string, l *Line) {
	c.resolvable(path+".proxy", l.Proxy)
	if l.Port != 0 && l.Proxy == "" && !c.faulty[path+".proxy"] {
		c.warn(path+".port", formatPort(l.Port)+" without a proxy", "the proxy that it belongs to, or no port; it is not used")
	}
	switch {
	case l.Password == Mask:
		c.fault(path+".password", "a masked password", "the password itself")
	case utf8.RuneCountInString(l.Password) > longestShown:
		c.warn(path+".password", shown(l.Password, true), fmt.Sprintf("up to %d characters by the phones' guide", longestShown))
	case strings.ContainsAny(l.Password, ";#"):
		c.warn(path+".password", "a password with ; or #", "a password without ; and #, which begin a comment for some firmware")
	}
	for _, t := range []struct{ name, text string }{{"displayname", l.DisplayName}, {"shortname", l.ShortName}} {
		if utf8.RuneCountInString(t.text) > longestShown {
			c.warn(path+"."+t.name, quote(t.text), fmt.Sprintf("up to %d characters by the phones' guide", longestShown))
		}
	}
}
