package dhcp

// recent is a map that forgets what was not used for long once it is full: two generations, of which the older one is
// dropped when the younger one is full. A storm then costs the oldest entries and never all of them at once.
type recent[K comparable, V any] struct {
	limit      int // of a generation
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, young: make(map[K]V)}
}

func (r *recent[K, V]) get(k K) (v V, ok bool) {
	if v, ok = r.young[k]; ok {
		return v, ok
	}
	if v, ok = r.old[k]; ok {
		r.put(k, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(k K, v V) {
	if _, there := r.young[k]; !there && len(r.young) >= r.limit {
		r.young, r.old = make(map[K]V), r.young
	}
	r.young[k] = v
	delete(r.old, k)
}

func (r *recent[K, V]) remove(k K) {
	delete(r.young, k)
	delete(r.old, k)
}

// prune removes what stale says is over.
func (r *recent[K, V]) prune(stale func(K, V) bool) {
	for _, m := range []map[K]V{r.young, r.old} {
		for k, v := range m {
			if stale(k, v) {
				delete(m, k)
			}
		}
	}
}

func (r *recent[K, V]) clear() {
	clear(r.young)
	clear(r.old)
}

func (r *recent[K, V]) len() int { return len(r.young) + len(r.old) }
