package lease

// pile is a binary heap whose items know their place, so that any of them can leave or move in O(log n).
type pile[T any] struct {
	items []T
	less  func(a, b T) bool
	place func(item T) *int // where the item keeps its place; noPlace while it is in no pile
}

// noPlace is the place of what is in no pile.
const noPlace = -1

func (h *pile[T]) len() int { return len(h.items) }

// first returns the least item; the pile is not empty.
func (h *pile[T]) first() T { return h.items[0] }

func (h *pile[T]) push(item T) {
	h.items = append(h.items, item)
	*h.place(item) = len(h.items) - 1
	h.up(len(h.items) - 1)
}

// remove takes the i-th item out.
func (h *pile[T]) remove(i int) {
	last := len(h.items) - 1
	*h.place(h.items[i]) = noPlace
	if i != last {
		h.items[i] = h.items[last]
		*h.place(h.items[i]) = i
	}
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	if i < last {
		h.fix(i)
	}
}

// fix puts the i-th item where it belongs after it changed.
func (h *pile[T]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

// order puts every item where it belongs after many changed.
func (h *pile[T]) order() {
	for i := len(h.items)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h *pile[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *pile[T]) down(i int) (moved bool) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			return moved
		}
		if other := child + 1; other < len(h.items) && h.less(h.items[other], h.items[child]) {
			child = other
		}
		if !h.less(h.items[child], h.items[i]) {
			return moved
		}
		h.swap(i, child)
		i, moved = child, true
	}
}

func (h *pile[T]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.place(h.items[i]), *h.place(h.items[j]) = i, j
}
