package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The names that are asked for: so many of the zone, and as many of the world, which a server on farPort knows.
const (
	dnsNames = 1000
	farPort  = 5300
	farZone  = "world.example"
)

// far is the name server of the world: what each contender asks once for each name.
func far() spec {
	var data strings.Builder
	for i := range dnsNames {
		fmt.Fprintf(&data, "  local-data: \"host%d.%s. 86400 A 198.51.100.%d\"\n", i, farZone, 1+i%250)
	}
	return spec{name: "unbound (the world)", port: farPort, args: []string{"unbound", "-d", "-c", "$DIR/unbound.conf"}, files: map[string]string{
		"unbound.conf": fmt.Sprintf(`server:
  interface: 127.0.0.1@%d
  do-ip6: no
  num-threads: 1
  access-control: 127.0.0.0/8 allow
  chroot: ""
  username: ""
  directory: "$DIR"
  pidfile: ""
  use-syslog: no
  logfile: "$DIR/unbound.log"
  module-config: "iterator"
  local-zone: "%s." static
%sremote-control:
  control-enable: no
`, farPort, farZone, data.String()),
	}}
}

// dnsmasqNames is dnsmasq as a name server alone, with a cache that holds all names.
func dnsmasqNames() spec {
	s := spec{name: "dnsmasq", port: 53, args: []string{
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--log-facility=$DIR/dnsmasq.log", "--interface=" + iface,
		"--bind-interfaces", "--no-resolv", "--no-hosts", "--addn-hosts=$DIR/hosts", "--domain=" + domain, "--local=/" + domain + "/", "--cache-size=10000",
		fmt.Sprintf("--server=127.0.0.1#%d", farPort),
	}}
	var hosts strings.Builder
	for i := range dnsNames {
		fmt.Fprintf(&hosts, "%s host%d.%s\n", hostAddress(i), i, domain)
	}
	s.files = map[string]string{"hosts": hosts.String()}
	return s
}

// unboundNames is unbound with the names of the zone, which asks the rest of the same server.
func unboundNames() spec {
	s := unbound()
	var data strings.Builder
	for i := range dnsNames {
		fmt.Fprintf(&data, "  local-data: \"host%d.%s. A %s\"\n", i, domain, hostAddress(i))
	}
	data.WriteString("remote-control:")
	text := strings.Replace(s.files["unbound.conf"], "remote-control:", data.String(), 1)
	s.files = map[string]string{"unbound.conf": text + fmt.Sprintf("forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@%d\n", farPort)}
	return s
}

func hostAddress(i int) string { return fmt.Sprintf("10.77.%d.%d", 251+i/250, 1+i%250) }

// dnsLine is a command line without the thousand names, which say nothing.
func dnsLine(sp spec) commandLine {
	l := sp.line()
	files := map[string]string{}
	for name, text := range l.Files {
		var kept []string
		for line := range strings.Lines(text) {
			if !strings.Contains(line, "host") || strings.Contains(line, "host0.") || strings.Contains(line, "localhost") {
				kept = append(kept, line)
			}
		}
		files[name] = strings.Join(kept, "") + fmt.Sprintf("# and so on, to host%d\n", dnsNames-1)
	}
	l.Files = files
	return l
}

// dnsperfArgs asks as fast as answers come, 200 questions at a time from 20 ports.
func dnsperfArgs(file string, more ...string) []string {
	return append([]string{"dnsperf", "-s", serverIP, "-d", file, "-c", "20", "-T", "1", "-q", "200"}, more...)
}

// dnsLoad is one kind of names.
type dnsLoad struct{ what, file string }

// names asks for names of the zone, and for names of the world that were asked for once.
func names(ctx context.Context, x *run, r *result) error {
	dir, err := os.MkdirTemp("", "phonebox-capacity-dns-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	loads := []dnsLoad{{"local names", filepath.Join(dir, "local")}, {"cached names", filepath.Join(dir, "world")}}
	for i, zone := range []string{domain, farZone} {
		var b strings.Builder
		for i := range dnsNames {
			fmt.Fprintf(&b, "host%d.%s A\n", i, zone)
		}
		err = errors.Join(err, os.WriteFile(loads[i].file, []byte(b.String()), 0o600))
	}
	if err != nil {
		return err
	}
	world, err := x.lab.startSet(ctx, "world", "", poolSize, far())
	if err != nil {
		return err
	}
	defer world.stop()
	cfg := boxConfig{hosts: dnsNames, more: fmt.Sprintf("[dns]\nupstream = [\"127.0.0.1:%d\"]\n", farPort)}
	list := []*contender{
		x.boxContender("phonebox", cfg), x.peerContender("dnsmasq", "", dnsmasqNames()), x.peerContender("unbound", "", unboundNames()),
	}
	cfg.hosts = 1
	r.ran(x.boxLine(cfg), dnsLine(far()), dnsLine(dnsmasqNames()), dnsLine(unboundNames()), commandLine{Who: "dnsperf", Line: strings.Join(dnsperfArgs("$DIR/names", "-l", "5"), " ")})
	for range x.rounds {
		for _, c := range list {
			if err := x.namesOf(ctx, r, c, loads); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, l := range loads {
		r.ratio(l.what+"/s", "phonebox", "dnsmasq", true, 0.5)
		r.ratio(l.what+", server CPU per question, µs", "phonebox", "dnsmasq", false, 2)
	}
	r.note("%d names each, A records, without EDNS. unbound stands there for information; each has one thread for questions.", dnsNames)
	return nil
}

func (x *run) namesOf(ctx context.Context, r *result, c *contender, loads []dnsLoad) error {
	s, err := c.start(ctx, 256)
	if err != nil {
		return err
	}
	defer s.stop()
	seconds := 5
	if x.quick {
		seconds = 2
	}
	for _, l := range loads {
		// Each name is asked for first, few at a time, so that it is in the caches.
		if _, err := x.dnsperf(ctx, dnsperfArgs(l.file, "-n", "2", "-q", "16")); err != nil {
			return err
		}
		s.mark()
		got, err := x.dnsperf(ctx, dnsperfArgs(l.file, "-l", strconv.Itoa(seconds)))
		if err != nil {
			return err
		}
		cpu := float64(s.spent().Microseconds()) / got.completed
		x.logf("dns: %s, %s: %.0f/s, %.1f µs CPU each, %.0f lost", c.name, l.what, got.rate, cpu, got.lost)
		r.add(c.name, l.what+"/s", got.rate)
		r.add(c.name, l.what+", server CPU per question, µs", cpu)
		r.add(c.name, l.what+", lost in a million", 1e6*got.lost/(got.completed+got.lost))
		if got.good != got.completed {
			r.must(false, "%s, %s: %.0f of %.0f answers have the address", c.name, l.what, got.good, got.completed)
		}
	}
	r.add(c.name, "peak memory, MB", s.peak())
	return s.alive()
}

// asked is what dnsperf tells.
type asked struct{ completed, lost, good, rate float64 }

var dnsperfTells = map[string]*regexp.Regexp{
	"completed": regexp.MustCompile(`Queries completed:\s+(\d+)`),
	"lost":      regexp.MustCompile(`Queries lost:\s+(\d+)`),
	"good":      regexp.MustCompile(`NOERROR (\d+)`),
	"rate":      regexp.MustCompile(`Queries per second:\s+([\d.]+)`),
}

func (x *run) dnsperf(ctx context.Context, args []string) (asked, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := runIn(ctx, x.lab.client, args...)
	if err != nil {
		return asked{}, fmt.Errorf("%w: %s", err, out)
	}
	return readDnsperf(out)
}

func readDnsperf(out string) (a asked, err error) {
	for key, to := range map[string]*float64{"completed": &a.completed, "lost": &a.lost, "good": &a.good, "rate": &a.rate} {
		m := dnsperfTells[key].FindStringSubmatch(out)
		if m == nil {
			return a, fmt.Errorf("dnsperf does not tell what is %s: %s", key, out)
		}
		*to, _ = strconv.ParseFloat(m[1], 64)
	}
	if a.completed == 0 {
		return a, fmt.Errorf("nothing was answered: %s", out)
	}
	return a, nil
}
