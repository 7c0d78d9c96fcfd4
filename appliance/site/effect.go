package site

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"phonebox/services/phone"
)

// Effect is what a change of settings does, in a sentence.
type Effect struct {
	Text    string
	Phones  []phone.MAC // the listed phones that it concerns; empty = none, or all that are there and not listed
	Restart bool        // these phones do it only once they start again
	Grave   bool        // somebody may regret it
}

// Effects says what it does to put next in force instead of old. What it says of phones is about those that both list.
func Effects(old, next *Site) []Effect {
	e := effects{old: old, next: next}
	e.network()
	e.addresses()
	e.time()
	e.names()
	e.phones()
	e.firmware()
	e.page()
	return e.list
}

type effects struct {
	old, next *Site
	list      []Effect
}

func (e *effects) say(when bool, text string) {
	if when {
		e.list = append(e.list, Effect{Text: text})
	}
}

func (e *effects) warn(when bool, text string) {
	if when {
		e.list = append(e.list, Effect{Text: text, Grave: true})
	}
}

// restart adds a sentence about the phones for which told differs.
func (e *effects) restart(text string, told func(s *Site, p *Phone) string) {
	if macs := e.told(told); len(macs) > 0 {
		e.list = append(e.list, Effect{Text: text, Phones: macs, Restart: true})
	}
}

// told returns the phones that are told something else by next than by old.
func (e *effects) told(what func(s *Site, p *Phone) string) []phone.MAC {
	former := map[phone.MAC]*Phone{}
	for i := range e.old.Phones {
		former[e.old.Phones[i].MAC] = &e.old.Phones[i]
	}
	var out []phone.MAC
	for i := range e.next.Phones {
		p := &e.next.Phones[i]
		if was, ok := former[p.MAC]; ok && what(e.old, was) != what(e.next, p) {
			out = append(out, p.MAC)
		}
	}
	return out
}

func (e *effects) network() {
	a, b := e.old.Network, e.next.Network
	if a.Address.Addr() != b.Address.Addr() {
		e.warn(true, "The box gets another address at once, and every connection to the old one ends.")
		e.restart("Phones still look for the box at its old address: they find it when they get an address anew, and at the latest when they restart.",
			func(s *Site, _ *Phone) string { return s.Network.Address.Addr().String() })
	}
	e.say(a.Address.Addr() == b.Address.Addr() && a.Address.Bits() != b.Address.Bits(), "The phones' network gets another size. Phones learn it when they renew their address.")
	e.warn(a.Interface != b.Interface, "The box uses another socket. If no cable to the phones is in it, neither they nor this page reach the box.")
	e.say(a.Gateway != b.Gateway, "The box uses the new router at once. Phones learn it when they renew their address.")
	e.say(a.Domain != b.Domain, "The names of the box, the phones and the hosts end in the new domain at once. Phones learn it when they renew their address.")
	e.restart("Phones show the new name of the office after a restart.", func(s *Site, _ *Phone) string { return s.Name })
}

func (e *effects) addresses() {
	a, b := e.old.DHCP, e.next.DHCP
	e.warn(a.Enabled && !b.Enabled, "The box gives no addresses any more. Phones keep theirs until it runs out; then another server has to give them one, and name this box as their TFTP server.")
	e.say(!a.Enabled && b.Enabled, "The box gives addresses. It looks for another server on this network first, for three seconds.")
	e.say(b.Enabled && !slices.Equal(a.Pool, b.Pool), "New addresses come from the new ranges. A phone whose address lies outside of them gets another one when it renews.")
	e.say(a.Lease != b.Lease, "Each phone gets the new lease when it renews its address, at half of the old one.")
	e.say(!a.PhonesOnly && b.PhonesOnly, "Whatever is neither a Cisco phone nor listed gets no address any more, also where it has one now.")
	e.say(a.PhonesOnly && !b.PhonesOnly, "Everything on this network that asks gets an address.")
	e.warn(a.PingCheck && !b.PingCheck, "Addresses are given without a look whether somebody uses them.")
	e.say(!a.PingCheck && b.PingCheck, "The box looks whether somebody uses an address before it gives it.")
	e.warn(!a.Authoritative && b.Authoritative, "The box gives addresses although another DHCP server answers on this network. Some phones will listen to the other one.")
	e.say(a.Authoritative && !b.Authoritative, "The box holds back as soon as another DHCP server answers on this network.")
	e.say(len(subnetList().diff(a.Subnets, b.Subnets)) > 0,
		"Clients behind relays get the new settings of their networks when they renew their address.")
	e.say(len(classList().diff(a.Classes, b.Classes)) > 0,
		"Other phones get the new options when they renew their address; most read them only when they start.")
}

func (e *effects) time() {
	a, b := e.old.Time, e.next.Time
	e.warn(a.Enabled && !b.Enabled, "The box answers no questions for the time any more. Phones that restart show no time, unless another server tells it.")
	e.restart("Phones change their clocks to the new time zone after a restart.", func(s *Site, p *Phone) string { return s.zoneOf(p) })
	e.restart("Phones ask for the time in the new way after a restart.", func(s *Site, _ *Phone) string { return s.Time.SNTPMode })
	if a.Enabled != b.Enabled {
		e.restart("Phones learn after a restart whether this box tells the time.", func(s *Site, _ *Phone) string { return fmt.Sprint(s.Time.Enabled) })
	}
	e.say(!slices.Equal(a.Upstream, b.Upstream) && len(b.Upstream) > 0, "The box asks the new time servers at once; it trusts them after some answers, within a minute.")
	e.warn(len(a.Upstream) > 0 && len(b.Upstream) == 0, "The box asks no time server any more. It goes by its own clock, and by what you tell it.")
	e.say(a.Broadcast != b.Broadcast && b.Broadcast > 0, "The time goes to everybody on the network at the new interval, from now on.")
	e.warn(a.Broadcast > 0 && b.Broadcast == 0, "The time is not broadcast any more: phones that only listen lose it.")
}

// zoneOf is the time zone of a phone.
func (s *Site) zoneOf(p *Phone) string {
	if p.Zone != "" {
		return p.Zone
	}
	return s.Time.Zone
}

func (e *effects) names() {
	a, b := e.old.DNS, e.next.DNS
	e.warn(a.Enabled && !b.Enabled, "The box answers no names any more, and phones are told of no name server when they renew their address.")
	e.say(!a.Enabled && b.Enabled, "The box answers names at once. Phones are told of it when they renew their address.")
	e.say(!slices.Equal(a.Upstream, b.Upstream) && len(b.Upstream) > 0, "The new name servers are asked from the next question on.")
	e.warn(len(a.Upstream) > 0 && len(b.Upstream) == 0, "Names of the world are not answered any more, for the phones and for the box itself.")
	e.say(!slices.Equal(a.Inside, b.Inside), "Names of the listed domains may lead into the phones' networks, others may not, from the next question on.")
	e.say(!maps.Equal(a.Hosts, b.Hosts) || !maps.Equal(a.Names, b.Names), "The new names are answered at once. A phone that asked before keeps the old answer for a minute, or until it restarts.")
}

// phones are what phones read in their files.
func (e *effects) phones() {
	e.restart("Phones must restart to learn the new telephone system. Until then they use the old one.", func(s *Site, p *Phone) string {
		return s.proxyOf(p, func(l *Line) string { return l.Proxy }, s.SIP.Proxy)
	})
	e.restart("Phones must restart to learn the new port of the telephone system.", func(s *Site, p *Phone) string {
		return s.proxyOf(p, func(l *Line) string { return formatOptionalPort(l.Port) }, formatPort(s.SIP.Port))
	})
	e.restart("Phones must restart to learn whether they register.", func(s *Site, _ *Phone) string { return fmt.Sprint(s.SIP.Register) })
	e.restart("Phones must restart to take over the new parameters.", func(s *Site, p *Phone) string { return s.parametersOf(p) })
	e.restart("Phones use the new dial plan after a restart.", func(s *Site, _ *Phone) string { return s.DialPlan.Country })
	a, b := e.old.SIP, e.next.SIP
	e.warn(a.Proxy != "" && b.Proxy == "", "Without a telephone system the phones show their lines and do not register: nobody can call.")
	e.warn(a.Register && !b.Register, "Phones that do not register can call out at most; nobody reaches them unless the telephone system knows their addresses.")
	e.say(a.Enabled && !b.Enabled, "The box does not ask the phones any more whether they run, and cannot restart them.")
	e.say(!a.Enabled && b.Enabled, "The box asks the phones whether they run, and can restart them.")
}

// proxyOf is what the lines of a phone use, and what a line without an own setting would.
func (s *Site) proxyOf(p *Phone, own func(*Line) string, all string) string {
	used := make([]string, len(p.Lines))
	general := len(p.Lines) == 0
	for i := range p.Lines {
		used[i] = own(&p.Lines[i])
		if used[i] == "" {
			used[i], general = all, true
		}
	}
	if general {
		used = append(used, all)
	}
	return strings.Join(used, "\n")
}

// parametersOf are the parameters that hold for a phone, from the site, its model and itself. One that tells its model later
// may be either.
func (s *Site) parametersOf(p *Phone) string {
	var b strings.Builder
	write := func(layers ...map[string]string) {
		m := map[string]string{} // the later layer wins
		for _, layer := range layers {
			maps.Copy(m, layer)
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			b.WriteString(name + "=" + m[name] + "\n")
		}
	}
	for _, model := range models {
		if p.Model == model || p.Model == "" {
			write(s.SIP.Parameters, s.Models[model], p.Parameters)
		}
	}
	write(s.SIP.Forced, p.Forced)
	return b.String()
}

func (e *effects) firmware() {
	a, b := e.old.Firmware, e.next.Firmware
	if a.Target != b.Target && b.Target != "" {
		macs := e.told(func(s *Site, p *Phone) string {
			if p.Load != "" {
				return p.Load
			}
			return s.Firmware.Target
		})
		if len(macs) > 0 {
			e.list = append(e.list, Effect{Text: "Phones that run another load get the new one, a few at a time, when they start. Their power must not be cut meanwhile.", Phones: macs, Grave: true})
		}
		e.say(len(macs) == 0, "No listed phone goes by the firmware of all phones, so nothing happens now. Phones that are added later do.")
	}
	e.say(a.Target != b.Target && b.Target == "", "Each phone stays on what it runs.")
	e.warn(!a.ConvertUnlisted && b.ConvertUnlisted, "Every Cisco phone on this network is converted when it starts, also those that nobody listed.")
	e.say(a.ConvertUnlisted && !b.ConvertUnlisted, "Phones that are not listed keep what they run.")
	e.say(a.Parallel != b.Parallel, "The new number of phones at once holds for those that begin from now on.")
}

func (e *effects) page() {
	a, b := e.old.Web, e.next.Web
	e.warn(!a.PlainHTTP && b.PlainHTTP, "This page answers without encryption too. Whoever can listen on this network reads the password.")
	e.say(a.PlainHTTP && !b.PlainHTTP, "This page answers encrypted only. Browsers that are logged in without encryption have to log in again.")
}
