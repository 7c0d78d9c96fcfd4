package e2e_test

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"phonebox/appliance/e2e/capacity/load"
)

const (
	cutsVariable = "PHONEBOX_POWERCUTS"
	// usualCuts is how often the power is cut where nobody says how often: CI has no hour.
	usualCuts = 2
	// moreCuts is how many follow at most while no lease was acknowledged before any.
	moreCuts = 3
	// perCut is how many phones come new with each storm; the image's pool has room for those of thirty.
	perCut = 20
)

// TestPowerCutsInStorms cuts the power of the image again and again while phones boot: those that have a lease and start
// again with it, and newcomers. Each lease that was acknowledged is there afterwards, no address is given twice, and the box
// always comes back serving, without a person. PHONEBOX_POWERCUTS says how often; its disk is as slow as a bad card.
func TestPowerCutsInStorms(t *testing.T) {
	emulating.enter(t)
	cuts := usualCuts
	if text := os.Getenv(cutsVariable); text != "" {
		cuts = atoi(t, text)
	}
	m := newMachine(t, "arm64")
	c := newClients(t, openLoad(t, m.lan.Node("wire")), (cuts+moreCuts)*perCut)
	m.power("utc", slowCard)
	m.waitPage()
	m.setPassword()
	m.waitServing()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	lost, twice := 0, 0
	var longest time.Duration
	// On a busy machine a cut may come before the first lease. There are more then, each a second later than the one before.
	for i := 0; i < cuts || len(c.Held()) == 0 && i < cuts+moreCuts; i++ {
		later := max(0, time.Duration(i-cuts+1)) * time.Second
		storm := append(c.Held(), leavingOut(countUp(0, (i+1)*perCut), c.Held())...)
		moved := cutInStorm(t, m, c, storm, later+time.Duration(200+random.IntN(1500))*time.Millisecond)
		twice += moved
		began := time.Now()
		m.power("utc", slowCard)
		m.waitPage()
		m.waitServing()
		longest = max(longest, time.Since(began))
		lost += lostLeases(t, &m.box, c)
		held := c.Held()
		tally, err := c.Run(t.Context(), load.Reboot, held, 100)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("cut %d: %d leases were acknowledged, asked for again: %+v", i+1, len(held), tally)
		lost += len(held) - tally.Done + tally.Moved
		twice += tally.Twice
	}
	held := len(c.Held())
	t.Logf("FIGURE power cuts: %d cuts in storms, %d leases acknowledged, %d lost, %d given twice, served again after at most %.1f s",
		cuts, held, lost, twice, longest.Seconds())
	if lost > 0 || twice > 0 {
		t.Errorf("%d acknowledged leases were lost, %d addresses given twice, wanted none", lost, twice)
	}
	if held == 0 {
		t.Error("no lease was acknowledged before any of the cuts: nothing was tested")
	}
	// The box serves everybody that the cuts left without an address.
	runClients(t, c, load.Boot, leavingOut(countUp(0, cuts*perCut), c.Held()), 50)
	m.cut()
}

// cutInStorm cuts the power while those with a lease start again, and newcomers behind them, and returns how many addresses
// were given that must not be.
func cutInStorm(t *testing.T, m *machine, c *load.Clients, who []int, after time.Duration) int {
	t.Helper()
	had := len(c.Held())
	if had > 0 {
		// They all come at once; what matters is that the newcomers' leases are being written when the power goes.
		tally := runClients(t, c, load.Reboot, who[:had], 0)
		t.Logf("%d phones start again: %s", had, tally.Took)
	}
	cut := make(chan struct{})
	timer := time.AfterFunc(after, func() { defer close(cut); m.cut() })
	defer timer.Stop()
	tally, err := c.RunUntil(t.Context(), load.Boot, who[had:], 15, cut)
	if err != nil {
		t.Fatal(err)
	}
	return tally.Moved + tally.Twice
}
