package phonesim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"phonebox/services/phone"
)

// StormConfig is many phones that are switched on at nearly the same time, as after a power cut.
type StormConfig struct {
	Link    Link
	Ports   Ports
	Phones  int           // how many
	Window  time.Duration // they are switched on at random times within it; 0 = at once
	Base    phone.MAC     // the first phone's; the others count up from it. Zero = 00:06:D7:50:00:00
	States  []State       // taken in turn; none = StateSIP, or what fits Load
	Timeout time.Duration // after which those that are not there have failed; 0 = 10 minutes
	Profile Profile       // as in Config
	Name    string        // as in Config
	Image   string        // as in Config; the storm waits for the downloads
	Renew   time.Duration // as in Config
	Stay    time.Duration // how long the phones stay up after all are done
	Roam    Roam
	Hostile *HostileConfig // who is hostile meanwhile; nil = nobody. With it Phones may be 0
	CDP     bool           // as in Config
	Want    string         // as in Config
	Load    string         // as in Config
	Speed   float64        // as in Config
	Seed    uint64         // of everything random
	// OnEvent is told of every phone; it is called by many goroutines and must not block.
	OnEvent func(Event)
}

// Failure is a phone that did not get where it was expected to get, or met a fault of a server.
type Failure struct {
	MAC        phone.MAC  `json:"mac"`
	Step       phone.Step `json:"step"`
	WaitingFor string     `json:"waiting_for,omitempty"`
	Problem    string     `json:"problem,omitempty"`
	Faults     []string   `json:"faults,omitempty"`
	Error      string     `json:"error,omitempty"` // of this machine, not of a server
}

// OK reports whether every phone got where it was expected to get and, where it moved, there again, without a fault, a
// duplicate address or wrong bytes.
func (r Report) OK() bool {
	return len(r.Failures) == 0 && len(r.Duplicates) == 0 && len(r.TFTP.ContentErrors) == 0 && (r.Roaming == nil || r.Roaming.Failed == 0)
}

// defaultBase lies in a block of Cisco's, where the fingerprints of phones look for them.
func defaultBase() phone.MAC { return phone.MAC{0x00, 0x06, 0xD7, 0x50, 0x00, 0x00} }

// stormPhone is one phone of a storm.
type stormPhone struct {
	phone *Phone
	after time.Duration // when it is switched on
	err   error

	left   chan struct{} // closed once it is unplugged; nil = never switched on
	unplug func()        // pulls it out and waits
	moved  *Phone        // the same one, plugged in elsewhere
}

// Storm boots the phones, half of them without the broadcast flag, and keeps each alive until all are done or the time is
// up, and then for as long as Stay says. A phone that fails is no error but stands in the report; the error is about the
// configuration.
func Storm(ctx context.Context, cfg StormConfig) (Report, error) {
	phones, err := stormPhones(cfg)
	if err != nil {
		return Report{}, err
	}
	hostile, err := cfg.startHostile(ctx)
	if err != nil {
		return Report{}, err
	}
	s := &storm{cfg: cfg, phones: phones, begun: time.Now(), cpu: processorTime()}
	lives, end := context.WithCancel(ctx)
	defer end()
	s.boot(ctx, lives)
	took := time.Since(s.begun)
	moved, err := s.roam(lives)
	if err == nil && cfg.Stay > 0 {
		_ = sleep(ctx, cfg.Stay)
	}
	attacks := hostile()
	end()
	s.running.Wait()
	r := s.report(took)
	r.Hostile, r.Roaming = attacks, moved
	return r, err
}

// storm is a storm that runs.
type storm struct {
	cfg     StormConfig
	phones  []*stormPhone
	begun   time.Time
	cpu     time.Duration
	running sync.WaitGroup
}

// boot switches the phones on and returns once all are done, or the time is up; until then each keeps its address.
func (s *storm) boot(ctx, lives context.Context) {
	timeout := s.cfg.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var waiting sync.WaitGroup
	for _, p := range s.phones {
		waiting.Go(func() {
			if sleep(ctx, p.after) == nil {
				s.run(ctx, lives, p)
			}
		})
	}
	waiting.Wait()
}

const defaultTimeout = 10 * time.Minute

// run switches a phone on, which lives on after it is done, and returns once it is, or ctx ends.
func (s *storm) run(ctx, lives context.Context, p *stormPhone) {
	life, unplug := context.WithCancel(lives)
	p.left = make(chan struct{})
	p.unplug = func() { unplug(); <-p.left }
	s.running.Go(func() {
		defer unplug()
		defer close(p.left)
		_, p.err = p.phone.Run(life)
	})
	select {
	case <-p.phone.Done():
	case <-p.left:
	case <-ctx.Done():
	}
}

// stormPhones makes the phones of a storm, switched off.
func stormPhones(cfg StormConfig) ([]*stormPhone, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Base.IsZero() {
		cfg.Base = defaultBase()
	}
	if len(cfg.States) == 0 {
		cfg.States = []State{StateSIP}
	}
	random := rand.New(rand.NewPCG(cfg.Seed, uint64(cfg.Phones)))
	var phones []*stormPhone
	for i := range cfg.Phones {
		model := "7960"
		if i%5 == 4 {
			model = "7940"
		}
		p, err := New(Config{
			Link: cfg.Link, Ports: cfg.Ports, MAC: AddMAC(cfg.Base, i), Model: model, State: cfg.States[i%len(cfg.States)],
			Load: cfg.Load, Want: cfg.Want, Broadcast: i/len(cfg.States)%2 == 1, Speed: cfg.Speed, Stay: true, CDP: cfg.CDP,
			OnEvent: cfg.OnEvent, Seed: cfg.Seed, Profile: cfg.Profile, Name: cfg.Name, Image: cfg.Image, Renew: cfg.Renew,
		})
		if err != nil {
			return nil, err
		}
		s := &stormPhone{phone: p}
		if cfg.Window > 0 {
			s.after = time.Duration(random.Int64N(int64(cfg.Window)))
		}
		phones = append(phones, s)
	}
	return phones, nil
}

// check lists what is wrong with the numbers.
func (c StormConfig) check() error {
	var faults []error
	if c.Phones < 1 && (c.Hostile == nil || c.Phones < 0) || c.Window < 0 {
		faults = append(faults, fmt.Errorf("found %d phones in %s, allowed is one or more in a time of 0 or more", c.Phones, c.Window))
	}
	if c.Stay < 0 {
		faults = append(faults, fmt.Errorf("found a stay of %s, allowed is a time of 0 or more", c.Stay))
	}
	if c.Roam.Phones < 0 || c.Roam.Phones > c.Phones {
		faults = append(faults, fmt.Errorf("found %d phones that move, allowed is 0 to %d", c.Roam.Phones, c.Phones))
	}
	return errors.Join(faults...)
}

// AddMAC counts n addresses on from base.
func AddMAC(base phone.MAC, n int) phone.MAC {
	for i := len(base) - 1; i >= 0 && n > 0; i-- {
		n += int(base[i])
		base[i] = byte(n)
		n >>= 8
	}
	return base
}

// ParseStates reads a list of states such as "sip,sccp"; "mix" stands for what a pallet of phones holds.
func ParseStates(list []string) ([]State, error) {
	var states []State
	var faults []error
	for _, s := range list {
		if s == "mix" {
			states = append(states, StateSIP, StateSIP7, StateSCCP, StateSCCPOld)
			continue
		}
		st, err := ParseState(s)
		faults = append(faults, err)
		states = append(states, st)
	}
	return states, errors.Join(faults...)
}
