package web

import "testing"

// The bar of a phone never goes back on its way, and the words say which step it takes.
func TestTheBarNeverGoesBack(t *testing.T) {
	old := ConversionStep{To: "P0S3-06-3-00", Files: []string{"P0S3-06-3-00.sbn"}, Minutes: 1.5}
	last := ConversionStep{To: "P0S3-8-12-00", Files: []string{"P003-8-12-00.sbn", "P0S3-8-12-00.loads", "P0S3-8-12-00.sb2"}, Minutes: 1.7}
	confirm := ConversionStep{To: "P0S3-06-3-00", Confirm: true}
	get := func(file string, sent int64) Conversion {
		return Conversion{File: file, Sent: sent, Size: 1000, Sending: true}
	}
	write := func(file string) Conversion { return Conversion{File: file} }
	free := Conversion{Unplug: true}
	before := 0
	for i, at := range []struct {
		c     Conversion
		done  int
		steps []ConversionStep
		says  string
	}{
		{free, 0, []ConversionStep{old, last}, "Step 1 of 2."},
		{get("P0S3-06-3-00.sbn", 100), 0, []ConversionStep{old, last}, "Step 1 of 2: 10 % of P0S3-06-3-00.sbn is sent."},
		{get("P0S3-06-3-00.sbn", 1000), 0, []ConversionStep{old, last}, "Step 1 of 2: 100 % of P0S3-06-3-00.sbn is sent."},
		{write("P0S3-06-3-00.sbn"), 0, []ConversionStep{old, last}, "Step 1 of 2: it writes P0S3-06-3-00.sbn."},
		{free, 1, []ConversionStep{confirm, last}, "Step 2 of 2."},
		{get("P003-8-12-00.sbn", 500), 1, []ConversionStep{last}, "Step 2 of 2: 50 % of P003-8-12-00.sbn is sent."},
		{write("P003-8-12-00.sbn"), 1, []ConversionStep{last}, "Step 2 of 2: it writes P003-8-12-00.sbn."},
		{get("P0S3-8-12-00.sb2", 10), 1, []ConversionStep{last}, "Step 2 of 2: 1 % of P0S3-8-12-00.sb2 is sent."},
		{write("P0S3-8-12-00.sb2"), 1, []ConversionStep{last}, "Step 2 of 2: it writes P0S3-8-12-00.sb2."},
		{free, 2, []ConversionStep{confirm}, "All is written. A start shows what it runs now."},
	} {
		c := at.c
		c.Phase, c.Done, c.Steps = "going", at.done, at.steps
		v := newConversionView(c)
		if v.BarOf != 200 || v.Bar < before || v.Bar > 200 {
			t.Errorf("%d: the bar stands at %d of %d, before at %d", i, v.Bar, v.BarOf, before)
		}
		before = v.Bar
		if v.Progress != at.says {
			t.Errorf("%d: it says %q, want %q", i, v.Progress, at.says)
		}
	}
	if got := inAll([]float64{60, 60, 60, 60, 600}, 2); got != 600 {
		t.Errorf("five phones, of which one takes ten minutes, take %v s", got)
	}
	if got := inAll([]float64{100, 100, 100, 100}, 2); got != 200 {
		t.Errorf("four phones on two places take %v s, want two after the other", got)
	}
}

// Ports are ordered as a person reads them.
func TestPortsAreOrderedAsPeopleReadThem(t *testing.T) {
	for _, pair := range [][2]string{{"Gi1/0/9", "Gi1/0/10"}, {"Gi1/0/10", "Gi2/0/1"}, {"Fa0/1", "Gi0/1"}, {"7", "07a"}, {"", "a"}, {"Gi1/0/2", "Gi1/0/2.5"}} {
		if naturally(pair[0], pair[1]) >= 0 || naturally(pair[1], pair[0]) <= 0 {
			t.Errorf("%q comes before %q", pair[1], pair[0])
		}
	}
	if naturally("Gi1/0/1", "Gi1/0/1") != 0 {
		t.Error("a port differs from itself")
	}
}
