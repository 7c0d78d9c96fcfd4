package assemble

import (
	"context"
	"errors"
	"os"
)

// Serve is the daemon on a real interface: it runs until ctx ends and reads the settings again at each signal. It returns
// [ErrRestart] when a person asked on the page for it to start again.
func Serve(ctx context.Context, opt Options, reload <-chan os.Signal) error {
	b, err := New(ctx, opt)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	b.leave = leave
	go b.reloads(ctx, reload)
	if err := b.Run(ctx); err != nil {
		return err
	}
	if errors.Is(context.Cause(ctx), ErrRestart) {
		return ErrRestart
	}
	return nil
}

// reloads waits for the start: a signal that comes before it is answered after it.
func (b *Box) reloads(ctx context.Context, reload <-chan os.Signal) {
	select {
	case <-ctx.Done():
		return
	case <-b.started:
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			if err := b.Reload(ctx); err != nil {
				b.log.Error("settings not reloaded", "err", err)
			}
		}
	}
}
