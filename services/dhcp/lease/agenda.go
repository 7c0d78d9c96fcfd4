package lease

import "time"

// dated is something that ends at a time; place is where it stands in its agenda, below 0 = nowhere.
type dated interface {
	comparable
	ends() time.Time
	place() *int
}

// agenda is a heap of things by the time at which they end: the table asks each second what is over, and must not look
// at ten thousand leases for it.
type agenda[T dated] struct{ items []T }

// set takes x in, or moves it after its end has changed.
func (a *agenda[T]) set(x T) {
	if *x.place() < 0 {
		*x.place() = len(a.items)
		a.items = append(a.items, x)
	}
	a.down(a.up(*x.place()))
}

// remove takes x out, if it is there.
func (a *agenda[T]) remove(x T) {
	i, last := *x.place(), len(a.items)-1
	if i < 0 {
		return
	}
	a.swap(i, last)
	var none T
	a.items[last] = none
	a.items = a.items[:last]
	*x.place() = -1
	if i < last {
		a.down(a.up(i))
	}
}

// due returns what ends first when that is over at now.
func (a *agenda[T]) due(now time.Time) (x T, ok bool) {
	if len(a.items) == 0 || now.Before(a.items[0].ends()) {
		return x, false
	}
	return a.items[0], true
}

func (a *agenda[T]) len() int { return len(a.items) }

func (a *agenda[T]) less(i, j int) bool { return a.items[i].ends().Before(a.items[j].ends()) }

func (a *agenda[T]) swap(i, j int) {
	a.items[i], a.items[j] = a.items[j], a.items[i]
	*a.items[i].place(), *a.items[j].place() = i, j
}

// up and down restore the order of the heap around i; up returns where the item stands then.
func (a *agenda[T]) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if !a.less(i, parent) {
			break
		}
		a.swap(i, parent)
		i = parent
	}
	return i
}

func (a *agenda[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(a.items); child++ {
			if a.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		a.swap(i, least)
		i = least
	}
}
