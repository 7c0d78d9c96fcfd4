package tftp_test

import (
	"fmt"
	"testing"

	"phonebox/services/tftp"
)

// A phone takes an ERROR for the last word on a file. Where it cannot be told yet what it gets, it hears nothing and asks again.
func TestWhatCannotBeToldYetIsNotAnswered(t *testing.T) {
	t.Parallel()
	asked := make(chan int, 2)
	asked <- 1
	files := filesFunc(func(tftp.Request) (tftp.File, error) {
		n := <-asked
		asked <- n + 1
		if n == 1 {
			return tftp.File{}, fmt.Errorf("looking for who asks: %w", tftp.ErrLater)
		}
		return tftp.File{Bytes: content(100), Size: 100}, nil
	})
	b := serve(t, files, tftp.Config{})
	p := newPhoneAt(t, b, "127.77.1.3:0")
	p.ask("SIP0006D7AA2A2E.cnf", "octet")
	e := b.event(t, tftp.EventDropped, tftp.EventMissing, tftp.EventStart)
	if e.Kind != tftp.EventDropped || e.From != p.addr() || e.Name != "SIP0006D7AA2A2E.cnf" || e.Reason != tftp.ErrLater.Error() {
		t.Errorf("reported %+v", e)
	}
	if n := droppedFor(t, b.reg, "later"); n != 1 {
		t.Errorf("%v packets are counted as dropped, wanted 1", n)
	}
	p.ask("SIP0006D7AA2A2E.cnf", "octet")
	p.want("when it asks again", data(1, content(100)))
}
