package assemble

import (
	"fmt"
	"slices"

	"phonebox/services/web"
)

// noticed is something that the box noticed and a person should know.
type noticed struct {
	notices []string // the sentences of [web.Status], as programs get them
	need    web.Need // the same with what to do about it
}

// noticed tells what a person should know now.
func (p page) noticed() []noticed {
	var out []noticed
	add := func(key string, level web.Level, what string, notices []string, do ...web.Deed) {
		if len(notices) == 0 {
			return
		}
		n := web.Need{Key: key, Level: level, What: what, Why: sentence(notices[0]), Do: do}
		for _, more := range notices[1:] {
			n.More = append(n.More, sentence(more))
		}
		out = append(out, noticed{notices, n})
	}
	link := func(text, path string) web.Deed { return web.Deed{Text: text, Path: path} }

	p.b.mu.Lock()
	refused := slices.Clone(p.b.refused)
	p.b.mu.Unlock()
	add("site-refused", web.Due, "The file of settings was refused.", refused, link("Look at the settings as a file", "/settings/file"))
	var lost []string
	if p.b.lost != "" {
		lost = []string{p.b.lost}
	}
	add("nothing-lasts", web.Pressing, "Nothing that the box learns will last.", lost, link("System", "/system"))
	add("store-damaged", web.Due, "Something on the card was damaged.", p.b.store.Faults(), link("System", "/system"))
	if err := p.b.store.Failing(); err != nil {
		add("store", web.Pressing, "The card cannot be written.", []string{fmt.Sprintf("leases cannot be written to the card: listed phones and known leases are served, new ones for ten minutes only (%v)", err)}, link("System", "/system"))
	}
	if s := p.b.wire.State(); s.Troubled() {
		level := web.Due
		if !s.Up() {
			level = web.Pressing
		}
		add("network", level, "Something is wrong with the network.", []string{s.Text}, link("Settings of the network", "/settings"))
	}
	if problem := p.b.clock.Status().Problem; problem != "" {
		add("time-servers", web.Due, "The box has trouble with the time.", []string{problem}, link("More about the time", "/time"))
	}
	ix := p.b.index.Load()
	if ix.site.Firmware.ConvertUnlisted {
		add("convert-unlisted", web.Someday, "Every phone that shows up gets the target firmware.",
			[]string{"firmware.convert_unlisted is set: phones that are not listed get the target load as well"}, link("Settings of the firmware", "/settings"))
	}
	add("doubts", web.Someday, "Something in the settings looks wrong.", slices.Concat(ix.doubts, p.b.provision.Warnings()), link("Look at the settings", "/settings"))
	return out
}

// notices are the sentences that a person should read now.
func (p page) notices() (out []string) {
	for _, n := range p.noticed() {
		out = append(out, n.notices...)
	}
	return out
}
