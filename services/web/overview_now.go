package web

import (
	"fmt"
	"time"

	"phonebox/services/phone"
)

const (
	// maxTransfers is how many files on their way are shown; the others are counted.
	maxTransfers = 8
	// sureAfter is how long a transfer has run before its rate means something.
	sureAfter = time.Second
)

// nowView is what goes on at this moment.
type nowView struct {
	Known     bool // somebody keeps it
	Transfers []transferView
	More      int // files on their way that are not shown
	Counts    []string
	Last      []happenedView
}

// transferView is a file on its way.
type transferView struct {
	ID, Path, Name, File string
	Percent              int
	Said                 string // 61 % of 756 KB
	Rate                 string // 38 KB/s, about 20 s to go; "" = not known yet
}

// happenedView is something that a phone did just now.
type happenedView struct{ Time, Path, Name, Text string }

func (s *Server) nowView(l *look) nowView {
	names := make(map[phone.MAC]*Phone, len(l.phones))
	for i := range l.phones {
		names[l.phones[i].MAC] = &l.phones[i]
	}
	nameOf := func(mac phone.MAC, address string) (name, path string) {
		if p := names[mac]; p != nil && !mac.IsZero() {
			v := linkTo(p)
			return v.Name, v.Path
		}
		return address, ""
	}
	v := nowView{Known: true}
	list, all := s.deps.Activity.Transfers(maxTransfers)
	v.More = all - len(list)
	for i, t := range list {
		one := newTransferView(t)
		one.ID = fmt.Sprintf("t-%d", i)
		one.Name, one.Path = nameOf(t.MAC, t.Address)
		v.Transfers = append(v.Transfers, one)
	}
	r := s.deps.Activity.Recent()
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{r.Leases, "%d address given", "%d addresses given"},
		{r.Files, "%d file sent", "%d files sent"},
		{r.Times, "%d question for the time", "%d questions for the time"},
		{r.Names, "%d question for a name", "%d questions for names"},
	} {
		if c.n > 0 {
			v.Counts = append(v.Counts, countOf(c.n, c.one, c.many))
		}
	}
	for _, e := range r.Last {
		one := happenedView{Time: timeWords(e.Time, l.now), Text: e.Text}
		one.Name, one.Path = nameOf(e.MAC, e.MAC.String())
		v.Last = append(v.Last, one)
	}
	return v
}

func newTransferView(t Transfer) transferView {
	v := transferView{File: t.File}
	if t.Size > 0 {
		v.Percent = int(min(t.Bytes*100/t.Size, 100)) // more was sent than it has: netascii
	}
	v.Said = fmt.Sprintf("%d %% of %s", v.Percent, bytesWords(t.Size))
	if t.Waiting {
		v.Rate = "It waits for its turn: others are sent first."
		return v
	}
	if t.Took < sureAfter || t.Bytes == 0 {
		return v
	}
	rate := float64(t.Bytes) / t.Took.Seconds()
	left := time.Duration(float64(max(t.Size-t.Bytes, 0)) / rate * float64(time.Second))
	v.Rate = fmt.Sprintf("%s a second, %s to go", bytesWords(int64(rate)), aboutWords(left))
	return v
}
