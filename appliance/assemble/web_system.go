package assemble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"phonebox/appliance/backup"
	"phonebox/appliance/logbook"
	"phonebox/appliance/machine"
	"phonebox/services/web"
)

// keeper is the box as a machine, as the page sees it.
type keeper struct {
	b      *Box
	facts  machine.Reader
	folder *backup.Folder

	storing sync.Mutex // held while a backup is staged, restored, undone or dropped
	staged  *stagedBackup

	mu     sync.Mutex
	store  web.StoreFacts
	asked  time.Time // when the store was asked last
	leaves bool      // the daemon is about to end
}

func newKeeper(b *Box) *keeper {
	return &keeper{b: b, facts: machine.Reader{Root: "/", Data: b.opt.Data}, folder: backup.Open(b.opt.Data)}
}

// Machine implements [web.Computer].
func (k *keeper) Machine() web.Machine {
	f := k.facts.Read()
	m := web.Machine{
		Version: k.b.opt.Version, Changed: f.Changed, Go: f.Go, Kernel: f.Kernel, Board: f.Board, Arch: f.Arch, CPUs: f.CPUs, Load: f.Load,
		UptimeS: int64(f.Uptime.Seconds()), MemTotal: f.Memory.Total, MemFree: f.Memory.Free, Resident: f.Memory.Resident, HeatC: f.Heat,
		DiskTotal: f.Disk.Total, DiskFree: f.Disk.Free, ReadOnly: f.Disk.ReadOnly, Data: k.b.opt.Data, Store: k.storeFacts(), Links: k.links(),
	}
	if f.Supply != nil {
		s := web.Supply(*f.Supply)
		m.Supply = &s
	}
	if onGokrazy() {
		m.Supervisor = "gokrazy"
	}
	return m
}

// onGokrazy reports whether gokrazy runs this computer.
func onGokrazy() bool {
	_, err := os.Stat(gokrazySocket)
	return err == nil
}

// askStore is how often the store's figures are read: all figures of the box are gathered for them.
const askStore = 5 * time.Second

func (k *keeper) storeFacts() web.StoreFacts {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := time.Now(); k.asked.IsZero() || now.Sub(k.asked) >= askStore {
		k.asked = now
		k.store = web.StoreFacts{}
		families, err := k.b.metrics.Gather()
		if err != nil {
			k.b.log.Warn("gathering the figures of the store", "err", err)
		}
		for _, f := range families {
			if f.GetName() == "phonebox_store_commit_seconds" && len(f.GetMetric()) == 1 {
				commitFacts(f.GetMetric()[0].GetHistogram(), &k.store)
			}
		}
	}
	out := k.store
	out.Faults, out.WaitMax, out.InMem = append([]string{}, k.b.store.Faults()...), k.b.store.Waiting(), k.b.lost
	if err := k.b.store.Failing(); err != nil {
		out.Failing = err.Error()
	}
	return out
}

// slowCommit is what a commit takes on a card that keeps phones waiting.
const slowCommit = 0.25

func commitFacts(h *dto.Histogram, out *web.StoreFacts) {
	n := h.GetSampleCount()
	if n == 0 {
		return
	}
	out.Commits, out.MeanS = int64(n), h.GetSampleSum()/float64(n)
	fast := uint64(0)
	for _, b := range h.GetBucket() {
		if b.GetUpperBound() <= slowCommit {
			fast = max(fast, b.GetCumulativeCount())
		}
	}
	out.Slow = float64(n-fast) / float64(n)
}

// links lists the interfaces, the one of the phones first, without those that only this computer uses.
func (k *keeper) links() []web.Link {
	ours := k.b.current().plan.netdev.Interface
	all, err := net.Interfaces()
	if err != nil {
		return []web.Link{}
	}
	out := []web.Link{}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Name != ours && !k.b.opt.Try {
			continue
		}
		l := web.Link{
			Name: i.Name, MAC: strings.ToUpper(i.HardwareAddr.String()), MTU: i.MTU, Up: i.Flags&net.FlagUp != 0, Running: i.Flags&net.FlagRunning != 0,
			Addresses: []string{}, Ours: i.Name == ours || k.b.opt.Try && i.Flags&net.FlagLoopback != 0,
		}
		if addrs, err := i.Addrs(); err == nil {
			for _, a := range addrs {
				l.Addresses = append(l.Addresses, a.String())
			}
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b web.Link) int {
		switch {
		case a.Ours == b.Ours:
			return strings.Compare(a.Name, b.Name)
		case a.Ours:
			return -1
		}
		return 1
	})
	const most = 16
	return out[:min(len(out), most)]
}

// ErrRestart is what [Serve] returns when a person asked on the page for the daemon to start again.
var ErrRestart = errors.New("a restart was asked for")

// Powers implements [web.Computer].
func (k *keeper) Powers() web.Powers {
	switch {
	case k.b.opt.Try:
		no := "This is phonebox -try, whose settings are in a temporary folder: stop it with Ctrl-C in its terminal, and start it anew."
		return web.Powers{Restart: no, Reboot: "This is phonebox -try: the computer is not its own.", Off: "This is phonebox -try: the computer is not its own."}
	case onGokrazy():
		return web.Powers{}
	}
	no := "phonebox does not own this computer: it was started by hand or by another system, which has tools of its own for that."
	return web.Powers{Reboot: no, Off: no}
}

// leaveAfter is how long the daemon stays after it was told to go, so that the answer reaches the browser.
const leaveAfter = 500 * time.Millisecond

// Power implements [web.Computer].
func (k *keeper) Power(_ context.Context, do string) error {
	can := k.Powers()
	why, path := can.Restart, ""
	switch do {
	case "restart":
	case "reboot":
		why, path = can.Reboot, "/reboot"
	case "off":
		why, path = can.Off, "/poweroff"
	default:
		return &web.PublicError{Status: http.StatusUnprocessableEntity, Text: "The box can be told to restart, reboot or off."}
	}
	if why != "" {
		return &web.PublicError{Status: http.StatusConflict, Text: why}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.leaves {
		return &web.PublicError{Status: http.StatusConflict, Text: "The box is about to stop already."}
	}
	k.leaves = true
	k.b.note("box", "was told to "+map[string]string{"restart": "restart its daemon", "reboot": "restart the computer", "off": "shut down"}[do])
	k.b.log.Info("told to stop", "do", do)
	time.AfterFunc(leaveAfter, func() {
		if do == "restart" {
			k.b.leave(ErrRestart)
			return
		}
		if err := tellGokrazy(path); err != nil {
			k.b.log.Error("gokrazy was told and did not answer", "do", do, "err", err)
		}
		k.mu.Lock()
		k.leaves = false
		k.mu.Unlock()
	})
	return nil
}

// tellGokrazy asks the operating system to stop everything, us included, before it turns the computer off or starts it again.
func tellGokrazy(path string) error {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", gokrazySocket)
		},
	}}
	resp, err := client.PostForm("http://gokrazy"+path, url.Values{})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

// levels are the levels of the log as the page names them.
var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// levelName names a level.
func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	case l >= slog.LevelInfo:
		return "info"
	}
	return "debug"
}

// ofBox is what lines without a service have as one.
const ofBox = "box"

// Log implements [web.System].
func (k *keeper) Log(filter web.LogFilter, most int) web.LogLines {
	red := k.b.redactor()
	level, ok := levels[filter.Level]
	if !ok {
		level = slog.LevelDebug
	}
	text, anyOf := strings.ToLower(filter.Text), make([]string, len(filter.Texts))
	for i, t := range filter.Texts {
		anyOf[i] = strings.ToLower(t)
	}
	keep := func(l *logbook.Line) bool {
		if l.Level < level || filter.Service != "" && filter.Service != l.Service && !(filter.Service == ofBox && l.Service == "") {
			return false
		}
		if text == "" && len(anyOf) == 0 {
			return true
		}
		// What is looked for is looked for in what is shown: else the answer would tell of a secret that it is there.
		lower := strings.ToLower(red.text(l.Text))
		return strings.Contains(lower, text) && (len(anyOf) == 0 || slices.ContainsFunc(anyOf, func(t string) bool { return containsWord(lower, t) }))
	}
	out := web.LogLines{Lines: []web.LogLine{}}
	out.Last, out.Gone = k.b.book.Counts()
	for _, l := range k.b.book.Lines(filter.After, most, keep) {
		line := web.LogLine{Seq: l.Seq, Time: l.Time, Level: levelName(l.Level), Service: l.Service, Text: red.text(l.Text)}
		if line.Service == "" {
			line.Service = ofBox
		}
		out.Lines = append(out.Lines, line)
	}
	return out
}

// containsWord reports whether word stands in s and does not go on: 10.77.1.1 is not in 10.77.1.12.
func containsWord(s, word string) bool {
	if word == "" {
		return false
	}
	goesOn := func(i int) bool {
		return i >= 0 && i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'z')
	}
	for at := 0; ; {
		i := strings.Index(s[at:], word)
		if i < 0 {
			return false
		}
		if i += at; !goesOn(i-1) && !goesOn(i+len(word)) {
			return true
		}
		at = i + 1
	}
}
