package phonesim

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"phonebox/services/phone"
)

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
	// Why they were: after a frame that the link lost on purpose, or else because of the servers.
	RetransmitsByLoss    Retransmissions `json:"retransmissions_by_injected_loss"`
	RetransmitsByServers Retransmissions `json:"retransmissions_by_servers"`

	Profile  Profile        `json:"profile"`
	Reasons  map[string]int `json:"failures_by_reason"` // what the phones that failed waited for, and how many
	TFTP     TFTPSum        `json:"tftp"`
	Image    *ImageSum      `json:"image,omitempty"` // nil without StormConfig.Image
	Renewals Renewals       `json:"renewals"`
	Roaming  *RoamSum       `json:"roaming,omitempty"` // nil without StormConfig.Roam
	Hostile  []HostileSum   `json:"hostile,omitempty"`
	Wire     *WireCount     `json:"wire,omitempty"`  // nil on loopback
	Notes    map[string]int `json:"notes,omitempty"` // of ProfileBasic, and how many phones made each
	// ProcessorTime is what this process, so the simulator where it is a command, spent in user and system mode, in seconds.
	ProcessorTime float64  `json:"cpu_s"`
	Results       []Result `json:"results"`
}

// TFTPSum is what came of all questions for files, but for StormConfig.Image.
type TFTPSum struct {
	Got           int            `json:"got"`
	NotFound      int            `json:"not_found"` // or refused otherwise
	Bytes         int            `json:"bytes"`
	ContentErrors []ContentError `json:"content_errors"`
}

// ContentError is a file of which one phone got other bytes than most phones. It is looked for where all have to get the same:
// the files without a hardware address in the name of ProfileBasic, and the image.
type ContentError struct {
	MAC    phone.MAC `json:"mac"`
	Name   string    `json:"name"`
	SHA256 string    `json:"sha256"`
	Want   string    `json:"want"`
}

// ImageSum is what came of the downloads of StormConfig.Image. Times but Took count from the moment at which the first phone
// could be switched on.
type ImageSum struct {
	Name     string        `json:"name"`
	Size     int           `json:"size"`
	Done     int           `json:"done"`
	Failed   int           `json:"failed"`
	First    time.Duration `json:"first_ns"`
	Half     time.Duration `json:"p50_ns"`
	Most     time.Duration `json:"p95_ns"`
	Last     time.Duration `json:"last_ns"`
	Spread   time.Duration `json:"spread_ns"` // last less first
	TookHalf time.Duration `json:"took_p50_ns"`
	TookMost time.Duration `json:"took_max_ns"`
}

// processorTime returns what the process has spent so far.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report sums up.
func (s *storm) report(took time.Duration) Report {
	r := Report{
		Phones: len(s.phones), Window: s.cfg.Window, Took: took, Profile: s.cfg.Profile,
		Failures: []Failure{}, Duplicates: []Duplicate{}, Results: []Result{}, Reasons: map[string]int{}, Notes: map[string]int{},
	}
	if r.Profile == "" {
		r.Profile = ProfileFull
	}
	var times []time.Duration
	for _, p := range s.phones {
		result := p.result()
		r.Results = append(r.Results, result)
		r.addCounts(result)
		switch result.Outcome {
		case OutcomeReady:
			r.Ready++
			times = append(times, p.after+result.After)
		case OutcomePolling:
			r.Polling++
			times = append(times, p.after+result.After)
		default:
			r.Failed++
		}
		if !result.OK() || p.err != nil {
			r.fail(result, p.err)
		}
	}
	slices.Sort(times)
	n := len(s.phones)
	r.Half, r.Most, r.All = share(times, n, 50), share(times, n, 95), share(times, n, 100)
	r.Duplicates = append(r.Duplicates, s.cfg.Link.Addresses().Duplicates()...)
	if to := s.cfg.Roam.Link; to != nil && to.Addresses() != s.cfg.Link.Addresses() {
		r.Duplicates = append(r.Duplicates, to.Addresses().Duplicates()...)
	}
	r.Image = s.imageSum(r.Results)
	r.TFTP.ContentErrors = contentErrors(r.Results, s.cfg.Image)
	if w, ok := s.cfg.Link.(*Wire); ok {
		count := w.Count()
		r.Wire = &count
	}
	r.ProcessorTime = (processorTime() - s.cpu).Seconds()
	return r
}

// result is what became of a phone, in both places where it was.
func (s *stormPhone) result() Result {
	r := s.phone.Result()
	if s.moved == nil {
		return r
	}
	m := s.moved.Result()
	r.MovedTo = m.Address
	r.Retransmits.add(m.Retransmits)
	r.RetransmitsByLoss.add(m.RetransmitsByLoss)
	r.RetransmitsByServers.add(m.RetransmitsByServers)
	r.Renewals.add(m.Renewals)
	for _, f := range m.Faults {
		if !slices.Contains(r.Faults, f) {
			r.Faults = append(r.Faults, f)
		}
	}
	return r
}

// addCounts adds up what is counted of a phone.
func (r *Report) addCounts(p Result) {
	r.Retransmits.add(p.Retransmits)
	r.RetransmitsByLoss.add(p.RetransmitsByLoss)
	r.RetransmitsByServers.add(p.RetransmitsByServers)
	r.Renewals.add(p.Renewals)
	for _, n := range p.Notes {
		r.Notes[withoutMAC(n, p.MAC)]++
	}
	for _, f := range p.Files {
		switch f.Answer {
		case AnswerGot:
			r.TFTP.Got++
			r.TFTP.Bytes += f.Size
		case AnswerError:
			r.TFTP.NotFound++
		}
	}
}

// fail notes a phone that did not get where it was expected to get, and why.
func (r *Report) fail(p Result, err error) {
	f := Failure{MAC: p.MAC, Step: p.Step, WaitingFor: p.WaitingFor, Problem: p.Problem, Faults: p.Faults}
	switch {
	case err != nil:
		f.Error = err.Error()
		r.Reasons["this machine: "+f.Error]++
	case p.Outcome == OutcomeFailed || p.Outcome == OutcomeDamaged:
		r.Reasons[p.reason()]++
	case p.Image != nil && p.Image.Done == 0:
		f.Problem = "the image: " + p.Image.Error
		r.Reasons[f.Problem]++
	default:
		for _, fault := range p.Faults {
			r.Reasons[withoutMAC(fault, p.MAC)]++
		}
	}
	r.Failures = append(r.Failures, f)
}

// reason says what a phone waits for in words that are the same for all phones.
func (r Result) reason() string {
	return withoutMAC(strings.TrimSuffix(r.WaitingFor+": "+r.Problem, ": "), r.MAC)
}

// withoutMAC makes what was said of one phone the same as what was said of another.
func withoutMAC(text string, mac phone.MAC) string {
	return strings.ReplaceAll(text, mac.Name(), macInName)
}

// imageSum sums up the downloads; nil where there were to be none.
func (s *storm) imageSum(results []Result) *ImageSum {
	if s.cfg.Image == "" {
		return nil
	}
	sum := &ImageSum{Name: s.cfg.Image}
	var done, took []time.Duration
	for i, r := range results {
		if r.Image == nil || r.Image.Done == 0 {
			sum.Failed++
			continue
		}
		sum.Done++
		sum.Size = max(sum.Size, r.Image.Size)
		done, took = append(done, s.phones[i].after+r.Image.Done), append(took, r.Image.Took)
	}
	if sum.Done == 0 {
		return sum
	}
	slices.Sort(done)
	slices.Sort(took)
	n := len(done)
	sum.First, sum.Half, sum.Most, sum.Last = done[0], share(done, n, 50), share(done, n, 95), done[n-1]
	sum.Spread = sum.Last - sum.First
	sum.TookHalf, sum.TookMost = share(took, n, 50), took[n-1]
	return sum
}

// contentErrors compares what the phones got; what most of them got is taken for right.
func contentErrors(results []Result, image string) []ContentError {
	type got struct{ name, sum string }
	votes := map[string]map[string]int{}
	per := make([][]got, len(results))
	for i, r := range results {
		for _, f := range r.Files {
			if f.Answer == AnswerGot && slices.Contains(BasicFiles(), f.Name) {
				per[i] = append(per[i], got{f.Name, f.SHA256})
			}
		}
		if r.Image != nil && r.Image.Done > 0 {
			per[i] = append(per[i], got{image, r.Image.SHA256})
		}
		for _, g := range per[i] {
			if votes[g.name] == nil {
				votes[g.name] = map[string]int{}
			}
			votes[g.name][g.sum]++
		}
	}
	want := map[string]string{}
	for name, sums := range votes {
		for sum, n := range sums {
			if best := sums[want[name]]; n > best || n == best && sum < want[name] {
				want[name] = sum
			}
		}
	}
	errs := []ContentError{}
	for i, list := range per {
		for _, g := range list {
			if g.sum != want[g.name] {
				errs = append(errs, ContentError{MAC: results[i].MAC, Name: g.name, SHA256: g.sum, Want: want[g.name]})
			}
		}
	}
	return errs
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

// add adds up.
func (r *Renewals) add(o Renewals) {
	r.Renewed += o.Renewed
	r.Rebound += o.Rebound
	r.Failed += o.Failed
	r.Lost += o.Lost
}
