package ladder

import (
	"errors"
	"fmt"

	"phonebox/services/phone"
)

// noWay says why there is no way, and what to do: that the target can't be reached, or else what is not known.
func (p *planner) noWay(from Belief, b believed, target phone.LoadName) error {
	reachable := false
	for _, c := range b.may {
		_, ok := p.best(believed{may: []candidate{c}, words: c.words()}, target)
		reachable = reachable || ok
	}
	if reachable {
		return unknown(from, b)
	}
	name := p.spelled(target)
	signed, loader := true, true
	for _, c := range b.may {
		signed, loader = signed && c.class.signed, loader && c.class.loader
	}
	_, made := candidateOf(target, Unknown)
	switch {
	case !made:
		return fmt.Errorf("no release of that number is known: %s", name)
	case signed && !target.Signed():
		return fmt.Errorf("%s is an unsigned image, and a phone on %s takes signed ones only (5.0 and later): there is no way back", name, b.words)
	case target.Protocol == phone.SCCP && !target.Universal() && loader:
		return fmt.Errorf("no way from %s, with the universal loader, back to %s is known: choose SCCP 7.x or later", b.words, name)
	case target.Protocol == phone.SCCP && !target.Universal():
		return fmt.Errorf("no way from %s to %s is known: SIP phones go up to 7.x first, and from there to SCCP 7.x or later", b.words, name)
	}
	return fmt.Errorf("no safe way from %s to %s is known", b.words, name)
}

// unknown says what has to be known before a first step is safe.
func unknown(from Belief, b believed) error {
	const say = `say in the settings of this phone what it runs (runs = "P0S3-..." or "P003...")`
	switch {
	case from.Protocol == phone.SIP && from.Loader == No:
		return fmt.Errorf("it is not known which load this SIP phone runs (%s): %s, or wait a minute with sip enabled in the settings, because its answer to a SIP request tells the release", b.words, say)
	case from.Protocol == phone.SCCP && from.Loader == No:
		return fmt.Errorf("it is not known whether this SCCP phone is too old for XML (%s): restart it and let it ask for its files, or %s", b.words, say)
	case from.Protocol != "" && from.Loader == Unknown:
		return errors.New("it is not known whether this phone has the universal loader: restart it, its first files tell")
	}
	return errors.New("it is not known yet which load this phone runs: restart it and let it ask for its files, or " + say)
}
