package phonesim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"phonebox/services/phone"
)

// State says what is in a phone's flash when it is switched on, and with it which files it asks for.
type State string

// The states. Each has a default load (see [Config].Load).
const (
	StateSCCPOld State = "sccp-old" // SCCP up to 5.x: no universal loader, asks for OS79XX.TXT first (phones.md a.2)
	StateSIPOld  State = "sip-old"  // SIP up to 6.x: no universal loader (phones.md a.3)
	StateSCCP    State = "sccp"     // SCCP 8.x with the universal loader (phones.md a.4)
	StateSIP7    State = "sip7"     // SIP 7.4 with the universal loader: there is something to upgrade
	StateSIP     State = "sip"      // SIP 8.12 with the universal loader
	StateBare    State = "sip-bare" // as StateSIP, but no SIP<MAC>.cnf is expected: done once it polls (phones.md a.5)
	StateErased  State = "erased"   // the universal loader alone, no application ("Protocol Application Invalid")
)

// States returns every state, in the order in which help texts list them.
func States() []State {
	return []State{StateSIP, StateBare, StateSIP7, StateSCCP, StateSIPOld, StateSCCPOld, StateErased}
}

// ParseState returns the state of that name; the error quotes what was found and lists what is allowed.
func ParseState(s string) (State, error) {
	if slices.Contains(States(), State(s)) {
		return State(s), nil
	}
	names := make([]string, 0, len(States()))
	for _, st := range States() {
		names = append(names, string(st))
	}
	return "", fmt.Errorf("found state %q, allowed is one of %s", s, strings.Join(names, ", "))
}

// defaultLoads names the load in flash where the configuration does not (names of phones.md c.1).
func (s State) defaultLoad() string {
	switch s {
	case StateSCCPOld:
		return "P00303020214"
	case StateSIPOld:
		return "P0S3-06-3-00"
	case StateSCCP:
		return "P00308010200"
	case StateSIP7:
		return "P0S3-07-4-00"
	case StateErased:
		return ""
	}
	return "P0S3-8-12-00"
}

// stateOf returns the state that fits a load.
func stateOf(load string) State {
	r := parseRelease(load)
	switch {
	case r.protocol == phone.SIP && !r.isUniversal():
		return StateSIPOld
	case r.protocol == phone.SIP && r.version[0] == 7:
		return StateSIP7
	case r.protocol == phone.SIP:
		return StateSIP
	case r.isUniversal():
		return StateSCCP
	}
	return StateSCCPOld
}

// defaultLoaderID is the LA_VERSION of the loader in flash: that of 8.12 (phones.md c.2) on phones that run it, else an
// older one, so that an upgrade takes the three boots of phones.md a.8; "" for phones without the universal loader.
func defaultLoaderID(load string, s State) string {
	switch r := parseRelease(load); {
	case s == StateErased || r.isUniversal() && (r.version[0] != 8 || r.version[1] != 12):
		return "PAS30700"
	case r.isUniversal():
		return "PAS30830"
	}
	return ""
}

// Ports are the servers' UDP and TCP ports; a zero field is the usual port.
type Ports struct {
	DHCP, TFTP, SNTP, DNS uint16
	HTTP                  uint16 // of URLs that name no port
	SIP                   uint16 // where the phones listen, while their configuration names no voip_control_port
	Telnet                uint16 // where the phones listen when telnet_level says so; on a Loopback 0 lets the kernel pick one
}

// withDefaults fills in the usual ports.
func (p Ports) withDefaults() Ports {
	for _, f := range []struct {
		port *uint16
		std  uint16
	}{{&p.DHCP, 67}, {&p.TFTP, 69}, {&p.SNTP, 123}, {&p.DNS, 53}, {&p.HTTP, 80}, {&p.SIP, 5060}} {
		if *f.port == 0 {
			*f.port = f.std
		}
	}
	return p
}

// Config is one phone. Link and MAC are required.
type Config struct {
	Link  Link
	Ports Ports

	MAC       phone.MAC
	Model     string     // "7940" or "7960" (default)
	State     State      // default StateSIP, or what fits Load
	Load      string     // the application in flash, without suffix, which decides whether there is a loader; "" = the usual one of State
	LoaderID  string     // LA_VERSION of the universal loader in flash, such as PAS30830; "" = the usual one of Load
	Flash     Flash      // the whole flash, such as that of another phone; the zero Flash is made of State, Load, LoaderID and Remember
	Want      string     // a load without which the phone is not ready; "" = whatever it is told
	Broadcast bool       // sets the broadcast flag of DHCP and then accepts broadcast answers only
	Remember  netip.Addr // an address of an earlier lease: the phone begins with INIT-REBOOT

	// Profile is what the phone does and how it is judged; "" = ProfileFull.
	Profile Profile
	// Name is what a phone of ProfileBasic asks the DNS for; "" = "pbx".
	Name string
	// Image is a file that the phone downloads once it is ready, before it counts as done; "" = none.
	Image string
	// Renew is when the phone renews its lease if that is sooner than T1; 0 = at T1.
	Renew time.Duration

	// ClockPoll is how often the time is asked again in the modes unicast and anycast, of the server that answered; 0 = never. It
	// is not known of the real phones.
	ClockPoll time.Duration
	// Speed divides the times that a real phone spends on itself: flashing, resetting, starting an application, pausing
	// between hunts and polls, being quiet. 0 means 1. Retransmission times of protocols stay real.
	Speed float64
	// CDP makes a phone on a [Wire] announce itself to the switch at each boot and every 60 s.
	CDP bool
	// Stay keeps the phone alive after it is ready: it renews its lease, answers OPTIONS and NOTIFY, and polls, until
	// the context ends. Otherwise Run returns once the phone is done.
	Stay bool
	// OnEvent is told what the phone does, on the phone's goroutines: it must not block.
	OnEvent func(Event)
	// Seed makes the phone's random choices (ports, jitter) repeatable; the MAC is mixed in.
	Seed uint64
}

// withDefaults fills in what was left out and checks the rest.
func (c Config) withDefaults() (Config, error) {
	if c.Flash != (Flash{}) {
		c = c.withFlash()
	}
	switch {
	case c.Load != "" && c.State != StateBare && c.State != StateErased:
		c.State = stateOf(c.Load)
	case c.State == "":
		c.State = StateSIP
	}
	if c.Model == "" {
		c.Model = "7960"
	}
	if c.Load == "" {
		c.Load = c.State.defaultLoad()
	}
	if c.LoaderID == "" {
		c.LoaderID = defaultLoaderID(c.Load, c.State)
	}
	if c.Flash == (Flash{}) {
		c.Flash = Flash{Application: c.Load, LoaderID: c.LoaderID, Erased: c.Load == "", Sync: "1", Address: c.Remember}
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.Profile == "" {
		c.Profile = ProfileFull
	}
	if c.Name == "" {
		c.Name = "pbx"
	}
	c.Ports = c.Ports.withDefaults()
	return c, c.check()
}

// withFlash takes State, Load and LoaderID from the flash.
func (c Config) withFlash() Config {
	c.Load, c.LoaderID = c.Flash.Application, c.Flash.LoaderID
	switch {
	case c.Load == "":
		c.State = StateErased
	case c.State != StateBare:
		c.State = stateOf(c.Load)
	}
	return c
}

// check returns every fault of a filled-in configuration.
func (c Config) check() error {
	var faults []error
	if c.Link == nil {
		faults = append(faults, errors.New("found no link, a phone needs one"))
	}
	if c.MAC.IsZero() || c.MAC[0]&1 != 0 {
		faults = append(faults, fmt.Errorf("found MAC %s, allowed is the Ethernet address of one device", c.MAC))
	}
	if c.Model != "7940" && c.Model != "7960" {
		faults = append(faults, fmt.Errorf("found model %q, allowed is 7940 or 7960", c.Model))
	}
	if _, err := ParseState(string(c.State)); err != nil {
		faults = append(faults, err)
	}
	if c.Load != "" && parseRelease(c.Load) == (release{}) {
		faults = append(faults, fmt.Errorf("found load %q, allowed is the name of an image without suffix, such as P0S3-8-12-00 or P00305000500", c.Load))
	}
	if c.Load != "" && c.State == StateErased {
		faults = append(faults, fmt.Errorf("found load %q in a phone without an application, allowed is none", c.Load))
	}
	if hasLoader := c.LoaderID != ""; c.Load != "" && hasLoader != parseRelease(c.Load).isUniversal() && !c.Flash.Damaged {
		faults = append(faults, fmt.Errorf("found load %q and loader %q, allowed is a loader with SCCP 6, SIP 7 or later and with no other load", c.Load, c.LoaderID))
	}
	if _, err := ParseProfile(string(c.Profile)); err != nil {
		faults = append(faults, err)
	}
	if c.Renew < 0 {
		faults = append(faults, fmt.Errorf("found %s until a renewal, allowed is a time of 0 or more", c.Renew))
	}
	if c.Speed < 0 {
		faults = append(faults, fmt.Errorf("found speed %g, allowed is a number above 0", c.Speed))
	}
	return errors.Join(faults...)
}
