package phonesim_test

import (
	"encoding/json"
	"testing"
	"time"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
)

func TestAStormOfConfiguredPhones(t *testing.T) {
	t.Parallel()
	const n = 40
	o := newOffice(t)
	base := mac(0)
	for i := range n {
		o.configure(phonesim.AddMAC(base, i))
	}
	r, err := phonesim.Storm(t.Context(), phonesim.StormConfig{
		Link: o.link(), Ports: o.Ports, Phones: n, Window: 200 * time.Millisecond, Base: base, Speed: 1000, Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || r.Ready != n || r.Failed != 0 || r.All == 0 || r.Half > r.Most || r.Most > r.All {
		t.Errorf("found %d ready, failures %+v, duplicates %v, times %s %s %s", r.Ready, r.Failures, r.Duplicates, r.Half, r.Most, r.All)
	}
	broadcast := 0
	for _, p := range r.Results {
		if p.Broadcast {
			broadcast++
		}
	}
	if broadcast != n/2 {
		t.Errorf("%d of %d phones set the broadcast flag, wanted half", broadcast, n)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back phonesim.Report
	if err := json.Unmarshal(b, &back); err != nil || back.Ready != n || back.Results[n-1].MAC != phonesim.AddMAC(base, n-1) {
		t.Errorf("the report does not survive JSON: %v", err)
	}
}

func TestAStormTellsOfDuplicateAddressesAndFailures(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first, second := mac(0), mac(1)
	o.configure(first)
	o.configure(second)
	o.set(func() { o.same = true }) // both phones are told the same address, whatever they decline
	r, err := phonesim.Storm(t.Context(), phonesim.StormConfig{
		Link: o.link(), Ports: o.Ports, Phones: 2, Base: first, Speed: 100, Timeout: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() || len(r.Duplicates) == 0 || r.Failed != 1 || r.Failures[0].WaitingFor == "" {
		t.Errorf("found failed %d, failures %+v, duplicates %v, wanted one phone without an address of its own", r.Failed, r.Failures, r.Duplicates)
	}
}

func TestAddMACCarries(t *testing.T) {
	t.Parallel()
	if got, want := phonesim.AddMAC(phone.MAC{0, 1, 2, 3, 0xFF, 0xFE}, 0x103), (phone.MAC{0, 1, 2, 4, 1, 1}); got != want {
		t.Errorf("found %s, wanted %s", got, want)
	}
}
