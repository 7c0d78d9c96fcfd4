package phonesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What the command line of [telnetSession] knows (phones.md f.3).

// obey carries a command out and reports whether the session is over.
func (s *telnetSession) obey(words []string) bool {
	switch command, err := findCommand(words); command {
	case "show register":
		s.showRegister()
	case "show config":
		s.showConfig()
	case "show status":
		s.showStatus()
	case "register":
		s.print("Registration is requested\r\n")
	case "reset":
		s.print("Resetting\r\n")
		s.cancel(errReset)
		return true
	case "exit", "quit":
		return true
	default:
		s.print("%v\r\n", err)
	}
	return false
}

// commands are those that this phone knows, of the many of f.3. Their words may be abbreviated.
func commands() []string {
	return []string{"show register", "show config", "show status", "register", "reset", "exit", "quit"}
}

// findCommand finds the command that the words abbreviate: "sh reg" is show register. Words behind it are its arguments.
func findCommand(words []string) (string, error) {
	var found []string
	for _, command := range commands() {
		parts := strings.Fields(command)
		fits := len(words) >= len(parts)
		for i := 0; fits && i < len(parts); i++ {
			fits = strings.HasPrefix(parts[i], strings.ToLower(words[i]))
		}
		if fits {
			found = append(found, command)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("unknown command, allowed is one of: %s", strings.Join(commands(), ", "))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("ambiguous command: %s", strings.Join(found, ", "))
}

// showRegister prints the state of every line: APR stands for authenticated, provisioned, registered.
func (s *telnetSession) showRegister() {
	s.mu.Lock()
	registrations := append([]Registration(nil), s.res.Registrations...)
	s.mu.Unlock()
	enabled, state := "DISABLED", "NONE"
	if s.cnf.get("proxy_register") == "1" {
		enabled = "ENABLED"
	}
	byLine := map[int]Registration{}
	for _, r := range registrations {
		byLine[r.Line] = r
		if r.Registered() {
			state = "REGISTERED"
		}
	}
	s.print("LINE REGISTRATION TABLE\r\nProxy Registration: %s, state: %s\r\n", enabled, state)
	s.print("line  APR  state          timer       expires     proxy:port\r\n")
	s.print("----  ---  -------------  ----------  ----------  ---------------------\r\n")
	for n := 1; n <= linesOf(s.cfg.Model); n++ {
		r := byLine[n]
		s.print("%-4d  %-3s  %-13s  %-10s  %-10s  %s\r\n", n, flagsAPR(r), stateOfLine(r), r.timer(), strconv.Itoa(r.Expires), r.proxyName())
	}
	s.print("Note: APR is Authenticated, Provisioned, Registered\r\n")
}

// flagsAPR are the three flags of a line: 1 for yes, . for no, x for the last one while the line is not there at all.
func flagsAPR(r Registration) string {
	switch {
	case r.Line == 0:
		return "..x"
	case r.Registered():
		return "111"
	}
	return ".1."
}

// stateOfLine is the word for it.
func stateOfLine(r Registration) string {
	switch {
	case r.Registered():
		return "REGISTERED"
	case r.Line == 0:
		return "NONE"
	case r.Code == 0:
		return "REGISTERING"
	}
	return "FAILED"
}

// timer is how many seconds of the registration remain.
func (r Registration) timer() string {
	return strconv.Itoa(max(0, int(time.Until(r.Until)/time.Second)))
}

// showConfig prints what the phone read, without its secrets.
func (s *telnetSession) showConfig() {
	for _, name := range []string{
		"image_version", "sync", "proxy1_address", "proxy1_port", "proxy_register", "voip_control_port", "nat_enable", "sntp_server",
		"time_zone", "dial_template", "directory_url", "services_url", "logo_url", "telnet_level", "phone_prompt", "phone_label",
	} {
		s.setting(name)
	}
	for n := 1; n <= linesOf(s.cfg.Model); n++ {
		for _, suffix := range []string{"_name", "_authname", "_displayname", "_shortname", "_password"} {
			s.setting("line" + strconv.Itoa(n) + suffix)
		}
	}
}

// setting prints one parameter.
func (s *telnetSession) setting(name string) {
	value := s.cnf.get(name)
	switch {
	case value == "":
		value = "UNPROVISIONED"
	case strings.HasSuffix(name, "_password"):
		value = "**********"
	}
	s.print("%-24s: %s\r\n", name, value)
}

// showStatus prints what the phone runs and waits for.
func (s *telnetSession) showStatus() {
	r := s.Result()
	s.print("Load %s, loader %s, boots %d\r\n", r.Load, r.LoaderID, r.Boots)
	for _, name := range []string{"line1_name", "proxy1_address"} {
		if s.cnf.get(name) == "" {
			s.print("W350 unprovisioned %s\r\n", name)
		}
	}
}
