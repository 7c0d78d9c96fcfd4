package phonesim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
	CDP     bool          // as in Config
	Want    string        // as in Config
	Load    string        // as in Config
	Speed   float64       // as in Config
	Seed    uint64        // of everything random
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

// Report sums up a storm. Times count from the moment at which the first phone could be switched on.
type Report struct {
	Phones      int             `json:"phones"`
	Ready       int             `json:"ready"`
	Polling     int             `json:"polling"` // StateBare, as it should
	Failed      int             `json:"failed"`
	Window      time.Duration   `json:"window_ns"`
	Half        time.Duration   `json:"ready_50_ns"` // 0 = never
	Most        time.Duration   `json:"ready_95_ns"`
	All         time.Duration   `json:"ready_100_ns"`
	Took        time.Duration   `json:"took_ns"`
	Failures    []Failure       `json:"failures"`
	Duplicates  []Duplicate     `json:"duplicate_addresses"`
	Retransmits Retransmissions `json:"retransmissions"`
	Results     []Result        `json:"results"`
}

// OK reports whether every phone got where it was expected to get, without a fault and without a duplicate address.
func (r Report) OK() bool { return len(r.Failures) == 0 && len(r.Duplicates) == 0 }

// defaultBase lies in a block of Cisco's, where the fingerprints of phones look for them.
func defaultBase() phone.MAC { return phone.MAC{0x00, 0x06, 0xD7, 0x50, 0x00, 0x00} }

// stormPhone is one phone of a storm.
type stormPhone struct {
	phone *Phone
	after time.Duration // when it is switched on
	err   error
}

// Storm boots the phones, half of them without the broadcast flag, and keeps each alive until all are done or the time is
// up. A phone that fails is no error but stands in the report; the error is about the configuration.
func Storm(ctx context.Context, cfg StormConfig) (Report, error) {
	phones, err := stormPhones(cfg)
	if err != nil {
		return Report{}, err
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	begun := time.Now()
	var running, waiting sync.WaitGroup
	for _, s := range phones {
		waiting.Add(1)
		running.Go(func() {
			defer waiting.Done()
			if sleep(ctx, s.after) != nil {
				return
			}
			left := make(chan struct{})
			running.Go(func() {
				defer close(left)
				_, s.err = s.phone.Run(ctx)
			})
			select {
			case <-s.phone.Done():
			case <-left:
			}
		})
	}
	waiting.Wait() // all are done, or the time is up: until then each keeps its address
	took := time.Since(begun)
	cancel()
	running.Wait()
	return report(cfg, phones, took), nil
}

// stormPhones makes the phones of a storm, switched off.
func stormPhones(cfg StormConfig) ([]*stormPhone, error) {
	if cfg.Phones < 1 || cfg.Window < 0 {
		return nil, fmt.Errorf("found %d phones in %s, allowed is one or more in a time of 0 or more", cfg.Phones, cfg.Window)
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
			OnEvent: cfg.OnEvent, Seed: cfg.Seed,
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

// AddMAC counts n addresses on from base.
func AddMAC(base phone.MAC, n int) phone.MAC {
	for i := len(base) - 1; i >= 0 && n > 0; i-- {
		n += int(base[i])
		base[i] = byte(n)
		n >>= 8
	}
	return base
}

// report sums up.
func report(cfg StormConfig, phones []*stormPhone, took time.Duration) Report {
	r := Report{
		Phones: len(phones), Window: cfg.Window, Took: took,
		Failures: []Failure{}, Duplicates: []Duplicate{}, Results: []Result{},
	}
	var times []time.Duration
	for _, s := range phones {
		result := s.phone.Result()
		r.Results = append(r.Results, result)
		r.Retransmits.add(result.Retransmits)
		switch result.Outcome {
		case OutcomeReady:
			r.Ready++
			times = append(times, s.after+result.After)
		case OutcomePolling:
			r.Polling++
			times = append(times, s.after+result.After)
		default:
			r.Failed++
		}
		if !result.OK() || s.err != nil {
			f := Failure{MAC: result.MAC, Step: result.Step, WaitingFor: result.WaitingFor, Problem: result.Problem, Faults: result.Faults}
			if s.err != nil {
				f.Error = s.err.Error()
			}
			r.Failures = append(r.Failures, f)
		}
	}
	slices.Sort(times)
	r.Half, r.Most, r.All = share(times, len(phones), 50), share(times, len(phones), 95), share(times, len(phones), 100)
	r.Duplicates = append(r.Duplicates, cfg.Link.Addresses().Duplicates()...)
	return r
}

// share returns when percent of all phones were done; 0 when so many never were. times is sorted.
func share(times []time.Duration, all, percent int) time.Duration {
	n := (all*percent + 99) / 100
	if n == 0 || n > len(times) {
		return 0
	}
	return times[n-1]
}

// add adds up.
func (r *Retransmissions) add(o Retransmissions) {
	r.DHCP += o.DHCP
	r.TFTP += o.TFTP
	r.SNTP += o.SNTP
	r.DNS += o.DNS
	r.SIP += o.SIP
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
