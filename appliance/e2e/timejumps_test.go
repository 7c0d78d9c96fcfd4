package e2e_test

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// TestTimeJumps sets the box's time by a day and by ten years, there and back, with restarts between: leases go on, nobody is
// thrown out of the page, its certificate holds, and the timeline stays in the order in which things happened.
func TestTimeJumps(t *testing.T) {
	t.Parallel()
	const n = 4
	lan := office(t, testkit.Host{Name: "wire"})
	base, stranger := mustMAC("00:06:d7:6a:00:00"), mustMAC("00:06:d7:6a:01:00")
	b := startBox(t, lan, site{phones: append(listed(base, n), listed(stranger, 8)...)}.text(), nil)
	b.setClock()
	j := &jumps{box: b, wire: newWire(t, lan.Node("wire")), base: base, stranger: stranger, leases: map[phone.MAC]netip.Addr{}}
	for mac, r := range storm(t, j.wire, base, n, nil) {
		j.leases[mac] = r.Address
	}
	session := j.login(time.Now())

	const day, years = 24 * time.Hour, 3653 * 24 * time.Hour
	for _, at := range []time.Duration{day, 0, years, day, years + day} {
		j.setTo(at)
		j.holds(fmt.Sprintf("%s ahead", at))
		if code, _ := j.open(session, time.Now().Add(at)); code != http.StatusOK {
			t.Errorf("%s ahead the session of before leads to %d, wanted the page", at, code)
		}
		j.newcomer()
	}
	b.restart() // ten years ahead, and so are its newest leases
	j.holds("after a restart ten years ahead")
	j.setTo(0)
	j.holds("back again")
	j.newcomer()
	b.restart()
	j.holds("after a restart, back again")
	for mac, r := range storm(t, j.wire, base, n, j.leases) {
		if r.Address != j.leases[mac] {
			t.Errorf("%s got %s in the end, it had %s", mac, r.Address, j.leases[mac])
		}
	}
	if d := j.wire.Addresses().Duplicates(); len(d) > 0 {
		t.Errorf("addresses held by two phones at once: %v", d)
	}
	j.inOrder()
}

// jumps is a box whose time jumps, and phones that don't notice.
type jumps struct {
	*box
	wire           *phonesim.Wire
	base, stranger phone.MAC
	came           int
	leases         map[phone.MAC]netip.Addr
}

// setTo tells the box, as a browser would, a time that is so far ahead of ours.
func (j *jumps) setTo(ahead time.Duration) {
	j.t.Helper()
	want := time.Now().Add(ahead)
	body := fmt.Sprintf(`{"unix":%d}`, want.Unix())
	if code, answer, _ := j.call(j.laptop, http.MethodPost, "/api/v1/clock", []byte(body), "Content-Type", "application/json"); code != http.StatusNoContent {
		j.t.Fatalf("telling the time %s: found %d, wanted 204: %s", want, code, answer)
	}
	if a := j.askTime(); (a.ClockOffset-ahead).Abs() > 3*time.Second || a.Validate() != nil {
		j.t.Errorf("NTP is %s ahead, wanted %s: %+v", a.ClockOffset, ahead, a)
	}
}

// holds wants every lease to run, by what the box says of its phones.
func (j *jumps) holds(when string) {
	j.t.Helper()
	for mac, at := range j.leases {
		if e := j.phone(mac); e.Address != at.String() {
			j.t.Errorf("%s the box gives %s the address %q, it had %s", when, mac, e.Address, at)
		}
	}
	if !j.status().Ready {
		j.t.Errorf("%s not all is ready: %+v", when, j.status().Services)
	}
}

// newcomer lets a phone ask that was never seen, which must get an address that nobody has.
func (j *jumps) newcomer() {
	j.t.Helper()
	mac := phonesim.AddMAC(j.stranger, j.came)
	j.came++
	r, unplug := boot(j.t, phonesim.Config{Link: j.wire, MAC: mac})
	unplug()
	for holder, at := range j.leases {
		if at == r.Address {
			j.t.Errorf("%s got %s, which is leased to %s", mac, at, holder)
		}
	}
	j.leases[mac] = r.Address
}

// browser is a client whose own clock stands at some time, and that knows the box's certificate.
func (j *jumps) browser(at time.Time) *http.Client {
	j.t.Helper()
	pem, err := os.ReadFile(filepath.Join(j.data, "certs", "page.pem"))
	if err != nil {
		j.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := j.client(j.lan.Node("laptop"))
	c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: pool, Time: func() time.Time { return at }}
	return c
}

func (j *jumps) login(at time.Time) *http.Cookie {
	j.t.Helper()
	form := strings.NewReader(url.Values{"password": {password}}.Encode())
	resp, err := j.browser(at).Post("https://"+boxAddr+"/login", "application/x-www-form-urlencoded", form)
	if err != nil {
		j.t.Fatal(err)
	}
	resp.Body.Close()
	if len(resp.Cookies()) == 0 {
		j.t.Fatalf("logging in: found %d and no session", resp.StatusCode)
	}
	return resp.Cookies()[0]
}

// open loads the page with a session, in a browser whose clock is right by the box's.
func (j *jumps) open(session *http.Cookie, at time.Time) (code int, page string) {
	j.t.Helper()
	req, err := http.NewRequestWithContext(j.t.Context(), http.MethodGet, "https://"+boxAddr+"/", nil)
	if err != nil {
		j.t.Fatal(err)
	}
	req.AddCookie(session)
	resp, err := j.browser(at).Do(req)
	if err != nil {
		j.t.Errorf("with a browser of %s: %v", at, err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		j.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// inOrder wants the timelines in the order of what happened, whatever the clock said at each moment, and the last start of
// the daemon at their end.
func (j *jumps) inOrder() {
	j.t.Helper()
	var all []event
	for mac := range j.leases {
		var before event
		for _, e := range j.events(mac) {
			if e.ID <= before.ID {
				j.t.Errorf("%s: event %d comes after %d", mac, e.ID, before.ID)
			}
			before = e
			all = append(all, e)
		}
		if strings.HasPrefix(mac.String(), j.base.String()[:14]) && time.Since(before.Time) > time.Minute { // they were all booted at the end
			j.t.Errorf("%s: the newest event is %+v", mac, before)
		}
	}
	slices.SortFunc(all, func(a, b event) int { return cmp.Compare(a.ID, b.ID) })
	if slices.IsSortedFunc(all, func(a, b event) int { return a.Time.Compare(b.Time) }) {
		j.t.Error("no event has a time before that of the event before it: the test did not set the clock back")
	}
}
