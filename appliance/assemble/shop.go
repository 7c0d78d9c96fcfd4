package assemble

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/explain"
	"phonebox/services/phone/ladder"
	"phonebox/services/sip"
	"phonebox/services/telnet"
	"phonebox/services/web"
)

// shop is the workshop of the page: conversions, files, imports and checks.
type shop struct {
	page

	mu       sync.Mutex
	progress web.RestartProgress
	imports  []*pendingImport
	lastID   int
}

func newShop(b *Box) *shop { return &shop{page: page{b}} }

// Conversion implements [web.Workshop].
func (s *shop) Conversion(mac phone.MAC) (web.Conversion, bool) {
	st, ok := s.b.director.State(mac)
	if !ok {
		return web.Conversion{}, false
	}
	return s.conversion(st), true
}

// Conversions implements [web.Workshop].
func (s *shop) Conversions() []web.Conversion {
	states := s.b.director.States()
	out := make([]web.Conversion, len(states))
	for i, st := range states {
		out[i] = s.conversion(st)
	}
	return out
}

func (s *shop) conversion(st convert.State) web.Conversion {
	c := web.Conversion{
		MAC: st.MAC, Runs: runsWords(st.Belief), Sure: strings.Join(st.Belief.Why, "; "), Target: st.Target, Phase: string(st.Phase), Text: st.Text,
		Steps: steps(st.Path), Missing: st.Path.Missing, Done: st.Done, Attempts: st.Attempts, Unplug: st.Unplug, Changed: st.Changed,
	}
	progressOf(&c, st)
	if p := s.b.index.Load().byMAC[st.MAC]; p != nil {
		c.Label = p.Label
	}
	return c
}

func steps(path ladder.Path) []web.ConversionStep {
	out := []web.ConversionStep{}
	for _, st := range path.Steps {
		out = append(out, web.ConversionStep{
			From: st.From, To: st.To, Files: st.Files, Missing: st.Missing, Source: st.Source, Minutes: st.Takes.Minutes(),
			Display: st.Display, Maybe: st.Maybe, Confirm: st.Confirm,
		})
	}
	return out
}

// Direct implements [web.Workshop].
func (s *shop) Direct(ctx context.Context, mac phone.MAC, order string) error {
	if _, ok := s.b.director.State(mac); !ok {
		return &web.PublicError{Status: http.StatusConflict, Text: "The site does not list this phone, so nothing of it is converted. Add it first."}
	}
	return s.b.director.Order(ctx, mac, convert.Order(order))
}

// Plan implements [web.Workshop].
func (s *shop) Plan(from, to string) (web.Conversion, error) {
	path, err := s.b.director.PlanLoad(from, to)
	if err != nil {
		return web.Conversion{}, &web.PublicError{Status: http.StatusUnprocessableEntity, Text: sentence(err.Error())}
	}
	return web.Conversion{Runs: from, Target: path.To, Steps: steps(path), Missing: path.Missing, Unplug: true}, nil
}

// sentence makes a sentence of an error: a capital letter and a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.ContainsAny(s[len(s)-1:], ".?!") {
		s += "."
	}
	return s
}

// Parameters implements [web.Workshop].
func (s *shop) Parameters(mac phone.MAC) ([]web.Parameter, bool) {
	list, ok := s.b.provision.Effective(mac)
	if !ok {
		return nil, false
	}
	out := make([]web.Parameter, len(list))
	for i, e := range list {
		p := web.Parameter{
			Name: e.Parameter.Name, Value: masked(e.Parameter.Name, e.Value), From: e.From, File: e.Written, Allowed: e.Parameter.Allowed,
			Default: masked(e.Parameter.Name, e.Parameter.Default), First: e.Parameter.FirstRelease, Help: e.Parameter.Help,
		}
		for _, h := range e.Hidden {
			p.Hidden = append(p.Hidden, h.From+": "+masked(e.Parameter.Name, h.Value))
		}
		out[i] = p
	}
	return out, true
}

// masked hides the value of a secret that is set.
func masked(name, value string) string {
	if value == "" || value == phone.Unprovisioned || !phone.IsSecretParameter(name) {
		return value
	}
	return web.Mask
}

// Explain implements [web.Workshop].
func (s *shop) Explain(ctx context.Context, mac phone.MAC) (web.Explanation, error) {
	j, _ := s.b.journal.Phone(mac)
	now := s.now(mac, j)
	e := web.Explanation{Step: string(j.Step), Clues: j.Belief.Why}
	e.Waits, e.Long, e.Next = explain.Step(j.Step, now)
	for _, f := range s.b.provision.Explain(ctx, mac) {
		e.Files = append(e.Files, web.ExplainFile{Name: f.Name, Status: string(f.Status), Why: f.Why})
	}
	if trace, ok := s.b.journal.Trace(mac); ok {
		e.Troubles = troubles(explain.Recognise(seen(trace)))
	}
	return e, nil
}

// now is what is known of a phone, as the explanations take it.
func (s *shop) now(mac phone.MAC, j journal.Phone) explain.Now {
	n := explain.Now{Protocol: j.Protocol, Listed: s.b.index.Load().byMAC[mac] != nil, Load: j.Load, Loader: explain.Answer(j.Belief.Loader)}
	if st, ok := s.b.director.State(mac); ok {
		n.HasTarget = st.Target != "" && st.Phase != convert.Arrived
		if naming, _ := s.b.director.Naming(mac); naming.LoadInformation != "" {
			n.Named = naming.LoadInformation
		}
	}
	return n
}

// seen tells what the journal saw in the words of the explanations. The journal counts what comes in a row from the
// phone, which a phone that is reached does not repeat.
func seen(t journal.Trace) explain.Trace {
	row := explain.Asked{Times: t.AskedTimes, SamePort: t.AskedTimes, Answered: t.AskedTimes, Span: t.AskedOver}
	out := explain.Trace{
		SEP:        explain.Asked{Times: t.SEPTimes, Answered: t.SEPTimes, Got: t.SEPTimes},
		SEPDefault: explain.Asked{Times: t.OldTimes, Answered: t.OldTimes},
		SIPCnf:     explain.Asked{Times: t.Polls, Answered: t.Polls},
		NoLoad:     t.Hunted && t.Told == "", Aborted: t.BrokeTimes, Small: t.Small, SameImage: t.ImageTimes,
		Hunts: t.Hunts, Fetched: t.Fetched, Protocol: t.Protocol,
	}
	if t.NoImage {
		out.Missing = t.Lacks
	}
	if t.Trouble == "unreachable" {
		out.Other = row
	}
	return out
}

func troubles(list []explain.Trouble) []web.Trouble {
	out := make([]web.Trouble, len(list))
	for i, t := range list {
		out[i] = web.Trouble{Symptom: t.Symptom, Cause: t.Cause, Cure: t.Cure}
	}
	return out
}

// Troubles implements [web.Workshop].
func (s *shop) Troubles() []web.Trouble { return troubles(explain.Troubles()) }

// RestartAll implements [web.Workshop]. It goes on after the request that asked for it.
func (s *shop) RestartAll(_ context.Context, macs []phone.MAC) error {
	targets, skipped := s.restartTargets(macs)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.progress.Running {
		return &web.PublicError{Status: http.StatusConflict, Text: "Phones are being restarted already: wait until that is done."}
	}
	if len(targets) == 0 && len(skipped) == 0 {
		return &web.PublicError{Status: http.StatusConflict, Text: "No phone runs SIP at an address that is known, so none can be restarted from here."}
	}
	s.progress = web.RestartProgress{Running: true, Total: len(targets) + len(skipped), Done: len(skipped), Failed: skipped}
	go s.restartAll(targets)
	return nil
}

// restartTargets are the phones to restart; no MACs mean all of the site. A phone that is getting or writing firmware is
// left alone.
func (s *shop) restartTargets(macs []phone.MAC) (targets []sip.Target, skipped []web.RestartFail) {
	ix := s.b.index.Load()
	all := len(macs) == 0
	if all {
		for _, p := range ix.site.Phones {
			macs = append(macs, p.MAC)
		}
	}
	for _, mac := range macs {
		j, _ := s.b.journal.Phone(mac)
		j.MAC = mac
		if all && j.Protocol != phone.SIP {
			continue
		}
		t, ok := s.b.target(j, ix.byMAC[mac])
		switch st, known := s.b.director.State(mac); {
		case !ok:
			skipped = append(skipped, web.RestartFail{MAC: mac, Why: "its address is not known"})
		case known && !st.Unplug:
			skipped = append(skipped, web.RestartFail{MAC: mac, Why: "it is getting or writing firmware"})
		default:
			targets = append(targets, t)
		}
	}
	return targets, skipped
}

func (s *shop) restartAll(targets []sip.Target) {
	done := 0
	_ = s.b.sip.RestartAll(s.b.serveContext, targets, sip.Stagger{}, func(_ int, t sip.Target, code int, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		done++
		s.progress.Done++
		switch {
		case errors.Is(err, sip.ErrSilent):
			s.progress.Failed = append(s.progress.Failed, web.RestartFail{MAC: t.MAC, Why: "it did not answer: it runs no SIP application, or it is off"})
		case err != nil:
			s.progress.Failed = append(s.progress.Failed, web.RestartFail{MAC: t.MAC, Why: "the box could not ask it"})
			s.b.log.Warn("restarting a phone", "mac", t.MAC, "err", err)
		case code >= 300:
			s.progress.Failed = append(s.progress.Failed, web.RestartFail{MAC: t.MAC, Why: fmt.Sprintf("it refused (%d)", code)})
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Running = false
}

// RestartProgress implements [web.Workshop].
func (s *shop) RestartProgress() web.RestartProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.progress
	p.Failed = slices.Clone(p.Failed)
	return p
}

// CheckLines implements [web.Workshop].
func (s *shop) CheckLines(ctx context.Context, mac phone.MAC, line int) ([]web.LineCheck, error) {
	values, ok := s.values(mac)
	if !ok {
		return nil, &web.PublicError{Status: http.StatusConflict, Text: "The site does not list this phone, so it has no lines to check."}
	}
	var checks []web.LineCheck
	var accounts []sip.Account
	for n := 1; n <= phone.Lines; n++ {
		a := account(values, n)
		a.Proxy = s.qualified(a.Proxy)
		if line != 0 && line != n || line == 0 && a.Name == "" {
			continue
		}
		checks = append(checks, web.LineCheck{Line: n, Name: a.Name, Proxy: proxyText(a)})
		accounts = append(accounts, a)
	}
	if len(checks) == 0 {
		return nil, &web.PublicError{Status: http.StatusConflict, Text: "This phone has no lines yet: enter a number for one."}
	}
	// All at once: each may take six seconds where the proxy is dead.
	var wg sync.WaitGroup
	for i := range checks {
		wg.Go(func() {
			v := s.b.sip.CheckLine(ctx, accounts[i])
			c := &checks[i]
			c.OK, c.Verdict, c.Text, c.NAT = v.OK(), string(v.Kind), v.Text, v.NAT
		})
	}
	wg.Wait()
	return checks, nil
}

// qualified is a host name as the phone looks it up: it appends the domain that DHCP gave it to a name without a dot.
func (s *shop) qualified(host string) string {
	if host == "" || strings.Contains(host, ".") || host == phone.Unprovisioned {
		return host
	}
	return host + "." + s.b.index.Load().site.Network.Domain
}

// sentences begins each with a capital letter and ends it with a full stop.
func sentences(list []string) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = sentence(one)
	}
	return out
}

func proxyText(a sip.Account) string {
	if a.Proxy == "" {
		return ""
	}
	return fmt.Sprintf("%s port %d", a.Proxy, cmp.Or(a.Port, 5060))
}

// values are the effective values of a phone by parameter name.
func (s *shop) values(mac phone.MAC) (map[string]string, bool) {
	list, ok := s.b.provision.Effective(mac)
	if !ok || mac.IsZero() {
		return nil, false
	}
	out := make(map[string]string, len(list))
	for _, e := range list {
		out[e.Parameter.Name] = e.Value
	}
	return out, true
}

// account is a line as the phone registers it: its own proxy, else that of line 1 (phones.md f.2), and the login of line 1
// where it has none.
func account(values map[string]string, n int) sip.Account {
	get := func(format string, n int) string {
		if v := values[fmt.Sprintf(format, n)]; v != phone.Unprovisioned {
			return v
		}
		return ""
	}
	proxy, from := get("proxy%d_address", n), n
	if proxy == "" {
		proxy, from = get("proxy%d_address", 1), 1
	}
	port, _ := strconv.ParseUint(get("proxy%d_port", from), 10, 16)
	a := sip.Account{
		Name: get("line%d_name", n), AuthName: cmp.Or(get("line%d_authname", n), get("line%d_authname", 1)),
		Password: cmp.Or(get("line%d_password", n), get("line%d_password", 1)), Proxy: proxy, Port: uint16(port),
	}
	if out := values["outbound_proxy"]; out != "" && out != phone.Unprovisioned {
		a.Outbound = out
		if p := values["outbound_proxy_port"]; p != "" && p != "5060" {
			a.Outbound += ":" + p
		}
	}
	return a
}

// AskPhone implements [web.Workshop].
func (s *shop) AskPhone(ctx context.Context, mac phone.MAC) (web.PhoneReport, error) {
	values, ok := s.values(mac)
	if !ok {
		return web.PhoneReport{}, &web.PublicError{Status: http.StatusConflict, Text: "The site does not list this phone."}
	}
	if values["telnet_level"] == "0" || values["telnet_level"] == "" {
		return web.PhoneReport{}, &web.PublicError{
			Status: http.StatusConflict,
			Text:   "Telnet is off on this phone. Set telnet_level to 1 or 2 under its further parameters and restart it; set it back afterwards.",
		}
	}
	addr, ok := s.b.addressOf(mac)
	if !ok {
		return web.PhoneReport{}, &web.PublicError{Status: http.StatusConflict, Text: "The address of this phone is not known."}
	}
	report, err := telnet.Ask(ctx, netip.AddrPortFrom(addr, telnet.DefaultPort), values["phone_password"])
	if err != nil {
		return web.PhoneReport{}, &web.PublicError{Status: http.StatusBadGateway, Text: askWords(err), Cause: err}
	}
	return web.PhoneReport{Lines: sentences(report.Sentences()), Lacks: report.Unprovisioned, Output: report.Output}, nil
}

// askWords says why a phone could not be asked, without what the system calls it.
func askWords(err error) string {
	for _, known := range []error{telnet.ErrOff, telnet.ErrSilent, telnet.ErrPassword} {
		if errors.Is(err, known) {
			return sentence(known.Error())
		}
	}
	var system *net.OpError
	if errors.As(err, &system) || errors.Is(err, io.EOF) {
		return "The phone closed the connection. Somebody else may be asking it: wait a minute and try again."
	}
	return sentence(err.Error())
}
