package assemble

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"phonebox/services/sip"
	"phonebox/services/web"
)

const (
	// proxyFirst is how long after the start the proxy is asked first: it may start at the same time, after a power cut.
	proxyFirst = 30 * time.Second
	proxyEvery = time.Minute
	// silentTimes is how often in a row nobody has to answer: a packet may be lost, a PBX restarts.
	silentTimes = 3
	lookUpTime  = 5 * time.Second
)

// proxyWatch asks the site's proxy once a minute whether it is there (OPTIONS), as phones tell nobody that they cannot
// register.
type proxyWatch struct {
	b *Box

	mu     sync.Mutex
	of     string // the proxy that was asked, with its port
	failed int    // in a row
	why    string // of the last failure, a sentence
}

// run asks until ctx ends. The proxy of -try is as made up as its site, and not asked.
func (w *proxyWatch) run(ctx context.Context) error {
	if w.b.opt.Try {
		<-ctx.Done()
		return nil
	}
	due := time.NewTimer(proxyFirst)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
			w.look(ctx)
			due.Reset(proxyEvery)
		}
	}
}

// look asks once, where phones are to register at all.
func (w *proxyWatch) look(ctx context.Context) {
	proxy, port, ok := w.wanted()
	if !ok {
		w.result("", nil)
		return
	}
	of := fmt.Sprintf("%s port %d", proxy, port)
	to, err := w.addressOf(ctx, proxy, port)
	if err != nil {
		if ctx.Err() == nil {
			w.result(of, fmt.Errorf("the name %s of the proxy leads nowhere: look for a typing mistake, or use its address", proxy))
		}
		return
	}
	err = w.b.sip.Ask(ctx, sip.Target{Address: to})
	switch {
	case ctx.Err() != nil:
	case errors.Is(err, sip.ErrSilent):
		w.result(of, fmt.Errorf("the proxy %s (%s port %d) does not answer: it is off, its address or port is wrong, or a firewall is in the way. Phones cannot register meanwhile", proxy, to.Addr(), to.Port()))
	default:
		w.result(of, nil) // what it says does not matter; and what the box itself could not send says nothing of the proxy
	}
}

// wanted returns the proxy of the site; ok is false where no phone is told of it.
func (w *proxyWatch) wanted() (proxy string, port uint16, ok bool) {
	s := w.b.index.Load().site
	if !w.b.current().plan.enabled["sip"] || s.SIP.Proxy == "" || !s.SIP.Register {
		return "", 0, false
	}
	for i := range s.Phones {
		if len(s.Phones[i].Lines) > 0 {
			return s.SIP.Proxy, uint16(s.SIP.Port), true
		}
	}
	return "", 0, false
}

// addressOf looks the proxy up as phones do: a dotted address, else a name (A), else a service (SRV).
func (w *proxyWatch) addressOf(ctx context.Context, proxy string, port uint16) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(proxy); err == nil {
		return netip.AddrPortFrom(a, port), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpTime)
	defer cancel()
	r := w.b.dns.Resolver()
	found, err := r.LookupNetIP(ctx, "ip4", strings.TrimSuffix(proxy, ".")+".")
	if err == nil && len(found) > 0 {
		return netip.AddrPortFrom(found[0].Unmap(), port), nil
	}
	_, services, srvErr := r.LookupSRV(ctx, "sip", "udp", proxy)
	if srvErr != nil || len(services) == 0 {
		return netip.AddrPort{}, errors.Join(err, srvErr)
	}
	found, err = r.LookupNetIP(ctx, "ip4", services[0].Target)
	if err != nil || len(found) == 0 {
		return netip.AddrPort{}, errors.Join(err, errors.New("no address"))
	}
	return netip.AddrPortFrom(found[0].Unmap(), services[0].Port), nil
}

func (w *proxyWatch) result(of string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of != of || err == nil {
		w.failed = 0
	}
	w.of = of
	if err != nil {
		w.failed++
		w.why = sentence(err.Error())
	}
}

// need is what a person should do about the proxy.
func (w *proxyWatch) need() (web.Need, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed < silentTimes {
		return web.Need{}, false
	}
	if _, _, ok := w.wanted(); !ok {
		return web.Need{}, false
	}
	return web.Need{
		Key: "proxy", Level: web.Pressing, What: "Nobody answers at the proxy.", Why: w.why, Do: []web.Deed{{Text: "Settings of the proxy", Path: "/settings"}},
	}, true
}
