package journal

import (
	"fmt"
	"strings"
	"time"

	"phonebox/services/phone"
)

// describe says in words what the phone waits for, and what is wrong beside a step.
func (s *state) describe() {
	s.WaitingFor = s.waits()
	switch {
	case s.Step == phone.Stuck:
	case s.Gone:
		s.Problem = "Its lease ended: it is off or unplugged."
	case s.Silent:
		s.Problem = "Its SIP application does not answer: it is off, unplugged, or restarting."
	case s.Base == phone.Seen && s.Why != "":
		s.Problem = s.Why
	case s.asksNot:
		s.Problem = sentence(asksNot)
	case s.Base == phone.Ready:
		s.Problem = s.next // it works, and is on its way to another load
	default:
		s.Problem = ""
	}
}

// asksNot says what it means that a phone has an address of ours and asks for no file.
const asksNot = "it got an address but has not asked for a file: it may use an alternate TFTP server set on the phone"

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

// tookWords say what the phone made of the TFTP server that it was told with its address; "" = nothing is known.
func (s *state) tookWords() string {
	switch {
	case s.First != "":
		after := "at once"
		if s.After >= time.Second {
			after = "after " + span(s.After)
		}
		return fmt.Sprintf("It took the TFTP server that it was told: %s it asked this box for %s. Options 66 and 150 and the field siaddr "+
			"all name this box, so which of them it went by cannot be told.", after, s.First)
	case s.asksNot, s.Step == phone.Stuck && s.Base == phone.Addressed && !s.Acked.IsZero():
		return sentence(asksNot)
	}
	return ""
}

func (s *state) waits() string {
	if s.Gone {
		return "the phone to come back"
	}
	switch s.Base {
	case phone.Seen:
		return "an address"
	case phone.Addressed:
		return "its first request for a file"
	case phone.Loading:
		return s.waitsForFile()
	case phone.Upgrading:
		for _, t := range s.open {
			if t.file.Kind.IsFirmware() {
				return fmt.Sprintf("the rest of %s (%d %% sent)", t.file.Clean, s.percent)
			}
		}
		return "the phone to write its firmware and start again; do not cut its power"
	case phone.Configured:
		if s.Lacks != "" {
			return s.lack()
		}
		return "its SIP application: ring list, dial plan or an answer to OPTIONS"
	}
	return ""
}

func (s *state) waitsForFile() string {
	switch {
	case s.Lacks != "":
		return s.lack()
	case len(s.open) > 0:
		return "the rest of " + s.open[0].file.Clean
	case s.App:
		return "its configuration, SIP" + s.MAC.Name() + ".cnf"
	case s.Hunted && (s.Told == "" || application(s.Told, phone.SCCP)):
		return "a minute without further requests"
	case s.Told != "":
		return s.Told + ", which its configuration names"
	}
	return "its next request for a file"
}

func (s *state) lack() string {
	if s.Why == "" {
		return s.Lacks
	}
	return s.Lacks + ": " + s.Why
}

// tooLong says what it means that a phone stays in its step.
func (s *state) tooLong() string {
	switch s.Base {
	case phone.Seen:
		if s.Why != "" {
			return "It gets no address: " + s.Why
		}
		return "It gets no address, or does not take the one that it was offered."
	case phone.Addressed:
		return "It has an address and asks for no file: it does not use this box as its TFTP server (look at Alternate TFTP in its network " +
			"settings), or its requests do not arrive."
	case phone.Loading:
		switch {
		case s.Lacks != "":
			return "It cannot start without " + s.lack() + "."
		case s.App:
			return "Its SIP application has no usable configuration."
		case s.NoImage:
			return "The load that it is to run is not on the shelf."
		}
		return "It goes on searching for a load: no file names one that it can start."
	case phone.Upgrading:
		return "Writing the firmware takes too long."
	case phone.Configured:
		if s.Lacks != "" {
			return "It has its configuration and cannot go on without " + s.lack() + "."
		}
		return "It has its configuration and its SIP application does not show itself."
	}
	return ""
}
