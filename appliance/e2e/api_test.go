package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
	"phonebox/services/testkit"
)

// The bodies of the API, as DESIGN ("The daemon's face") describes them; they are not the daemon's own types.
type (
	status struct {
		Ready    bool
		Services map[string]struct{ State, Detail string }
		Clock    struct {
			Trusted bool
			Source  string
			RTC     string
			Stratum int
		}
		Others []struct {
			Address, MAC, Offered string
			First, Seen           time.Time
			Options               []struct {
				Code        uint8
				Name, Value string
			}
			Accepted bool
		} `json:"other_dhcp_servers"`
		Decision struct {
			Serve   bool
			Servers []string
		} `json:"dhcp_decision"`
		Network struct{ Condition, Text string }
		Notices []string

		NotAnswered []struct {
			Service string
			Count   int
		} `json:"not_answered"`
	}
	phoneEntry struct {
		MAC        phone.MAC
		Label      string
		Model      string
		Address    string
		Load       string
		Protocol   phone.Protocol
		Known      bool
		Step       phone.Step
		WaitingFor string `json:"waiting_for"`
		Problem    string
	}
	event struct {
		ID      uint64
		Time    time.Time
		MAC     phone.MAC
		Service string
		Kind    string
		Text    string
		Step    phone.Step
	}
	apiFault struct {
		Line                int
		Key, Found, Allowed string
	}
	apiError struct {
		Error  string
		Faults []apiFault
	}
)

// client returns an HTTP client whose connections begin in the namespace of n.
func (b *box) client(n *testkit.Node) *http.Client {
	type dialed struct {
		conn net.Conn
		err  error
	}
	return &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				d := testkit.In(b.t, n, func() (dialed, error) {
					// Time for three SYNs: the first may find a box that has no address yet.
					conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, addr)
					return dialed{conn, err}, nil
				})
				return d.conn, d.err
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call is one request to the API on the plain port with the password; header is pairs of name and value.
func (b *box) call(c *http.Client, method, path string, body []byte, header ...string) (code int, answer []byte, h http.Header) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://"+boxAddr+path, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, answer, resp.Header
}

// get reads a JSON body.
func (b *box) get(path string, v any) {
	b.t.Helper()
	b.getFrom(b.laptop, path, v)
}

func (b *box) getFrom(c *http.Client, path string, v any) {
	b.t.Helper()
	code, body, _ := b.call(c, http.MethodGet, path, nil)
	if code != http.StatusOK {
		b.t.Fatalf("GET %s: found %d, wanted 200: %s", path, code, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		b.t.Fatalf("GET %s: %v: %s", path, err, body)
	}
}

func (b *box) setPassword() {
	b.t.Helper()
	code, body, _ := b.call(b.laptop, http.MethodPost, "/api/v1/setup", []byte(`{"password":"`+password+`"}`),
		"Content-Type", "application/json")
	if code != http.StatusNoContent {
		b.t.Fatalf("setting the first password: found %d, wanted 204: %s", code, body)
	}
}

func (b *box) status() (s status) {
	b.t.Helper()
	b.get("/api/v1/status", &s)
	return s
}

// insideStatus asks from the box itself, which needs no cable.
func (b *box) insideStatus() (s status) {
	b.t.Helper()
	b.getFrom(b.inside, "/api/v1/status", &s)
	return s
}

// setClock tells the box the time, as a technician's browser does.
func (b *box) setClock() {
	b.t.Helper()
	body := fmt.Sprintf(`{"unix":%d}`, time.Now().Unix())
	if code, answer, _ := b.call(b.laptop, http.MethodPost, "/api/v1/clock", []byte(body), "Content-Type", "application/json"); code != http.StatusNoContent {
		b.t.Fatalf("telling the time: found %d, wanted 204: %s", code, answer)
	}
	if c := b.status().Clock; !c.Trusted {
		b.t.Errorf("the clock after it was told the time: %+v, wanted it trusted", c)
	}
}

func (b *box) phones() (list []phoneEntry) {
	b.t.Helper()
	b.get("/api/v1/phones", &list)
	return list
}

// phone returns the entry of one phone, zero when the box does not know it.
func (b *box) phone(mac phone.MAC) phoneEntry {
	b.t.Helper()
	for _, p := range b.phones() {
		if p.MAC == mac {
			return p
		}
	}
	return phoneEntry{}
}

func (b *box) events(mac phone.MAC) (list []event) {
	b.t.Helper()
	b.get("/api/v1/phones/"+mac.String()+"/events", &list)
	return list
}

// waitEvent waits for an event of that kind whose sentence holds text.
func (b *box) waitEvent(mac phone.MAC, kind, text string) {
	b.t.Helper()
	var last []event
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the timeline of %s: %+v", mac, last)
		}
	}()
	testkit.Eventually(b.t, 15*time.Second, "an event "+kind+" of "+mac.String()+" with "+text, func() bool {
		if b.phone(mac).MAC != mac {
			return false
		}
		last = b.events(mac)
		return slices.ContainsFunc(last, func(e event) bool { return e.Kind == kind && strings.Contains(e.Text, text) })
	})
}

// file returns the bytes that the phone would get for a name now, and what X-Phonebox-Status says.
func (b *box) file(mac phone.MAC, name string) ([]byte, string) {
	b.t.Helper()
	_, body, h := b.call(b.laptop, http.MethodGet, "/api/v1/phones/"+mac.String()+"/files/"+name, nil)
	return body, h.Get("X-Phonebox-Status")
}

// site returns the settings with their secrets, and their ETag.
func (b *box) site() (text []byte, etag string) {
	b.t.Helper()
	code, body, h := b.call(b.laptop, http.MethodGet, "/api/v1/site?secrets=1", nil)
	if code != http.StatusOK {
		b.t.Fatalf("GET the site: found %d: %s", code, body)
	}
	return body, h.Get("ETag")
}

// putSite replaces the settings and returns the answer.
func (b *box) putSite(text []byte) (code int, answer apiError) {
	b.t.Helper()
	_, etag := b.site()
	code, body, _ := b.call(b.laptop, http.MethodPut, "/api/v1/site", text, "If-Match", etag)
	if code != http.StatusNoContent {
		if err := json.Unmarshal(body, &answer); err != nil {
			b.t.Fatalf("PUT the site: %d: %v: %s", code, err, body)
		}
	}
	return code, answer
}

// healthy waits until /healthz says that all is well. A probe that a busy machine answers too late makes it say otherwise for
// once; a service that has failed makes it say so for good.
func (b *box) healthy() {
	b.t.Helper()
	var last []byte
	defer func() {
		if b.t.Failed() {
			b.t.Logf("last /healthz: %s", last)
		}
	}()
	testkit.Eventually(b.t, patience, "/healthz says that all is well", func() (well bool) {
		var code int
		code, last, _ = b.call(b.laptop, http.MethodGet, "/healthz", nil)
		return code == http.StatusOK
	})
}

// metric sums up a counter over those of its labels that hold match.
func (b *box) metric(name, match string) (sum float64) {
	b.t.Helper()
	code, body, _ := b.call(b.inside, http.MethodGet, "/metrics", nil)
	if code != http.StatusOK {
		b.t.Fatalf("/metrics: found %d: %s", code, body)
	}
	for line := range strings.Lines(string(body)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		metric, labels, _ := strings.Cut(series, "{")
		if !ok || metric != name || !strings.Contains(labels, match) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.t.Fatal(err)
		}
		sum += v
	}
	return sum
}

// addr is a shorthand for constants.
func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// mustMAC is a shorthand for constants.
func mustMAC(s string) phone.MAC {
	mac, err := phone.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return mac
}
