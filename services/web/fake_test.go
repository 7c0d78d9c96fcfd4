package web_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// fakeBox is an appliance in memory. Its fields may be changed under mu.
type fakeBox struct {
	mu       sync.Mutex
	status   web.Status
	health   func(ctx context.Context) map[string]string
	phones   []web.Phone
	events   map[phone.MAC][]web.PhoneEvent
	dhcp     map[phone.MAC]web.PhoneDHCP
	times    map[phone.MAC]web.PhoneTime
	subs     map[chan web.PhoneEvent]bool
	site     *fakeSite
	files    map[string]web.FileAnswer
	restart  error
	restarts []phone.MAC
	uploads  map[string]string
	clock    []float64
	anyway   int
	beside   []netip.Addr // the servers of the last ServeAnyway
	heldBack int
	looks    int
	gokrazy  http.Handler
	names    web.Names
	mapped   []string      // "name target"
	refuse   error         // of the next MapName
	subbed   chan struct{} // gets a token for each Subscribe
}

func newFakeBox() *fakeBox {
	b := &fakeBox{
		status: web.Status{
			Version: "1.2.3", UptimeS: 7400, Ready: true,
			Services: map[string]web.Service{
				"dhcp": {State: "running"}, "tftp": {State: "running"}, "sntp": {State: "running"},
				"dns": {State: "running"}, "sip": {State: "off"}, "web": {State: "running"},
			},
			Clock: web.Clock{Trusted: true, Source: "pool.ntp.org", Stratum: 3, OffsetS: 0.012},
		},
		events:  map[phone.MAC][]web.PhoneEvent{},
		subs:    map[chan web.PhoneEvent]bool{},
		files:   map[string]web.FileAnswer{},
		uploads: map[string]string{},
		subbed:  make(chan struct{}, 100),
	}
	b.site = &fakeSite{phones: map[phone.MAC]web.PhoneEntry{}, values: map[string]string{}}
	return b
}

func (b *fakeBox) Status() web.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *fakeBox) Health(ctx context.Context) (web.Status, map[string]string) {
	b.mu.Lock()
	status, health := b.status, b.health
	b.mu.Unlock()
	if health == nil {
		return status, nil
	}
	return status, health(ctx)
}

func (b *fakeBox) Phones() []web.Phone {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.phones)
	listed := b.site.snapshot()
	for i, p := range out {
		if e, ok := listed[p.MAC]; ok {
			out[i].Known, out[i].Label, out[i].Lines = true, e.Label, linesOf(e)
			delete(listed, p.MAC)
		}
	}
	for mac, e := range listed {
		out = append(out, web.Phone{MAC: mac, Label: e.Label, Model: e.Model, Known: true, Lines: linesOf(e)})
	}
	return out
}

func (b *fakeBox) Phone(mac phone.MAC) (web.Phone, bool) {
	for _, p := range b.Phones() {
		if p.MAC == mac {
			return p, true
		}
	}
	return web.Phone{}, false
}

func (b *fakeBox) Events(mac phone.MAC) ([]web.PhoneEvent, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.events[mac]
	return slices.Clone(e), ok
}

// furnishDHCP lets a phone have asked for an address and got it.
func (b *fakeBox) furnishDHCP(mac phone.MAC, at time.Time) {
	options := func(kind string) []web.DHCPOption {
		return []web.DHCPOption{
			{Code: 53, Name: "message type", Value: kind},
			{Code: 55, Name: "options asked for", Value: "1 (subnet mask), 66 (TFTP server), 6 (DNS server), 3 (router), 15 (domain name), 150 (TFTP server addresses), 35 (ARP cache timeout)"},
			{Code: 60, Name: "vendor class", Value: "Cisco Systems, Inc. IP Phone CP-7960G"},
			{Code: 224, Value: "0x" + strings.Repeat("0102", 60)},
		}
	}
	packet := func(op string) string { return op + "010600" + strings.Repeat("ab", 300) }
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dhcp = map[phone.MAC]web.PhoneDHCP{mac: {
		Took: "It took the TFTP server that it was told: after 2 s it asked this box for OS79XX.TXT.",
		Exchanges: []web.Exchange{
			{
				Time: at.Add(-89 * time.Second), Type: "REQUEST", SentType: "ACK", Address: "10.77.0.50", Relay: "10.1.0.1", Circuit: "Gi1/0/5", Remote: "0x0102",
				Asked: options("REQUEST"), AskedHex: packet("01"), Sent: options("ACK"), SentHex: packet("02"),
			},
			{Time: at.Add(-90 * time.Second), Type: "DISCOVER", SentType: "OFFER", Address: "10.77.0.50", Asked: options("DISCOVER"), AskedHex: packet("01"), Sent: options("OFFER"), SentHex: packet("02")},
		},
	}}
	b.status.NotAnswered = []web.NotAnswered{
		{Service: "dhcp", Reason: "too many addresses are being probed; the client will ask again", Count: 12, MAC: mac, Last: at},
		{Service: "sntp", Reason: "the packet has … bytes", Count: 1, Address: "10.77.9.9", Last: at},
	}
}

func (b *fakeBox) Names() web.Names {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names
}

// MapName moves a name from the missing ones to the mapped, or takes it out of these.
func (b *fakeBox) MapName(_ context.Context, name, target string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuse; err != nil {
		b.refuse = nil
		return err
	}
	b.mapped = append(b.mapped, name+" "+target)
	b.names.Missing = slices.DeleteFunc(slices.Clone(b.names.Missing), func(n web.MissingName) bool { return n.Name == name })
	b.names.Mapped = slices.DeleteFunc(slices.Clone(b.names.Mapped), func(n web.MappedName) bool { return n.Name == name })
	if target != "" {
		b.names.Mapped = append(b.names.Mapped, web.MappedName{Name: name, Target: target, Address: "10.77.0.1"})
	}
	return nil
}

// furnishNames lets two names be missing, of which a phone asks for one.
func (b *fakeBox) furnishNames(mac phone.MAC, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names = web.Names{
		On: true, Domain: "voice.home.arpa", Local: "phonebox.local", Hosts: []string{"door", "pbx"},
		Missing: []web.MissingName{
			{
				Name: "tftp.old-site.example", Why: "the name servers say that it does not exist", Count: 42, First: at.Add(-time.Hour), Last: at, Mappable: true,
				Askers: []web.Asker{{MAC: mac, Label: "Reception", Address: "10.77.0.50", Count: 41, Last: at}, {MAC: phone.MAC{2}, Address: "10.77.1.9", Count: 1, Last: at}},
			},
			{
				Name: strings.Repeat("very-long-name.", 12) + "example", Why: "it is not of this office, and no name server is set that could be asked", Count: 1, Last: at, Mappable: true,
				Askers: []web.Asker{{Address: "10.77.1.200", Count: 1, Last: at}},
			},
			{Name: `<script>alert(1)</script>\000`, Why: "this office has no such name", Count: 3, Last: at, Askers: []web.Asker{{Address: "10.77.1.201", Count: 3, Last: at}}},
		},
		Mapped: []web.MappedName{{Name: "cucm-sub.example", Target: "pbx", Address: "10.77.0.10"}},
	}
}

func (b *fakeBox) DHCP(mac phone.MAC) (web.PhoneDHCP, bool) {
	_, known := b.Phone(mac)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dhcp[mac], known
}

func (b *fakeBox) Time(mac phone.MAC) (web.PhoneTime, bool) {
	_, known := b.Phone(mac)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.times[mac], known
}

func (b *fakeBox) Subscribe() (<-chan web.PhoneEvent, func()) {
	ch := make(chan web.PhoneEvent, 256)
	b.mu.Lock()
	b.subs[ch] = true
	b.mu.Unlock()
	b.subbed <- struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs, ch)
	}
}

func (b *fakeBox) subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs)
}

// happen records an event, changes the phone with it and tells the subscribers.
func (b *fakeBox) happen(e web.PhoneEvent, change func(*web.Phone)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events[e.MAC] = append(b.events[e.MAC], e)
	i := slices.IndexFunc(b.phones, func(p web.Phone) bool { return p.MAC == e.MAC })
	if i < 0 {
		b.phones = append(b.phones, web.Phone{MAC: e.MAC})
		i = len(b.phones) - 1
	}
	b.phones[i].Step, b.phones[i].Updated = e.Step, e.Time
	if change != nil {
		change(&b.phones[i])
	}
	for ch := range b.subs {
		select {
		case ch <- e:
		default:
		}
	}
}

func (b *fakeBox) Settings() web.Settings { return b.site }

func (b *fakeBox) File(_ context.Context, mac phone.MAC, name string) (web.FileAnswer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name == "broken" {
		return web.FileAnswer{}, errors.New("a cause with hunter2-secret in it")
	}
	if a, ok := b.files[mac.Name()+"/"+name]; ok {
		return a, nil
	}
	return web.FileAnswer{Status: "missing", Why: "there is no such file"}, nil
}

func (b *fakeBox) Restart(_ context.Context, mac phone.MAC) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restarts = append(b.restarts, mac)
	return b.restart
}

func (b *fakeBox) Firmware() web.Firmware {
	return web.Firmware{
		Loads: []web.FirmwareLoad{
			{Name: "P0S3-8-12-00", Files: []string{"P0S3-8-12-00.loads", "P0S3-8-12-00.sb2", "P003-8-12-00.bin", "P003-8-12-00.sbn"}},
			{Name: "P0S3-8-2-00", Files: []string{"P0S3-8-2-00.sb2"}, Missing: []string{"P0S3-8-2-00.loads"}},
		},
		Faults: []string{"ringer1.pcm and RINGER1.pcm differ in case only"},
	}
}

func (b *fakeBox) AddFirmware(_ context.Context, name string, content io.Reader) ([]web.UploadVerdict, error) {
	body, err := io.ReadAll(content)
	if err != nil {
		return nil, fmt.Errorf("reading the upload: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !strings.HasPrefix(name, "P0") {
		return []web.UploadVerdict{{Name: name, Why: "this is no firmware of a 7940 or 7960"}}, nil
	}
	b.uploads[name] = string(body)
	return []web.UploadVerdict{{Name: name, OK: true, Why: "is on the shelf"}}, nil
}

func (b *fakeBox) SetClock(_ context.Context, unix float64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = append(b.clock, unix)
	return nil
}

func (b *fakeBox) ServeAnyway(_ context.Context, servers []netip.Addr) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.anyway++
	b.beside = servers
	b.status.Services = maps.Clone(b.status.Services)
	b.status.Services["dhcp"] = web.Service{State: "running"}
	b.status.Decision = web.DHCPDecision{Serve: true, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.status.Others = slices.Clone(b.status.Others)
	for i, o := range b.status.Others {
		b.status.Others[i].Accepted = true
		b.status.Decision.Servers = append(b.status.Decision.Servers, o.Address)
	}
	return nil
}

func (b *fakeBox) HoldBack(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heldBack++
	b.status.Services = maps.Clone(b.status.Services)
	b.status.Services["dhcp"] = web.Service{State: "held"}
	b.status.Decision = web.DHCPDecision{}
	b.status.Others = slices.Clone(b.status.Others)
	for i := range b.status.Others {
		b.status.Others[i].Accepted = false
	}
	return nil
}

func (b *fakeBox) LookAgain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
}

func (b *fakeBox) Gokrazy() http.Handler { return b.gokrazy }

// fakeSite keeps settings as plain values; its TOML is only text that has to contain "name".
type fakeSite struct {
	mu     sync.Mutex
	text   string
	secret string // stands in the text only when asked for
	values map[string]string
	phones map[phone.MAC]web.PhoneEntry
	refuse []web.Fault // the next change is refused with these

	waiting []web.WaitingLine // see fakeFleet
}

func (s *fakeSite) snapshot() map[phone.MAC]web.PhoneEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.phones)
}

func (s *fakeSite) etag() string {
	sum := sha256.Sum256([]byte(fmt.Sprint(s.text, s.values, s.phones, s.waiting)))
	return fmt.Sprintf("%x", sum[:8])
}

func (s *fakeSite) TOML(secrets bool) ([]byte, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	password := web.Mask
	if secrets {
		password = s.secret
	}
	return []byte(s.text + "password = \"" + password + "\"\n"), s.etag()
}

func (s *fakeSite) may(etag string) error {
	if etag != s.etag() {
		return web.StaleError{}
	}
	if faults := s.refuse; faults != nil {
		s.refuse = nil
		return &web.Refused{Faults: faults}
	}
	return nil
}

func (s *fakeSite) Replace(_ context.Context, text []byte, etag string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.may(etag); err != nil {
		return "", err
	}
	if !strings.Contains(string(text), "name") {
		return "", &web.Refused{Faults: []web.Fault{
			{Line: 1, Key: "network.address", Found: "nothing", Allowed: "an address with its length"},
			{Line: 7, Key: "dhcp.pool[1]", Found: `"x"`, Allowed: "a range of addresses"},
		}}
	}
	s.text = string(text)
	return s.etag(), nil
}

func (s *fakeSite) Fields() ([]web.Field, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields := []web.Field{
		{Key: "name", Group: "Site", Label: "Name of the site", Kind: "text", Value: "Harbour Street office", Help: "Drawn on the phones' screens."},
		{Key: "network.address", Group: "Network", Label: "Address of the box", Kind: "text", Value: "10.77.0.1/16", Help: "With the length of the subnet."},
		{Key: "network.gateway", Group: "Network", Label: "Gateway", Kind: "text", Value: "10.77.0.254", Help: "Empty: phones get none."},
		{Key: "network.domain", Group: "Network", Label: "Domain", Kind: "text", Value: "voice.home.arpa"},
		{Key: "dhcp.enabled", Group: "Addresses (DHCP)", Label: "Hand out addresses", Kind: "bool", Value: "true"},
		{Key: "dhcp.pool", Group: "Addresses (DHCP)", Label: "Pool", Kind: "list", Value: "10.77.1.1-10.77.3.250", Help: "A range a line."},
		{Key: "dhcp.lease", Group: "Addresses (DHCP)", Label: "Lease", Kind: "text", Value: "8h"},
		{Key: "dhcp.phones_only", Group: "Addresses (DHCP)", Label: "Answer phones only", Kind: "bool", Value: "false"},
		{Key: "time.sntp_mode", Group: "Time", Label: "What phones are told", Kind: "choice", Value: "unicast", Choices: []string{"unicast", "multicast", "anycast", "directedbroadcast"}},
		{Key: "dns.hosts", Group: "Names", Label: "Hosts", Kind: "map", Value: "pbx = 10.77.0.10", Help: "name = address, one a line."},
		{Key: "sip.port", Group: "Telephony (SIP)", Label: "Port of the proxy", Kind: "number", Value: "5060"},
		{Key: "sip.token", Group: "Telephony (SIP)", Label: "Token", Kind: "text", Value: web.Mask, Secret: true},
	}
	fields = append(fields, wizardFields()...)
	if v, ok := s.values["firmware.target"]; ok {
		fields = append(fields, web.Field{Key: "firmware.target", Group: "Firmware", Label: "Firmware of all phones", Kind: "text", Value: v})
	}
	for i, f := range fields {
		if v, ok := s.values[f.Key]; ok && !f.Secret {
			fields[i].Value = v
		}
	}
	return fields, s.etag()
}

func (s *fakeSite) SetFields(_ context.Context, values map[string]string, etag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.may(etag); err != nil {
		return err
	}
	if strings.Contains(values["dhcp.pool"], "x") {
		return &web.Refused{Faults: []web.Fault{
			{Key: "dhcp.pool[0]", Found: `"x"`, Allowed: "a range of addresses such as 10.77.1.1-10.77.3.250"},
			{Key: "firmware.target", Found: `"P1"`, Allowed: "the name of a load"},
		}}
	}
	s.values = maps.Clone(s.values)
	maps.Copy(s.values, values)
	return nil
}

func (s *fakeSite) Phone(mac phone.MAC) (web.PhoneEntry, string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.phones[mac]
	e.Lines = slices.Clone(e.Lines)
	for i := range e.Lines {
		if e.Lines[i].Password != "" {
			e.Lines[i].Password = web.Mask
		}
	}
	return e, s.etag(), ok
}

func (s *fakeSite) PutPhone(_ context.Context, old phone.MAC, e web.PhoneEntry, etag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.may(etag); err != nil {
		return err
	}
	mac, err := phone.ParseMAC(e.MAC)
	if err != nil {
		return fmt.Errorf("putting a phone: %w", err)
	}
	if e.Address != "" {
		if _, err := netip.ParseAddr(e.Address); err != nil {
			return &web.Refused{Faults: []web.Fault{{Key: "phones[0].address", Found: fmt.Sprintf("%q", e.Address), Allowed: "an address of the network"}}}
		}
	}
	for i := range e.Lines {
		if e.Lines[i].Password == web.Mask && i < len(s.phones[old].Lines) {
			e.Lines[i].Password = s.phones[old].Lines[i].Password
		}
	}
	delete(s.phones, old)
	s.phones[mac] = e
	return nil
}

func (s *fakeSite) RemovePhone(_ context.Context, mac phone.MAC, etag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.may(etag); err != nil {
		return err
	}
	delete(s.phones, mac)
	return nil
}

// fakeSecrets keeps the password in memory.
type fakeSecrets struct {
	mu   sync.Mutex
	hash string
	key  []byte
	ended
}

func (s *fakeSecrets) Password() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hash, nil
}

func (s *fakeSecrets) SetPassword(hash string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hash = hash
	return nil
}

func (s *fakeSecrets) SessionKey() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key, nil
}

// fakeFiles answers phones.
type fakeFiles struct{}

func (fakeFiles) PhoneFile(_ context.Context, from netip.Addr, name, query string) (web.FileAnswer, http.Header) {
	switch name {
	case "directory.xml":
		h := http.Header{}
		h.Set("Refresh", "0; url=http://10.77.0.1/phone/directory.xml?page=2")
		return web.FileAnswer{Status: "ok", Body: []byte("<CiscoIPPhoneDirectory/>" + from.String() + "?" + query), ContentType: "text/xml"}, h
	case "secret.xml":
		return web.FileAnswer{Status: "refused", Why: "not for you"}, nil
	}
	return web.FileAnswer{Status: "missing", Why: "there is no such page"}, nil
}

// fakeClock is a clock that stands until it is moved.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
	up  time.Duration
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.up = c.now.Add(d), c.up+d
}

// set moves the wall clock alone, as an NTP server does.
func (c *fakeClock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *fakeClock) Uptime() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.up
}
