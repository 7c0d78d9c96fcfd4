package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// describe prints the length of a file, how much of it is not empty, and its SHA-256.
func describe(file string, stdout io.Writer) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	defer f.Close()
	sum, data := sha256.New(), new(dataCounter)
	n, err := io.CopyBuffer(io.MultiWriter(sum, data), struct{ io.Reader }{f}, make([]byte, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	fmt.Fprintf(stdout, "%s: %d bytes (%d MB of data), SHA-256 %x\n", file, n, int64(*data)/1e6, sum.Sum(nil))
	return nil
}

// dataCounter counts the bytes of blocks that are not all zero: about what the image takes on disk and on the wire.
type dataCounter int64

// Write implements io.Writer.
func (d *dataCounter) Write(b []byte) (int, error) {
	const block = 4096
	var zero [block]byte
	for rest := b; len(rest) > 0; {
		n := min(block, len(rest))
		if !bytes.Equal(rest[:n], zero[:n]) {
			*d += dataCounter(n)
		}
		rest = rest[n:]
	}
	return len(b), nil
}
