package lease

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAgendaGivesWhatEndsFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	began := time.Unix(1000, 0)
	var a agenda[*hold]
	var all []*hold
	for range 5000 {
		switch op := rnd.IntN(4); {
		case op < 2 || len(all) == 0:
			h := &hold{until: began.Add(time.Duration(rnd.IntN(1e6)) * time.Second), at: -1}
			all = append(all, h)
			a.set(h)
		case op == 2:
			h := all[rnd.IntN(len(all))]
			h.until = began.Add(time.Duration(rnd.IntN(1e6)) * time.Second)
			a.set(h)
		default:
			i := rnd.IntN(len(all))
			a.remove(all[i])
			a.remove(all[i]) // what is gone may be taken out again
			all = slices.Delete(all, i, i+1)
		}
		if a.len() != len(all) {
			t.Fatalf("got %d, want %d", a.len(), len(all))
		}
	}
	slices.SortFunc(all, func(x, y *hold) int { return x.until.Compare(y.until) })
	if _, over := a.due(all[0].until.Add(-1)); over {
		t.Error("something is over before its time")
	}
	for _, want := range all {
		got, over := a.due(want.until)
		if !over || !got.until.Equal(want.until) {
			t.Fatalf("got %v, %v, want what ends at %s", got, over, want.until)
		}
		a.remove(got)
	}
}
