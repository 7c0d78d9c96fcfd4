package tftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	client "github.com/pin/tftp/v3"
)

// ProbeName is the file that the server itself answers, whatever Files holds: [Server.Probe] reads it. It is reported
// in no event and has room of its own beside MaxTransfers, so that a busy server is not taken for a dead one.
const ProbeName = ".phonebox-probe"

const (
	probeText = "phonebox\n"
	maxProbes = 4 // at once
)

func probeFile() File {
	return File{Content: bytes.NewReader([]byte(probeText)), Size: int64(len(probeText))}
}

// Probe reads [ProbeName] from the server's own address as a phone would. It returns nil when the file came whole
// before ctx ended, else an error that says what was wrong.
func (s *Server) Probe(ctx context.Context) error {
	addr := s.Addr()
	if !addr.IsValid() {
		return errors.New("probing tftp: the server is not bound to an address")
	}
	if addr.Addr().IsUnspecified() {
		addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port())
	}
	// The client knows no context: one that is slow goes on for its own timeout, and counts for so long.
	select {
	case s.probing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("probing tftp at %s: waiting for earlier probes: %w", addr, ctx.Err())
	}
	timeout := time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(deadline), time.Millisecond)
	}
	result := make(chan error, 1)
	go func() {
		defer func() { <-s.probing }()
		result <- readProbe(addr, timeout)
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("probing tftp at %s: %w", addr, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("probing tftp at %s: no answer: %w", addr, ctx.Err())
	}
}

// readProbe asks three times within timeout.
func readProbe(addr netip.AddrPort, timeout time.Duration) error {
	c, err := client.NewClient(addr.String())
	if err != nil {
		return err
	}
	c.SetTimeout(timeout / 3)
	c.SetRetries(2)
	c.SetBackoff(func(int) time.Duration { return 0 })
	r, err := c.Receive(ProbeName, modeOctet)
	if err != nil {
		return err
	}
	var got bytes.Buffer
	if _, err := r.WriteTo(&got); err != nil {
		return err
	}
	if got.String() != probeText {
		return fmt.Errorf("found %.20q, want %q", &got, probeText)
	}
	return nil
}
