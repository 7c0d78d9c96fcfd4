package phone_test

import (
	"encoding/json"
	"strings"
	"testing"

	"phonebox/services/phone"
)

func TestParseMAC(t *testing.T) {
	t.Parallel()
	want := phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}
	for _, s := range []string{
		"00:06:D7:AA:2A:2E", "00:06:d7:aa:2a:2e", "00-06-d7-aa-2a-2e", "0006.d7aa.2a2e", "0006D7AA2A2E", "0006d7aa2a2e", "00 06 D7 AA 2A 2E",
	} {
		if got, err := phone.ParseMAC(s); err != nil || got != want {
			t.Errorf("ParseMAC(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0006D7AA2A", "0006D7AA2A2E2E", "00:06:D7:AA:2A", "0:006:D7AA:2A2E", "00:06-D7:AA:2A:2E", "0006D7AA2A2G", "00:06:D7:AA:2A:2E ", "0006.d7aa:2a2e"} {
		got, err := phone.ParseMAC(s)
		if err == nil {
			t.Errorf("ParseMAC(%q) = %v, want an error", s, got)
		} else if !strings.Contains(err.Error(), "00:06:D7:AA:2A:2E") {
			t.Errorf("ParseMAC(%q): the error does not say what is allowed: %v", s, err)
		}
	}
}

func TestMACNotations(t *testing.T) {
	t.Parallel()
	m := phone.MAC{0x00, 0x06, 0xd7, 0xaa, 0x2a, 0x2e}
	if m.String() != "00:06:D7:AA:2A:2E" || m.Name() != "0006D7AA2A2E" {
		t.Errorf("String() = %s, Name() = %s", m, m.Name())
	}
	if m.IsZero() || !(phone.MAC{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	text, err := json.Marshal(map[phone.MAC]int{m: 1})
	if err != nil || string(text) != `{"00:06:D7:AA:2A:2E":1}` {
		t.Errorf("as JSON: %s, %v", text, err)
	}
	var back phone.MAC
	if err := back.UnmarshalText([]byte("junk")); err == nil || !back.IsZero() {
		t.Errorf("UnmarshalText took junk: %v", back)
	}
}

func FuzzParseMAC(f *testing.F) {
	f.Add("00:06:D7:AA:2A:2E")
	f.Add("0006.d7aa.2a2e")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := phone.ParseMAC(s)
		if err != nil {
			return
		}
		for _, again := range []string{m.String(), m.Name()} {
			if got, err := phone.ParseMAC(again); err != nil || got != m {
				t.Errorf("%q became %s, which became %v, %v", s, again, got, err)
			}
		}
	})
}

func TestClass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		option           string
		model            string
		cisco, withModel bool
	}{
		{"Cisco Systems, Inc. IP Phone\x00", "", true, false},
		{"Cisco Systems, Inc. IP Phone", "", true, false},
		{"Cisco Systems, Inc. IP Phone CP-7940G\x00", "7940", true, true},
		{"Cisco Systems, Inc. IP Phone CP-7960G\x00\x00", "7960", true, true},
		{"Cisco Systems, Inc. IP Phone CP-7940\x00", "7940", true, true},
		{"Cisco Systems, Inc. IP Phone 7912", "7912", true, true},
		{"Cisco Systems, Inc. IP Phone CP-7961G-GE\x00", "7961", true, true},
		{"Cisco Systems Inc. Wireless Phone 7921", "7921", true, true},
		{"CISCO ATA190", "ATA190", true, true},
		{"Cisco Systems, Inc. IP Phone CP-\x00", "", true, false},
		{"udhcp 1.36", "", false, false},
		{"AastraIPPhone57i", "", false, false},
		{"", "", false, false},
	} {
		model, cisco, withModel := phone.Class(tt.option)
		if model != tt.model || cisco != tt.cisco || withModel != tt.withModel {
			t.Errorf("Class(%q) = %q, %v, %v, want %q, %v, %v", tt.option, model, cisco, withModel, tt.model, tt.cisco, tt.withModel)
		}
	}
}
