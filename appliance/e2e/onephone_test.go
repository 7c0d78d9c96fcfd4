package e2e_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"phonebox/appliance/phonesim"
	"phonebox/services/phone"
	"phonebox/services/testkit"
)

type recording struct {
	Possible, Running           bool
	Why                         string
	Frames, Bytes, Dropped, Cut int
}

// TestRecordOnePhone converts a phone while its frames are recorded and another one boots beside it, and reads the file back.
func TestRecordOnePhone(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:63:00:00")
	b := startBox(t, lan, site{firmware: `target = "` + target + `"`, phones: listed(base, 2)}.text(), shelf())
	w := newWire(t, lan.Node("wire"))
	path := "/api/v1/phones/" + base.Name() + "/recording"

	// The phone is listed and was never seen: it can be recorded before it is plugged in.
	code, answer, _ := b.call(b.laptop, http.MethodPost, path, []byte(`{"minutes":10}`))
	if code != http.StatusAccepted {
		t.Fatalf("starting: %d %s", code, answer)
	}
	p, _ := plug(t, phonesim.Config{Link: w, MAC: base, State: phonesim.StateSIP7, Want: target})
	other, _ := plug(t, phonesim.Config{Link: w, MAC: phonesim.AddMAC(base, 1), State: phonesim.StateSIP7, Want: target})
	waitDone(t, p, 2*time.Minute)
	waitDone(t, other, 2*time.Minute)
	agree(t, b, p, 10*time.Second)

	var state recording
	b.get(path, &state)
	if !state.Running || state.Frames == 0 || state.Cut < 1000 || state.Dropped > 0 {
		t.Errorf("the recording is %+v, wanted it running, with an image of 1,478 blocks cut and nothing lost", state)
	}
	if code, answer, _ = b.call(b.laptop, http.MethodDelete, path, nil); code != http.StatusNoContent {
		t.Errorf("stopping: %d %s", code, answer)
	}
	code, file, header := b.call(b.laptop, http.MethodGet, path+".pcap", nil)
	if code != http.StatusOK || !strings.Contains(header.Get("Content-Disposition"), base.Name()+".pcap") {
		t.Fatalf("the file: %d %v", code, header)
	}
	seen := readRecording(t, file, base)
	t.Logf("FIGURE recording a conversion: %d frames, %d bytes of file, %d frames cut", seen.frames, len(file), seen.cut)
	for _, want := range []string{"discover", "offer", "ack", "CTLSEP" + base.Name() + ".tlv", "SIP" + base.Name() + ".cnf", target + ".sb2", "password", "arp"} {
		if !seen.saw[want] {
			t.Errorf("the recording lacks %s; it has %v", want, seen.saw)
		}
	}
	if seen.cut != state.Cut {
		t.Errorf("%d frames are cut in the file, the box told %d", seen.cut, state.Cut)
	}
	var noted []event
	b.get("/api/v1/phones/000000000000/events", &noted)
	told := ""
	for _, e := range noted {
		told += e.Text + "\n"
	}
	if !strings.Contains(told, "recording of its frames was started") || !strings.Contains(told, "recording of its frames was downloaded") {
		t.Errorf("the box's own timeline does not tell of the recording:\n%s", told)
	}
}

// recorded is what a capture file was found to hold.
type recorded struct {
	frames, cut int
	saw         map[string]bool
}

// readRecording reads a capture file and fails the test for a frame that is not of the phone.
func readRecording(t *testing.T, file []byte, mac phone.MAC) recorded {
	t.Helper()
	r, err := pcapgo.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	out := recorded{saw: map[string]bool{}}
	last := time.Time{}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out.frames++
		if info.CaptureLength < info.Length {
			out.cut++
			if info.CaptureLength > 60 {
				t.Errorf("of an image %d bytes of a frame are kept", info.CaptureLength)
			}
		}
		if info.Timestamp.Before(last) {
			t.Errorf("frame %d is older than the one before", out.frames)
		}
		last = info.Timestamp
		pkt := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy)
		eth, _ := pkt.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
		dhcp, _ := pkt.Layer(layers.LayerTypeDHCPv4).(*layers.DHCPv4)
		if eth == nil || !bytes.Equal(eth.SrcMAC, mac[:]) && !bytes.Equal(eth.DstMAC, mac[:]) && (dhcp == nil || !bytes.Equal(dhcp.ClientHWAddr, mac[:])) {
			t.Errorf("a frame of another: %v", pkt)
		}
		out.note(pkt, dhcp)
	}
}

// note remembers what kinds of packets were seen.
func (r *recorded) note(pkt gopacket.Packet, dhcp *layers.DHCPv4) {
	if pkt.Layer(layers.LayerTypeARP) != nil {
		r.saw["arp"] = true
	}
	if dhcp != nil {
		for _, o := range dhcp.Options {
			if o.Type == layers.DHCPOptMessageType && len(o.Data) == 1 {
				r.saw[strings.ToLower(layers.DHCPMsgType(o.Data[0]).String())] = true
			}
		}
	}
	u, _ := pkt.Layer(layers.LayerTypeUDP).(*layers.UDP)
	if u == nil {
		return
	}
	if u.DstPort == 69 && len(u.Payload) > 2 {
		name, _, _ := strings.Cut(string(u.Payload[2:]), "\x00")
		r.saw[strings.TrimPrefix(name, "./")] = true
	}
	if bytes.Contains(u.Payload, []byte("secret-200")) {
		r.saw["password"] = true
	}
}

// TestWhatAPhoneGotLast: the box knows after a restart what a phone got, tells what has changed since, and keeps no password.
func TestWhatAPhoneGotLast(t *testing.T) {
	waiting.enter(t)
	lan := office(t, testkit.Host{Name: "wire"})
	base := mustMAC("00:06:d7:64:00:00")
	s := site{phones: listed(base, 1)}
	b := startBox(t, lan, s.text(), nil)
	p, unplug := plug(t, phonesim.Config{Link: newWire(t, lan.Node("wire")), MAC: base, State: phonesim.StateSIP})
	waitDone(t, p, time.Minute)
	agree(t, b, p, 10*time.Second)
	file := "/phones/" + base.Name() + "/files/SIP" + base.Name() + ".cnf"
	page := func(path string) string {
		t.Helper()
		code, body, _ := b.call(b.laptop, http.MethodGet, path, nil)
		if code != http.StatusOK {
			t.Fatalf("GET %s: %d %s", path, code, body)
		}
		return string(body)
	}
	if got := page(file); !strings.Contains(got, "It got exactly these bytes") || strings.Contains(got, "secret-200") {
		t.Errorf("right after its boot the page of the file says:\n%s", got)
	}
	unplug()
	if code, _ := b.terminate(); code != 143 {
		t.Errorf("exit code %d", code)
	}
	kept, err := os.ReadFile(filepath.Join(b.data, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, []byte("secret-200")) {
		t.Error("journal.db holds a password")
	}
	if !bytes.Contains(kept, []byte("line1_password: "+phone.HiddenSecret)) {
		t.Error("journal.db does not hold what the phone got")
	}
	s.phones[0].label, s.phones[0].more = "Front desk", ""
	b.writeSite(strings.Replace(s.text(), "secret-200", "secret-other", 1))
	b.start()
	b.waitReady()
	got := page(file)
	for _, want := range []string{"It got another version", "(another password)", "Desk 1", "Front desk"} {
		if !strings.Contains(got, want) {
			t.Errorf("after a restart and a change the page of the file lacks %q", want)
		}
	}
	if strings.Contains(got, "secret-") {
		t.Error("the page of the file shows a password")
	}
}
