package assemble

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// Bounds of the bundle, so that it is made in little memory: parts are made one after the other.
const (
	maxPart       = 4 << 20 // bytes of one part
	bundlePhones  = 500     // phones whose timelines are in it
	bundleEvents  = 100     // of each
	bundleLines   = 2000    // of the log
	bundleChanges = 300
)

// Diagnostics implements [web.System]. Each part goes through the redactor, whatever it is made of.
func (k *keeper) Diagnostics() []web.DiagnosticsPart {
	parts := []web.DiagnosticsPart{
		{Name: "about.txt", About: "What this is, when it was made, and what was taken out of it.", Make: k.aboutPart},
		{Name: "system.json", About: "Version, board, kernel, memory, heat, disk and network interfaces.", Make: func(context.Context) ([]byte, error) { return asJSON(k.Machine()) }},
		{Name: "status.json", About: "The state of every service, the clock, other DHCP servers, and what was not answered in the last hour.", Make: func(context.Context) ([]byte, error) { return asJSON(page{k.b}.Status()) }},
		{Name: "health.json", About: "What the services answer when they are asked for a sign of life.", Make: k.healthPart},
		{Name: "metrics.txt", About: "All counters: DHCP, TFTP, time, names, the store, this page.", Make: k.metricsPart},
		{Name: "log.txt", About: "The last lines of the log.", Make: k.logPart},
		{Name: "phones.json", About: "Every phone with its step and what it waits for.", Make: func(context.Context) ([]byte, error) { return asJSON(page{k.b}.Phones()) }},
		{Name: "timelines.txt", About: "What the phones did last, and what the box did.", Make: k.timelinesPart},
		{Name: "conversions.json", About: "Where each conversion of firmware stands.", Make: func(context.Context) ([]byte, error) { return asJSON(k.b.shop.Conversions()) }},
		{Name: "firmware.json", About: "Which firmware is on the shelf, by name.", Make: func(context.Context) ([]byte, error) { return asJSON(page{k.b}.Firmware()) }},
		{Name: "site.toml", About: "The settings. Every password, and every login name that is not the line's number, is " + web.Mask + ".", Make: k.sitePart},
		{Name: "changes.txt", About: "What was changed lately, and from which address.", Make: k.changesPart},
		{Name: "network.txt", About: "Addresses, routes and neighbours as the kernel has them.", Make: k.networkPart},
		{Name: "goroutines.txt", About: "What the daemon is doing at this moment, for its developers.", Make: goroutinesPart},
	}
	for i := range parts {
		made := parts[i].Make
		parts[i].Make = func(ctx context.Context) ([]byte, error) {
			body, err := made(ctx)
			if err != nil {
				return nil, err
			}
			out := k.b.redactor().text(string(body))
			if len(out) > maxPart {
				out = out[:maxPart] + "\n(cut off here)\n"
			}
			return []byte(out), nil
		}
	}
	return parts
}

func asJSON(v any) ([]byte, error) {
	body, err := json.MarshalIndent(v, "", "  ")
	return append(body, '\n'), err
}

func (k *keeper) aboutPart(context.Context) ([]byte, error) {
	return fmt.Appendf(nil, `A bundle of phonebox for asking help.

Version: %s
Made: %s by the clock of the box (%s)

Not in it: passwords of lines, secret parameters, login names that are not a line's number, the password of the page and its
hash, keys of sessions and certificates, and every file of a phone. Passwords of fewer than %d characters are masked in the
settings, and not looked for in other texts.
In it, as help needs them: names, numbers, labels, MACs and addresses of phones.
`, k.b.opt.Version, k.b.clock.Now().UTC().Format(time.RFC3339), k.b.clock.Status().Source, shortSecret), nil
}

func (k *keeper) healthPart(ctx context.Context) ([]byte, error) {
	status, failed := page{k.b}.Health(ctx)
	out := map[string]map[string]string{}
	for name, svc := range status.Services {
		out[name] = map[string]string{"state": svc.State, "detail": svc.Detail, "probe": "answered"}
		if svc.State == stateOff {
			out[name]["probe"] = "not asked"
		}
		if why, bad := failed[name]; bad {
			out[name]["probe"] = why
		}
	}
	return asJSON(out)
}

func (k *keeper) metricsPart(context.Context) ([]byte, error) {
	families, err := k.b.metrics.Gather()
	if err != nil {
		return nil, fmt.Errorf("gathering the figures: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, fmt.Errorf("writing the figures: %w", err)
		}
	}
	return b.Bytes(), nil
}

func (k *keeper) logPart(context.Context) ([]byte, error) {
	lines := k.Log(web.LogFilter{}, bundleLines)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d older lines are no longer kept.\n", lines.Gone)
	for i := len(lines.Lines) - 1; i >= 0; i-- {
		b.WriteString(web.LogText(lines.Lines[i]))
	}
	return b.Bytes(), nil
}

// timelinesPart writes what the box and the phones did last.
func (k *keeper) timelinesPart(context.Context) ([]byte, error) {
	k.b.settle()
	var b bytes.Buffer
	b.WriteString("The box\n")
	writeEvents(&b, k.b.journal.Events(phone.MAC{}))
	for i, p := range k.b.journal.Phones() {
		if i >= bundlePhones || b.Len() > maxPart {
			b.WriteString("\nand more phones\n")
			break
		}
		label := "not listed"
		if listed := k.b.index.Load().byMAC[p.MAC]; listed != nil {
			label = listed.Label
		}
		fmt.Fprintf(&b, "\n%s %s\n", p.MAC, label)
		writeEvents(&b, k.b.journal.Events(p.MAC))
	}
	return b.Bytes(), nil
}

func writeEvents(b *bytes.Buffer, events []journal.Event) {
	if more := len(events) - bundleEvents; more > 0 {
		events = events[more:]
	}
	for _, e := range events {
		fmt.Fprintf(b, "  %s %-5s %-10s %s\n", e.Time.UTC().Format("2006-01-02 15:04:05.000"), e.Service, e.Step, e.Text)
	}
}

func (k *keeper) sitePart(context.Context) ([]byte, error) {
	return withoutLogins(k.b.current().site).TOML(false), nil
}

func (k *keeper) changesPart(context.Context) ([]byte, error) {
	var b bytes.Buffer
	for i, e := range k.b.audit.entries() {
		if i >= bundleChanges {
			break
		}
		fmt.Fprintf(&b, "%s %s %s: %s\n", e.Time.UTC().Format(time.RFC3339), e.How, e.From, e.What)
		for _, c := range e.Keys {
			fmt.Fprintf(&b, "    %s\n", web.ChangeText(c))
		}
	}
	return b.Bytes(), nil
}

// networkPart writes what the kernel knows of the network, as it writes it itself.
func (k *keeper) networkPart(context.Context) ([]byte, error) {
	var b bytes.Buffer
	body, err := asJSON(k.links())
	if err != nil {
		return nil, err
	}
	b.Write(body)
	state, err := asJSON(webNetwork(k.b.wire.State()))
	if err != nil {
		return nil, err
	}
	b.Write(state)
	for _, name := range []string{"/proc/net/route", "/proc/net/arp", "/proc/net/dev", "/proc/net/snmp"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n%s", name, text[:min(len(text), 256<<10)])
	}
	return b.Bytes(), nil
}

func goroutinesPart(context.Context) ([]byte, error) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return nil, fmt.Errorf("listing the goroutines: %w", err)
	}
	// Where the sources lay on the machine that built them is nobody's business.
	return []byte(strings.ReplaceAll(b.String(), "\t", " ")), nil
}
