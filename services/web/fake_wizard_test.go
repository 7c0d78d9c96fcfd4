package web_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"phonebox/services/web"
)

// fakeStarter is what the wizard needs, in memory, around a fakeBox.
type fakeStarter struct {
	mu         sync.Mutex
	box        *fakeBox
	state      web.StartState
	neighbours []web.Neighbour
	proposal   web.Proposal
	moves      bool
	moved      []string // the addresses that it was told to move to
	moving     string
	arrived    int
	check      func(host, port string) web.ProxyCheck
	checked    []string
	fail       error // of the next SetStartState
}

func (f *fakeStarter) StartState() (web.StartState, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state, nil
}

func (f *fakeStarter) SetStartState(_ context.Context, s web.StartState) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = s
	return f.fail
}

func (f *fakeStarter) Neighbours() []web.Neighbour {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.neighbours)
}

func (f *fakeStarter) Propose(context.Context) web.Proposal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.proposal
}

// CheckFields refuses an address without the length of its network, and a pool with an x in it.
func (f *fakeStarter) CheckFields(values map[string]string) error {
	var faults []web.Fault
	if a, ok := values["network.address"]; ok {
		if _, err := netip.ParsePrefix(a); err != nil {
			faults = append(faults, web.Fault{Key: "network.address", Found: fmt.Sprintf("%q", a), Allowed: "an IPv4 address of a host with the length of its network"})
		}
	}
	if strings.Contains(values["dhcp.pool"], "x") {
		faults = append(faults, web.Fault{Key: "dhcp.pool[0]", Found: `"x"`, Allowed: "a range of addresses such as 10.77.1.1-10.77.3.250"})
	}
	if len(faults) > 0 {
		return &web.Refused{Faults: faults}
	}
	return nil
}

func (f *fakeStarter) MovesItself() bool { return f.moves }

func (f *fakeStarter) Move(_ context.Context, values map[string]string, etag string) error {
	if err := f.CheckFields(values); err != nil {
		return err
	}
	if _, now := f.box.site.Fields(); now != etag {
		return web.StaleError{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.moved = append(f.moved, values["network.address"])
	return nil
}

func (f *fakeStarter) Moving() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moving
}

func (f *fakeStarter) Arrived() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrived++
	f.moving = ""
}

func (f *fakeStarter) CheckProxy(_ context.Context, host, port string) web.ProxyCheck {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = append(f.checked, host+" "+port)
	if f.check != nil {
		return f.check(host, port)
	}
	return web.ProxyCheck{OK: true, Verdict: "answers", Text: host + " answers and calls itself Asterisk PBX 18.", Addresses: []string{"10.77.0.10:5060"}, Server: "Asterisk PBX 18"}
}

// set changes what the settings say, as a form would.
func (s *fakeSite) set(values map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[string]string{}
	}
	maps.Copy(s.values, values)
}

// wizardFields are the settings that the wizard asks for, beside those of fakeSite.
func wizardFields() []web.Field {
	return []web.Field{
		{Key: "time.zone", Group: "Time", Label: "Time zone", Kind: "text", Value: "UTC"},
		{Key: "dns.upstream", Group: "Names", Label: "Name servers", Kind: "list", Help: "Servers that know the names of the internet, one a line."},
		{Key: "sip.proxy", Group: "Telephony (SIP)", Label: "PBX or provider", Kind: "text", Help: "An address or a name."},
	}
}
