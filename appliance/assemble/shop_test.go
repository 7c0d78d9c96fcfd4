package assemble

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"phonebox/services/telnet"
)

// What a person reads of a phone that could not be asked is no chain of errors of the system.
func TestAskWords(t *testing.T) {
	broken := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("asking 10.77.0.50:23: %w", telnet.ErrPassword), "does not accept the password"},
		{fmt.Errorf("asking 10.77.0.50:23: %w: it closed the connection", telnet.ErrPassword), "does not accept the password"},
		{fmt.Errorf("asking 10.77.0.50:23: closed: %w", broken), "closed the connection"},
		{fmt.Errorf("asking 10.77.0.50:23: closed: %w", io.EOF), "closed the connection"},
		{errors.New("it asks for a user name"), "It asks for a user name."},
	} {
		if got := askWords(tt.err); !strings.Contains(got, tt.want) || strings.Contains(got, "tcp") || strings.Contains(got, "EOF") || strings.Contains(got, "asking 10") {
			t.Errorf("%v becomes %q, want %q in it", tt.err, got, tt.want)
		}
	}
}
