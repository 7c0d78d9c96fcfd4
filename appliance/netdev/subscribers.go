package netdev

import "sync"

// maxSubscribers bounds the subscriptions: nobody cancels one, and a service that is restarted asks for another.
const maxSubscribers = 32

// subscribers tell others whether the wire is up. A slow reader finds the newest value, never an old one.
type subscribers struct {
	mu    sync.Mutex
	up    bool
	chans []chan bool
}

// add returns a new subscription, the current state in it.
func (s *subscribers) add() <-chan bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.chans) == maxSubscribers {
		s.dropOne()
	}
	c := make(chan bool, 1)
	c <- s.up
	s.chans = append(s.chans, c)
	return c
}

// dropOne forgets a subscription that nobody reads, for its value still lies there, else the oldest.
func (s *subscribers) dropOne() {
	unread := 0
	for i, c := range s.chans {
		if len(c) > 0 {
			unread = i
			break
		}
	}
	s.chans = append(s.chans[:unread], s.chans[unread+1:]...)
}

// set delivers a change.
func (s *subscribers) set(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if up == s.up {
		return
	}
	s.up = up
	for _, c := range s.chans {
		select {
		case <-c:
		default:
		}
		c <- up // only set and add send, under the lock: there is room
	}
}

func (s *subscribers) isUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}
