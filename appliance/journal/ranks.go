package journal

import (
	"cmp"
	"slices"

	"phonebox/services/phone"
)

// class ranks MACs by how much they matter; the lowest goes first.
type class int

const (
	stranger class = iota
	leasedOnly
	listedPhone
	theBox
	classes // how many there are
)

func (j *Journal) class(mac phone.MAC, en *entry) class {
	switch {
	case mac.IsZero():
		return theBox
	case j.listed[mac]:
		return listedPhone
	case en.state.Leased:
		return leasedOnly
	}
	return stranger
}

// group are the MACs of one class, in two orders: a list by when they were active last, and a heap by how many bytes
// they take. A flood of new MACs costs the same for each, however many phones there are.
type group struct {
	first, last *entry // silent for longest, active last
	n           int
	heap        []*entry // the one that takes most is at 0
}

// place is where an entry stands in the group of its class.
type place struct {
	class      class
	prev, next *entry
	heapAt     int
	active     uint64 // the number of the event that made it active; it orders the list
}

// join puts an entry at the end of the list of its class: it is the one that was active last.
func (j *Journal) join(en *entry) {
	en.class = j.class(en.state.MAC, en)
	g := &j.groups[en.class]
	g.push(en)
	g.n++
	en.heapAt = len(g.heap)
	g.heap = append(g.heap, en)
	g.up(en.heapAt)
}

// leave takes an entry out of its group.
func (j *Journal) leave(en *entry) {
	g := &j.groups[en.class]
	g.unlink(en)
	g.n--
	at, end := en.heapAt, len(g.heap)-1
	g.swap(at, end)
	g.heap[end] = nil
	g.heap = g.heap[:end]
	if at < end {
		g.down(at)
		g.up(at)
	}
}

// touch notes that an entry is active now, and that its class may be another.
func (j *Journal) touch(en *entry) {
	j.moves++
	en.active = j.moves
	if en.class != j.class(en.state.MAC, en) {
		j.leave(en)
		j.join(en)
		return
	}
	if g := &j.groups[en.class]; g.last != en {
		g.unlink(en)
		g.push(en)
	}
}

// regroup puts all entries into the groups of their classes after many may have changed.
func (j *Journal) regroup() {
	all := make([]*entry, 0, len(j.entries))
	changed := false
	for mac, en := range j.entries {
		all = append(all, en)
		changed = changed || en.class != j.class(mac, en)
	}
	if !changed {
		return
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.active, b.active) })
	j.groups = [classes]group{}
	for _, en := range all {
		j.join(en)
	}
}

// weigh adds to what an entry takes of the bound on all bytes.
func (j *Journal) weigh(en *entry, bytes int) {
	en.bytes += bytes
	j.bytes += bytes
	g := &j.groups[en.class]
	g.down(en.heapAt)
	g.up(en.heapAt)
}

// silent returns whoever of the class was silent for longest, but spare; nil when there is nobody.
func (j *Journal) silent(of class, spare *entry) *entry {
	en := j.groups[of].first
	if en != nil && en == spare {
		en = en.next
	}
	return en
}

// biggest returns whoever of the classes takes most; nil when none of them takes anything.
func (j *Journal) biggest(of ...class) (found *entry) {
	for _, c := range of {
		if g := &j.groups[c]; g.n > 0 && g.heap[0].bytes > 0 && (found == nil || g.heap[0].bytes > found.bytes) {
			found = g.heap[0]
		}
	}
	return found
}

func (g *group) push(en *entry) {
	en.prev, en.next = g.last, nil
	if g.last != nil {
		g.last.next = en
	} else {
		g.first = en
	}
	g.last = en
}

func (g *group) unlink(en *entry) {
	if en.prev != nil {
		en.prev.next = en.next
	} else {
		g.first = en.next
	}
	if en.next != nil {
		en.next.prev = en.prev
	} else {
		g.last = en.prev
	}
	en.prev, en.next = nil, nil
}

func (g *group) swap(a, b int) {
	g.heap[a], g.heap[b] = g.heap[b], g.heap[a]
	g.heap[a].heapAt, g.heap[b].heapAt = a, b
}

func (g *group) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if g.heap[i].bytes <= g.heap[parent].bytes {
			return
		}
		g.swap(i, parent)
		i = parent
	}
}

func (g *group) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(g.heap) {
			return
		}
		if right := child + 1; right < len(g.heap) && g.heap[right].bytes > g.heap[child].bytes {
			child = right
		}
		if g.heap[child].bytes <= g.heap[i].bytes {
			return
		}
		g.swap(i, child)
		i = child
	}
}
