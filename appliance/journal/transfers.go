package journal

import (
	"cmp"
	"slices"

	"phonebox/services/phone"
)

// transfers are those of one phone that run, in the order of their numbers. Most phones have one at a time, for milliseconds:
// a map would take a kilobyte of each phone from then on.
type transfers []transfer

type transfer struct {
	id   uint64
	file phone.FileName
}

func (t transfers) find(id uint64) (int, bool) {
	return slices.BinarySearchFunc(t, id, func(x transfer, id uint64) int { return cmp.Compare(x.id, id) })
}

// begin notes that a transfer runs. Of more than maxOpen the one with the lowest number is forgotten.
func (t *transfers) begin(id uint64, file phone.FileName) {
	i, known := t.find(id)
	if known {
		(*t)[i].file = file
		return
	}
	if len(*t) >= maxOpen {
		*t = slices.Delete(*t, 0, 1)
		i = max(i-1, 0)
	}
	*t = slices.Insert(*t, i, transfer{id, file})
}

// end notes that a transfer does not run any more.
func (t *transfers) end(id uint64) {
	i, known := t.find(id)
	switch {
	case known && len(*t) == 1:
		*t = nil
	case known:
		*t = slices.Delete(*t, i, i+1)
	}
}
