package dialplan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"phonebox/services/phone/dialplan"
)

func TestARuleInWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule dialplan.Rule
		want string
	}{
		{dialplan.Rule{Match: "9,...", Timeout: "0", Rewrite: "%1"}, "9, a second dial tone, then any three digits: sent at once as %1, for example 9123 as 123."},
		{dialplan.Rule{Match: "112", Timeout: "0", Route: "emergency"}, "112: sent at once as dialled, to the emergency proxy."},
		{dialplan.Rule{Match: "*", Timeout: "5"}, "Anything: sent 5 s after the last digit as dialled."},
		{dialplan.Rule{Match: "00*", User: "Phone"}, "00, then any further digits: sent 10 s after the last digit (the phone's own time) as dialled, marked as a telephone number."},
		{dialplan.Rule{Match: `\*98#`, Timeout: "1", User: "ip", Line: 2}, "*98#: sent 1 s after the last digit as dialled, marked as an Internet address, on line 2 alone."},
		{dialplan.Rule{Match: "0...........", Rewrite: "%s@pbx", Route: "FQDN"}, "0, then any 11 digits: sent 10 s after the last digit (the phone's own time) as %s@pbx, for example 012345678901 as 012345678901@pbx, to the host that it names."},
		{dialplan.Rule{Match: ".", Timeout: "x"}, "Any one digit: sent 10 s after the last digit as dialled."},
		{dialplan.Rule{}, "Nothing is dialled for it: Dialled is empty."},
	} {
		if got := dialplan.Explain(tt.rule); got != tt.want {
			t.Errorf("%+v is\n%s, want\n%s", tt.rule, got, tt.want)
		}
	}
}

// A phone takes key after key: which rules still fit, when the second dial tone comes, and with which key it sends.
func TestANumberKeyByKey(t *testing.T) {
	t.Parallel()
	plan := dialplan.Plan{Rules: []dialplan.Rule{{Match: "112", Timeout: "0"}, {Match: "9,...", Timeout: "0", Rewrite: "%1"}, {Match: "1..", Timeout: "3"}, {Match: "*", Timeout: "5"}}}
	r := dialplan.Test(plan, "91234")
	want := []dialplan.Step{
		{Dialled: "9", Fits: []int{2, 4}, Best: 2, Wait: 10, Tone: dialplan.DefaultTone},
		{Dialled: "91", Fits: []int{2, 4}, Best: 2, Wait: 10},
		{Dialled: "912", Fits: []int{2, 4}, Best: 2, Wait: 10},
		{Dialled: "9123", Fits: []int{2, 4}, Best: 2, Won: 2, Sends: true},
	}
	got := r.Steps
	var says []string
	for i := range got {
		says = append(says, strings.Join(got[i].Says, " "))
		got[i].Says = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if all := strings.Join(r.Trace, " "); strings.Join(says, " ") != all {
		t.Errorf("the steps say\n%s, want all of\n%s", strings.Join(says, " "), all)
	}
	if !strings.Contains(says[0], "secondary dial tone") || !strings.Contains(says[3], "123 is sent at once") || !strings.Contains(says[3], "4 is dialled in vain") {
		t.Errorf("the steps say %q", says)
	}
	if r := dialplan.Test(plan, "55"); len(r.Steps) != 2 || r.Steps[1].Won != 4 || r.Steps[1].Wait != 5 || r.Steps[1].Sends {
		t.Errorf("55 gives %+v", r.Steps)
	}
	if r := dialplan.Test(plan, "7#"); len(r.Steps) != 2 || !r.Steps[1].Sends || r.Sent != "7" {
		t.Errorf("7# gives %+v", r.Steps)
	}
}

// FuzzExplain says any rule in words and dials with it.
func FuzzExplain(f *testing.F) {
	f.Add("9,...", "0", "%1", "9123")
	f.Add(`\`, "", "%", "#")
	f.Add(`*.,\*`, "-1", "%9.", "**##")
	f.Fuzz(func(t *testing.T, match, timeout, rewrite, number string) {
		r := dialplan.Rule{Match: match, Timeout: timeout, Rewrite: rewrite}
		if dialplan.Explain(r) == "" {
			t.Error("nothing was said")
		}
		res := dialplan.Test(dialplan.Plan{Rules: []dialplan.Rule{r}}, number)
		for i, st := range res.Steps {
			if st.Sends != (i == len(res.Steps)-1 && st.Sends) {
				t.Errorf("step %d of %d sends", i+1, len(res.Steps))
			}
		}
	})
}
