package phonesim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Faults is how bad a wire is, in each direction by itself. Each is a share from 0 to 1 of the frames from and to the phones of
// a link; frames that concern no phone are left alone.
type Faults struct {
	Loss    float64 // never arrives
	Dup     float64 // arrives twice
	Reorder float64 // arrives 1 to 10 ms late, behind frames that were sent after it
	Seed    uint64  // of the dice; what falls to which frame also depends on the order in which the phones happen to send
}

// Validate lists every fault of the settings.
func (f Faults) Validate() error {
	var faults []error
	for _, s := range []struct {
		name  string
		share float64
	}{{"loss", f.Loss}, {"duplication", f.Dup}, {"reordering", f.Reorder}} {
		if !(s.share >= 0 && s.share <= 1) {
			faults = append(faults, fmt.Errorf("found a %s of %g, allowed is a share from 0 to 1", s.name, s.share))
		}
	}
	return errors.Join(faults...)
}

const (
	reorderLeast = time.Millisecond
	reorderMost  = 10 * time.Millisecond
)

// dice decides the fate of frames.
type dice struct {
	mu     sync.Mutex
	rand   *rand.Rand
	faults Faults
	on     atomic.Bool
}

// fate is what becomes of a frame.
type fate struct {
	lost, twice bool
	late        time.Duration // 0 = at once
}

// set begins a series.
func (d *dice) set(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults, d.rand = f, rand.New(rand.NewPCG(f.Seed, 0x7960))
	d.on.Store(f.Loss > 0 || f.Dup > 0 || f.Reorder > 0)
}

// throw decides about one frame.
func (d *dice) throw() fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := fate{lost: d.rand.Float64() < d.faults.Loss, twice: d.rand.Float64() < d.faults.Dup}
	if d.rand.Float64() < d.faults.Reorder {
		f.late = reorderLeast + time.Duration(d.rand.Int64N(int64(reorderMost-reorderLeast)))
	}
	return f
}

// SetFaults makes the wire as bad as that from now on; the zero Faults make it good again.
func (w *Wire) SetFaults(f Faults) error {
	if err := f.Validate(); err != nil {
		return fmt.Errorf("setting the faults of the wire: %w", err)
	}
	w.dice.set(f)
	return nil
}

// WireCount is what went over a wire, as its phones saw it.
type WireCount struct {
	Sent       uint64 `json:"sent"`     // frames that left, lost ones not among them
	Received   uint64 `json:"received"` // frames that came for a phone, lost ones not among them
	LostOut    uint64 `json:"lost_out"` // on purpose ([Faults])
	LostIn     uint64 `json:"lost_in"`
	Duplicated uint64 `json:"duplicated"`
	Reordered  uint64 `json:"reordered"`
	// Late are frames that came for a phone when it no longer waited for them: for a port that is closed, or the answer to an
	// earlier DHCP transaction.
	Late uint64 `json:"late"`
	// LostHere are frames that this program or its kernel lost because it was too slow or had no room: where this is not 0, a
	// retransmission says nothing about the servers.
	LostHere uint64 `json:"lost_by_simulator"`
}

// wireCounters are the same while they change.
type wireCounters struct {
	sent, received, lostOut, lostIn, duplicated, reordered, late, overflow atomic.Uint64
}

// Count returns what went over the wire so far.
func (w *Wire) Count() WireCount {
	c := &w.count
	return WireCount{
		Sent: c.sent.Load(), Received: c.received.Load(), LostOut: c.lostOut.Load(), LostIn: c.lostIn.Load(),
		Duplicated: c.duplicated.Load(), Reordered: c.reordered.Load(), Late: c.late.Load(),
		LostHere: c.overflow.Load() + w.kernelDrops(),
	}
}

// sendFrom puts a frame of a phone on the wire, as bad as that is.
func (w *Wire) sendFrom(n *wireNIC, frame []byte) error {
	if !w.dice.on.Load() {
		return w.send(frame)
	}
	f := w.dice.throw()
	if f.lost {
		w.count.lostOut.Add(1)
		n.faulted.Add(1)
		return nil
	}
	if f.twice {
		w.count.duplicated.Add(1)
		if err := w.send(frame); err != nil {
			return err
		}
	}
	if f.late > 0 {
		w.count.reordered.Add(1)
		frame = append([]byte(nil), frame...)
		time.AfterFunc(f.late, func() { _ = w.send(frame) })
		return nil
	}
	return w.send(frame)
}

// arrive takes a frame off the wire, as bad as that is.
func (w *Wire) arrive(frame []byte) {
	if !w.dice.on.Load() {
		w.deliver(frame)
		return
	}
	n := w.receiver(frame)
	if n == nil {
		w.deliver(frame)
		return
	}
	f := w.dice.throw()
	if f.lost {
		w.count.lostIn.Add(1)
		n.faulted.Add(1)
		return
	}
	if f.twice {
		w.count.duplicated.Add(1)
		w.deliver(frame)
	}
	if f.late > 0 {
		w.count.reordered.Add(1)
		frame = append([]byte(nil), frame...)
		time.AfterFunc(f.late, func() { w.deliver(frame) })
		return
	}
	w.deliver(frame)
}

// receiver returns the phone that a frame concerns, nil where that is none of ours.
func (w *Wire) receiver(frame []byte) *wireNIC {
	h, body, ok := parseEther(frame)
	if !ok {
		return nil
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if n := w.byMAC[h.dst]; n != nil {
		return n
	}
	switch h.kind {
	case etherARP:
		if a, ok := parseARP(body); ok {
			return w.byAddr[a.targetIP]
		}
	case etherIPv4:
		if u, ok := parseUDP(body); ok && u.dst.Port() == dhcpClientPort {
			mac, _, _ := bootpClient(u.payload)
			return w.byMAC[mac]
		}
	}
	return nil
}
