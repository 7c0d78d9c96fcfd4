package convert_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// chaos does anything to four phones: one with the site's target, one with its own, one that is to stay, and one that is
// not listed.
type chaos struct {
	*world
	r      *rand.Rand
	target map[phone.MAC]string
	ran    map[phone.MAC]string // the load that it surely ran last
	all    []convert.Phone
	skip   map[phone.MAC]bool // it was left out
}

// TestWhateverHappensOnlyPlannedStepsAreNamed: promises 6 and 9, whatever the phones do, the shelf loses, people order,
// and wherever the box's power is cut.
func TestWhateverHappensOnlyPlannedStepsAreNamed(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := listed(3, sip812)
				cfg.Parallel = 2
				cfg.Phones[1].Load, cfg.Phones[2].Load = sccp8, convert.Stay
				c := &chaos{newWorld(t, cfg), rand.New(rand.NewPCG(seed, 7)), map[phone.MAC]string{number(1): sip812, number(2): sccp8}, map[phone.MAC]string{}, cfg.Phones, map[phone.MAC]bool{}}
				for range 600 {
					c.move()
					c.check()
				}
			})
		})
	}
}

func (c *chaos) move() {
	mac := number(1 + c.r.IntN(4))
	d, _ := c.director()
	switch n := c.r.IntN(40); {
	case n < 2:
		orders := []convert.Order{convert.Go, convert.Go, convert.Next, convert.Skip, convert.Stop}
		order := orders[c.r.IntN(len(orders))]
		_ = d.Order(c.ctx, mac, order)
		c.skip[mac] = order == convert.Skip
	case n < 4:
		c.mu.Lock()
		c.shelf = fullShelf()
		l := &c.shelf[c.r.IntN(len(c.shelf))]
		i := c.r.IntN(len(l.Files))
		l.Missing = []string{l.Files[i]}
		l.Files = slices.Delete(l.Files, i, i+1)
		c.mu.Unlock()
	case n < 5:
		c.cut()
		c.start()
	case n < 6:
		c.j.SetStated(map[phone.MAC]string{mac: c.load()})
	case n < 7:
		c.change()
	case n < 10:
		time.Sleep(time.Duration(c.r.IntN(900)) * time.Second)
	default:
		time.Sleep(time.Duration(c.r.IntN(8)) * time.Second)
		c.see(c.event(mac))
	}
}

// change takes phone 1 out of the site, or gives it another target, or none.
func (c *chaos) change() {
	d, _ := c.director()
	c.cfg.Phones = slices.Clone(c.all)
	if c.target[number(1)] = []string{sip812, sip812, sip74, "", "unlisted"}[c.r.IntN(5)]; c.target[number(1)] == "unlisted" {
		c.cfg.Phones, c.target[number(1)] = c.cfg.Phones[1:], ""
	} else if c.cfg.Phones[0].Load = c.target[number(1)]; c.target[number(1)] == "" {
		c.cfg.Phones[0].Load = convert.Stay
	}
	d.Apply(c.cfg)
}

func (c *chaos) load() string {
	all := []string{sip23, sip44, sip53, sip63, sip74, sip89, sip812, sccp31, sccp5, sccp8}
	return all[c.r.IntN(len(all))]
}

// event is anything that a phone can do.
func (c *chaos) event(mac phone.MAC) journal.Event {
	e := journal.Event{MAC: mac, Service: "tftp", Address: address(mac)}
	l := c.load()
	names := []string{
		"OS79XX.TXT", "CTLSEP" + mac.Name() + ".tlv", "SEP" + mac.Name() + ".cnf.xml", "SIP" + mac.Name() + ".cnf", "XMLDefault.cnf.xml", "SIPDefault.cnf",
		"RINGLIST.DAT", "SEPDEFAULT.cnf", "7960-font.xml", l + ".loads", l + ".sbn", l + ".bin", l + ".sb2", loader8 + ".sbn",
	}
	e.File = phone.ParseFileName(names[c.r.IntN(len(names))])
	switch c.r.IntN(8) {
	case 0:
		return journal.Event{MAC: mac, Service: "dhcp", Kind: journal.Packet, Class: class([]string{"", ofModel}[c.r.IntN(2)])}
	case 1:
		return journal.Event{MAC: mac, Service: "sip", Kind: journal.SIPAlive, Address: address(mac), Agent: fmt.Sprintf("CSCO/%d", 2+c.r.IntN(7))}
	case 2:
		clue, _ := ladder.CDP("Cisco IP Phone 7960", l, time.Now())
		return journal.Event{MAC: mac, Service: "netdev", Kind: journal.Hint, Clue: &clue}
	case 3:
		e.Kind = journal.FileMissing
	case 4, 5:
		e.Kind, e.Load = journal.Request, l
		d, _ := c.director()
		if n, _ := d.Naming(mac); n.LoadInformation != "" {
			e.Load = n.LoadInformation
		}
	default:
		e.Kind, e.Transfer = journal.Transfer, uint64(1+c.r.IntN(4))
		e.Phase = []journal.Phase{journal.Started, journal.Progress, journal.Sent, journal.Aborted}[c.r.IntN(4)]
	}
	return e
}

// check asks what every phone is told, and compares it with what the ladder plans for what is believed.
func (c *chaos) check() {
	c.t.Helper()
	d, _ := c.director()
	going := 0
	for i := 1; i <= 4; i++ {
		mac := number(i)
		n, why := d.Naming(mac)
		b, _ := c.j.Belief(mac)
		s, _ := d.State(mac)
		c.mu.Lock()
		shelf := slices.Clone(c.shelf)
		c.mu.Unlock()
		target := c.target[mac]
		if (target == "" || c.skip[mac]) && n.Needs != "" { // it finishes what began
			target = s.Target
		}
		n.Finish = false
		var step ladder.Step
		if path, err := ladder.Plan(b, target, shelf); err == nil && len(path.Steps) > 0 && len(path.Steps[0].Missing) == 0 {
			step = path.Steps[0]
		}
		stays := n == (phone.Naming{}) || n == phone.Stay(b.Load) && (b.Confidence == ladder.Sure || b.Beside != nil || s.Phase != "" && b.Confidence == ladder.Likely)
		if b.Confidence == ladder.Sure && b.Load != "" {
			c.ran[mac] = b.Load
		}
		stays = stays || i != 4 && n == phone.Stay(c.ran[mac]) && b.Loader == ladder.Yes && (b.Load == "" || strings.HasPrefix(b.Load, "P003-")) // its application is lost
		listed := s.Phase != ""
		left := s.Phase == convert.Stopped || s.Phase == convert.Skipped || s.Phase == convert.Failed || target == ""
		if !stays && (left || step.To == "" || n != step.Naming) {
			c.t.Fatalf("phone %d, believed %+v, %s, is told %+v (%s); planned is %+v", i, b, s.Phase, n, why, step)
		}
		if n.Needs == "" && !step.Confirm && s.Phase != convert.Arrived && why == "" && listed {
			c.t.Fatalf("phone %d, %s, is told %+v and not why", i, s.Phase, n)
		}
		if s.Phase == convert.Going && !step.Confirm {
			going++
		}
		if c.r.IntN(4) == 0 {
			c.checkImages(mac, b, step, left, i >= 3 || !listed || target == "")
		}
	}
	if going > 3 { // two places, and one flash that was begun and came back
		c.t.Fatalf("%d phones have their turn", going)
	}
}

// checkImages asks for images of every load, as a phone does that has gone mad.
func (c *chaos) checkImages(mac phone.MAC, b ladder.Belief, step ladder.Step, left, stays bool) {
	c.t.Helper()
	d, _ := c.director()
	for _, load := range []string{sip44, sip812, sccp8, c.load()} {
		for _, suffix := range []string{".bin", ".sbn", ".sb2"} {
			f := phone.ParseFileName(load + suffix)
			ok, why := d.MayFetch(mac, f)
			own := strings.EqualFold(load, b.Load)
			planned, _ := step.Expects(f)
			unknown := stays && b.Confidence != ladder.Sure || b.Load == "" && left
			if ok && !own && !unknown && (left || !planned) {
				c.t.Fatalf("phone %s, believed %+v, gets %s; planned is %+v", mac, b, f.Clean, step)
			}
			if !ok && why == "" {
				c.t.Fatalf("phone %s does not get %s, and nobody says why", mac, f.Clean)
			}
		}
	}
}
