package phone_test

import (
	"slices"
	"strings"
	"testing"

	"phonebox/services/phone"
)

// find returns what holds for a name; the zero value where the list does not have it.
func find(list []phone.Effective, name string) phone.Effective {
	for _, e := range list {
		if e.Parameter.Name == name {
			return e
		}
	}
	return phone.Effective{}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	list := phone.Merge("7940", []phone.Layer{
		{Name: "phonebox", Shared: true, Values: map[string]string{"time_zone": "CET", "image_version": "P0S3-8-12-00", "logo_url": "http://10.77.0.1/l"}},
		{Name: "the site", Shared: true, Values: map[string]string{
			"Preferred_Codec": "g711alaw", "proxy1_address": "10.0.0.1", "phone_password": "s", "sync": "7", "vendor.x": "1", "zz_secret": "q", "logo_url": "http://10.0.0.1/l",
		}},
		{Name: "the model 7940", Values: map[string]string{"preferred_codec": "g729a", "enable_vad": "1"}},
		{Name: "this phone", Values: map[string]string{"PREFERRED_CODEC": "none", "Vendor.X": "2", "line3_name": "9", "speed_line1": "100"}},
		{Name: "line 1", Values: map[string]string{"line1_name": "208", "line1_displayname": "Cafe\u0301"}},
	})
	for _, tt := range []struct{ name, value, from, written, hidden string }{
		{"preferred_codec", "none", "this phone", "SIP<MAC>.cnf", "the model 7940=g729a the site=g711alaw"},
		{"enable_vad", "1", "the model 7940", "SIP<MAC>.cnf", ""},
		{"proxy1_address", "10.0.0.1", "the site", "SIPDefault.cnf", ""},
		{"proxy2_address", "", "default", "SIPDefault.cnf", ""},
		{"time_zone", "CET", "phonebox", "SIPDefault.cnf", ""},
		{"logo_url", "http://10.0.0.1/l", "the site", "SIPDefault.cnf", "phonebox=http://10.77.0.1/l"},
		{"phone_password", "s", "the site", "SIP<MAC>.cnf", ""},
		{"call_waiting", "1", "default", "SIP<MAC>.cnf", ""},
		{"tos_media", "5", "default", "SIPDefault.cnf", ""},
		{"sync", "1", "phonebox", "SIPDefault.cnf", "the site=7"},
		{"tftp_cfg_dir", "", "phonebox", "SIPDefault.cnf", ""},
		{"image_version", "P0S3-8-12-00", "phonebox", "SIPDefault.cnf", ""},
		{"dscpForAudio", "184", "default", "", ""},
		{"speed_line1", "100", "this phone", "SIP<MAC>.cnf", ""},
		{"line1_name", "208", "line 1", "SIP<MAC>.cnf", ""},
		{"line1_displayname", "Café", "line 1", "SIP<MAC>.cnf", ""},
		{"line2_name", "", "default", "SIP<MAC>.cnf", ""},
		{"line3_name", "9", "this phone", "", ""},
		{"Vendor.X", "2", "this phone", "SIP<MAC>.cnf", "the site=1"},
		{"zz_secret", "q", "the site", "SIP<MAC>.cnf", ""},
	} {
		e := find(list, tt.name)
		var hidden []string
		for _, h := range e.Hidden {
			hidden = append(hidden, h.From+"="+h.Value)
		}
		if e.Parameter.Name != tt.name || e.Value != tt.value || e.From != tt.from || e.Written != tt.written || strings.Join(hidden, " ") != tt.hidden {
			t.Errorf("%s: %q from %s into %q, hidden %q", tt.name, e.Value, e.From, e.Written, hidden)
		}
	}
	for _, name := range []string{"line3_displayname", "line6_password", "proxy3_address"} {
		if e := find(list, name); e.Parameter.Name != "" {
			t.Errorf("a 7940 has %s", name)
		}
	}
	if !find(list, "zz_secret").Parameter.Secret || find(list, "Vendor.X").Parameter.Secret {
		t.Error("what is secret")
	}
}

func TestMergeOrder(t *testing.T) {
	t.Parallel()
	for model, lines := range map[string]int{"7940": 2, "7960": 6, "": 6} {
		list := phone.Merge(model, []phone.Layer{{Name: "the site", Values: map[string]string{"b.b": "1", "a.a": "2"}}})
		var got, want []string
		for _, e := range list {
			got = append(got, e.Parameter.Name)
		}
		for _, p := range phone.Parameters() {
			if !strings.HasPrefix(p.Name, "line") && !strings.HasPrefix(p.Name, "proxy") || p.Line <= lines {
				want = append(want, p.Name)
			}
		}
		if want = append(want, "a.a", "b.b"); !slices.Equal(got, want) {
			t.Errorf("model %q: %q, want %q", model, got, want)
		}
	}
}

// TestMergeAgreesWithTheFiles: what Merge says is written where, the writers write there, with that value.
func TestMergeAgreesWithTheFiles(t *testing.T) {
	t.Parallel()
	site := map[string]string{"NAT_enable": "1", "nat_enable": "0", "vendor.y": "a", "proxy3_port": "5070"}
	own := map[string]string{"line1_name": "208", "line4_name": "9", "phone_label": "Desk", "vendor.x": "b", "tos_media": "3", "sync": "4", "auto_answer": "1"}
	for _, model := range []string{"7940", "7960", ""} {
		written := map[string]map[string]string{}
		file, err := phone.WriteSIPDefault(site, "")
		if err != nil {
			t.Fatal(err)
		}
		written[phone.FileSIPDefault] = phone.ReadCnf(file.Content).Values()
		if file, err = phone.WriteSIPMAC(own, model, ""); err != nil {
			t.Fatal(err)
		}
		written[phone.FileSIPMAC] = phone.ReadCnf(file.Content).Values()
		seen := map[string]bool{}
		for _, e := range phone.Merge(model, []phone.Layer{{Name: "the site", Values: site}, {Name: "this phone", Values: own}}) {
			key := strings.ToLower(e.Parameter.Name)
			seen[key] = true
			for name, values := range written {
				value, there := values[key]
				overridden := name == phone.FileSIPDefault && e.Written == phone.FileSIPMAC
				if there != (name == e.Written) && !overridden || there && !overridden && value != e.Value {
					t.Errorf("model %q, %s: Merge says %q into %q; %s has %v %q", model, key, e.Value, e.Written, name, there, value)
				}
			}
		}
		for name, values := range written {
			for key := range values {
				// The one SIPDefault.cnf names the proxies of the larger model, too.
				if !seen[key] && (name != phone.FileSIPDefault || !strings.HasPrefix(key, "proxy")) {
					t.Errorf("model %q: %s has %s, of which Merge does not know", model, name, key)
				}
			}
		}
	}
}

func TestMergeWithoutLayers(t *testing.T) {
	t.Parallel()
	for _, e := range phone.Merge("", nil) {
		if e.Value != e.Parameter.Default || e.Hidden != nil || (e.From == phone.FromPhonebox) != e.Parameter.Reserved || (e.Written != "") != e.Parameter.Managed {
			t.Errorf("%+v", e)
		}
	}
}

func TestCross(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		about, model, runs string
		values             map[string]string
		want               string // a part of the only warning; "" for none
	}{
		{"nothing set", "", "", nil, ""},
		{"timers", "7960", "", map[string]string{"timer_t1": "4000"}, "timer_t2 is 4000 and timer_t1 is 4000"},
		{"timers in order", "7960", "", map[string]string{"timer_t1": "3999"}, ""},
		{"media ports", "7960", "", map[string]string{"start_media_port": "20000", "end_media_port": "19998"}, "end_media_port must be the greater one"},
		{"six lines answer", "7960", "", map[string]string{"auto_answer": "63"}, ""},
		{"two lines answer", "7940", "", map[string]string{"auto_answer": "3"}, ""},
		{"a third line answers", "7940", "", map[string]string{"auto_answer": "4"}, "a phone of 2 lines takes 0 to 3"},
		{"a long name for an old image", "7960", "P0S30202", map[string]string{"image_version": "P0S3-8-12-00"}, "it must take P0S30203 first"},
		{"a short name for it", "7960", "P0S30202", map[string]string{"image_version": "P0S30203"}, ""},
		{"a long name for the stepping stone", "7960", "P0S30203", map[string]string{"image_version": "P0S3-04-4-00"}, ""},
		{"a long name for a later image", "7960", "P0S3-07-4-00", map[string]string{"image_version": "P0S3-8-12-00"}, ""},
		{"nobody to ask the time", "", "", map[string]string{"sntp_mode": "unicast"}, "sntp_server is empty"},
		{"nobody at 0.0.0.0", "", "", map[string]string{"sntp_mode": "Unicast", "sntp_server": "0.0.0.0"}, "sntp_server is empty"},
		{"somebody", "", "", map[string]string{"sntp_mode": "unicast", "sntp_server": "10.77.0.1"}, ""},
		{"anycast with a server", "", "", map[string]string{"sntp_mode": "anycast", "sntp_server": "10.77.0.1"}, "does not heed sntp_server"},
		{"no CallManager", "", "", map[string]string{"proxy1_address": "USECALLMANAGER"}, "call_manager1_addr must name"},
		{"a CallManager", "", "", map[string]string{"proxy1_address": "USECALLMANAGER", "call_manager1_addr": "10.0.0.9"}, ""},
		{"nowhere to register", "", "", map[string]string{"proxy_register": "1"}, "proxy1_address is empty"},
		{"a third line of two", "7940", "", map[string]string{"line3_name": "9"}, "line3_name is set, and a 7940 has 2 lines only: it is not written"},
		{"a third proxy of two", "7940", "", map[string]string{"proxy3_address": "a"}, "it has no effect"},
		{"the site's for one phone", "", "", map[string]string{"language": "english"}, "phones read it from SIPDefault.cnf only"},
		{"what phonebox decides", "", "", map[string]string{"sync": "hunter"}, "sync is set in this phone and not used"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			name := "this phone"
			if tt.values["image_version"] != "" {
				name = phone.FromPhonebox
			}
			got := phone.Cross(tt.model, tt.runs, phone.Merge(tt.model, []phone.Layer{{Name: "the site"}, {Name: name, Values: tt.values}}))
			if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want) || strings.Contains(got[0], "hunter")) {
				t.Errorf("%q", got)
			}
		})
	}
	shared := phone.Merge("7940", []phone.Layer{{Name: "the site", Values: map[string]string{"language": "", "proxy3_address": "10.0.0.3"}}})
	if got := phone.Cross("7940", "", shared); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
