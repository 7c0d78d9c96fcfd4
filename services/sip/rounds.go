package sip

import (
	"context"
	"sync"
	"time"
)

// maxAsking bounds how many phones of a round are waited for at once: a pallet of phones that are all switched off
// must not fill the memory, only take longer.
const maxAsking = 32

// askRounds asks all targets, once each Config.Every, until ctx ends.
func (c *Client) askRounds(ctx context.Context) {
	for {
		cfg, _ := c.settings()
		due := time.NewTimer(cfg.Every)
		c.round(ctx, cfg.Every)
		select {
		case <-due.C:
		case <-c.changed:
			due.Stop()
		case <-ctx.Done():
			due.Stop()
			return
		}
	}
}

// round asks each target once. The requests are spread over half of the time that a round may take, so that a hundred
// answers don't arrive together.
func (c *Client) round(ctx context.Context, every time.Duration) {
	defer c.panics.Recover(nil)
	targets := c.deps.Targets.Targets()
	if len(targets) == 0 {
		return
	}
	pace := time.NewTicker(max(every/2/time.Duration(len(targets)), time.Millisecond))
	defer pace.Stop()
	slots := make(chan struct{}, maxAsking)
	var asking sync.WaitGroup
	defer asking.Wait()
	for i, to := range targets {
		if i > 0 {
			select {
			case <-pace.C:
			case <-ctx.Done():
				return
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		asking.Go(func() {
			defer func() { <-slots }()
			if err := c.Ask(ctx, to); err != nil {
				c.deps.Log.Debug("asking a phone", "mac", to.MAC, "err", err)
			}
		})
	}
}
