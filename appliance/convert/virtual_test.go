package convert_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"phonebox/appliance/journal"
	"phonebox/services/phone"
)

// virtual is a phone that goes by phones.md a.2 to a.4 and c: it asks for its files, obeys what they name, and writes the
// images that it gets. It is simple: no packet is lost, and every file that it needs beside the firmware is there.
type virtual struct {
	w   *world
	mac phone.MAC

	mu     sync.Mutex
	app    string // what is in its flash; "" = nothing
	loader bool
	dead   string // why it is stranded

	rejects func(file string) bool // images that it does not start, as if their signature were wrong
	breaks  func(file string) bool // images of which the transfer breaks off
	gives   bool                   // it starts again when a transfer breaks off
	deaf    bool                   // it does not obey check-sync
	ignores bool                   // it does not care for the loads that its files name
	restful bool                   // on SCCP it does not start again by itself

	sip    atomic.Bool   // its SIP application runs
	sync   chan struct{} // check-sync
	power  context.CancelFunc
	halted chan struct{}
}

// plug adds a phone and powers it up.
func (w *world) plug(i int, app string) *virtual {
	l, _ := phone.ParseLoad(app)
	p := &virtual{w: w, mac: number(i), app: app, loader: app == "" || l.Universal(), sync: make(chan struct{}, 1)}
	w.phones[p.mac] = p
	p.on()
	return p
}

func (p *virtual) on() {
	ctx, cancel := context.WithCancel(p.w.ctx)
	p.power, p.halted = cancel, make(chan struct{})
	go func() {
		defer close(p.halted)
		for ctx.Err() == nil && p.dead == "" {
			p.boot(ctx)
			p.sip.Store(false)
		}
	}()
}

// off cuts its power.
func (p *virtual) off() { p.power(); <-p.halted }

func (p *virtual) runs() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.app
}

func (p *virtual) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	words := p.app
	if p.loader {
		words = "the loader with " + words
	}
	if p.dead != "" {
		words += ", stranded: " + p.dead
	}
	return words
}

func (p *virtual) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (p *virtual) see(e journal.Event) {
	e.MAC = p.mac
	p.w.see(e)
}

// boot is one start, up to the next.
func (p *virtual) boot(ctx context.Context) {
	if !p.pause(ctx, 5*time.Second) {
		return
	}
	cl := class("")
	if p.loader {
		cl = class(ofModel)
	}
	p.see(journal.Event{Service: "dhcp", Kind: journal.Packet, Class: cl, Text: "asks for an address"})
	p.see(journal.Event{Service: "dhcp", Kind: journal.Lease, Class: cl, Address: address(p.mac), Text: "got it"})
	l, _ := phone.ParseLoad(p.runs())
	switch {
	case p.loader:
		p.bootLoader(ctx)
	case l.Protocol == phone.SIP:
		p.bootOldSIP(ctx)
	default:
		p.bootOldSCCP(ctx)
	}
}

// file asks for a file that the box makes and returns the load that it names; ok is false where there is none.
func (p *virtual) file(name string) (load string, ok bool) {
	d, on := p.w.director()
	if !on {
		return "", false
	}
	f := phone.ParseFileName(name)
	n, _ := d.Naming(p.mac)
	switch f.Kind {
	case phone.KindOS79XX:
		load, ok = n.OS79XX, n.OS79XX != ""
	case phone.KindSEP, phone.KindXMLDefault:
		load, ok = n.LoadInformation, n.LoadInformation != ""
	case phone.KindSIPDefault, phone.KindSIP:
		load, ok = n.ImageVersion, true
	case phone.KindTrustList:
	default:
		ok = true
	}
	if !ok {
		p.see(journal.Event{Service: "tftp", Kind: journal.FileMissing, File: f, Address: address(p.mac), Text: "asked for " + name, Harmless: true})
		return "", false
	}
	p.see(journal.Event{Service: "tftp", Kind: journal.Request, File: f, Address: address(p.mac), Load: load, Text: "asks for " + name})
	id := p.w.transfer()
	p.see(journal.Event{Service: "tftp", Kind: journal.Transfer, Phase: journal.Started, Transfer: id, File: f, Address: address(p.mac)})
	p.see(journal.Event{Service: "tftp", Kind: journal.Transfer, Phase: journal.Sent, Transfer: id, File: f, Address: address(p.mac)})
	if p.ignores {
		return "", false
	}
	return load, true
}

func (w *world) transfer() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	return w.next
}

// fetch asks for a firmware file; whole tells that it got it.
func (p *virtual) fetch(ctx context.Context, name string) (whole bool) {
	d, on := p.w.director()
	if !on {
		return false
	}
	f := phone.ParseFileName(name)
	ok, why := d.MayFetch(p.mac, f)
	if ok && !p.w.onShelf(name) {
		ok, why = false, "it is not on the shelf"
	}
	if !ok {
		p.see(journal.Event{Service: "tftp", Kind: journal.FileMissing, File: f, Address: address(p.mac), Text: "asked for " + name + ": " + why})
		return false
	}
	p.see(journal.Event{Service: "tftp", Kind: journal.Request, File: f, Address: address(p.mac), Text: "asks for " + name})
	id := p.w.transfer()
	tell := func(phase journal.Phase) {
		p.see(journal.Event{Service: "tftp", Kind: journal.Transfer, Phase: phase, Transfer: id, File: f, Address: address(p.mac), Size: 1000, Bytes: 500})
	}
	tell(journal.Started)
	if f.Kind.IsFirmware() {
		p.w.begins(p.mac)
		defer p.w.ends(p.mac)
		if !p.pause(ctx, 10*time.Second) {
			time.AfterFunc(25*time.Second, func() { // the server gives it up
				if d2, on := p.w.director(); on && d2 == d && p.w.ctx.Err() == nil {
					tell(journal.Aborted)
				}
			})
			return false
		}
	}
	if p.breaks != nil && p.breaks(name) {
		tell(journal.Aborted)
		return false
	}
	if d2, on := p.w.director(); !on || d2 != d {
		return false // the box restarted meanwhile
	}
	tell(journal.Sent)
	return true
}

func (w *world) onShelf(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.shelf {
		for _, f := range l.Files {
			if strings.EqualFold(f, name) {
				return true
			}
		}
	}
	return false
}

func (w *world) begins(mac phone.MAC) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sending[mac] = true
	w.order = append(w.order, mac)
	w.most = max(w.most, len(w.sending))
}

func (w *world) ends(mac phone.MAC) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sending, mac)
}

// write puts an image into the flash; a cut in between leaves what was there (the worst case of it nobody knows).
func (p *virtual) write(ctx context.Context, file string) {
	if p.rejects != nil && p.rejects(file) || !p.pause(ctx, 20*time.Second) {
		return
	}
	f := phone.ParseFileName(file)
	p.mu.Lock()
	defer p.mu.Unlock()
	now, _ := phone.ParseLoad(p.app)
	to, _ := phone.ParseLoad(f.Load)
	signed := !strings.HasSuffix(file, ".bin")
	switch {
	case signed != (p.loader || now.Signed()):
		p.dead = "got " + file + " on " + p.app
	case f.Kind == phone.KindApplication:
		p.app = f.Load
	case to.Loader || to.Universal():
		if !p.loader {
			p.app = ""
		}
		p.loader = true
	default:
		p.app = f.Load
	}
}

func (p *virtual) bootLoader(ctx context.Context) {
	var load string
	for {
		p.file("CTLSEP" + p.mac.Name() + ".tlv")
		var ok bool
		if load, ok = p.file("SEP" + p.mac.Name() + ".cnf.xml"); !ok {
			load, ok = p.file("XMLDefault.cnf.xml")
		}
		if ok && p.fetch(ctx, load+".loads") {
			if strings.EqualFold(load, p.runs()) {
				break
			}
			if p.fetch(ctx, load+".sb2") {
				p.write(ctx, load+".sb2")
				return
			}
		}
		if p.gives || !p.pause(ctx, 51*time.Second) {
			return
		}
	}
	if l, _ := phone.ParseLoad(load); l.Protocol == phone.SIP {
		p.runSIP(ctx, "")
		return
	}
	p.runSCCP(ctx)
}

func (p *virtual) bootOldSIP(ctx context.Context) {
	if name, ok := p.file("OS79XX.TXT"); ok && len(name) > 4 && name[2] != p.runs()[2] && p.fetch(ctx, name+p.suffix()) {
		p.write(ctx, name+p.suffix())
		return
	}
	p.runSIP(ctx, p.suffix())
}

// runSIP is the application; suffix is what it adds to the image that its configuration names, "" for what the loader does.
func (p *virtual) runSIP(ctx context.Context, suffix string) {
	p.sip.Store(true)
	version, _ := p.file("SIPDefault.cnf")
	if v, _ := p.file("SIP" + p.mac.Name() + ".cnf"); v != "" {
		version = v
	}
	if version != "" && !strings.EqualFold(version, p.runs()) {
		if suffix == "" {
			return // it starts again, and the loader fetches it
		}
		p.sip.Store(false)
		if p.fetch(ctx, version+suffix) {
			p.write(ctx, version+suffix)
			return
		}
		p.sip.Store(true)
	}
	p.file("RINGLIST.DAT")
	p.file("dialplan.xml")
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.sync:
			if p.pause(ctx, 20*time.Second) {
				p.file("syncinfo.xml")
			}
			return
		case <-time.After(time.Minute):
			l, _ := phone.ParseLoad(p.runs())
			p.see(journal.Event{Service: "sip", Kind: journal.SIPAlive, Address: address(p.mac), Text: "answers", Agent: fmt.Sprintf("CSCO/%d", l.Version[0])})
		}
	}
}

func (p *virtual) bootOldSCCP(ctx context.Context) {
	name, ok := p.file("OS79XX.TXT")
	if !ok || len(name) < 4 || name[2] == p.runs()[2] {
		name, ok = p.file("SEP" + p.mac.Name() + ".cnf.xml")
	}
	if ok && !strings.EqualFold(name, p.runs()) && p.fetch(ctx, name+p.suffix()) {
		p.write(ctx, name+p.suffix())
		return
	}
	p.runSCCP(ctx)
}

// runSCCP finds no call manager; a technician, or the phone itself, starts it again after a while.
func (p *virtual) runSCCP(ctx context.Context) {
	if p.restful {
		<-ctx.Done()
		return
	}
	p.pause(ctx, 4*time.Minute)
}

func (p *virtual) suffix() string {
	if l, _ := phone.ParseLoad(p.runs()); l.Signed() {
		return ".sbn"
	}
	return ".bin"
}
