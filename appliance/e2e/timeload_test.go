package e2e_test

import (
	"testing"
	"time"

	"phonebox/appliance/e2e/capacity/load"
	"phonebox/services/testkit"
)

// TestManyAskTheTime is the short form of the measurement sntp: five hundred addresses ask as fast as they are answered, and
// every one gets the time, with the limit on. Then one of them asks in a loop: it gets its share and is told to stop, and the
// box says why.
func TestManyAskTheTime(t *testing.T) {
	t.Parallel()
	lan := office(t, testkit.Host{Name: "wire"})
	b := startBox(t, lan, site{}.text(), nil)
	b.setClock()
	w := openLoad(t, lan.Node("wire"))
	cfg := load.QuestionsConfig{
		Server: addr(boxAddr), ServerMAC: boxMAC, Clients: 500, First: addr("10.77.251.1"), Base: load.MAC{0, 6, 0xd7, 0x60, 0, 0},
		Total: 50_000, Outstanding: 64,
	}
	got, err := load.Ask(t.Context(), w, cfg)
	if err != nil || got.Answered != got.Sent || got.Sent != cfg.Total || got.Wrong > 0 {
		t.Errorf("%+v, %v: wanted an answer to each of %d questions", got, err, cfg.Total)
	}
	t.Logf("FIGURE %.0f answers/s", float64(got.Answered)/got.Took.Seconds())
	b.memoryBelow(80)

	loop := cfg
	loop.Clients, loop.Rate, loop.For, loop.First, loop.Base = 1, 4000, time.Second, addr("10.77.250.1"), load.MAC{0, 6, 0xd7, 0x61, 0, 0}
	got, err = load.Ask(t.Context(), w, loop)
	// Its bucket holds 256 and gets 128 a second; the machine may be slow.
	if most := 256 + int(129*(got.Took.Seconds()+1)); err != nil || got.Answered < 256 || got.Answered > most || got.Kissed < 1 || got.Kissed > 1+int(got.Took.Seconds()+1) {
		t.Errorf("a client in a loop: %+v, %v, wanted 256 to %d answers and a kiss a second", got, err, most)
	}
	if n := b.metric("phonebox_sntp_dropped_total", `reason="rate"`); n < 100 {
		t.Errorf("%v requests are counted as too many", n)
	}
	testkit.Eventually(t, patience, "the box says that somebody asks too often", func() bool {
		var st struct {
			NotAnswered []struct {
				Service, Reason string
				Count           int
			} `json:"not_answered"`
		}
		b.get("/api/v1/status", &st)
		for _, n := range st.NotAnswered {
			if n.Service == "sntp" && n.Count > 100 && n.Reason == "this address asks too often" {
				return true
			}
		}
		return false
	})
	if r := askByUnicast(t, lan.Node("laptop"), boxAddr); r.stratum != 10 {
		t.Errorf("another client gets %+v", r)
	}
}
