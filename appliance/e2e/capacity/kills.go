package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"phonebox/appliance/e2e/capacity/load"
	"phonebox/services/phone"
)

const (
	perKill  = 250 // new clients before each kill
	killRate = 500 // of them a second
	oldOnes  = 100 // that are asked again after each kill, beside those that are new
)

// sigkill kills the daemon while it gives leases, and asks for each lease that it acknowledged.
func sigkill(ctx context.Context, x *run, r *result) error {
	kills := x.kills
	if x.quick {
		kills = min(kills, 10)
	}
	s, err := x.lab.startBox(ctx, x.programs.daemon, boxConfig{pool: poolSize})
	if err != nil {
		return err
	}
	defer s.stop()
	r.ran(x.boxLine(boxConfig{}))
	w, err := x.lab.wire()
	if err != nil {
		return err
	}
	defer w.Close()
	clients, err := load.NewClients(w, load.ClientsConfig{Count: min(perKill*kills, poolSize-oldOnes), Base: load.MAC{0, 6, 0xd7, 0, 0, 0}, Server: netip.MustParseAddr(serverIP), ServerMAC: boxMAC})
	if err != nil {
		return err
	}
	k := killer{x: x, s: s, clients: clients, random: rand.New(rand.NewPCG(1, uint64(kills)))}
	for i := range kills {
		if err := k.once(ctx, i); err != nil {
			return fmt.Errorf("kill %d: %w", i+1, err)
		}
	}
	held := clients.Held()
	t, err := clients.Run(ctx, load.Reboot, held, killRate)
	if err != nil {
		return err
	}
	k.judge(t, len(held))
	r.Rounds = kills
	const who = "phonebox"
	r.add(who, "kills", float64(kills))
	r.add(who, "leases acknowledged", float64(len(held)))
	r.add(who, "leases asked for again", float64(k.asked))
	r.add(who, "acknowledged leases lost", float64(k.lost))
	r.add(who, "addresses given twice", float64(k.twice))
	r.add(who, "longest time from a kill until it served again, s", k.longest.Seconds())
	r.must(k.lost == 0 && ctx.Err() == nil, "acknowledged leases lost: %d of %d, wanted none %s", k.lost, len(held), k.example)
	r.must(k.twice == 0, "addresses given twice: %d, wanted none", k.twice)
	return ctx.Err()
}

// killer keeps count.
type killer struct {
	x                  *run
	s                  *set
	clients            *load.Clients
	random             *rand.Rand
	asked, lost, twice int
	longest            time.Duration
	example            string
}

// once kills the daemon at a random moment while clients boot, starts it and asks for what was acknowledged since the kill
// before, and for some older leases.
func (k *killer) once(ctx context.Context, i int) error {
	before := k.clients.Held()
	var who []int
	for n := range perKill {
		who = append(who, (i*perKill+n)%(poolSize-oldOnes))
	}
	killed := make(chan struct{})
	timer := time.AfterFunc(time.Duration(50+k.random.IntN(400))*time.Millisecond, func() { defer close(killed); k.s.procs[0].kill() })
	defer timer.Stop()
	t, err := k.clients.RunUntil(ctx, load.Boot, who, killRate, killed)
	if err != nil {
		return err
	}
	k.twice += t.Twice + t.Moved
	begun := time.Now()
	if err := k.s.power(ctx, k.x.programs.daemon); err != nil {
		return err
	}
	k.longest = max(k.longest, time.Since(begun))
	if err := k.compare(ctx); err != nil {
		return err
	}
	fresh := slices.DeleteFunc(k.clients.Held(), func(w int) bool { _, old := slices.BinarySearch(before, w); return old })
	k.random.Shuffle(len(before), func(a, b int) { before[a], before[b] = before[b], before[a] })
	ask := append(fresh, before[:min(oldOnes, len(before))]...)
	again, err := k.clients.Run(ctx, load.Reboot, ask, 2*killRate)
	k.judge(again, len(ask))
	if i%20 == 19 || k.x.quick {
		k.x.logf("sigkill %d: %d new leases, %d asked again, %d lost, %d twice so far", i+1, len(fresh), len(ask), k.lost, k.twice)
	}
	return err
}

// compare looks whether the box knows every acknowledged lease, before any client has spoken: a lease that is lost may be
// acknowledged again to its client as long as nobody else has got the address.
func (k *killer) compare(ctx context.Context) error {
	code, body := k.s.box.call(ctx, http.MethodGet, "/api/v1/phones", "")
	if code != http.StatusOK {
		return fmt.Errorf("asking for the leases: found %d: %.200s", code, body)
	}
	var list []struct {
		MAC     phone.MAC
		Address string
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("asking for the leases: %w", err)
	}
	told := make(map[phone.MAC]string, len(list))
	for _, e := range list {
		told[e.MAC] = e.Address
	}
	for _, who := range k.clients.Held() {
		mac, want := phone.MAC(k.clients.MAC(who)), k.clients.Address(who).String()
		if told[mac] != want {
			k.lost++
			if k.example == "" {
				k.example = fmt.Sprintf("(%s has %s, the box says %q after the kill)", mac, want, told[mac])
			}
		}
	}
	return nil
}

// judge counts what is not as it was.
func (k *killer) judge(t load.Tally, asked int) {
	k.asked += asked
	k.lost += asked - t.Done + t.Moved
	k.twice += t.Twice
	if k.example == "" {
		k.example = t.Example
	}
}

var powerFigure = regexp.MustCompile(`FIGURE power cuts: (\d+) cuts in storms, (\d+) leases acknowledged, (\d+) lost, (\d+) given twice, served again after at most ([0-9.]+) s`)

// power runs the long form of the end-to-end test that cuts the power of the image in QEMU.
func power(ctx context.Context, x *run, r *result) error {
	args := []string{"test", "./appliance/e2e", "-run", "^TestPowerCutsInStorms$", "-count=1", "-v", "-timeout", "3h"}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CI=true", "PHONEBOX_POWERCUTS="+strconv.Itoa(x.cuts))
	out, err := cmd.CombinedOutput()
	m := powerFigure.FindStringSubmatch(string(out))
	if m == nil {
		return fmt.Errorf("the test tells no figure: %w: %s", err, lastOf(out))
	}
	r.Rounds = x.cuts
	r.ran(commandLine{Who: "the image", Line: fmt.Sprintf("PHONEBOX_POWERCUTS=%d go test ./appliance/e2e -run '^TestPowerCutsInStorms$' -v -timeout 3h", x.cuts)})
	for i, what := range []string{"power cuts", "leases acknowledged", "acknowledged leases lost", "addresses given twice", "longest time until it served again, s (emulated)"} {
		v, _ := strconv.ParseFloat(m[i+1], 64)
		r.add("phonebox in QEMU", what, v)
	}
	r.limit("acknowledged leases lost", "phonebox in QEMU", 0)
	r.limit("addresses given twice", "phonebox in QEMU", 0)
	r.must(err == nil, "the box came back serving after each cut")
	return nil
}

func lastOf(b []byte) []byte { return b[max(0, len(b)-3000):] }
