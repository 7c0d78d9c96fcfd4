package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// startPatience is how long a server may take until it listens.
const startPatience = 40 * time.Second

// spec says how one program is run. In a command line and in files, $DIR stands for a new folder, $TFTP for the folder of
// files that the phones may read, and $LAST for the last address of the pool.
type spec struct {
	name  string
	args  []string
	env   []string
	files map[string]string // name to content, in $DIR
	port  int               // UDP, on which it listens once it is ready
}

// set is servers that run together.
type set struct {
	name   string
	dir    string
	procs  []*process
	before []time.Duration // of CPU, per process, when it was last marked
	buffer int             // the smallest receive buffer, where it was enlarged
	box    *box            // where the set is phonebox
}

// startSet starts programs in the server's namespace and waits until all listen.
func (l *lab) startSet(ctx context.Context, name, tftp string, pool int, specs ...spec) (*set, error) {
	if err := l.fresh(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "phonebox-capacity-")
	if err != nil {
		return nil, err
	}
	s := &set{name: name, dir: dir}
	fill := strings.NewReplacer("$DIR", dir, "$TFTP", tftp, "$LAST", lastAddress(pool))
	for _, sp := range specs {
		if err := s.add(ctx, l, fill, sp); err != nil {
			s.stop()
			return nil, err
		}
	}
	s.mark()
	return s, nil
}

func (s *set) add(ctx context.Context, l *lab, fill *strings.Replacer, sp spec) error {
	for name, content := range sp.files {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(fill.Replace(content)), 0o644); err != nil {
			return err
		}
	}
	var args, env []string
	for _, a := range sp.args {
		args = append(args, fill.Replace(a))
	}
	for _, e := range sp.env {
		env = append(env, fill.Replace(e))
	}
	p, err := start(l.server, s.dir, env, args...)
	if err != nil {
		return err
	}
	s.procs = append(s.procs, p)
	err = waitFor(ctx, startPatience, sp.name+" listens", func() (bool, error) {
		return listens(p, sp.port), p.alive()
	})
	if err != nil {
		return err
	}
	return settle(ctx, p)
}

// settle waits until a server that listens has done what it does at its start, such as making up its pool: until it spends
// no CPU time for a tenth of a second.
func settle(ctx context.Context, p *process) error {
	spent, since := p.cpu(), time.Now()
	return waitFor(ctx, startPatience, p.name+" is idle", func() (bool, error) {
		if now := p.cpu(); now != spent {
			spent, since = now, time.Now()
		}
		return time.Since(since) > 100*time.Millisecond, p.alive()
	})
}

// lastAddress is the end of a pool of so many addresses, 256 to poolSize.
func lastAddress(pool int) string {
	a := netip.MustParseAddr(poolFirst).As4()
	binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])+uint32(min(max(pool, 256), poolSize))-1)
	return netip.AddrFrom4(a).String()
}

// listens reports whether the namespace of a process has a UDP socket on that port.
func listens(p *process, port int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", p.cmd.Process.Pid))
	return err == nil && strings.Contains(string(text), fmt.Sprintf(":%04X ", port))
}

// waitFor polls until ok holds, an error ends it, or the time is up.
func waitFor(ctx context.Context, limit time.Duration, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}

// stop ends the servers and removes what they wrote.
func (s *set) stop() {
	for _, p := range s.procs {
		p.stop()
	}
	_ = os.RemoveAll(s.dir)
}

// alive says which server has ended.
func (s *set) alive() error {
	var faults []error
	for _, p := range s.procs {
		faults = append(faults, p.alive())
	}
	return errors.Join(faults...)
}

// mark begins to count CPU time.
func (s *set) mark() {
	s.before = s.before[:0]
	for _, p := range s.procs {
		s.before = append(s.before, p.cpu())
	}
}

// spent is the CPU time of all servers since the mark.
func (s *set) spent() (sum time.Duration) {
	for i, p := range s.procs {
		sum += p.cpu() - s.before[i]
	}
	return sum
}

// peak is the most that the servers ever had resident, added up, in MB.
func (s *set) peak() float64 {
	sum := 0
	for _, p := range s.procs {
		_, most := p.memory()
		sum += most
	}
	return float64(sum) / 1e6
}

// enlarge gives all servers receive buffers of that size.
func (s *set) enlarge(bytes int) error {
	s.buffer = 0
	for _, p := range s.procs {
		got, err := p.enlarge(bytes)
		if err != nil {
			return err
		}
		if got > 0 && (s.buffer == 0 || got < s.buffer) {
			s.buffer = got
		}
	}
	if s.buffer < bytes {
		return fmt.Errorf("enlarging receive buffers: found %d bytes, wanted %d", s.buffer, bytes)
	}
	return nil
}
