//go:build gokrazy

package assemble

import (
	"context"
	"errors"
	"os"
)

// Try has no virtual phones in the image: they would make the daemon a fifth larger, and a box has real ones.
func Try(context.Context, Options, <-chan os.Signal) error {
	return errors.New("-try: the image has no virtual phones; run phoneboxd -try on a computer with Linux")
}
