// Package media makes of what people have what phones take: of a WAV a ring (phones.md g.2), of a picture the logo of the
// display (phones.md e). It is pure: bytes go in, bytes come out, together with sentences that say what was changed. What
// is read is bounded before it is decoded.
package media

import (
	"errors"
	"fmt"
	"io"
)

// maxInput is how large an upload may be, in bytes.
const maxInput = 10 << 20

// readAll reads a whole upload; doing says what for.
func readAll(r io.Reader, doing string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", doing, err)
	case len(content) > maxInput:
		return nil, fmt.Errorf("%s: %w", doing, fmt.Errorf("the file is larger than %d MB, allowed is no more", maxInput>>20))
	case len(content) == 0:
		return nil, fmt.Errorf("%s: %w", doing, errors.New("the file is empty"))
	}
	return content, nil
}
