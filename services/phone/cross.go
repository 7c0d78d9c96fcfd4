package phone

import (
	"fmt"
	"strconv"
	"strings"
)

// Cross looks at values that are right each by itself and wrong together, and returns a sentence for each. model is that
// of the phone and runs the load that it runs; "" = not known. effective is what [Merge] returned. No sentence quotes a
// secret.
func Cross(model, runs string, effective []Effective) []string {
	c := crossCheck{model: model, runs: runs, values: make(map[string]string, len(effective))}
	for _, e := range effective {
		c.values[strings.ToLower(e.Parameter.Name)] = e.Value
	}
	c.order("timer_t2", "timer_t1")
	c.order("end_media_port", "start_media_port")
	c.autoAnswer()
	c.imageVersion()
	c.time()
	c.proxies()
	for _, e := range effective {
		c.place(e)
	}
	return c.warnings
}

// crossCheck collects the warnings for one phone.
type crossCheck struct {
	model, runs string
	values      map[string]string // by name in lower case
	warnings    []string
}

func (c *crossCheck) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// order wants one number above another.
func (c *crossCheck) order(upper, lower string) {
	u, err1 := strconv.Atoi(c.values[upper])
	l, err2 := strconv.Atoi(c.values[lower])
	if err1 == nil && err2 == nil && u <= l {
		c.warn("%s is %d and %s is %d: %s must be the greater one", upper, u, lower, l, upper)
	}
}

// autoAnswer wants bits of lines that the model has.
func (c *crossCheck) autoAnswer() {
	most := 1<<LinesOf(c.model) - 1
	if n, err := strconv.Atoi(c.values["auto_answer"]); err == nil && n > most {
		c.warn("auto_answer is %d, and a phone of %d lines takes 0 to %d", n, LinesOf(c.model), most)
	}
}

// imageVersion knows the images that store a load's name in 8 characters. That only those before SIP 2.3 do is deduced
// from the ladder, which goes through P0S30203 (phones.md c.1, c.4).
func (c *crossCheck) imageVersion() {
	load, ok := ParseLoad(c.runs)
	old := ok && load.Protocol == SIP && len(load.Name) == 8 && !load.atLeast(2, 3)
	if name := c.values["image_version"]; old && len(name) > 8 {
		c.warn("image_version is %q, and a phone that runs %s stores 8 characters of it: it must take P0S30203 first", cut(name), load.Name)
	}
}

// time wants a way to the time server (phones.md d.1).
func (c *crossCheck) time() {
	server := c.values["sntp_server"]
	none := server == "" || server == "0.0.0.0" || server == Unprovisioned
	switch mode := strings.ToLower(c.values["sntp_mode"]); {
	case mode == "unicast" && none:
		c.warn("sntp_mode is unicast and sntp_server is empty: the phone asks nobody and shows no time")
	case mode == "anycast" && !none:
		c.warn("sntp_mode is anycast: from firmware 6 on the phone does not heed sntp_server; unicast asks this server")
	}
}

// proxies wants a CallManager where one is to be used, and lines that have somewhere to register.
func (c *crossCheck) proxies() {
	used, manager := false, false
	for n := 1; n <= Lines; n++ {
		used = used || strings.EqualFold(c.values[fmt.Sprintf("proxy%d_address", n)], "USECALLMANAGER")
		manager = manager || c.values[fmt.Sprintf("call_manager%d_addr", n)] != ""
	}
	if used && !manager {
		c.warn("a proxy address is USECALLMANAGER and no call_manager address is set: call_manager1_addr must name the CallManager")
	}
	if first := c.values["proxy1_address"]; c.values["proxy_register"] == "1" && (first == "" || first == Unprovisioned) {
		c.warn("proxy_register is 1 and proxy1_address is empty: the lines have no telephone system to register at")
	}
}

// place looks at where a value was set.
func (c *crossCheck) place(e Effective) {
	p := e.Parameter
	set := e.From != FromDefault
	switch {
	case set && !p.On(c.model) && strings.HasPrefix(p.Name, "line"):
		c.warn("%s is set, and a %s has %d lines only: it is not written", p.Name, c.model, LinesOf(c.model))
	case set && !p.On(c.model) && e.Written == FileSIPMAC: // a site may set it for its larger phones
		c.warn("%s is set, and a %s has %d lines only: it has no effect", p.Name, c.model, LinesOf(c.model))
	case p.Scope == ScopeDefault && e.Written == FileSIPMAC:
		c.warn("%s is set for one phone, and phones read it from SIPDefault.cnf only: set it for the site", p.Name)
	}
	for _, s := range e.Hidden {
		if p.Reserved && s.From != FromPhonebox {
			c.warn("%s is set in %s and not used, because phonebox decides it", p.Name, s.From)
		}
	}
}
