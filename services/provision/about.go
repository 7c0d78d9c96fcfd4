package provision

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"phonebox/services/phone"
)

// Facts are what a phone's own page tells of it besides what it runs.
type Facts struct {
	LastConfig time.Time  // when it last fetched its SIP<MAC>.cnf whole; zero = not known
	Step       phone.Step // "" = not known
}

// about tells a phone of itself. Who asks must be the phone that its address belongs to: an extension is nobody else's
// business. There is never a password on it.
func (p *Provisioner) about(ctx context.Context, s *settings, from netip.Addr) []byte {
	const title, prompt = "About this phone", "Press Exit to go back"
	mac, seen := p.deps.Observer.At(from)
	if seen {
		seen, _ = p.deps.Guard.Holds(ctx, from, mac)
	}
	if !seen {
		return phone.WriteText(title, prompt, "The box does not know which phone has the address "+from.String()+". Restart the phone, and look again.")
	}
	var lines []string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, name+": "+value)
		}
	}
	running := p.deps.Observer.Running(mac)
	model := running.Model
	listed := s.listed[mac]
	if listed != nil {
		var numbers []string
		for _, l := range listed.Lines {
			numbers = append(numbers, l.Name)
		}
		if listed.Model != "" {
			model = listed.Model
		}
		add("Number", strings.Join(numbers, ", "))
		add("Label", listed.Label)
	} else {
		lines = append(lines, "This phone is not listed in "+s.SiteName+" yet.")
	}
	add("Model", model)
	add("Firmware", running.Load)
	add("Address", from.String())
	add("MAC", mac.String())
	if p.deps.Facts != nil {
		facts := p.deps.Facts(mac)
		if !facts.LastConfig.IsZero() {
			add("Configuration", sipName(mac)+", fetched "+facts.LastConfig.In(s.location).Format("2 January 2006 15:04"))
		}
		add("State", string(facts.Step))
	}
	return phone.WriteText(title, prompt, strings.Join(lines, "\n"))
}
