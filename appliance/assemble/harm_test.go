package assemble

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/netdev"
	"phonebox/appliance/site"
	"phonebox/services/dhcp"
	"phonebox/services/phone"
	"phonebox/services/web"
)

func TestWhatTheBoxDoesAboutOtherServersIsInItsTimeline(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	defer run(t, b)()
	b.note("test", "begin")
	other := dhcp.OtherServer{Address: netip.MustParseAddr("10.77.0.3"), MAC: phone.MAC{2, 3}, Offered: netip.MustParseAddr("10.77.4.5")}
	b.onDHCP(dhcp.Event{Kind: dhcp.EventOther, Other: []dhcp.OtherServer{other}})
	b.onDHCP(dhcp.Event{Kind: dhcp.EventHeld, Reason: "another DHCP server answers", Other: []dhcp.OtherServer{other}})
	b.onDHCP(dhcp.Event{Kind: dhcp.EventDuplicate, Reason: "the address is used twice", MAC: phone.MAC{2, 4}})
	b.onDHCP(dhcp.Event{Kind: dhcp.EventServing})
	b.onNetwork(netdev.State{Condition: netdev.Ready, Text: "eth0 is up"})
	b.onNetwork(netdev.State{Condition: netdev.Unplugged, Text: "eth0 has no link"})
	b.onNetwork(netdev.State{Condition: netdev.Ready, Text: "eth0 is up again"})
	b.onNetwork(netdev.State{Condition: netdev.Ready, Text: "eth0 is up with another address"})
	events, _ := page{b}.Events(phone.MAC{})
	var got []string
	for _, e := range events {
		got = append(got, e.Service+": "+e.Text)
	}
	_, after, _ := strings.Cut(strings.Join(got, "\n"), "test: begin\n")
	want := `dhcp: another DHCP server answers on the wire: 10.77.0.3 (02:03:00:00:00:00), which gave 10.77.4.5 to somebody
dhcp: addresses are held back: another DHCP server answers
dhcp: addresses are held back: the address is used twice
dhcp: addresses are handed out again
network: eth0 has no link
network: eth0 is up again`
	if after != want {
		t.Errorf("got\n%s\nwant\n%s", after, want)
	}
}

func TestTheStatusTellsOfServersAndNetworkInWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o := webOther(dhcp.OtherServer{
		Address: netip.MustParseAddr("10.77.0.3"), First: at, Seen: at, Accepted: true,
		Options: []dhcp.OptionText{{Code: 3, Name: "router", Value: "10.77.0.9"}},
	})
	if o.MAC != "" || o.Offered != "" || !o.Accepted || len(o.Options) != 1 || o.Options[0] != (web.DHCPOption{Code: 3, Name: "router", Value: "10.77.0.9"}) {
		t.Errorf("got %+v", o)
	}
	n := webNetwork(netdev.State{
		Condition: netdev.Ready, Foreign: netip.MustParsePrefix("192.168.1.0/24"), ForeignGateway: netip.MustParseAddr("192.168.1.1"), Duplicate: phone.MAC{2},
	})
	if n.Foreign != "192.168.1.0/24" || n.ForeignGateway != "192.168.1.1" || n.Duplicate != "02:00:00:00:00:00" || n.MAC != "" || n.Condition != "ready" {
		t.Errorf("got %+v", n)
	}
	for _, c := range []struct {
		d    dhcp.Decision
		want web.DHCPDecision
	}{
		{dhcp.Decision{}, web.DHCPDecision{}},
		{dhcp.Decision{Serve: true}, web.DHCPDecision{Serve: true, Every: true}},
		{dhcp.Decision{Serve: true, Blind: true}, web.DHCPDecision{Serve: true, Blind: true}},
		{dhcp.Decision{Serve: true, Servers: []netip.Addr{o3()}}, web.DHCPDecision{Serve: true, Servers: []string{"10.77.0.3"}}},
	} {
		got := webDecision(c.d)
		if got.Serve != c.want.Serve || got.Every != c.want.Every || got.Blind != c.want.Blind || strings.Join(got.Servers, " ") != strings.Join(c.want.Servers, " ") || got.Servers == nil {
			t.Errorf("%+v: got %+v", c.d, got)
		}
	}
}

func o3() netip.Addr { return netip.MustParseAddr("10.77.0.3") }
