package assemble

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/site"
	"phonebox/services/web"
)

// shipped is the pre-seed that every image has.
const shipped = "../../overlay/etc/phonebox/site.toml"

// boot makes a box as it is on a Raspberry Pi, and serves nothing.
func boot(t *testing.T, data, seed string) *Box {
	t.Helper()
	b, err := New(t.Context(), Options{Data: data, Site: seed, ManageAddress: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// off closes what a box of boot has open.
func off(t *testing.T, b *Box) {
	t.Helper()
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWhoGetsTheWizard boots boxes as they come: new ones, pre-seeded ones, and those of before there was a wizard.
func TestWhoGetsTheWizard(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.toml")
	if err := os.WriteFile(seed, []byte(goodSite), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		seed     string
		file     string // in the data folder
		password bool   // was set before
		want     bool
	}{
		{"a new card", shipped, "", false, true},
		{"no settings at all", "", "", false, true},
		{"a pre-seed", seed, "", false, false},
		{"a pre-seed on the card", shipped, goodSite, false, false},
		{"an upgraded box that nobody changed", shipped, bareSite, true, false},
		{"settings that were refused", shipped, "nonsense", false, true},
	} {
		data := t.TempDir()
		if tt.file != "" {
			if err := os.WriteFile(filepath.Join(data, site.FileName), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if tt.password {
			b := boot(t, data, tt.seed)
			if err := errors.Join(secrets{b.store}.SetPassword("hash"), b.store.SetValue(t.Context(), keyStart, nil)); err != nil {
				t.Fatal(err)
			}
			off(t, b)
		}
		b := boot(t, data, tt.seed)
		state, _ := b.starter.StartState()
		if state.Wanted != tt.want {
			t.Errorf("%s: wanted is %t, want %t", tt.name, state.Wanted, tt.want)
		}
		off(t, b)
	}
}

// TestTheWizardOutlivesARestart has a password and two steps behind it when the power goes.
func TestTheWizardOutlivesARestart(t *testing.T) {
	data := t.TempDir()
	b := boot(t, data, shipped)
	state := web.StartState{Wanted: true, Done: []string{"wire"}, Later: []string{"address"}}
	if err := errors.Join(b.starter.SetStartState(t.Context(), state), secrets{b.store}.SetPassword("hash")); err != nil {
		t.Fatal(err)
	}
	off(t, b)
	b = boot(t, data, shipped)
	if got, _ := b.starter.StartState(); !got.Wanted || len(got.Done) != 1 || len(got.Later) != 1 || got.Done[0] != "wire" {
		t.Errorf("after a restart: %+v, want %+v", got, state)
	}
	state.Wanted = false
	if err := b.starter.SetStartState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	off(t, b)
	b = boot(t, data, shipped)
	if got, _ := b.starter.StartState(); got.Wanted {
		t.Error("a wizard that was finished comes back with a restart")
	}
	off(t, b)
}

// mover is a box on loopback that waits so long for people at a new address.
func mover(t *testing.T, data string, patience time.Duration, files map[string]string) *Box {
	t.Helper()
	b := open(t, data, files)
	b.starter.patience = patience
	return b
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (b *Box) at() string { return b.current().site.Network.Address.String() }

var there = map[string]string{"network.address": "127.78.0.250/24", "network.gateway": "", "dhcp.pool": "127.78.0.100-127.78.0.200"}

// TestABoxThatNobodyFollowsGoesBack moves a box to an address where nobody comes, also over a power cut in between.
func TestABoxThatNobodyFollowsGoesBack(t *testing.T) {
	data := t.TempDir()
	b := mover(t, data, time.Hour, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	before, etag := (settings{b}).TOML(true)
	if err := errors.Join(b.starter.SetStartState(t.Context(), web.StartState{Wanted: true, Done: []string{"wire", "address"}}), b.starter.Move(t.Context(), there, etag)); err != nil {
		t.Fatal(err)
	}
	if b.at() != "127.77.0.1/16" {
		t.Error("it moved before the answer could leave")
	}
	waitUntil(t, "the box moves", func() bool { return b.starter.Moving() == "127.78.0.250" })
	if b.at() != "127.78.0.250/24" {
		t.Errorf("it is at %s", b.at())
	}
	stop()

	b = mover(t, data, 100*time.Millisecond, nil)
	if b.at() != "127.78.0.250/24" {
		t.Errorf("after a restart it is at %s", b.at())
	}
	stop = run(t, b)
	waitUntil(t, "the box goes back and says so", func() bool { state, _ := b.starter.StartState(); return state.Problem != "" })
	state, _ := b.starter.StartState()
	if state.Problem != "Nobody opened the page at 127.78.0.250, so the box went back to 127.77.0.1/16." || len(state.Done) != 1 || state.Done[0] != "wire" {
		t.Errorf("kept is %+v", state)
	}
	if after, _ := (settings{b}).TOML(true); string(after) != string(before) {
		t.Errorf("the settings are not those of before:\n%s\n%s", before, after)
	}
	stop()
	b = mover(t, data, time.Hour, nil)
	stop = run(t, b)
	if b.starter.Moving() != "" || b.at() != "127.77.0.1/16" {
		t.Errorf("after another restart it is at %s, moving to %q", b.at(), b.starter.Moving())
	}
	stop()
}

// TestABoxThatWasFoundStays moves a box and has a person arrive there.
func TestABoxThatWasFoundStays(t *testing.T) {
	data := t.TempDir()
	b := mover(t, data, time.Hour, map[string]string{site.FileName: goodSite})
	stop := run(t, b)
	_, etag := (settings{b}).Fields()
	if err := b.starter.Move(t.Context(), there, etag); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the box moves", func() bool { return b.starter.Moving() != "" })
	b.starter.Arrived()
	stop()
	b = mover(t, data, time.Millisecond, nil)
	stop = run(t, b)
	if b.at() != "127.78.0.250/24" || b.starter.Moving() != "" {
		t.Errorf("it is at %s, moving to %q", b.at(), b.starter.Moving())
	}
	stop()
}

func TestAMoveThatIsWrongIsNone(t *testing.T) {
	b := boot(t, t.TempDir(), shipped)
	defer off(t, b)
	_, etag := (settings{b}).Fields()
	var refused *web.Refused
	for name, values := range map[string]map[string]string{
		"a pool of before":        {"network.address": "127.78.0.250/24"},
		"nonsense":                {"network.address": "nowhere"},
		"a key that there is not": {"network.address": "10.77.0.2/16", "network.colour": "green"},
	} {
		if err := b.starter.Move(t.Context(), values, etag); !errors.As(err, &refused) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
	if err := b.starter.Move(t.Context(), there, "stale"); !errors.As(err, new(web.StaleError)) {
		t.Errorf("settings that changed: %v", err)
	}
	if err := b.starter.Move(t.Context(), there, etag); err != nil {
		t.Error(err)
	}
	var public *web.PublicError
	if err := b.starter.Move(t.Context(), there, etag); !errors.As(err, &public) {
		t.Errorf("twice: %v", err)
	}
}

// TestAProposalPassesTheChecksOfTheSite makes proposals of networks of every length, with the router anywhere, and wants the site to
// take each of them.
func TestAProposalPassesTheChecksOfTheSite(t *testing.T) {
	fresh, _ := site.Parse([]byte(bareSite), site.Catalogue())
	for bits := 8; bits <= 28; bits++ {
		network := netip.MustParsePrefix("172.16.0.0/8")
		if bits > 8 {
			network = netip.PrefixFrom(netip.MustParseAddr("172.16.0.0"), bits)
		}
		network = network.Masked()
		first := network.Addr().Next()
		last := first
		for range min(1<<(32-bits)-4, 600) {
			last = last.Next()
		}
		gateways := []netip.Addr{{}, first, last}
		free := func(netip.Addr) bool { return true }
		base := (seenNetwork{network: network}).propose(free)
		from, to, _ := strings.Cut(base.Values["dhcp.pool"], "-")
		box := netip.MustParsePrefix(base.Values["network.address"]).Addr()
		low, high := netip.MustParseAddr(from), netip.MustParseAddr(to)
		gateways = append(gateways, low, low.Next(), high, high.Prev(), box)
		for _, gw := range gateways {
			for name, free := range map[string]func(netip.Addr) bool{
				"free": free, "all taken": func(netip.Addr) bool { return false }, "one taken": func(a netip.Addr) bool { return a != box },
			} {
				p := (seenNetwork{network: network, gateway: gw}).propose(free)
				if _, faults := fresh.SetFields(p.Values, site.Catalogue()); refused(faults) != nil {
					t.Errorf("%s with the router %s, %s: %v is refused: %v", network, gw, name, p.Values, refused(faults))
				}
				if p.Why == "" {
					t.Error("it does not say why")
				}
			}
		}
	}
	p := (seenNetwork{network: netip.MustParsePrefix("192.168.5.0/24"), gateway: netip.MustParseAddr("192.168.5.1"), server: "192.168.5.1"}).propose(func(a netip.Addr) bool {
		return a != netip.MustParseAddr("192.168.5.250")
	})
	if p.Values["network.address"] != "192.168.5.249/24" || p.Values["network.gateway"] != "192.168.5.1" || p.Values["dhcp.pool"] != "192.168.5.184-192.168.5.248" {
		t.Errorf("found %v", p.Values)
	}
}

func TestMaskBits(t *testing.T) {
	for mask, want := range map[string]int{"255.255.255.0": 24, "255.255.0.0": 16, "255.255.255.255": 32, "0.0.0.0": 0, "255.0.255.0": 0, "10.77.0.1": 0} {
		if got := maskBits(netip.MustParseAddr(mask)); got != want {
			t.Errorf("%s: %d, want %d", mask, got, want)
		}
	}
}
