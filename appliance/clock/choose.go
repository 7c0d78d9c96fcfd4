package clock

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"phonebox/services/sntp"
)

// enough is how many servers are not thinned out any more (RFC 5905: NMIN).
const enough = 3

// errDisagree says that servers tell different times and none of them has a majority.
var errDisagree = errors.New("the servers tell different times, and no majority agrees")

// errOutvoted says that those who still answer contradict a time on which more servers had agreed.
var errOutvoted = errors.New("the servers that still answer tell another time than those on which the box went until they fell silent")

var errNobody = errors.New("no server gave a usable answer")

// choice is the time that a majority tells.
type choice struct {
	system candidate // the server that is followed
	offset time.Duration
	jitter time.Duration // between the servers
	leap   sntp.Leap
	agree  int // servers whose time is right, the followed one included
}

// choose finds the servers that are right and combines what they tell (RFC 5905 section 11.2): the intersection of most
// intervals throws out those that lie, the clustering thins out those that are less exact, the rest are averaged. before is
// the server that was followed: it stays where it is as good as the best. Each server's verdict is noted.
func choose(all []candidate, before *peer) (choice, error) {
	lo, hi, err := intersect(all)
	var right []candidate
	for _, c := range all {
		inside := err == nil && c.offset+c.reach() >= lo && c.offset-c.reach() <= hi
		switch {
		case c.silent:
			c.peer.verdict = verdictSilent
		case err != nil:
			c.peer.verdict = verdictDisagrees
		case inside:
			c.peer.verdict = verdictOutlier
			right = append(right, c)
		default:
			c.peer.verdict = verdictOutvoted
		}
	}
	if err != nil {
		return choice{}, err
	}
	if len(right) == 0 {
		return choice{}, errOutvoted
	}
	agree, leap := len(right), commonLeap(right)
	right = cluster(right)
	offset, jitter := combine(right)
	system := right[0]
	for _, c := range right {
		c.peer.verdict = verdictAgrees
		if c.peer == before && c.sample.told.stratum == system.sample.told.stratum {
			system = c
		}
	}
	system.peer.verdict = verdictFollowed
	return choice{system: system, offset: offset, jitter: jitter, leap: leap, agree: agree}, nil
}

// reach is half of the interval in which the true offset lies.
func (c candidate) reach() time.Duration { return c.distance + slack }

// intersect finds the interval that lies within those of as many candidates as possible, at least of more than half
// (RFC 5905 section 11.2.1; as in ntpd, whether the middle of an interval lies in it does not count).
func intersect(all []candidate) (lo, hi time.Duration, err error) {
	if len(all) == 0 {
		return 0, 0, errNobody
	}
	type edge struct {
		at  time.Duration
		way int // 1 = an interval begins
	}
	var edges []edge
	for _, c := range all {
		edges = append(edges, edge{c.offset - c.reach(), 1}, edge{c.offset + c.reach(), -1})
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.way, a.way)) // what touches overlaps
	})
	most, open := 0, 0
	for i, e := range edges {
		open += e.way
		if e.way == 1 && open > most {
			most, lo, hi = open, e.at, edges[i+1].at
		}
	}
	if 2*most <= len(all) {
		return 0, 0, errDisagree
	}
	return lo, hi, nil
}

// cluster sorts the servers, best first, and drops the ones that are farthest from the others, while that makes the rest
// more alike than each is by itself (RFC 5905 section 11.2.2).
func cluster(right []candidate) []candidate {
	slices.SortStableFunc(right, func(a, b candidate) int {
		return cmp.Compare(a.rank(), b.rank())
	})
	for len(right) > enough {
		worst, most, least := 0, -1.0, math.Inf(1)
		for i, a := range right {
			if s := spread(a, right); s > most {
				worst, most = i, s
			}
			least = min(least, max(a.jitter.Seconds(), 1e-6))
		}
		if most <= least {
			break
		}
		right = slices.Delete(right, worst, worst+1)
	}
	return right
}

// rank orders by stratum and then by distance (RFC 5905 section 11.2.2).
func (c candidate) rank() time.Duration {
	return time.Duration(c.sample.told.stratum)*maxDistance + c.distance
}

// spread is how far one is from the others, in seconds.
func spread(a candidate, all []candidate) float64 {
	var sum float64
	for _, b := range all {
		d := (a.offset - b.offset).Seconds()
		sum += d * d
	}
	return math.Sqrt(sum / float64(max(1, len(all)-1)))
}

// combine averages the offsets, each with the weight of its exactness (RFC 5905 section 11.2.3).
func combine(right []candidate) (offset, jitter time.Duration) {
	var sum, weights float64
	for _, c := range right {
		w := 1 / max(c.distance.Seconds(), 1e-6)
		sum += w * c.offset.Seconds()
		weights += w
	}
	mean := sum / weights
	var square float64
	for _, c := range right {
		d := c.offset.Seconds() - mean
		square += d * d / max(c.distance.Seconds(), 1e-6)
	}
	return seconds(mean), seconds(math.Sqrt(square / weights))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// commonLeap is the leap second that more than half of the servers announce.
func commonLeap(right []candidate) sntp.Leap {
	count := map[sntp.Leap]int{}
	for _, c := range right {
		count[c.sample.told.leap]++
	}
	for leap, n := range count {
		if 2*n > len(right) {
			return leap
		}
	}
	return sntp.LeapNone
}

// reference says what the time is worth once it follows the choice.
func (ch choice) reference(now time.Time, skew float64) reference {
	s, p := ch.system.sample, ch.system.peer
	t := p.samples[len(p.samples)-1].told
	r := reference{
		Source: p.String(), Stratum: min(t.stratum+1, 15), Leap: ch.leap,
		Delay:      t.delay + s.delay,
		Dispersion: t.disp + s.error(now, skew) - s.delay/2 + ch.system.jitter + ch.jitter + (ch.offset - ch.system.offset).Abs(),
		Skew:       skew,
	}
	if p.addr.Addr().Is4() {
		r.ID = p.addr.Addr().As4() // RFC 5905 figure 8: the server's address
	}
	return r
}

// String is the server as people know it.
func (p *peer) String() string {
	if p.name == p.addr.Addr().String() {
		return p.name
	}
	return fmt.Sprintf("%s (%s)", p.name, p.addr.Addr())
}
