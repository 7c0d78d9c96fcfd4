package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// person is somebody with a browser at the laptop of the LAN, who counts what he has to do.
type person struct {
	t              *testing.T
	ctx            context.Context
	box            atomic.Pointer[string] // the address that the browser's connections go to
	clicks, fields int
}

// newPerson starts Chromium. It runs outside of the namespaces: each of its connections is led through the laptop.
func newPerson(t *testing.T, b *box, laptop *testkit.Node) *person {
	t.Helper()
	p := &person{t: t}
	p.at(boxAddr)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	dial := b.client(laptop).Transport.(*http.Transport).DialContext
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				far, err := dial(context.Background(), "tcp4", net.JoinHostPort(*p.box.Load(), "443"))
				if err != nil {
					return
				}
				defer far.Close()
				go func() { _, _ = io.Copy(far, conn); far.Close() }()
				_, _ = io.Copy(conn, far)
			}()
		}
	}()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("host-resolver-rules", "MAP * "+ln.Addr().String()))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // starts it
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Europe/Brussels"}); err != nil {
		t.Fatal(err)
	}
	return p
}

// at leads the browser's connections to an address of the box.
func (p *person) at(addr string) { p.box.Store(&addr) }

func (p *person) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("driving the browser: %v; the page says:\n%s", err, p.text())
	}
}

// open types an address into the browser, which is none of the page's fields.
func (p *person) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// click presses a button or a link by what stands on it.
func (p *person) click(text string) {
	p.t.Helper()
	p.clicks++
	p.do(chromedp.Click(chromedp.Search(`//main//*[self::button or self::a][normalize-space()="` + text + `"]`)))
}

// enter fills in a field.
func (p *person) enter(css, text string) {
	p.t.Helper()
	p.fields++
	p.do(chromedp.WaitVisible(chromedp.CSS(css)), chromedp.SetValue(chromedp.CSS(css), text))
}

func (p *person) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		return err.Error()
	}
	return text
}

func (p *person) see(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		last := ""
		testkit.Eventually(p.t, 2*time.Minute, fmt.Sprintf("the page says %q", text), func() bool {
			last = p.text()
			return strings.Contains(last, text)
		})
	}
}

// TestFromTheFirstPageToTheFirstPhone is what a person does who never saw the box: a card as it comes out of the image, a PBX that
// is there, a phone that hangs on the wall and asks already. The person's clicks and fields are counted until the phone is ready.
func TestFromTheFirstPageToTheFirstPhone(t *testing.T) {
	for name, moves := range map[string]bool{"where the box is": false, "at an address of their own": true} {
		t.Run(name, func(t *testing.T) {
			waiting.enter(t)
			testkit.Need(t, "netns", "chromium", "kamailio", "kamcmd")
			fromTheFirstPage(t, moves)
		})
	}
}

func fromTheFirstPage(t *testing.T, moves bool) {
	shipped, err := os.ReadFile(filepath.Join("..", "..", "overlay", "etc", "phonebox", "site.toml"))
	if err != nil {
		t.Fatal(err)
	}
	lan := office(t, testkit.Host{Name: "pbx", Addr: netip.MustParsePrefix(pbxAddr + "/16")}, testkit.Host{Name: "wire"})
	startPBX(t, lan.Node("pbx"))
	b := newBox(t, lan, string(shipped), nil)
	b.start()
	w := newWire(t, lan.Node("wire"))
	mac := mustMAC("00:06:d7:6e:00:01")
	// It has been on the wall for a while, with SIP and nobody to configure it.
	desk, _ := plug(t, phonesim.Config{Link: w, MAC: mac, State: phonesim.StateBare})
	waitDone(t, desk, patience)

	p := newPerson(t, b, lan.Node("laptop"))
	p.open("https://" + boxAddr + "/")
	p.see("Step 1 of 6")
	p.enter("[name=password]", password)
	p.enter("[name=again]", password)
	p.click("Set the password")
	p.see("Step 2 of 6", "eth0 is up with 10.77.0.1/16", "This looks like the voice VLAN.", "No other one answers")
	p.click("Yes, go on")
	p.see("Step 3 of 6")
	if moves {
		const own = "10.77.5.1"
		p.enter(`[name="network.address"]`, own+"/16")
		p.click("Save and go on")
		p.see("The box leaves 10.77.0.1/16 and moves to 10.77.5.1/16.")
		p.click("Move the box now")
		p.see("The box moves to 10.77.5.1/16 now.")
		p.at(own)
		testkit.Eventually(t, patience, "the box is at its new address", func() bool {
			resp, err := b.laptop.Get("http://" + own + "/alive")
			if err != nil {
				return false
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusNoContent
		})
		desk.PowerCycle() // as the page says: the phone goes on asking the old address until then
		p.click("Open the page at the new address")
		p.see("Log in")
		p.enter("[name=password]", password)
		p.click("Log in")
	} else {
		p.click("Save and go on")
	}
	p.see("Step 4 of 6")
	p.click("Save and go on")
	p.see("Step 5 of 6", "The time zone is saved")
	p.enter(`[name="sip.proxy"]`, pbxAddr)
	p.click("Save, and ask whether it is there")
	p.see("Step 6 of 6", "answers and calls itself kamailio")
	p.see("Phones that showed up", phone.MAC(mac).String())
	p.enter("[name=label]", "Reception")
	p.enter(`[name="lines[0].name"]`, "208")
	p.enter(`[name="lines[0].password"]`, "secret-208")
	p.click("Add this phone")
	p.see("The phone is added.", "Reception")
	testkit.Eventually(t, 3*time.Minute, "the phone itself says that it is ready", func() bool { return desk.Result().Step == phone.Ready })
	p.see("ready", "Finish: to the overview")
	p.click("Finish: to the overview")
	p.see("The box is set up.")
	t.Logf("FIGURE from the first page to the first phone ready, with a PBX, %s: %d fields, %d clicks", map[bool]string{
		false: "keeping the address", true: "with another address for the box",
	}[moves], p.fields, p.clicks)
	if p.fields > 12 || p.clicks > 15 {
		t.Errorf("it took %d fields and %d clicks, want 12 and 15 at most", p.fields, p.clicks)
	}
	saved, err := os.ReadFile(filepath.Join(b.data, "site.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"Europe/Brussels"`, `"` + pbxAddr + `"`, `"Reception"`, `"208"`} {
		if !strings.Contains(string(saved), want) {
			t.Errorf("the settings lack %s:\n%s", want, saved)
		}
	}
	// A box that is set up does not ask again, over a restart as well.
	b.kill()
	b.proc = b.node.Start(t, build(t).daemon, "-data", b.data, "-manage-address")
	testkit.Eventually(t, patience, "the page answers again", func() bool {
		resp, err := b.laptop.Get("http://" + *p.box.Load() + "/alive")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusNoContent
	})
	p.open("https://" + *p.box.Load() + "/start")
	p.see("Services") // the overview: the session outlived the restart
	if text := p.text(); strings.Contains(text, "Step ") || strings.Contains(text, "not finished") {
		t.Errorf("after a restart the page says:\n%s", text)
	}
}
