package phonesim

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Roam is phones that are pulled out once all are done and plugged in elsewhere, with what is in their flash: each asks for its
// old address (INIT-REBOOT).
type Roam struct {
	Phones int  // how many: the first ones
	Link   Link // where to; nil = the same link
}

// RoamSum is what became of them. Times count from when a phone is plugged in to its address.
type RoamSum struct {
	Moved   int            `json:"moved"`
	Same    int            `json:"same_address"`
	Other   int            `json:"other_address"`
	Failed  int            `json:"failed"` // without an address, or not ready again
	Half    time.Duration  `json:"p50_ns"`
	Last    time.Duration  `json:"last_ns"`
	Reasons map[string]int `json:"failures_by_reason"`
}

// roam moves phones and returns once all are done again, or the time of the storm is up; nil where none is to move.
func (s *storm) roam(lives context.Context) (*RoamSum, error) {
	if s.cfg.Roam.Phones == 0 {
		return nil, nil
	}
	timeout := s.cfg.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(lives, timeout)
	defer cancel()
	link := s.cfg.Roam.Link
	if link == nil {
		link = s.cfg.Link
	}
	var moving sync.WaitGroup
	for _, p := range s.phones[:s.cfg.Roam.Phones] {
		if p.left == nil {
			continue
		}
		p.unplug()
		cfg := p.phone.cfg
		cfg.Link, cfg.Flash, cfg.Image = link, p.phone.Flash(), ""
		again, err := New(cfg)
		if err != nil {
			return nil, err
		}
		p.moved = again
		moving.Go(func() { s.run(ctx, lives, &stormPhone{phone: again}) })
	}
	moving.Wait()
	return s.roamSum(), nil
}

// roamSum sums up.
func (s *storm) roamSum() *RoamSum {
	sum := &RoamSum{Reasons: map[string]int{}}
	var times []time.Duration
	for _, p := range s.phones {
		if p.moved == nil {
			continue
		}
		sum.Moved++
		before, after := p.phone.Result(), p.moved.Result()
		if after.Address.IsValid() {
			times = append(times, after.Addressed)
			if after.Address == before.Address {
				sum.Same++
			} else {
				sum.Other++
			}
		}
		if !after.OK() {
			sum.Failed++
			sum.Reasons[after.reason()]++
		}
	}
	slices.Sort(times)
	sum.Half, sum.Last = share(times, sum.Moved, 50), share(times, sum.Moved, 100)
	return sum
}
