package netdev

import (
	"context"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"phonebox/services/phone"
)

const (
	// awaitedFor is how long after a lease the first ARP packet of the phone is waited for.
	awaitedFor = 10 * time.Second
	// maxAwaited bounds the addresses whose phone is waited for, maxEarly the questions that run early.
	maxAwaited = 8192
	maxEarly   = 2048
)

// early are the questions that are asked before anybody needs the answer: a phone that got an address asks at once by ARP
// who the box is, so from then on it can be asked who has that address, and the tenth of a second in which a second host
// may contradict it passes while the phone asks for its first file.
type early struct {
	mu      sync.Mutex
	awaited map[netip.Addr]awaited
	running map[netip.Addr]chan struct{} // closed when the question is over
}

type awaited struct {
	mac   phone.MAC
	until time.Time
}

func newEarly() *early {
	return &early{awaited: make(map[netip.Addr]awaited), running: make(map[netip.Addr]chan struct{})}
}

// await waits for the first ARP packet of a phone that just got an address; the zero MAC ends that. Where there is no room,
// the question is asked when the answer is needed.
func (e *early) await(addr netip.Addr, mac phone.MAC) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if mac.IsZero() {
		delete(e.awaited, addr)
		return
	}
	now := time.Now()
	if _, known := e.awaited[addr]; !known && len(e.awaited) >= maxAwaited {
		for a, v := range e.awaited {
			if !now.Before(v.until) {
				delete(e.awaited, a)
			}
		}
		if len(e.awaited) >= maxAwaited {
			return
		}
	}
	e.awaited[addr] = awaited{mac: mac, until: now.Add(awaitedFor)}
}

// begin reports whether an ARP packet is the first of a phone that was waited for, so that a question is to be asked; end
// must be called when that is over. Where somebody asks already, one question is enough.
func (e *early) begin(p arpPacket, asking bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, ok := e.awaited[p.SenderIP]
	if !ok || a.mac != p.SenderMAC || e.running[p.SenderIP] != nil {
		return false
	}
	delete(e.awaited, p.SenderIP)
	if asking || !time.Now().Before(a.until) || len(e.running) >= maxEarly {
		return false
	}
	e.running[p.SenderIP] = make(chan struct{})
	return true
}

func (e *early) end(addr netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.running[addr])
	delete(e.running, addr)
}

// question returns what is closed when the question about an address that runs is over; nil = none runs.
func (e *early) question(addr netip.Addr) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if over := e.running[addr]; over != nil {
		return over
	}
	return nil
}

// join waits for the question about an address that runs, if one does.
func (e *early) join(ctx context.Context, addr netip.Addr) {
	over := e.question(addr)
	if over == nil {
		return
	}
	limit := time.NewTimer(joinWait)
	defer limit.Stop()
	select {
	case <-over:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// reset waits for nobody any more: the wire may be another.
func (e *early) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.awaited)
}

// askEarly begins to ask who has an address whose phone was heard for the first time; SentBy finds the answer.
func (d *Device) askEarly(addr netip.Addr) {
	w, cfg, err := d.current()
	if err != nil {
		d.early.end(addr)
		return
	}
	w.wait.Go(func() {
		defer d.early.end(addr)
		defer func() {
			if v := recover(); v != nil {
				d.panicked(v, debug.Stack())
			}
		}()
		if _, _, err := d.resolve(w.life, w, cfg, addr); err != nil {
			d.log.Debug("asking early who has an address", "ip", addr, "err", err)
		}
	})
}
