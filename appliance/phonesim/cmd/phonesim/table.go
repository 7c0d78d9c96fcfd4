package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"phonebox/appliance/phonesim"
)

const (
	tableRows    = 20 // of a storm only so many phones are listed, those with trouble first
	roundedTimes = 10 * time.Millisecond
)

// printReport writes the table: the phones, then the sums.
func printReport(w io.Writer, r phonesim.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PHONE\tMODEL\tSTATE\tADDRESS\tSTEP\tAFTER\tLOAD\tCLOCK\tFILES\tWAITING FOR")
	rows := order(r.Results)
	for _, p := range rows[:min(len(rows), tableRows)] {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", p.MAC, p.Model, p.State, address(p), p.Step, after(p), p.Load, clock(p),
			got(p), waiting(p))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if more := len(rows) - tableRows; more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	printFaults(w, r)
	return printSums(w, r)
}

// order puts phones with trouble first.
func order(results []phonesim.Result) []phonesim.Result {
	var bad, good []phonesim.Result
	for _, p := range results {
		if p.OK() {
			good = append(good, p)
		} else {
			bad = append(bad, p)
		}
	}
	return append(bad, good...)
}

func address(p phonesim.Result) string {
	if !p.Address.IsValid() {
		return "-"
	}
	return p.Address.String()
}

func after(p phonesim.Result) string {
	if stranded(p) {
		return "never"
	}
	return p.After.Round(roundedTimes).String()
}

// stranded reports whether the phone did not get where it was expected to get.
func stranded(p phonesim.Result) bool {
	return p.Outcome == phonesim.OutcomeFailed || p.Outcome == phonesim.OutcomeDamaged
}

func clock(p phonesim.Result) string {
	if p.ClockOffset == nil {
		return "-"
	}
	return fmt.Sprintf("%+.3fs", *p.ClockOffset)
}

func got(p phonesim.Result) int {
	n := 0
	for _, f := range p.Files {
		if f.Answer == phonesim.AnswerGot {
			n++
		}
	}
	return n
}

func waiting(p phonesim.Result) string {
	if !stranded(p) {
		return ""
	}
	return strings.TrimSuffix(p.WaitingFor+": "+p.Problem, ": ")
}

// printFaults lists what the servers did wrong, each once, with how many phones met it.
func printFaults(w io.Writer, r phonesim.Report) {
	met := map[string]int{}
	var faults []string
	for _, p := range r.Results {
		for _, f := range p.Faults {
			if met[f]++; met[f] == 1 {
				faults = append(faults, f)
			}
		}
	}
	for _, f := range faults[:min(len(faults), tableRows)] {
		fmt.Fprintf(w, "fault (%d phones): %s\n", met[f], f)
	}
	for _, d := range r.Duplicates[:min(len(r.Duplicates), tableRows)] {
		fmt.Fprintf(w, "duplicate address: %s was given to %s while %s held it\n", d.Address, d.Second, d.Holder)
	}
}

// printSums writes the last lines.
func printSums(w io.Writer, r phonesim.Report) error {
	share := func(d time.Duration) string {
		if d == 0 {
			return "never"
		}
		return d.Round(roundedTimes).String()
	}
	_, err := fmt.Fprintf(w, `
%d phones within %s: %d ready, %d polling, %d failed, %d with faults or errors, %d duplicate addresses, in %s
done: 50%% after %s, 95%% after %s, 100%% after %s
sent again: dhcp %d, tftp %d, sntp %d, dns %d, sip %d
`, r.Phones, r.Window, r.Ready, r.Polling, r.Failed, len(r.Failures), len(r.Duplicates), r.Took.Round(roundedTimes),
		share(r.Half), share(r.Most), share(r.All),
		r.Retransmits.DHCP, r.Retransmits.TFTP, r.Retransmits.SNTP, r.Retransmits.DNS, r.Retransmits.SIP)
	printMore(w, r)
	return err
}

// printMore writes what is not the same in every storm.
func printMore(w io.Writer, r phonesim.Report) {
	line := func(name string, again phonesim.Retransmissions) {
		if again != (phonesim.Retransmissions{}) {
			fmt.Fprintf(w, "  %s: dhcp %d, tftp %d, sntp %d, dns %d, sip %d\n", name, again.DHCP, again.TFTP, again.SNTP, again.DNS, again.SIP)
		}
	}
	line("after a frame that was lost on purpose", r.RetransmitsByLoss)
	line("because of the servers", r.RetransmitsByServers)
	fmt.Fprintf(w, "files: %d got, %d not found, %d bytes, %d with wrong content\n", r.TFTP.Got, r.TFTP.NotFound, r.TFTP.Bytes, len(r.TFTP.ContentErrors))
	if i := r.Image; i != nil {
		fmt.Fprintf(w, "image %s, %d bytes: %d done, %d failed; first after %s, 50%% %s, 95%% %s, last %s, spread %s; one took %s (median), %s at most\n",
			i.Name, i.Size, i.Done, i.Failed, i.First.Round(roundedTimes), i.Half.Round(roundedTimes), i.Most.Round(roundedTimes),
			i.Last.Round(roundedTimes), i.Spread.Round(roundedTimes), i.TookHalf.Round(roundedTimes), i.TookMost.Round(roundedTimes))
	}
	if n := r.Renewals; n != (phonesim.Renewals{}) {
		fmt.Fprintf(w, "leases: %d renewed, %d rebound, %d failed, %d addresses lost\n", n.Renewed, n.Rebound, n.Failed, n.Lost)
	}
	if m := r.Roaming; m != nil {
		fmt.Fprintf(w, "moved: %d, %d with the same address, %d with another, %d failed; address 50%% after %s, last %s\n",
			m.Moved, m.Same, m.Other, m.Failed, m.Half.Round(roundedTimes), m.Last.Round(roundedTimes))
		printCounts(w, "moved and failed", m.Reasons)
	}
	for _, h := range r.Hostile {
		fmt.Fprintf(w, "hostile %s: %d sent, %d answered, %d leases, in %s %s\n", h.Kind, h.Sent, h.Answered, h.Leases, h.For.Round(roundedTimes), h.Error)
	}
	printCounts(w, "failed", r.Reasons)
	printCounts(w, "note", r.Notes)
	if c := r.Wire; c != nil {
		fmt.Fprintf(w, "frames: %d sent, %d received; on purpose %d and %d lost, %d repeated, %d held back; %d late, %d lost by this program\n",
			c.Sent, c.Received, c.LostOut, c.LostIn, c.Duplicated, c.Reordered, c.Late, c.LostHere)
	}
	fmt.Fprintf(w, "this program used %.2f s of processor time\n", r.ProcessorTime)
}

// printCounts lists what was met how often, the most frequent first.
func printCounts(w io.Writer, what string, counts map[string]int) {
	texts := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(texts, func(a, b string) int { return counts[b] - counts[a] })
	for _, text := range texts[:min(len(texts), tableRows)] {
		fmt.Fprintf(w, "%s (%d phones): %s\n", what, counts[text], text)
	}
}
