package assemble

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"slices"
	"sync"
	"time"

	"phonebox/appliance/journal"
	"phonebox/appliance/store"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sip"
	"phonebox/services/web"
)

// gokrazySocket is where gokrazy's own page listens on the box.
const gokrazySocket = "/run/gokrazy-http.sock"

// probeTime is how long a service may take to answer its probe (DESIGN: /healthz).
const probeTime = time.Second

// page is the box as the web service sees it.
type page struct{ b *Box }

// Status implements [web.Box].
func (p page) Status() web.Status {
	b := p.b
	st := web.Status{
		Version: b.opt.Version, UptimeS: int64(time.Since(b.began).Seconds()), Ready: true,
		Services: map[string]web.Service{}, Clock: p.time(), Others: []web.OtherDHCP{}, Notices: p.notices(),
		Decision: webDecision(b.dhcp.Decision()), Network: webNetwork(b.wire.State()),
		NotAnswered: b.unanswered.list(b.whose),
	}
	for name, on := range b.current().plan.enabled {
		state, detail := b.sup.state(name)
		if name == "dhcp" && state == stateRunning {
			dhcpState, dhcpDetail, others := b.dhcp.State()
			state, detail = dhcpState, dhcpDetail
			for _, o := range others {
				st.Others = append(st.Others, webOther(o))
			}
		}
		if name == "dns" && state == stateRunning {
			if trouble := b.dns.Status(); trouble != "" {
				detail = trouble
			}
		}
		st.Services[name] = web.Service{State: state, Detail: detail}
		st.Ready = st.Ready && (!on || state == stateRunning)
	}
	return st
}

// Health implements [web.Box].
func (p page) Health(ctx context.Context) (web.Status, map[string]string) {
	st := p.Status()
	probes := map[string]func(context.Context) error{
		"dhcp": p.b.dhcp.Probe, "tftp": p.b.tftp.Probe, "sntp": p.b.sntp.Probe, "dns": p.b.dns.Probe,
		"sip": p.b.sip.Probe, "web": p.b.web.Probe,
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[string]string{}
	for name, svc := range st.Services {
		if svc.State == stateOff {
			continue
		}
		wg.Go(func() {
			why := ""
			if svc.State == stateFailed {
				why = svc.Detail
			} else if err := runGuarded(ctx, probes[name]); err != nil {
				why = "no answer to its probe: " + err.Error()
			}
			if why != "" {
				mu.Lock()
				failed[name] = why
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return st, failed
}

// Phones implements [web.Box]: the listed phones, seen or not, and every other that was seen or has a lease. After a power
// cut the lease may be there and what the phone did in the last seconds not.
func (p page) Phones() []web.Phone {
	p.b.settle()
	ix := p.b.index.Load()
	seen := map[phone.MAC]bool{}
	var out []web.Phone
	for _, j := range p.b.journal.Phones() {
		seen[j.MAC] = true
		out = append(out, p.phone(j, ix))
	}
	for _, l := range p.b.dhcp.Leases() {
		if !seen[l.MAC] && !l.MAC.IsZero() {
			seen[l.MAC] = true
			out = append(out, p.phone(journal.Phone{MAC: l.MAC, Step: phone.Addressed}, ix))
		}
	}
	for mac := range ix.byMAC {
		if !seen[mac] {
			out = append(out, p.phone(journal.Phone{MAC: mac}, ix))
		}
	}
	slices.SortFunc(out, func(a, b web.Phone) int { return slices.Compare(a.MAC[:], b.MAC[:]) })
	return out
}

// Phone implements [web.Box].
func (p page) Phone(mac phone.MAC) (web.Phone, bool) {
	p.b.settle()
	ix := p.b.index.Load()
	j, ok := p.b.journal.Phone(mac)
	if !ok {
		j = journal.Phone{MAC: mac}
		if _, leased := p.b.dhcp.LeaseFor(mac); leased {
			ok, j.Step = true, phone.Addressed
		}
	}
	return p.phone(j, ix), ok || ix.byMAC[mac] != nil
}

func (p page) phone(j journal.Phone, ix *index) web.Phone {
	w := web.Phone{
		MAC: j.MAC, Model: j.Model, Load: j.Load, Protocol: j.Protocol, Step: j.Step,
		WaitingFor: j.WaitingFor, Problem: j.Problem, Updated: j.Updated,
	}
	if listed := ix.byMAC[j.MAC]; listed != nil {
		w.Known, w.Label, w.Lines = true, listed.Label, numbers(listed)
		if w.Model == "" {
			w.Model = listed.Model
		}
	}
	if addr, ok := p.b.addressOf(j.MAC); ok {
		w.Address = addr.String()
	}
	return w
}

// Events implements [web.Box]. The zero MAC has the timeline of the box itself: what people did on the page.
func (p page) Events(mac phone.MAC) ([]web.PhoneEvent, bool) {
	p.b.settle()
	events := p.b.journal.Events(mac)
	out := make([]web.PhoneEvent, len(events))
	for i, e := range events {
		out[i] = webEvent(e)
	}
	_, known := p.Phone(mac)
	return out, known || mac.IsZero()
}

func webEvent(e journal.Event) web.PhoneEvent {
	return web.PhoneEvent{
		ID: e.ID, Time: e.Time, MAC: e.MAC, Service: e.Service, Kind: string(e.Kind), Text: e.Text, Step: e.Step, Details: e.Details,
		Facts: eventFacts(&e),
	}
}

// Subscribe implements [web.Box].
func (p page) Subscribe() (<-chan web.PhoneEvent, func()) {
	in, cancel := p.b.journal.Subscribe()
	out := make(chan web.PhoneEvent)
	stop := make(chan struct{})
	go func() {
		defer close(out)
		for e := range in {
			select {
			case out <- webEvent(e):
			case <-stop:
				return
			}
		}
	}()
	return out, sync.OnceFunc(func() { close(stop); cancel() })
}

// Settings implements [web.Box].
func (p page) Settings() web.Settings { return settings(p) }

// File implements [web.Box].
func (p page) File(ctx context.Context, mac phone.MAC, name string) (web.FileAnswer, error) {
	return fileAnswer(p.b.provision.Answer(ctx, provision.Query{Name: name, MAC: mac}))
}

// Restart implements [web.Box].
func (p page) Restart(ctx context.Context, mac phone.MAC) error {
	j, _ := p.b.journal.Phone(mac)
	j.MAC = mac
	t, ok := p.b.target(j, p.b.index.Load().byMAC[mac])
	if !ok {
		return &web.PublicError{Status: http.StatusConflict, Text: "The phone cannot be restarted: its address is not known."}
	}
	code, err := p.b.sip.Restart(ctx, t)
	switch {
	case errors.Is(err, sip.ErrSilent):
		return &web.PublicError{
			Status: http.StatusGatewayTimeout, Cause: err,
			Text: fmt.Sprintf("The phone at %s did not answer: it runs no SIP application, or it is off. Cut its power instead.", t.Address.Addr()),
		}
	case err != nil:
		return fmt.Errorf("restarting %s: %w", mac, err)
	case code >= 300:
		return &web.PublicError{Status: http.StatusBadGateway, Text: fmt.Sprintf("The phone refused to restart: it answered %d.", code)}
	}
	return nil
}

// Firmware implements [web.Box].
func (p page) Firmware() web.Firmware {
	var f web.Firmware
	for _, l := range p.b.provision.Loads() {
		f.Loads = append(f.Loads, web.FirmwareLoad{Name: l.Name, Files: l.Files, Missing: l.Missing})
	}
	for _, x := range p.b.provision.Faults() {
		f.Faults = append(f.Faults, x.Name+": "+x.Why)
	}
	return f
}

// AddFirmware implements [web.Box]. What is wrong with an upload as a whole is a verdict, too: what was taken before stays.
func (p page) AddFirmware(_ context.Context, name string, content io.Reader) ([]web.UploadVerdict, error) {
	verdicts, err := p.b.provision.Add(name, content)
	out := make([]web.UploadVerdict, len(verdicts))
	var stored []string
	for i, v := range verdicts {
		out[i] = web.UploadVerdict(v)
		if v.OK {
			stored = append(stored, v.Name)
		}
	}
	var refused *provision.Refusal
	switch {
	case errors.As(err, &refused):
		p.b.log.Warn("an upload was not taken, or not whole", "err", err)
		return append(out, web.UploadVerdict{Name: path.Base(name), Why: refused.Why}), nil
	case errors.Is(err, provision.ErrStore):
		return out, halfway(err, stored)
	}
	return out, err
}

// SetClock implements [web.Box].
func (p page) SetClock(ctx context.Context, unix float64) error {
	sec, frac := math.Modf(unix)
	if err := p.b.clock.Set(ctx, time.Unix(int64(sec), int64(frac*1e9))); err != nil {
		// What the clock says is for this person: why the time was not taken, or what could not be set.
		return &web.PublicError{Status: http.StatusConflict, Text: "The time was not changed: " + err.Error() + ".", Cause: err}
	}
	return nil
}

// Gokrazy implements [web.Box].
func (p page) Gokrazy() http.Handler {
	if _, err := os.Stat(gokrazySocket); err != nil {
		return nil
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "gokrazy"})
	proxy.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", gokrazySocket)
		},
	}
	return proxy
}

// The keys of the page's secrets in the store.
const (
	keyPassword   = "web/password"
	keySessionKey = "web/session-key"
	// keyEndedSessions are those that somebody logged out of.
	keyEndedSessions = "web/ended-sessions"
)

// secrets keeps the page's password and session key in the store.
type secrets struct{ store *store.Store }

// Password implements [web.Secrets].
func (s secrets) Password() (string, error) {
	v, err := s.store.Value(context.Background(), keyPassword)
	return string(v), err
}

// SetPassword implements [web.Secrets].
func (s secrets) SetPassword(hash string) error {
	return s.store.SetValue(context.Background(), keyPassword, []byte(hash))
}

// SessionKey implements [web.Secrets].
func (s secrets) SessionKey() ([]byte, error) {
	key, err := s.store.Value(context.Background(), keySessionKey)
	if err != nil || len(key) == 32 {
		return key, err
	}
	key = newKey()
	return key, errors.Join(s.store.SetValue(context.Background(), keySessionKey, key))
}

// NewSessionKey implements [web.SessionStore].
func (s secrets) NewSessionKey() error {
	return s.store.SetValue(context.Background(), keySessionKey, newKey())
}

// EndedSessions implements [web.SessionStore].
func (s secrets) EndedSessions() ([]byte, error) {
	return s.store.Value(context.Background(), keyEndedSessions)
}

// SetEndedSessions implements [web.SessionStore].
func (s secrets) SetEndedSessions(list []byte) error {
	return s.store.SetValue(context.Background(), keyEndedSessions, list)
}

// newKey makes a key that nobody can guess.
func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails (crypto/rand)
	return key
}
