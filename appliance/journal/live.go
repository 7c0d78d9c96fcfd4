package journal

import "sync"

// backlog is how many events a subscriber may be behind before it loses some.
const backlog = 256

type subscriber struct{ events chan Event }

// Subscribe delivers all events from now on, progress of transfers included, until cancel is called, which closes the
// channel. A reader that is too slow loses events; it never holds up anything.
func (j *Journal) Subscribe() (events <-chan Event, cancel func()) {
	s := &subscriber{make(chan Event, backlog)}
	j.mu.Lock()
	j.subs[s] = true
	j.mu.Unlock()
	return s.events, sync.OnceFunc(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.subs, s)
		close(s.events)
	})
}

// publish is called with mu held, so that no channel is closed meanwhile.
func (j *Journal) publish(e Event) {
	for s := range j.subs {
		select {
		case s.events <- e:
		default:
		}
	}
}
