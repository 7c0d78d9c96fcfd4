package telnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

const (
	// DefaultPort is where phones listen.
	DefaultPort = 23
	// MaxOutput bounds what is read of one phone, in bytes.
	MaxOutput = 256 << 10

	connectTime = 5 * time.Second
	wholeTime   = 40 * time.Second // login and all commands
)

// What may be wrong; the errors of [Ask] wrap one of these where they can.
var (
	ErrOff      = errors.New("the phone refuses telnet: telnet_level is 0, or it is not a SIP phone")
	ErrSilent   = errors.New("the phone does not answer over telnet")
	ErrPassword = errors.New("the phone does not accept the password (phone_password)")
)

// Commands returns what [Ask] runs by itself.
func Commands() []string { return []string{"show register", "show config"} }

// Ask logs in to a phone, runs commands, none = [Commands], and reads what they print. It takes 5 s at most to connect and
// 40 s in all. Where the phone breaks off after at least one command, the report holds what was read and the error is
// nil. The password is in no error and not in the report.
func Ask(ctx context.Context, phone netip.AddrPort, password string, commands ...string) (Report, error) {
	if len(commands) == 0 {
		commands = Commands()
	}
	for _, c := range append([]string{password}, commands...) {
		if strings.ContainsFunc(c, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return Report{}, errors.New("a command or the password has a character that cannot be typed")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	conn, err := (&net.Dialer{Timeout: connectTime}).DialContext(ctx, "tcp4", phone.String())
	if err != nil {
		return Report{}, fmt.Errorf("asking %s: %w", phone, connectFault(ctx, err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	s := &session{ctx: ctx, conn: conn}
	if err := s.logIn(password); err != nil {
		return Report{}, fmt.Errorf("asking %s: %w", phone, err)
	}
	var answers []answer
	for _, c := range commands {
		text, err := s.run(c)
		if err != nil && len(answers) == 0 && text == "" {
			return Report{}, fmt.Errorf("asking %s: running %s: %w", phone, c, err)
		}
		answers = append(answers, answer{command: c, text: text})
		if err != nil || s.full() {
			break
		}
	}
	return report(answers, password, s.full()), nil
}

// connectFault says in our words why there is no connection.
func connectFault(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return ErrOff
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, syscall.EHOSTUNREACH):
		return ErrSilent
	}
	return err
}
