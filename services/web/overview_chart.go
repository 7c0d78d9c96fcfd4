package web

import (
	"fmt"
	"strings"
	"time"
)

// The chart of the last hour: a bar for each minute, as high as phones are listed. It is for whoever asks what happened when
// the power came back: how long the phones took, and which minute the ones that are stuck stopped in.
const (
	chartMinutes = 60
	barWidth     = 10 // of the drawing, which is stretched to the page
	barGap       = 2
	chartHeight  = 100
)

// chartView is the chart, with the same in words.
type chartView struct {
	Said   string   // what happened, for who cannot see the bars
	Bars   []barSet // the lowest first
	Width  int
	Height int
	Most   string // what the full height is
	From   string // the time at the left end
	Middle string
	Rows   []chartRow // minutes in which something changed, the newest first
	Now    Tally
}

// barSet is all bars of one kind, as one path.
type barSet struct{ Kind, Path string }

// chartRow is one minute as a row of the table.
type chartRow struct {
	Time string
	Tally
}

// newChart draws the minutes; nil where there is nothing to draw yet.
func newChart(minutes []Minute, now time.Time) *chartView {
	if len(minutes) > chartMinutes {
		minutes = minutes[len(minutes)-chartMinutes:]
	}
	most := 0
	for _, m := range minutes {
		most = max(most, m.Listed, m.Ready+m.Firmware+m.OnTheWay+m.Stuck)
	}
	if most == 0 {
		return nil
	}
	v := &chartView{
		Width: chartMinutes * barWidth, Height: chartHeight, Most: count(most, "phone"), Bars: bars(minutes, most),
		From: clockWords(minutes[len(minutes)-1].At.Add(-(chartMinutes-1)*time.Minute), now), Now: minutes[len(minutes)-1].Tally,
		Middle: clockWords(minutes[len(minutes)-1].At.Add(-(chartMinutes/2-1)*time.Minute), now),
		Said:   chartSentence(minutes, now),
	}
	for i := len(minutes) - 1; i >= 0; i-- {
		if i == 0 || minutes[i].Tally != minutes[i-1].Tally {
			v.Rows = append(v.Rows, chartRow{clockWords(minutes[i].At, now), minutes[i].Tally})
		}
	}
	return v
}

func clockWords(t, now time.Time) string { return t.In(now.Location()).Format("15:04") }

// bars draws one path for each kind; the minutes stand at the right end.
func bars(minutes []Minute, most int) []barSet {
	kinds := []struct {
		name string
		of   func(Tally) int
	}{
		{"ready", func(t Tally) int { return t.Ready }},
		{"busy", func(t Tally) int { return t.OnTheWay }},
		{"warn", func(t Tally) int { return t.Firmware }},
		{"bad", func(t Tally) int { return t.Stuck }},
	}
	out := make([]barSet, len(kinds))
	below := make([]int, len(minutes))
	for k, kind := range kinds {
		var b strings.Builder
		for i, m := range minutes {
			n := kind.of(m.Tally)
			if n == 0 {
				continue
			}
			bottom := chartHeight - below[i]*chartHeight/most
			below[i] += n
			top := min(chartHeight-below[i]*chartHeight/most, bottom-1) // one of 500 is seen, too
			fmt.Fprintf(&b, "M%d %dh%dV%dh-%dz", (chartMinutes-len(minutes)+i)*barWidth+barGap/2, bottom, barWidth-barGap, top, barWidth-barGap)
		}
		out[k] = barSet{kind.name, b.String()}
	}
	return out
}

// chartSentence tells the hour: how it began, when the fewest were ready, and since when it is as now.
func chartSentence(minutes []Minute, now time.Time) string {
	last := minutes[len(minutes)-1]
	since := len(minutes) - 1
	for since > 0 && minutes[since-1].Ready == last.Ready {
		since--
	}
	least := 0
	for i, m := range minutes[:since+1] {
		if m.Ready <= minutes[least].Ready {
			least = i
		}
	}
	at := func(i int) string { return clockWords(minutes[i].At, now) }
	switch {
	case since == 0:
		return fmt.Sprintf("%d of %d phones are ready, the same since %s.", last.Ready, last.Listed, at(0))
	case minutes[least].Ready >= last.Ready:
		return fmt.Sprintf("%d of %d phones are ready since %s; %d were ready at %s.", last.Ready, last.Listed, at(since), minutes[since-1].Ready, at(since-1))
	}
	if minutes[least].Ready == 0 {
		return fmt.Sprintf("At %s no phone was ready; %d of %d are ready since %s.", at(least), last.Ready, last.Listed, at(since))
	}
	return fmt.Sprintf("At %s only %d were ready; %d of %d are ready since %s.", at(least), minutes[least].Ready, last.Ready, last.Listed, at(since))
}
