package phonesim

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"phonebox/services/phone"
)

// sip is the SIP application (phones.md a.3, a.4): configuration, upgrade where it names another image, rings and dial
// plan, and then it answers.
func (b *boot) sip(ctx context.Context) error {
	c, err := b.configuration(ctx)
	if err != nil {
		return err
	}
	if server, err := netip.ParseAddr(c.get("dyn_tftp_addr")); err == nil && server != b.tftp {
		b.useTFTP(server) // from now on, and for the files that were just read
		if c, err = b.configuration(ctx); err != nil {
			return err
		}
	}
	if err := b.followImage(ctx, c); err != nil {
		return err
	}
	b.mu.Lock()
	if v, ok := c["sync"]; ok {
		b.runs.Sync = v
	}
	b.res.Lines = lineNames(c, b.cfg.Model)
	b.display = displayNoConfig
	if len(b.res.Lines) > 0 {
		b.display = strings.Join(b.res.Lines, " ")
	}
	b.mu.Unlock()
	return b.serve(ctx, c)
}

// lineNames returns the names of the lines that are configured.
func lineNames(c cnf, model string) []string {
	var names []string
	for i := range linesOf(model) {
		if n := c.get("line" + strconv.Itoa(i+1) + "_name"); n != "" {
			names = append(names, n)
		}
	}
	return names
}

// linesOf returns how many lines a model has.
func linesOf(model string) int {
	if model == "7940" {
		return 2
	}
	return 6
}

// configuration gets SIPDefault.cnf, which may be missing, and SIP<MAC>.cnf, for which it polls (phones.md a.5).
func (b *boot) configuration(ctx context.Context) (cnf, error) {
	c := cnf{}
	data, err := b.fetch(ctx, "SIPDefault.cnf", applicationSchedule())
	if fatal(ctx, err) {
		return nil, err
	}
	if err == nil {
		var faults []string
		c, faults = parseCNF(data)
		b.cnfFaults("SIPDefault.cnf", faults)
	}
	name := c.get("tftp_cfg_dir") + "SIP" + b.cfg.MAC.Name() + ".cnf"
	for {
		data, err := b.fetch(ctx, name, applicationSchedule())
		if fatal(ctx, err) {
			return nil, err
		}
		if err == nil {
			own, faults := parseCNF(data)
			b.cnfFaults(name, faults)
			for k, v := range own {
				c[k] = v
			}
			return c, nil
		}
		b.polled(name, err)
		if err := b.pause(ctx, phone.PollInterval); err != nil {
			return nil, err
		}
	}
}

// pollsToBelieve is how many requests in vain make a phone without a configuration one that polls.
const pollsToBelieve = 2

// polled notes a request for the phone's own configuration in vain.
func (b *boot) polled(name string, err error) {
	b.waiting(name, fmt.Sprintf("unprovisioned: %s: %v", name, err))
	b.show(displayNoConfig)
	b.mu.Lock()
	b.judge.polls++
	enough := b.judge.polls == pollsToBelieve && b.wantedLocked()
	b.mu.Unlock()
	if b.cfg.State == StateBare && enough {
		b.finish(OutcomePolling)
		b.settled()
	}
}

// followImage upgrades when the configuration names another image (phones.md a.3): with the universal loader by a reset,
// without it at once. It returns nil when the application goes on.
func (b *boot) followImage(ctx context.Context, c cnf) error {
	image := c.get("image_version")
	b.toldLoad(image)
	if image == "" {
		return nil
	}
	b.mu.Lock()
	same, before := image == b.runs.Application, b.runs.ImageVersion
	b.runs.ImageVersion = image
	hasLoader := b.runs.LoaderID != ""
	b.mu.Unlock()
	switch {
	case same:
		return nil
	case !hasLoader:
		return b.writeOld(ctx, image)
	case before == image:
		// The loader was told something else, or nothing: without this a phone resets for ever.
		b.fault("TFTP: image_version says %s and the loader was sent elsewhere: the phone resets over and over", image)
		b.waiting("the load "+image, "image_version and loadInformation name different loads")
	}
	return errReset
}

// serve is the life of a configured phone: it answers SIP and telnet, gets the time, names, rings, dial plan and pages, and
// waits for check-sync.
func (b *boot) serve(ctx context.Context, c cnf) error {
	agent, err := b.listenSIP(c)
	if err != nil {
		return err
	}
	b.wg.Go(func() { agent.run(ctx) })
	b.wg.Go(func() { b.commandLine(ctx, c) })
	var extras sync.WaitGroup
	for _, extra := range []func(context.Context, cnf){b.clock, agent.register, b.pages} {
		extras.Go(func() { extra(ctx, c) })
	}
	if err := b.pause(ctx, extrasWait); err != nil {
		extras.Wait()
		return err
	}
	b.waiting("RINGLIST.DAT or the dial plan", "")
	err = b.ringsAndDialPlan(ctx, c)
	extras.Wait()
	if err != nil {
		return err
	}
	b.image(ctx)
	b.settled()
	b.idle()
	return b.waitForSync(ctx, agent, c)
}

// idle notes what a phone waits for that has nothing more to do.
func (b *boot) idle() {
	if b.unmet() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.judge.appSeen {
		b.res.WaitingFor, b.res.Problem = "", ""
		return
	}
	b.res.WaitingFor, b.res.Problem = "RINGLIST.DAT, the dial plan or an OPTIONS request", "neither the ring list nor the dial plan is there"
}

// ringsAndDialPlan gets both at once, from two ports (phones.md a.4).
func (b *boot) ringsAndDialPlan(ctx context.Context, c cnf) error {
	names := []string{"RINGLIST.DAT", dialPlanName(c)}
	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			if _, err := b.fetch(ctx, name, applicationSchedule()); fatal(ctx, err) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// dialPlanName is the file that dial_template names.
func dialPlanName(c cnf) string {
	if t := c.get("dial_template"); t != "" {
		return t + ".xml"
	}
	return "dialplan.xml"
}

// waitForSync obeys check-sync until ctx ends or a reset is due (phones.md f.1).
func (b *boot) waitForSync(ctx context.Context, agent *userAgent, c cnf) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-agent.checkSync:
		}
		if err := b.pause(ctx, idleWait); err != nil {
			return err
		}
		data, err := b.fetch(ctx, "syncinfo.xml", applicationSchedule())
		if fatal(ctx, err) {
			return err
		}
		if _, planErr := b.fetch(ctx, dialPlanName(c), applicationSchedule()); fatal(ctx, planErr) {
			return planErr
		}
		if err == nil && b.syncWants(data) {
			return errReset
		}
		b.idle()
	}
}

// syncWants reports whether syncinfo.xml asks for a reset, and takes over its sync.
func (b *boot) syncWants(data []byte) bool {
	images, err := parseSyncInfo(data)
	if err != nil {
		b.fault("TFTP: a phone cannot use syncinfo.xml: %v", err)
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range images {
		if i.version == "*" || i.version == b.runs.Application {
			changed := i.sync != b.runs.Sync
			b.runs.Sync = i.sync
			return changed
		}
	}
	return false
}

// settled notes that everything that a phone gets after its configuration was got or given up.
func (p *Phone) settled() {
	p.mu.Lock()
	p.judge.settled = true
	p.mu.Unlock()
	p.maybeDone()
}

// maybeDone lets Run return once there is an outcome and nothing else is under way.
func (p *Phone) maybeDone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.judge.done && p.judge.settled && !p.told {
		p.told = true
		close(p.done)
	}
}
