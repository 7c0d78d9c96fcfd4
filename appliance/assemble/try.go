//go:build !gokrazy

package assemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

// trySite is the made-up site of -try: the box at 127.77.0.1, two listed phones, and a load that is not on the shelf.
const trySite = `name = "Harbour Street office"

[network]
interface = "lo"
address   = "127.77.0.1/16"

[dhcp]
pool       = ["%s"]
ping_check = false

[time]
zone     = "Europe/Brussels"
upstream = []

[dns.hosts]
pbx = "127.77.0.10"

[sip]
proxy = "pbx.voice.home.arpa"

[[phones]]
mac   = "00:06:D7:AA:2A:2E"
label = "Reception"
[[phones.lines]]
name        = "208"
authname    = "208"
password    = "sip"
displayname = "Reception"

[[phones]]
mac   = "00:07:EB:10:20:30"
model = "7940"
label = "Workshop"
load  = "P0S3-8-12-00"
[[phones.lines]]
name     = "209"
authname = "209"
password = "sip"
`

// tryPhones are the virtual phones of -try. Speed divides the times that a phone spends on itself, so that a visitor need
// not wait half a minute for a loader; the unknown phone polls, and must not do so faster than a phone in trouble.
func tryPhones() []phonesim.Config {
	return []phonesim.Config{
		{MAC: phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}, Model: "7960", State: phonesim.StateSIP, Speed: 20},
		{MAC: phone.MAC{0x00, 0x0d, 0x29, 0x55, 0x66, 0x77}, Model: "7960", State: phonesim.StateBare, Speed: 4},
		{MAC: phone.MAC{0x00, 0x07, 0xeb, 0x10, 0x20, 0x30}, Model: "7940", State: phonesim.StateSCCP, Want: "P0S3-8-12-00", Speed: 20},
	}
}

// freePool returns ten addresses on which no phone of another -try listens, so that two of them can run side by side.
func freePool() string {
	pool := ""
	for first := byte(1); first <= 241; first += 10 {
		pool = fmt.Sprintf("127.77.1.%d-127.77.1.%d", first, first+9)
		free := true
		for i := range byte(len(tryPhones())) {
			conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 77, 1, first+i), Port: sipPort})
			if err != nil {
				free = false
				break
			}
			conn.Close()
		}
		if free {
			break
		}
	}
	return pool
}

// Try is -try: the whole box on loopback with virtual phones, without root, network or settings. It runs until ctx ends.
func Try(ctx context.Context, opt Options, reload <-chan os.Signal) error {
	dir, err := os.MkdirTemp("", "phonebox-try-")
	if err != nil {
		return fmt.Errorf("making a folder for the made-up site: %w", err)
	}
	defer os.RemoveAll(dir)
	opt.Data, opt.Site = filepath.Join(dir, "data"), filepath.Join(dir, "site.toml")
	if err := os.WriteFile(opt.Site, fmt.Appendf(nil, trySite, freePool()), 0o600); err != nil {
		return fmt.Errorf("writing the made-up site: %w", err)
	}
	b, err := New(ctx, opt)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go b.reloads(ctx, reload)
	var phones sync.WaitGroup
	phones.Go(func() {
		if err := b.showPhones(ctx, &phones); err != nil && ctx.Err() == nil {
			opt.Log.Error("virtual phones", "err", err)
		}
	})
	err = b.Run(ctx)
	cancel()
	phones.Wait()
	return err
}

// showPhones waits for the box, plugs the phones in and prints what becomes of them.
func (b *Box) showPhones(ctx context.Context, running *sync.WaitGroup) error {
	at, err := b.WaitReady(ctx)
	if err != nil {
		return err
	}
	out := &terminal{w: b.opt.Terminal, began: b.began}
	out.print("phonebox runs. Its page: http://%s/", at.Web)
	out.print("three virtual phones boot from it; stop with Ctrl-C")
	ports := phonesim.Ports{
		DHCP: at.DHCP.Port(), TFTP: at.TFTP.Port(), SNTP: at.SNTP.Port(), DNS: at.DNS.Port(), HTTP: at.Web.Port(),
	}
	link, err := phonesim.NewLoopback(phonesim.LoopbackConfig{Server: netip.AddrFrom4([4]byte{127, 77, 0, 1}), Ports: ports})
	if err != nil {
		return err
	}
	var errs []error
	for _, cfg := range tryPhones() {
		cfg.Link, cfg.Ports, cfg.Stay = link, ports, true
		cfg.OnEvent = out.phone(b.labelOf(cfg.MAC))
		p, err := phonesim.New(cfg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		running.Go(func() {
			if _, err := p.Run(ctx); err != nil && ctx.Err() == nil {
				out.print("%s: %v", b.labelOf(cfg.MAC), err)
			}
		})
	}
	return errors.Join(errs...)
}

func (b *Box) labelOf(mac phone.MAC) string {
	if p := b.index.Load().byMAC[mac]; p != nil {
		return p.Label
	}
	return "unknown phone " + mac.String()
}

// terminal prints progress, one line a step of a phone, with the seconds since the start.
type terminal struct {
	mu    sync.Mutex
	w     io.Writer
	began time.Time
}

func (t *terminal) print(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%5.1f s  %s\n", time.Since(t.began).Seconds(), fmt.Sprintf(format, args...))
}

// phone returns what prints the events of one virtual phone: its steps, the files that it lacks, and what it is told wrong.
func (t *terminal) phone(label string) func(phonesim.Event) {
	return func(e phonesim.Event) {
		switch e.Kind {
		case phonesim.EventStep, phonesim.EventFault, phonesim.EventDone:
			t.print("%-28s %s", label, e.Text)
		default:
		}
	}
}
