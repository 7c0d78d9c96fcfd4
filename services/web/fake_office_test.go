package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// The states of the phones of the office.
const (
	officeReady    = "ready"    // on the load that is wanted
	officeTurn     = "turn"     // works, and waits for its turn to be converted
	officeGoing    = "going"    // is being converted
	officeFailed   = "failed"   // works, and its conversion failed
	officeStarting = "starting" // is on the load that is wanted, and starts
	officeStuck    = "stuck"    // lacks firmware
	officeNever    = "never"    // is on the list alone
)

// officePhones are the phones of the office: what the page of a site looks like while it is converted.
var officePhones = []struct{ label, mac, model, state string }{
	{"Reception", reception, "7960", officeReady},
	{"Accounts", "00:06:D7:AA:30:11", "7940", officeReady},
	{"Accounts, window", "00:06:D7:AA:30:12", "7940", officeReady},
	{"Canteen", "00:06:D7:AA:30:2F", "7940", officeReady},
	{"Customs desk", "00:06:D7:AA:31:07", "7960", officeReady},
	{"Dispatch 1", "00:07:0E:10:04:A1", "7940", officeReady},
	{"Dispatch 2", "00:07:0E:10:04:A2", "7940", officeGoing},
	{"Drivers' room", "00:07:0E:10:04:B8", "7940", officeTurn},
	{"Gate house", "00:07:0E:10:05:3C", "7940", officeStarting},
	{"Harbour master", "00:07:0E:10:05:40", "7960", officeReady},
	{"IT cupboard", "00:07:0E:10:05:41", "7960", officeReady},
	{"Loading dock", "00:07:0E:10:06:9D", "7940", officeFailed},
	{"Meeting room, second floor", "00:0A:41:AA:BB:CC", "7960", officeGoing},
	{"Night porter", "00:0A:41:AA:BC:01", "7940", officeReady},
	{"Pilots", "00:0A:41:AA:BC:02", "7960", officeReady},
	{"Sick bay", "00:0A:41:AA:BC:0E", "7940", officeReady},
	{"Spare", "00:0A:41:AA:BB:CD", "7940", officeNever},
	{"Stores", "00:0A:41:AA:BC:10", "7940", officeTurn},
	{"Warehouse", "00:07:0E:11:22:33", "7940", officeStuck},
	{"Workshop", "00:0A:41:AA:BC:12", "7960", officeGoing},
}

const (
	officeLoad = "P0S3-8-12-00" // that is wanted
	officeOld  = "P0S3-07-4-00" // that they came with
)

// furnishOffice makes the house of docs/tour.md: an office whose power was away half an hour ago and that is being converted, with
// one phone stuck, one failed, and a stranger.
func furnishOffice(t *testing.T, r *rig) {
	t.Helper()
	at := r.clock.Now()
	for i, o := range officePhones {
		r.moveIn(mac(t, o.mac), web.PhoneEntry{MAC: o.mac, Label: o.label, Model: o.model, Lines: []web.LineEntry{{
			Name: fmt.Sprint(201 + i), AuthName: fmt.Sprint(201 + i), Password: "sip-secret-line", DisplayName: o.label,
		}}}, o.state, fmt.Sprintf("10.77.1.%d", 11+i), at.Add(-time.Duration(20+37*i%600)*time.Second))
	}
	r.box.happen(web.PhoneEvent{
		Time: at.Add(-8 * time.Second), MAC: mac(t, "00:08:21:0A:0B:0C"), Service: "tftp", Step: phone.Loading,
		Text: "asked for SEP0008210A0B0C.cnf.xml, which it gets once it is on the list",
	}, func(p *web.Phone) {
		p.Address, p.Model, p.WaitingFor = "10.77.1.44", "7960", "being put on the list"
	})
	r.box.mu.Lock()
	r.box.status.Services["sip"] = web.Service{State: "running"}
	r.box.mu.Unlock()
	r.fleet.wait("230/Showroom/secret-230", "231/Showroom, back/secret-231")
	r.box.site.set(map[string]string{"firmware.target": officeLoad})
	r.startsInTheOffice(t)
	r.activityOfTheOffice(t)
	r.deskOfTheOffice(t)
}

// deskOfTheOffice is what the office set: names, people, rings, the dial plan; and who changed what.
func (r *rig) deskOfTheOffice(t *testing.T) {
	t.Helper()
	at, rec := r.clock.Now(), mac(t, reception)
	r.box.mu.Lock()
	r.box.status.Clock = web.Clock{
		Trusted: true, Source: "pool.ntp.org", Stratum: 3, OffsetS: 0.0012, ErrorS: 0.021,
		Servers: []web.TimeServer{
			{Name: "0.pool.ntp.org", Address: "192.0.2.1", Verdict: "followed", Stratum: 2, OffsetS: 0.0012, DelayS: 0.014, ErrorS: 0.021, Reach: 255},
			{Name: "1.pool.ntp.org", Address: "192.0.2.9", Verdict: "agrees", Stratum: 2, OffsetS: -0.0008, DelayS: 0.019, ErrorS: 0.027, Reach: 255},
		},
	}
	r.box.names = web.Names{
		On: true, Domain: "voice.home.arpa", Local: "phonebox.local", Hosts: []string{"door", "pbx"},
		Missing: []web.MissingName{{
			Name: "tftp.old-office.example", Why: "the name servers say that it does not exist", Count: 42, First: at.Add(-time.Hour), Last: at, Mappable: true,
			Askers: []web.Asker{{MAC: rec, Label: "Reception", Address: "10.77.1.11", Count: 42, Last: at}},
		}},
		Mapped: []web.MappedName{{Name: "cucm-sub.old-office.example", Target: "pbx", Address: "10.77.0.10"}},
	}
	r.box.mu.Unlock()
	furnishEditors(r)
	r.shop.contacts = r.shop.contacts[:5]
	r.shop.rings = r.shop.rings[:2]
	r.system.changes = []web.AuditEntry{
		{ID: 4, Time: at.Add(-6 * time.Minute), From: "10.77.0.20", How: "page", What: "The phone was changed.", MAC: rec, Label: "Reception", Keys: []web.KeyChange{{Key: "label", What: "Name", Old: "Front desk", New: "Reception", Kind: "changed"}}},
		{ID: 3, Time: at.Add(-20 * time.Minute), From: "10.77.0.20", How: "page", What: "The settings were changed.", Keys: []web.KeyChange{{Key: "firmware.target", What: "Firmware of all phones", New: officeLoad, Kind: "added"}}},
		{ID: 2, Time: at.Add(-50 * time.Hour), How: "stick", What: "The page's password was taken away by a USB stick with phonebox/reset-password."},
		{ID: 1, Time: at.Add(-400 * time.Hour), How: "file", What: "The settings were changed.", Keys: []web.KeyChange{{Key: "name", What: "Name of the office", Old: "phonebox", New: "Harbour Street office", Kind: "changed"}}},
	}
}

// moveIn puts a phone on the list, with what the box has seen of it and where its conversion is.
func (r *rig) moveIn(m phone.MAC, entry web.PhoneEntry, state, address string, seen time.Time) {
	r.box.site.mu.Lock()
	r.box.site.phones[m] = entry
	r.box.site.mu.Unlock()
	p := web.Phone{Step: phone.Ready, Load: officeLoad, Protocol: phone.SIP}
	c := web.Conversion{
		MAC: m, Label: entry.Label, Runs: officeLoad, Target: officeLoad, Phase: "arrived", Text: "It runs " + officeLoad + ", as it should.", Unplug: true,
		Sure: "its User-Agent says so", Start: officeOld, Set: seen.Add(-20 * time.Minute), Changed: seen, Done: 1,
		Taken: []web.ConversionTaken{{From: officeOld, To: officeLoad, At: seen}},
	}
	steps := []web.ConversionStep{{
		From: officeOld, To: officeLoad, Files: []string{officeLoad + ".loads", officeLoad + ".sb2"}, Minutes: 1.7,
		Source: "written down by Cisco", Display: "The screen says Upgrading Software.",
	}}
	if state != officeReady && state != officeStarting {
		c.Steps, c.Taken, c.Done, c.Runs, p.Load = steps, nil, 0, officeOld, officeOld
	}
	switch state {
	case officeTurn:
		c.Phase, c.LeftS, c.Text = "waiting", 102, "It waits for its turn: three phones are converted at once, and all places are taken."
	case officeGoing:
		p.Step, p.WaitingFor = phone.Upgrading, "the rest of its firmware; do not unplug it"
		sent := int64(seen.Unix()*7919%60+25) * 7565
		c.Phase, c.Unplug, c.File, c.Sent, c.Size, c.Sending, c.LeftS = "going", false, officeLoad+".sb2", sent, 756_524, true, 95
		c.Text = "It takes the step to " + officeLoad + ": " + officeLoad + ".sb2 is being sent to it. Don't cut its power."
		r.activity.set(func(f *fakeActivity) {
			f.transfers = append(f.transfers, web.Transfer{MAC: m, Address: address, File: c.File, Size: c.Size, Bytes: sent, Took: time.Duration(sent/21_000) * time.Second})
		})
	case officeFailed:
		c.Phase, c.Attempts = "failed", 3
		c.Text = "Three tries of the step to " + officeLoad + " failed, so it is left alone. The transfer of " + officeLoad + ".sb2 broke off three times: look at its cable, and at the duplex setting of the switch port. Put that right, then press Go on."
	case officeStarting:
		p.Step, p.WaitingFor = phone.Loading, "its configuration"
	case officeStuck:
		p.Step, p.Protocol, p.Load = phone.Stuck, phone.SCCP, "P00303020214"
		p.Problem = "It asks for firmware that is not on the shelf: P003-8-12-00.bin."
		c.Phase, c.Start, c.Runs, c.Missing = "blocked", p.Load, p.Load, []string{"P003-8-12-00.bin is not on the firmware shelf"}
		c.Steps[0].From, c.Steps[0].Missing = p.Load, []string{"P003-8-12-00.bin"}
		c.Text = "Its next step, from P00303020214 to " + officeLoad + ", needs a file that is not on the firmware shelf: P003-8-12-00.bin. Upload it."
	case officeNever:
		c.Phase, c.Runs, c.Sure, c.Start, c.Steps, c.Set = "waiting", "", "", "", nil, time.Time{}
		c.Text = "It is not known yet what it runs. Its next start shows it: plug it in."
	}
	r.shop.mu.Lock()
	n := len(r.shop.converts)
	if n == 0 {
		r.shop.handovers = map[phone.MAC]web.Handover{}
	}
	r.shop.converts = append(r.shop.converts, c)
	h := web.Handover{Lines: []string{entry.Lines[0].Name}, Time: p.Step == phone.Ready}
	if state != officeNever {
		h.Port = web.PhonePort{Switch: []string{"cellar-sw1", "dock-sw1"}[n/12], Port: fmt.Sprintf("Gi1/0/%d", 1+n%12), At: seen}
	}
	r.shop.handovers[m] = h
	r.shop.mu.Unlock()
	if state == officeNever {
		return
	}
	r.box.happen(web.PhoneEvent{Time: seen, MAC: m, Service: "sip", Kind: "note", Text: "answered: its SIP application runs", Step: p.Step}, func(q *web.Phone) {
		q.Label, q.Model, q.Address, q.Known = entry.Label, entry.Model, address, true
		q.Load, q.Protocol, q.WaitingFor, q.Problem = p.Load, p.Protocol, p.WaitingFor, p.Problem
	})
}

// startsInTheOffice lets Reception have started to the end, and Warehouse to where it is stuck.
func (r *rig) startsInTheOffice(t *testing.T) {
	t.Helper()
	rec, stuck := mac(t, reception), mac(t, "00:07:0E:11:22:33")
	whole := &happening{mac: rec, at: r.clock.Now().Add(-26 * time.Minute)}
	bootInTheOffice(whole)
	half := &happening{mac: stuck, at: r.clock.Now().Add(-25 * time.Minute), id: 500}
	half.address()
	half.at = half.at.Add(3 * time.Second)
	half.file("OS79XX.TXT", 12, 10*time.Millisecond, phone.Loading)
	half.at = half.at.Add(2 * time.Second)
	half.missing("P003-8-12-00.bin", "it is not on the shelf", false, phone.Stuck)
	whole.addressed("10.77.1.11")
	half.addressed("10.77.1.29")
	r.box.mu.Lock()
	r.desk.at = whole.at
	r.box.times = map[phone.MAC]web.PhoneTime{rec: {Asked: &web.TimeAsked{Time: whole.at.Add(-time.Second), Mode: 3, Version: 3, Address: "10.77.1.11", To: "10.77.0.1", Destination: "the box", Stratum: 3}}}
	r.box.events[rec], r.box.events[stuck] = whole.out, half.out
	r.box.dhcp = map[phone.MAC]web.PhoneDHCP{rec: leaseInTheOffice(whole.out[3].Time), stuck: leaseInTheOffice(half.out[3].Time)}
	cnf := "proxy1_address: \"pbx.voice.home.arpa\"\nline1_name: \"201\"\nline1_password: \"sip-secret-line\"\nphone_label: \"Reception\"\n"
	for name, body := range map[string]string{
		"SIP" + rec.Name() + ".cnf": cnf, "SIPDefault.cnf": "image_version: " + officeLoad + "\n", "RINGLIST.DAT": "Old Style\tOldStyle.raw\r\n",
	} {
		r.box.files[rec.Name()+"/"+name] = web.FileAnswer{Status: "ok", Body: []byte(body), ContentType: "text/plain"}
		r.desk.got[rec.Name()+"/"+name] = body
	}
	r.box.mu.Unlock()
	r.shop.explain = func(m phone.MAC) (web.Explanation, bool) {
		n := m.Name()
		fine := []web.ExplainFile{
			{Name: "CTLSEP" + n + ".tlv", Status: "harmless", Why: "It holds certificates, which phones do without."},
			{Name: "SEP" + n + ".cnf.xml", Status: "harmless", Why: "The phone goes on to SIP<MAC>.cnf, which names its load."},
		}
		switch m {
		case rec:
			for _, name := range []string{"SIP" + n + ".cnf", "SIPDefault.cnf", "RINGLIST.DAT"} {
				fine = append(fine, web.ExplainFile{Name: name, Status: "ok"})
			}
			return web.Explanation{Step: "ready", Files: fine, Clues: []string{"its User-Agent says CSCO/8"}}, true
		case stuck:
			return web.Explanation{
				Step: "stuck", Waits: "P003-8-12-00.bin", Next: "it writes that, starts again and asks for P0S3-8-12-00.sb2",
				Files: []web.ExplainFile{{Name: "OS79XX.TXT", Status: "ok"}, {Name: "P003-8-12-00.bin", Status: "missing", Why: "it is not on the shelf"}},
				Troubles: []web.Trouble{{
					Symptom: "It asks for an image again and again.", Cause: "The file is not on the firmware shelf.",
					Cure: "Upload the archive of P0S3-8-12-00 from Cisco: all of its files are in it.",
				}},
				Clues: []string{"it asked for OS79XX.TXT, which SCCP images before 5.0 do"},
			}, true
		}
		return web.Explanation{Step: "loading", Files: fine, Waits: "its configuration", Long: "up to half a minute", Next: "it registers its lines"}, true
	}
}

// addressed puts another address into what happened.
func (h *happening) addressed(address string) {
	for i := range h.out {
		h.out[i].Text = strings.ReplaceAll(h.out[i].Text, "10.77.0.50", address)
	}
}

// bootInTheOffice is a whole start, in the times that phones take.
func bootInTheOffice(h *happening) {
	wait := func(d time.Duration) { h.at = h.at.Add(d) }
	m := h.mac.Name()
	h.address()
	wait(4 * time.Second)
	h.missing("CTLSEP"+m+".tlv", "phonebox has no trust lists; the phone goes on to its next file at once", true, phone.Loading)
	h.missing("SEP"+m+".cnf.xml", "no load is named", true, phone.Loading)
	wait(9 * time.Second)
	h.file("SIPDefault.cnf", 1724, 40*time.Millisecond, phone.Loading)
	wait(time.Second)
	h.file("SIP"+m+".cnf", 1204, 30*time.Millisecond, phone.Configured)
	wait(2 * time.Second)
	h.add(0, "dns", "name", "asked for the name pbx.voice.home.arpa (A)", phone.Configured, web.EventFacts{})
	wait(time.Second)
	h.add(0, "sntp", "time", "asked the time and got it", phone.Configured, web.EventFacts{}, "stratum", "3")
	wait(time.Second)
	h.file("RINGLIST.DAT", 65, 20*time.Millisecond, phone.Ready)
}

// leaseInTheOffice is how a phone got its address.
func leaseInTheOffice(at time.Time) web.PhoneDHCP {
	asked := []web.DHCPOption{
		{Code: 53, Name: "message type", Value: "REQUEST"},
		{Code: 55, Name: "options asked for", Value: "1 (subnet mask), 66 (TFTP server), 6 (DNS server), 3 (router), 15 (domain name), 150 (TFTP server addresses)"},
		{Code: 60, Name: "vendor class", Value: "Cisco Systems, Inc. IP Phone CP-7960G"},
	}
	sent := []web.DHCPOption{
		{Code: 53, Name: "message type", Value: "ACK"},
		{Code: 1, Name: "subnet mask", Value: "255.255.0.0"},
		{Code: 3, Name: "router", Value: "10.77.0.254"},
		{Code: 51, Name: "lease time", Value: "8 hours"},
		{Code: 66, Name: "TFTP server", Value: "10.77.0.1"},
		{Code: 150, Name: "TFTP server addresses", Value: "10.77.0.1"},
	}
	return web.PhoneDHCP{
		Took: "It took the TFTP server that it was told: after 2 s it asked this box for its first file.",
		Exchanges: []web.Exchange{{
			Time: at, Type: "REQUEST", SentType: "ACK", Address: "10.77.1.11", Circuit: "Gi1/0/5",
			Asked: asked, AskedHex: "01010600", Sent: sent, SentHex: "02010600",
		}},
	}
}

// activityOfTheOffice is the last minute and the last hour: the power goes at 11:32, and the conversion begins at 11:42.
func (r *rig) activityOfTheOffice(t *testing.T) {
	t.Helper()
	at := r.clock.Now()
	r.activity.set(func(f *fakeActivity) {
		f.running = len(f.transfers)
		f.recent = web.Recent{Leases: 2, Files: 14, Times: 2, Names: 3, Last: []web.PhoneEvent{
			{Time: at.Add(-4 * time.Second), MAC: mac(t, "00:07:0E:10:05:3C"), Service: "tftp", Kind: "transfer", Text: "got SIPDefault.cnf"},
			{Time: at.Add(-9 * time.Second), MAC: mac(t, "00:07:0E:10:05:3C"), Service: "dhcp", Kind: "lease", Text: "got the address 10.77.1.19 for 8h"},
			{Time: at.Add(-31 * time.Second), MAC: mac(t, reception), Service: "dns", Kind: "name", Text: "asked for the name pbx.voice.home.arpa (A)"},
			{Time: at.Add(-48 * time.Second), MAC: mac(t, "00:0A:41:AA:BC:02"), Service: "sntp", Kind: "time", Text: "asked the time and got it"},
		}}
		const listed, minutes = 20, 60
		for i := range minutes {
			m := web.Tally{Listed: listed, Never: 1, Unlisted: 1, Stuck: 1}
			switch ago := minutes - 1 - i; {
			case ago > 28:
				m.Ready = 18
			case ago > 26:
				m.OnTheWay = 18
			case ago > 23:
				m.Ready = 18 * (28 - ago) / 5
				m.OnTheWay = 18 - m.Ready
			case ago > 18:
				m.Ready = 18
			case ago > 0: // three at a time: each is away for two minutes, then starts
				m.Firmware, m.OnTheWay = 3, ago%3/2+(ago+1)%4/3
				m.Ready = 18 - m.Firmware - m.OnTheWay
			default:
				m.Ready, m.Firmware, m.OnTheWay = 14, 3, 1
			}
			f.hour = append(f.hour, web.Minute{At: at.Add(-time.Duration(minutes-1-i) * time.Minute), Tally: m})
		}
	})
}
