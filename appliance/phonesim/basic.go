package phonesim

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Profile is what a virtual phone does after it has an address, and what counts as ready.
type Profile string

// The profiles.
const (
	// ProfileFull is a phone as phones.md describes it. It needs a box that configures it.
	ProfileFull Profile = "full"
	// ProfileBasic is what any set of servers can satisfy, so that they can be compared: an address, seven files of any TFTP root
	// ([BasicFiles]) in 512-byte lockstep, each there or refused, the time from the address of the TFTP server, and SRV and A of a
	// name, existing or not. Every question is asked with the phones' own retransmission timers until it has an answer; then
	// the phone is ready. It spends no time on itself, does not probe its address, and what is odd about the servers makes
	// notes, not failures.
	ProfileBasic Profile = "basic"
)

// ParseProfile returns the profile of that name; the error quotes what was found and lists what is allowed.
func ParseProfile(s string) (Profile, error) {
	if p := Profile(s); p == ProfileFull || p == ProfileBasic {
		return p, nil
	}
	return "", fmt.Errorf("found profile %q, allowed is %s or %s", s, ProfileFull, ProfileBasic)
}

// BasicFiles are the names that a phone of ProfileBasic asks for, in order: those of a 7960 with the universal loader
// (phones.md a.4). <MAC> stands for its hardware address.
func BasicFiles() []string {
	return []string{
		"CTLSEP<MAC>.tlv", "SEP<MAC>.cnf.xml", "SIP<MAC>.cnf", "XMLDefault.cnf.xml", "SIPDefault.cnf", "RINGLIST.DAT", "dialplan.xml",
	}
}

// macInName stands for a phone's hardware address in the names of its files.
const macInName = "<MAC>"

// basic is the life of a phone of ProfileBasic after it has an address.
func (b *boot) basic(ctx context.Context) error {
	for _, name := range BasicFiles() {
		if err := b.basicFile(ctx, strings.ReplaceAll(name, macInName, b.cfg.MAC.Name())); err != nil {
			return err
		}
	}
	if err := b.basicTime(ctx); err != nil {
		return err
	}
	if err := b.basicNames(ctx); err != nil {
		return err
	}
	b.finish(OutcomeReady)
	b.image(ctx)
	b.settled()
	<-ctx.Done()
	return context.Cause(ctx)
}

// basicFile asks for a file until it is got or refused.
func (b *boot) basicFile(ctx context.Context, name string) error {
	for {
		_, err := b.fetch(ctx, name, loaderSchedule())
		var refused *tftpError
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err == nil, errors.As(err, &refused):
			return nil
		case errors.Is(err, errUnanswered):
			b.waiting(name, "the TFTP server does not answer")
			continue
		case !errors.Is(err, errBroken):
			return err
		}
		b.waiting(name, "the transfer of "+name+" broke off")
		if err := sleep(ctx, badSEPPause); err != nil {
			return err
		}
	}
}

// basicTime asks for the time until there is an answer.
func (b *boot) basicTime(ctx context.Context) error {
	b.waiting("the time", "")
	for {
		lost := b.lostFrames()
		_, sent, err := b.askTime(ctx, b.tftp, false)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err == nil || !sent:
			return nil // an answer; whether its time is good stands in the notes
		}
		b.waiting("the time", "the SNTP server does not answer")
		b.sentAgain(lost, func(r *Retransmissions) { r.SNTP++ })
	}
}

// basicNames asks for SRV and A of a name until there are answers.
func (b *boot) basicNames(ctx context.Context) error {
	if len(b.lease.DNS) == 0 {
		b.lease.DNS = append(b.lease.DNS, b.tftp)
	}
	name := b.qualified(b.cfg.Name)
	for _, question := range []struct {
		name string
		kind uint16
	}{{"_sip._udp." + name, dns.TypeSRV}, {name, dns.TypeA}} {
		b.waiting("an answer of the DNS", "")
		for {
			lost := b.lostFrames()
			_, err := b.query(ctx, cnf{}, question.name, question.kind)
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			if !errors.Is(err, errUnanswered) {
				break
			}
			b.waiting("an answer of the DNS", "the DNS server does not answer")
			b.sentAgain(lost, func(r *Retransmissions) { r.DNS++ })
		}
	}
	return nil
}

// image downloads Config.Image until it has all of it or is refused. It stands beside the life of the phone: its step does not
// change.
func (b *boot) image(ctx context.Context) {
	if b.cfg.Image == "" {
		return
	}
	b.keepImage(Image{Error: "the download goes on"})
	begun := time.Now()
	for {
		r, err := b.transfer(ctx, b.cfg.Image, keptOfImage, loaderSchedule())
		var refused *tftpError
		switch {
		case context.Cause(ctx) != nil:
			return
		case err == nil:
			b.keepImage(Image{Size: r.size, SHA256: hex.EncodeToString(r.sum.Sum(nil)), Done: time.Since(b.started), Took: time.Since(begun)})
			b.emit(EventFile, b.cfg.Image, "got %s, %d bytes", b.cfg.Image, r.size)
			return
		case errors.As(err, &refused):
			b.keepImage(Image{Error: err.Error()})
			b.emit(EventMissing, b.cfg.Image, "%s: %v", b.cfg.Image, err)
			return
		}
		b.keepImage(Image{Error: err.Error()})
		b.emit(EventUnanswered, b.cfg.Image, "%s: %v", b.cfg.Image, err)
		if sleep(ctx, badSEPPause) != nil {
			return
		}
	}
}

// keepImage notes how far the download is.
func (p *Phone) keepImage(i Image) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.res.Image = &i
}
