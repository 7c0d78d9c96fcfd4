package e2e_test

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// past is what the real-time clock of a computer shows whose battery is empty.
const past = "2020-01-01T00:00:00"

// slowCard makes the disk as slow as a bad SD card. A lease that was acknowledged before it was on the disk would still be
// on its way when the power is cut.
const slowCard = "throttling.iops-write=40"

// qemuRun is what one boot of the computer leaves for the next to find.
type qemuRun struct {
	*machine
	capture *testkit.Capture
	wire    *phonesim.Wire
	mac     phone.MAC // of the listed phone

	phoneAddress string
	seen         []event // of the listed phone, old enough to be on the disk
	site         string
	shown        time.Time // the latest that its system clock showed before the power was cut
	acknowledged map[phone.MAC]netip.Addr

	backup            []byte // of the settings and the firmware
	inBackup, changed string // the settings in it, and those that were changed afterwards
	names             *encrypted
}

// TestBoxInQEMU is the image on a wire: a phone boots against it, it is restarted and shut down on its page, power is cut, cut
// again in a storm of phones and in the middle of a restore, and nothing is lost that was promised.
func TestBoxInQEMU(t *testing.T) {
	emulating.enter(t)
	testkit.Need(t, "mkfs.vfat", "mmd", "mcopy", "dig", "partx", "dumpe2fs", "e2fsck")
	m := newMachine(t, "arm64")
	r := &qemuRun{machine: m, capture: m.node.Capture(t), wire: newWire(t, m.lan.Node("wire")), mac: mustMAC("00:06:d7:77:00:00")}
	r.stick = makeStick(t, map[string]string{"phonebox/phones.csv": stickPhones})
	r.firstBoot()
	r.stickSetsUp()
	r.lockedUntilLogin()
	r.stickWasTold()
	r.takeTime()
	r.bootPhone()
	r.silence()
	r.memory()
	r.askEncrypted()
	r.restartByPage()
	r.stickWaits()
	r.remember()
	r.shown = r.systemClock()
	r.cut()

	r.stick, r.noRTC = "", true
	r.power(past, slowCard)
	r.waitPage()
	r.recalled()
	r.withoutRTC()
	r.namesOfTheWorld("before-the-time-is-known.example.org")
	r.oneClick()
	r.storm()

	r.power(past)
	r.waitPage()
	r.leasesKept()
	r.withoutRTC()
	r.stormAgain()
	r.restartDaemon()
	r.leasesKept()
	r.cutWhileRestoring(r.backUpAndRestore())

	r.stick, r.noRTC = makeStick(t, map[string]string{"phonebox/reset-password": ""}), false
	r.power("utc")
	r.waitPage()
	r.passwordReset()
	r.oldOrNew()
	r.byRTC()
	r.loggedIn().shutDown()
}

// firstBoot measures how long the computer takes from being switched on to its first offer.
func (r *qemuRun) firstBoot() {
	r.t.Helper()
	began := time.Now()
	r.power(past)
	offer := r.waitOffer()
	r.t.Logf("FIGURE image: first OFFER %.1f s after QEMU's start, of which 3 s are listening for others", time.Since(began).Seconds())
	if n := askedByMachine(r.t, r.capture)[lookDiscover]; n != 3 {
		r.t.Errorf("before its first offer the computer sent %d DISCOVERs, wanted the three of its look for other servers", n)
	}
	if got := offer.ServerIPAddr.String(); got != boxAddr {
		r.t.Errorf("the offer names the TFTP server %s, wanted %s", got, boxAddr)
	}
}

// lockedUntilLogin looks for gokrazy's own page, before there is a password, without it and with it.
func (r *qemuRun) lockedUntilLogin() {
	r.t.Helper()
	r.refusedGokrazy("before the password is set")
	r.setPassword()
	r.refusedGokrazy("without a login")
	code, body, _ := r.call(r.laptop, http.MethodGet, "/gokrazy/", nil)
	if code != http.StatusOK || !strings.Contains(string(body), "/user/phoneboxd") {
		r.t.Errorf("gokrazy's page with a login: found %d: %.300s", code, body)
	}
	if strings.Contains(string(body), "/gokrazy/dhcp") || strings.Contains(string(body), "/gokrazy/ntp") {
		r.t.Error("gokrazy's page lists its own DHCP or NTP client")
	}
	r.waitReady()
	r.healthy()
}

func (r *qemuRun) refusedGokrazy(when string) {
	r.t.Helper()
	for _, path := range []string{"/gokrazy/", "/gokrazy/status?path=/user/phoneboxd", "/gokrazy/reboot"} {
		var code int
		testkit.Eventually(r.t, bootPatience, "the computer answers GET "+path, func() bool {
			code, _ = r.tryGet(path)
			return code != 0
		})
		if code < 300 || code >= 500 {
			r.t.Errorf("GET %s %s: found %d, wanted a refusal", path, when, code)
		}
	}
}

// takeTime sets the clock from a browser and looks at the system clock and at what NTP says before and after.
func (r *qemuRun) takeTime() {
	r.t.Helper()
	if c := r.status().Clock; c.Trusted {
		r.t.Errorf("before anybody told the time the clock is %+v, wanted it not trusted", c)
	}
	if a := r.askTime(); a.Validate() == nil {
		r.t.Errorf("before anybody told the time NTP says stratum %d, leap %d: wanted unsynchronised", a.Stratum, a.Leap)
	}
	r.setClock()
	r.rightTime("after the browser told the time")
}

// rightTime wants the system clock and the answers of NTP to show the time and to stand for it.
func (r *qemuRun) rightTime(when string) {
	r.t.Helper()
	if d := time.Until(r.systemClock()).Abs(); d > 5*time.Second {
		r.t.Errorf("%s the system clock is wrong by %s", when, d)
	}
	a := r.askTime()
	if err := a.Validate(); err != nil {
		r.t.Errorf("%s NTP is not to be used: %v", when, err)
	}
	if d := a.ClockOffset.Abs(); d > 3*time.Second {
		r.t.Errorf("%s NTP is wrong by %s", when, d)
	}
}

// bootPhone uploads firmware and boots a phone that has to be upgraded.
func (r *qemuRun) bootPhone() {
	r.t.Helper()
	r.uploadFirmware(shelf())
	p, unplug := plug(r.t, phonesim.Config{Link: r.wire, MAC: r.mac, State: phonesim.StateSIP7, Want: imageTarget})
	defer unplug()
	began := time.Now()
	result := waitDone(r.t, p, 2*time.Minute)
	r.t.Logf("FIGURE image: a virtual phone upgraded and ready after %.1f s in %d boots", time.Since(began).Seconds(), result.Boots)
	e := agree(r.t, &r.box, p, 15*time.Second)
	if e.Step != phone.Ready || e.Load != imageTarget || e.Address != result.Address.String() {
		r.t.Errorf("the box tells %+v, wanted a phone that is ready with %s at %s", e, imageTarget, result.Address)
	}
	if result.ClockOffset == nil || *result.ClockOffset < -3 || *result.ClockOffset > 3 || result.ClockStratum != 10 {
		r.t.Errorf("the phone's clock: offset %v, stratum %d, wanted the browser's time at stratum 10", result.ClockOffset, result.ClockStratum)
	}
	if !slices.Equal(result.Lines, []string{"200"}) {
		r.t.Errorf("the phone has the lines %q, wanted 200", result.Lines)
	}
	r.phoneAddress = e.Address
}

// silence looks at what the computer asked of others: it looks for other DHCP servers now and then, and nothing else. A
// client of DHCP or NTP in the image would show here.
func (r *qemuRun) silence() {
	r.t.Helper()
	asked := askedByMachine(r.t, r.capture)
	delete(asked, lookDiscover)
	delete(asked, lookInform)
	if len(asked) > 0 {
		r.t.Errorf("the computer asked others: %v, wanted nothing but looks for other DHCP servers", asked)
	}
}

// memory measures the daemon after a phone was upgraded.
func (r *qemuRun) memory() {
	r.t.Helper()
	r.t.Logf("FIGURE image: daemon's memory in the virtual computer %.0f MB", r.gauge("process_resident_memory_bytes")/1e6)
}

// remember notes what the next boot has to know.
func (r *qemuRun) remember() {
	r.t.Helper()
	text, _ := r.box.site()
	r.site = string(text)
	// Promise 8: at most the last five seconds are lost; one more for the clocks of the two computers.
	for _, e := range r.events(r.mac) {
		if time.Since(e.Time) > 6*time.Second {
			r.seen = append(r.seen, e)
		}
	}
	if len(r.seen) < 10 {
		r.t.Fatalf("the timeline has %d events that are old enough, wanted at least ten: %+v", len(r.seen), r.events(r.mac))
	}
}

// recalled looks for what was there before the power cut. No phone has spoken since.
func (r *qemuRun) recalled() {
	r.t.Helper()
	if e := r.phone(r.mac); e.Address != r.phoneAddress || e.Label != "Desk 1" {
		r.t.Errorf("after a power cut the box tells %+v, wanted Desk 1 at %s", e, r.phoneAddress)
	}
	now := map[uint64]string{}
	for _, e := range r.events(r.mac) {
		now[e.ID] = e.Text
	}
	for _, e := range r.seen {
		if now[e.ID] != e.Text {
			r.t.Errorf("after a power cut event %d is %q, it was %q", e.ID, now[e.ID], e.Text)
		}
	}
	if text, _ := r.box.site(); string(text) != r.site {
		r.t.Errorf("after a power cut the site is\n%s\nit was\n%s", text, r.site)
	}
	if _, answer := r.file(r.mac, imageTarget+".sb2"); answer != "ok" {
		r.t.Errorf("after a power cut the uploaded firmware is %q", answer)
	}
	body := []byte(`{"password":"another good password"}`)
	if code, _, _ := r.call(r.laptop, http.MethodPost, "/api/v1/setup", body, "Content-Type", "application/json"); code < 400 {
		r.t.Errorf("after a power cut anybody may set the password: found %d", code)
	}
}

// makeStick makes a USB stick as a person would: a FAT file system with a folder and files in it.
func makeStick(t *testing.T, files map[string]string) string {
	t.Helper()
	stick := filepath.Join(t.TempDir(), "stick.img")
	if err := os.WriteFile(stick, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := [][]string{{"mkfs.vfat", stick}, {"mmd", "-i", stick, "::phonebox"}}
	for name, content := range files {
		file := filepath.Join(t.TempDir(), filepath.Base(name))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		commands = append(commands, []string{"mcopy", "-i", stick, file, "::" + name})
	}
	for _, args := range commands {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return stick
}

// stickPhones is the list on the stick that is plugged in from the first boot on: a phone with an address of its own.
const stickPhones = "MAC;Label;Address;Extension;Password\r\n" + stickMAC + ";Attic;" + stickAddr + ";399;secret-399\r\n"

const (
	stickMAC  = "00:06:D7:77:00:99"
	stickAddr = "10.77.0.99"
)

// stickSetsUp waits until the list of the stick is in force. Nobody has set a password, so nothing can be asked: but the
// phone is offered the address that the list gives it.
func (r *qemuRun) stickSetsUp() {
	r.t.Helper()
	mac := mustMAC(stickMAC)
	testkit.Eventually(r.t, time.Minute, "the phone of the stick's list is offered its address", func() bool {
		return r.offerTo(mac[:]).YourIPAddr.String() == stickAddr
	})
}

// stickWasTold looks for the import in the box's timeline.
func (r *qemuRun) stickWasTold() {
	r.t.Helper()
	if e := r.phone(mustMAC(stickMAC)); !e.Known || e.Label != "Attic" {
		r.t.Errorf("after the stick's list was imported the box tells %+v", e)
	}
	told := r.events(phone.MAC{})
	if !slices.ContainsFunc(told, func(e event) bool {
		return strings.Contains(e.Text, "phones.csv of a USB stick was imported: 1 phone added")
	}) {
		r.t.Errorf("the box's own timeline does not tell of the stick: %+v", told)
	}
}

// stickWaits looks for the same stick after a reboot: a password is set now, so its list waits for a yes.
func (r *qemuRun) stickWaits() {
	r.t.Helper()
	testkit.Eventually(r.t, time.Minute, "the stick's list waits on the page", func() bool {
		code, body := r.quickly(http.MethodGet, "/import")
		return code == http.StatusOK && strings.Contains(body, "From phones.csv") && !strings.Contains(body, "secret-399")
	})
}

// passwordReset waits until the old password is worth nothing because of the stick, and sets another.
func (r *qemuRun) passwordReset() {
	r.t.Helper()
	testkit.Eventually(r.t, time.Minute, "the stick takes the password away", func() bool {
		code, _ := r.quickly(http.MethodGet, "/api/v1/status")
		return code == http.StatusForbidden
	})
	r.setPassword()
	told := false
	for _, e := range r.events(phone.MAC{}) {
		told = told || strings.Contains(e.Text, "USB stick")
	}
	if !told {
		r.t.Errorf("the box's own timeline does not tell of the stick: %+v", r.events(phone.MAC{}))
	}
}

// stormSize is how many phones are switched on at once.
const stormSize = 50

func (r *qemuRun) stormConfig() phonesim.StormConfig {
	return phonesim.StormConfig{
		Link: r.wire, Phones: stormSize, Base: mustMAC("00:06:d7:78:00:00"), States: []phonesim.State{phonesim.StateBare}, Speed: fast,
		Window: 2 * time.Second,
	}
}

// storm cuts the power when half of the phones have their address, and notes what was acknowledged on the wire.
func (r *qemuRun) storm() {
	r.t.Helper()
	r.waitServing()
	before := len(r.capture.Frames())
	var addressed atomic.Int64
	half := make(chan struct{})
	cfg := r.stormConfig()
	cfg.OnEvent = func(e phonesim.Event) {
		if e.Kind == phonesim.EventStep && e.Step == phone.Addressed && addressed.Add(1) == stormSize/2 {
			close(half)
		}
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		if _, err := phonesim.Storm(ctx, cfg); err != nil {
			r.t.Errorf("the storm: %v", err)
		}
	}()
	select {
	case <-half:
	case <-time.After(time.Minute):
		r.t.Errorf("after a minute %d of %d phones have an address", addressed.Load(), stormSize)
	}
	r.shown = r.systemClock()
	r.cut()
	cancel()
	<-over
	r.acknowledged = acknowledgedSince(r.t, r.capture, before)
	r.t.Logf("%d leases were acknowledged before the power was cut", len(r.acknowledged))
	if len(r.acknowledged) < stormSize/2 {
		r.t.Fatalf("found %d acknowledgements on the wire, wanted at least %d", len(r.acknowledged), stormSize/2)
	}
}

// leasesKept asks for the leases before any phone speaks.
func (r *qemuRun) leasesKept() {
	r.t.Helper()
	told := map[phone.MAC]string{}
	for _, e := range r.phones() {
		told[e.MAC] = e.Address
	}
	for mac, addr := range r.acknowledged {
		if told[mac] != addr.String() {
			r.t.Errorf("after a power cut in a storm %s has %q, %s was acknowledged", mac, told[mac], addr)
		}
	}
	if told[r.mac] != r.phoneAddress {
		r.t.Errorf("after two power cuts %s has %q, it had %s", r.mac, told[r.mac], r.phoneAddress)
	}
}

// stormAgain boots the same phones to the end: each gets the address that it was told before.
func (r *qemuRun) stormAgain() {
	r.t.Helper()
	r.waitServing()
	cfg := r.stormConfig()
	cfg.Timeout = 2 * time.Minute
	began := time.Now()
	report, err := phonesim.Storm(r.t.Context(), cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Logf("FIGURE image: %d phones done %.1f s after a power cut, %d failures, %d duplicate addresses",
		stormSize, time.Since(began).Seconds(), report.Failed, len(report.Duplicates))
	for _, f := range report.Failures {
		r.t.Errorf("phone %s: step %s, waiting for %s %s %v", f.MAC, f.Step, f.WaitingFor, f.Problem, f.Faults)
	}
	if len(report.Duplicates) > 0 {
		r.t.Errorf("addresses held by two phones at once: %v", report.Duplicates)
	}
	for _, p := range report.Results {
		if addr, ok := r.acknowledged[p.MAC]; ok && p.Address != addr {
			r.t.Errorf("phone %s got %s, %s was acknowledged before the power cut", p.MAC, p.Address, addr)
		}
	}
}

// TestPCImageBoots boots the image for a PC with its own boot loader and without settings of one's own, as a newcomer does, until
// all of the box is well and it offers an address.
func TestPCImageBoots(t *testing.T) {
	emulating.enter(t)
	testkit.Need(t, "partx", "dumpe2fs", "e2fsck")
	m := newMachine(t, "amd64")
	began := time.Now()
	m.power("utc")
	testkit.Eventually(t, bootPatience, "/healthz says that all is well", func() bool {
		code, _ := m.tryGet("/healthz")
		return code == http.StatusOK
	})
	m.waitOffer() // from the pool of the settings that a new box begins with
	t.Logf("FIGURE image: a PC is healthy %.1f s after QEMU's start", time.Since(began).Seconds())
	m.restartAndShutDown()
}
