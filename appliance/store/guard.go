package store

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// errFault says that a mapped file could not be read, or holds what bbolt can't live with.
var errFault = errors.New("the file is damaged")

// guarded runs f and turns its panic, and the fault that a missing page of a mapped file raises (SIGBUS), into errFault.
// It holds for f's own goroutine only.
func guarded(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errFault, v)
		}
	}()
	return f()
}
