package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

const password = "correct horse battery"

// boxConfig is what differs between the boxes that are measured.
type boxConfig struct {
	ping   bool
	pool   int           // so many addresses
	listed int           // so many phones of the storm are in the site, each with a line
	sync   time.Duration // that each sync of the store takes beside its own time; 0 = as it is
	lease  string        // "" = 8h
	files  map[string][]byte
	time   string // time.upstream; "" = none
	more   string // of the site
}

// stormBase is the first phone of a storm.
var stormBase = phone.MAC{0x00, 0x06, 0xD7, 0x50, 0x00, 0x00}

// syncVariable makes each sync of the store longer; it is there for measurements.
const syncVariable = "PHONEBOX_TEST_SYNC"

// box is a phonebox that runs.
type box struct {
	lab    *lab
	cfg    boxConfig
	data   string
	client *http.Client
}

// siteText is the site file. Nothing in it asks the internet.
func (c boxConfig) siteText() string {
	var b bytes.Buffer
	lease := c.lease
	if lease == "" {
		lease = "8h"
	}
	fmt.Fprintf(&b, "name = \"Capacity\"\n[network]\naddress = %q\n", serverIP+"/16")
	fmt.Fprintf(&b, "[dhcp]\npool = [%q]\nlease = %q\nping_check = %v\n", poolFirst+"-"+lastAddress(c.pool), lease, c.ping)
	fmt.Fprintf(&b, "[time]\nupstream = %s\n", cmp.Or(c.time, "[]"))
	fmt.Fprint(&b, "[dns.hosts]\npbx = \"10.77.0.10\"\n[web]\nplain_http = true\n", c.more)
	for i := range c.listed {
		fmt.Fprintf(&b, "[[phones]]\nmac = %q\nlabel = \"Desk %d\"\n[[phones.lines]]\nname = \"%d\"\nauthname = \"%[3]d\"\npassword = \"secret-%[3]d\"\n",
			phonesim.AddMAC(stormBase, i), i+1, 2000+i)
	}
	return b.String()
}

// startBox starts phonebox as it is, syncing every lease, and waits until it serves.
func (l *lab) startBox(ctx context.Context, daemon string, cfg boxConfig) (*set, error) {
	if err := l.fresh(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "phonebox-capacity-")
	if err != nil {
		return nil, err
	}
	b := &box{lab: l, cfg: cfg, data: dir}
	b.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(_ context.Context, proto, addr string) (net.Conn, error) { return l.dial(proto, addr) },
	}}
	s := &set{name: "phonebox", dir: dir, box: b}
	err = os.WriteFile(filepath.Join(dir, "site.toml"), []byte(cfg.siteText()), 0o600)
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "tftp"), 0o755)
	}
	for name, content := range cfg.files {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "tftp", name), content, 0o644)
		}
	}
	if err == nil {
		err = s.power(ctx, daemon)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// power starts the daemon on the data that is there, and waits until it serves.
func (s *set) power(ctx context.Context, daemon string) error {
	var env []string
	if s.box.cfg.sync > 0 {
		env = append(env, syncVariable+"="+s.box.cfg.sync.String())
	}
	p, err := start(s.box.lab.server, s.dir, env, boxArgs(daemon, s.dir)...)
	if err != nil {
		return err
	}
	s.procs = []*process{p}
	err = waitFor(ctx, startPatience, "phonebox serves", func() (bool, error) { return s.box.ready(ctx), p.alive() })
	s.mark()
	if err != nil {
		return fmt.Errorf("%w: %s", err, p.out.String())
	}
	return nil
}

func boxArgs(daemon, dir string) []string { return []string{daemon, "-data", dir, "-interface", iface} }

// ready reports whether every service runs; it sets the first password where there is none.
func (b *box) ready(ctx context.Context) bool {
	code, body := b.call(ctx, http.MethodGet, "/api/v1/status", "")
	if code == http.StatusForbidden || code == http.StatusUnauthorized {
		b.call(ctx, http.MethodPost, "/api/v1/setup", `{"password":"`+password+`"}`)
		return false
	}
	var s struct{ Ready bool }
	return code == http.StatusOK && json.Unmarshal(body, &s) == nil && s.Ready
}

// call asks the box's API; 0 is no answer.
func (b *box) call(ctx context.Context, method, path, body string) (code int, answer []byte) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+serverIP+path, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	req.SetBasicAuth("admin", password)
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	answer, _ = io.ReadAll(resp.Body)
	return resp.StatusCode, answer
}

// programs are what is built from this tree.
type programs struct{ dir, daemon, phonesim string }

// build builds the daemon as it goes into the image, and the virtual phones.
func build(ctx context.Context) (programs, error) {
	dir, err := os.MkdirTemp("", "phonebox-capacity-bin-")
	if err != nil {
		return programs{}, err
	}
	p := programs{dir: dir, daemon: filepath.Join(dir, "phoneboxd"), phonesim: filepath.Join(dir, "phonesim")}
	for out, pkg := range map[string]string{p.daemon: "phonebox/appliance/phoneboxd", p.phonesim: "phonebox/appliance/phonesim/cmd/phonesim"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			_ = os.RemoveAll(dir)
			return programs{}, fmt.Errorf("building %s: %w: %s", pkg, err, text)
		}
	}
	return p, nil
}

// knowsSync reports whether the daemon can be told how long a sync takes.
func (p programs) knowsSync() bool {
	text, err := os.ReadFile(p.daemon)
	return err == nil && bytes.Contains(text, []byte(syncVariable))
}
