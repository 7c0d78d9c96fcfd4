package web

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// words are the parts of the sentence that says how the phones are; the names of those that are stuck follow the last one.
func (t Tally) words() []string {
	var out []string
	switch {
	case t.Listed == 0 && t.Unlisted == 0:
		return []string{"Ready for the first phone"}
	case t.Listed == 0:
		return []string{countOf(t.Unlisted, "%d phone showed up, and none is listed yet", "%d phones showed up, and none is listed yet")}
	case t.Ready == t.Listed && t.Listed == 1:
		out = append(out, "The phone is ready")
	case t.Ready == t.Listed:
		out = append(out, fmt.Sprintf("All %d phones are ready", t.Listed))
	default:
		out = append(out, fmt.Sprintf("%d of %d phones ready", t.Ready, t.Listed))
	}
	for _, c := range []struct {
		n    int
		text string
	}{
		{t.Firmware, "%d loading firmware"},
		{t.OnTheWay, "%d starting"},
		{t.Never, "%d never seen"},
		{t.Unlisted, "%d not listed"},
		{t.Stuck, "%d stuck"},
	} {
		if c.n > 0 {
			out = append(out, fmt.Sprintf(c.text, c.n))
		}
	}
	return out
}

// countOf writes a number into the text for one or for many.
func countOf(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf(one, n)
	}
	return fmt.Sprintf(many, n)
}

// text is the whole sentence of the phones.
func (v headView) text() string {
	out := strings.Join(v.Parts, ", ")
	if len(v.Stuck) > 0 {
		var names []string
		for _, n := range v.Stuck {
			names = append(names, n.Name)
		}
		out += ": " + strings.Join(names, ", ")
		if v.More > 0 {
			out += fmt.Sprintf(" and %d more", v.More)
		}
	}
	return out + "."
}

// bytesWords writes a size as people do.
func bytesWords(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	case n < 1_000_000:
		return fmt.Sprintf("%d KB", (n+500)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// aboutWords writes how long something will take, no more exactly than that can be known.
func aboutWords(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 5:
		return "a few seconds"
	case s < 55:
		return fmt.Sprintf("%d s", int(math.Ceil(s/5))*5)
	case s < 90:
		return "a minute"
	case s < 3600:
		return fmt.Sprintf("%d minutes", int(math.Round(s/60)))
	}
	return "more than an hour"
}
