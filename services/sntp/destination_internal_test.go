package sntp

import (
	"net/netip"
	"testing"

	"phonebox/services/internal/udp"
)

func TestDestinations(t *testing.T) {
	cfg := Config{Server: netip.MustParsePrefix("10.77.0.1/16"), Networks: []netip.Prefix{netip.MustParsePrefix("10.78.4.0/23")}}
	for _, tt := range []struct {
		name, from, to string
		want           Destination
		code           dropCode
	}{
		{"the box", "10.77.1.5:40000", "10.77.0.1", ToBox, answered},
		{"the kernel does not tell where", "10.77.1.5:40000", "", ToBox, answered},
		{"the subnet", "10.77.1.5:123", "10.77.255.255", ToSubnet, answered},
		{"the subnet of a served network", "10.78.4.9:123", "10.78.5.255", ToSubnet, answered},
		{"everybody", "10.77.1.5:40000", "255.255.255.255", ToEverybody, answered},
		{"the group", "10.77.1.5:40000", "224.0.1.1", ToMulticast, answered},
		{"another group", "10.77.1.5:40000", "224.0.0.1", "", dropDestination},
		{"the subnet of a network that is not served", "10.77.1.5:40000", "10.79.255.255", "", dropDestination},
		{"another address of the box", "10.77.1.5:40000", "192.0.2.1", "", dropDestination},
		{"from port 0", "10.77.1.5:0", "10.77.0.1", "", dropPort},
		{"the box's own broadcast", "10.77.0.1:123", "10.77.255.255", "", dropOwn},
		{"the box's probe", "10.77.0.1:40000", "10.77.0.1", ToBox, answered},
	} {
		p := &udp.Packet{From: netip.MustParseAddrPort(tt.from)}
		if tt.to != "" {
			p.To = netip.MustParseAddr(tt.to)
		}
		to, code := cfg.destination(p)
		if code != tt.code || code == answered && destinations[to] != tt.want {
			t.Errorf("%s: to %q, code %q, want %q and %q", tt.name, destinations[to], code.label(), tt.want, tt.code.label())
		}
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	good := Config{Listen: netip.MustParseAddrPort("0.0.0.0:123"), Server: netip.MustParsePrefix("10.77.0.1/16")}
	for name, change := range map[string]func(*Config){
		"":               func(*Config) {},
		"sntp.listen":    func(c *Config) { c.Listen = netip.MustParseAddrPort("[::]:123") },
		"sntp.server":    func(c *Config) { c.Server = netip.Prefix{} },
		"sntp.networks":  func(c *Config) { c.Networks = []netip.Prefix{{}} },
		"sntp.broadcast": func(c *Config) { c.Broadcast = 1 },
		"sntp.limit":     func(c *Config) { c.Limit.Burst = 5 },
	} {
		cfg := good
		change(&cfg)
		err := cfg.validate()
		if (err == nil) != (name == "") || err != nil && err.Error()[:len(name)] != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
