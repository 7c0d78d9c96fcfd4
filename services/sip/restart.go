package sip

import (
	"context"
	"sync"
	"time"
)

// Stagger says how many phones are restarted when: each of them fetches its files anew, and all calls of a site must not
// be cut at one moment.
type Stagger struct {
	Every  time.Duration // from one phone to the next; 0 = 500 ms
	AtOnce int           // how many answers may be waited for at once; 0 = 4
}

const (
	defaultStagger = 500 * time.Millisecond
	defaultAtOnce  = 4
)

// withDefaults fills in what is zero or makes no sense.
func (s Stagger) withDefaults() Stagger {
	if s.Every <= 0 {
		s.Every = defaultStagger
	}
	if s.AtOnce <= 0 {
		s.AtOnce = defaultAtOnce
	}
	s.AtOnce = min(s.AtOnce, maxPending/2) // the others' exchanges go on meanwhile
	return s
}

// RestartAll sends check-sync to phones as [Client.Restart] does, one after the other, and returns when the last answer is
// in: nil, or the error of ctx where that ended it. A phone that does not answer holds up no other while fewer than
// Stagger.AtOnce are waited for. progress, which may be nil, is called for each phone that was sent check-sync, one call
// at a time, with how many are done by now and what Restart returned. Phones that ctx left out are not in it.
func (c *Client) RestartAll(ctx context.Context, targets []Target, s Stagger, progress func(done int, t Target, code int, err error)) error {
	s = s.withDefaults()
	pace := time.NewTicker(s.Every)
	defer pace.Stop()
	slots := make(chan struct{}, s.AtOnce)
	var mu sync.Mutex
	done := 0
	var asking sync.WaitGroup
	defer asking.Wait()
	for i, t := range targets {
		if i > 0 {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		asking.Go(func() {
			defer func() { <-slots }()
			defer c.panics.Recover(nil)
			code, err := c.Restart(ctx, t)
			mu.Lock()
			defer mu.Unlock()
			done++
			if progress != nil {
				progress(done, t, code, err)
			}
		})
	}
	asking.Wait()
	return ctx.Err()
}
