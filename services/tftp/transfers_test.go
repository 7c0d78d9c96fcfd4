package tftp_test

import (
	"testing"

	"phonebox/services/testkit"
	"phonebox/services/tftp"
)

// What runs is told with what was acknowledged of it, and is gone once it is over.
func TestTransfersTellWhatRuns(t *testing.T) {
	image := content(100_000)
	b := serve(t, &folder{files: map[string][]byte{"a.bin": image, "b.bin": image, "small.cnf": content(600)}}, tftp.Config{MaxImages: 1, Resend: patience, GiveUp: 3 * patience})
	if got := b.Transfers(10); len(got) != 0 {
		t.Fatalf("before anybody asked there are %+v", got)
	}
	first, second, third := newPhone(t, b), newPhone(t, b), newPhone(t, b)
	first.ask("a.bin", "octet")
	first.want("block 1", data(1, image[:512]))
	first.ack(1)
	first.want("block 2", data(2, image[512:1024]))
	second.ask("b.bin", "octet") // there is room for one image: it waits
	third.ask("small.cnf", "octet")
	third.want("block 1", data(1, content(600)[:512]))
	var got []tftp.Transfer
	testkit.Eventually(t, patience, "all three are told", func() bool { got = b.Transfers(10); return len(got) == 3 })
	for _, x := range got {
		switch x.Name {
		case "a.bin":
			if x.From != first.addr() || x.Size != 100_000 || x.Bytes != 512 || x.Waiting || x.Began.IsZero() || x.ID == 0 {
				t.Errorf("the one that runs: %+v, want 512 of 100,000 bytes to %s", x, first.addr())
			}
		case "b.bin":
			if !x.Waiting || x.Bytes != 0 || x.From != second.addr() {
				t.Errorf("the one that waits: %+v", x)
			}
		case "small.cnf":
			if x.Waiting || x.Bytes != 0 || x.Size != 600 {
				t.Errorf("the small one: %+v", x)
			}
		default:
			t.Errorf("found %+v", x)
		}
	}
	if few := b.Transfers(1); len(few) != 1 || few[0].Name != "b.bin" {
		t.Errorf("of more than one: %+v, want the one with most to go", few)
	}
	third.ack(1)
	third.want("block 2", data(2, content(600)[512:]))
	third.ack(2)
	testkit.Eventually(t, patience, "the small one is over", func() bool { return len(b.Transfers(10)) == 2 })
}

// Asking what runs costs little, however many run: the page asks twice a second.
func BenchmarkTransfers(b *testing.B) {
	image := content(100_000)
	box := serve(b, &folder{files: map[string][]byte{"a.bin": image}}, tftp.Config{MaxPerClient: 2000, Resend: patience, GiveUp: 3 * patience})
	const n = 500
	for range n {
		p := newPhone(b, box)
		p.ask("a.bin", "octet")
		p.receive()
	}
	if got := len(box.Transfers(n)); got != n {
		b.Fatalf("%d transfers run, want %d", got, n)
	}
	for b.Loop() {
		box.Transfers(12)
	}
}
