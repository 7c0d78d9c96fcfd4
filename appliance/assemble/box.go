package assemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"phonebox/appliance/clock"
	"phonebox/appliance/convert"
	"phonebox/appliance/journal"
	"phonebox/appliance/logbook"
	"phonebox/appliance/netdev"
	"phonebox/appliance/site"
	"phonebox/appliance/store"
	"phonebox/services/cdp"
	"phonebox/services/dhcp"
	"phonebox/services/dns"
	"phonebox/services/mdns"
	"phonebox/services/phone"
	"phonebox/services/provision"
	"phonebox/services/sip"
	"phonebox/services/sntp"
	"phonebox/services/tftp"
	"phonebox/services/web"
)

// Options are the command line of the daemon.
type Options struct {
	Data          string // folder of everything that lasts
	Site          string // read when Data has no site.toml yet; "" = none
	Interface     string // overrides network.interface; "" = the site's
	ManageAddress bool
	ManageClock   bool
	Try           bool
	OwnsMachine   bool // the machine is ours: look at USB sticks that are plugged in, run from memory without a card
	Version       string
	Built         time.Time // no clock shows less than this
	Log           *slog.Logger
	Terminal      io.Writer // where -try shows its progress
}

// link is the wire as the box needs it: what dhcp asks of it, and the MAC behind an address and a request.
type link interface {
	dhcp.Wire
	MACOf(ctx context.Context, addr netip.Addr) (phone.MAC, bool, error)
	SentBy(ctx context.Context, from netip.AddrPort, mac phone.MAC) bool
	Settling(addr netip.Addr) <-chan struct{}
	State() netdev.State
}

// Box is the whole appliance.
type Box struct {
	opt   Options
	log   *slog.Logger
	began time.Time

	store     *store.Store
	journal   *journal.Journal
	clock     *clock.Clock
	netdev    *netdev.Device // nil with -try
	wire      link
	dhcp      *dhcp.Server
	tftp      *tftp.Server
	sntp      *sntp.Server
	dns       *dns.Server
	sip       *sip.Client
	web       *web.Server
	provision *provision.Provisioner
	director  *convert.Director
	cdp       *cdp.Listener // nil with -try
	mdns      *mdns.Server  // nil with -try
	shop      *shop
	starter   *starter
	activity  *activity
	proxy     *proxyWatch
	desk      *desk
	keeper    *keeper
	audit     *audit
	book      *logbook.Book
	sup       *supervisor
	recorder  *recorder
	metrics   *prometheus.Registry

	unanswered            *unanswered
	missing               *missing
	floods                allowance // of events that a stranger can cause without a lease
	looks                 looks     // for devices without a lease
	timeAsked, namesAsked allowance
	times                 times // when each phone asked the time last
	leaseLog, unstoredLog summary
	fileLog               summary
	calls                 calls       // what devices call themselves
	labels                chan string // the box's labels before .local, as it gets them
	label                 atomic.Pointer[string]
	nameChanges           atomic.Uint32  // of the names in the zone
	questions             chan phone.MAC // phones that are to be asked over SIP what they run

	serveContext context.Context // the life of the services: from Run until its context ended
	started      chan struct{}   // closed when Run has started the services; before that there is nothing to reload

	bare     *site.Site // the site of a box without any good settings; nil when it has some
	index    atomic.Pointer[index]
	changing sync.Mutex // held while the site changes

	held    atomic.Bool // the timeline says that addresses are held back
	cut     atomic.Bool // the timeline says that something is wrong with the network
	mu      sync.Mutex
	cur     applied
	http    netip.AddrPort // where phones fetch pages
	lost    string         // why nothing lasts; "" = it does
	refused []string       // what was wrong with the site file that was found at start

	restored   string      // a restore that was finished at the start; "" = none
	formerSite []byte      // the settings that were in force before the start
	leave      func(error) // ends the daemon for a reason; a no-op until Serve runs it
	redacting  sync.Mutex
	redact     redactor
	redactMark string // of what the redactor knows
}

// applied is the site that is in force.
type applied struct {
	site *site.Site
	text []byte
	etag string
	plan plan
}

// New opens what lasts, reads the site and makes all parts; nothing is served yet.
func New(ctx context.Context, opt Options) (*Box, error) {
	book := logbook.New()
	opt.Log = slog.New(book.Handler(opt.Log.Handler(), slog.LevelInfo))
	b := &Box{opt: opt, log: opt.Log, began: time.Now(), metrics: prometheus.NewRegistry(), started: make(chan struct{})}
	b.book, b.leave = book, func(error) {}
	b.floods.perSecond, b.timeAsked.perSecond, b.namesAsked.perSecond = 5, 2, 10
	b.questions, b.labels = make(chan phone.MAC, 64), make(chan string, 8)
	b.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := b.makeData(); err != nil {
		return nil, err
	}
	delay, err := testSync(opt.Log)
	if err != nil {
		return nil, err
	}
	options := store.Options{Log: opt.Log.With("svc", "store"), Metrics: b.metrics, SyncDelay: delay}
	if b.store, err = store.OpenWith(b.opt.Data, options); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := b.make(ctx); err != nil {
		return nil, errors.Join(err, b.store.Close())
	}
	return b, nil
}

// makeData makes the folder of everything that lasts. A card whose /perm was never formatted has no place for it; the box
// then runs from memory and says so, for a box that only restarts helps nobody.
func (b *Box) makeData() error {
	err := os.MkdirAll(b.opt.Data, 0o700)
	if err == nil {
		return nil
	}
	if !b.opt.OwnsMachine {
		return fmt.Errorf("making the data folder: %w", err)
	}
	b.opt.Log.Error("nothing lasts", "err", err)
	b.lost = fmt.Sprintf("settings and leases are lost at the next start: the card has no place for %s. "+
		"Write the card with go run ./appliance/image, which formats it.", b.opt.Data)
	if b.opt.Data, err = os.MkdirTemp("", "phonebox-"); err != nil {
		return fmt.Errorf("making a data folder in memory: %w", err)
	}
	return nil
}

// make reads the site and makes the parts, in the order in which they need each other.
func (b *Box) make(ctx context.Context) error {
	b.recoverRestore()
	s, text, err := b.firstSite(ctx)
	if err != nil {
		return err
	}
	label := b.lastLocalLabel(ctx)
	b.label.Store(&label)
	p := b.planOf(s)
	b.index.Store(makeIndex(s))
	b.cur = applied{site: s, text: text, etag: site.ETag(text), plan: p}
	if b.clock, err = clock.New(p.clock, clock.Deps{
		Store: b.store, Log: b.log.With("svc", "clock"), Resolver: func() *net.Resolver { return b.dns.Resolver() },
		Report: b.onClock, Metrics: b.metrics,
	}); err != nil {
		return fmt.Errorf("making the clock: %w", err)
	}
	if b.journal, err = journal.New(journal.Config{Now: b.clock.Now, Metrics: b.metrics}, b.store, b.log.With("svc", "journal")); err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	b.audit = newAudit(ctx, b.store, b.log, b.clock.Now)
	b.auditStart(ctx, b.formerSite, s)
	b.tellJournal(s)
	b.unanswered, b.missing = newUnanswered(b.clock.Now), newMissing(b.clock.Now)
	if b.recorder, err = newRecorder(b); err != nil {
		return err
	}
	if err := b.makeDirector(s); err != nil {
		return err
	}
	if err := b.makeLink(p); err != nil {
		return err
	}
	if err := b.makeLocal(p); err != nil {
		return err
	}
	if b.starter, err = newStarter(ctx, b, s); err != nil {
		return err
	}
	if err := b.makeServices(p); err != nil {
		return err
	}
	return nil
}

func (b *Box) makeLink(p plan) error {
	if b.opt.Try {
		b.wire = netdev.NewLoopback()
		return nil
	}
	dev, err := netdev.New(p.netdev, netdev.Deps{Log: b.log.With("svc", "netdev"), Report: b.onNetwork, Metrics: b.metrics})
	if err != nil {
		return fmt.Errorf("making the interface: %w", err)
	}
	b.netdev, b.wire = dev, dev
	if b.cdp, err = cdp.New(cdp.Config{Interface: p.netdev.Interface}, cdp.Deps{Log: b.log.With("svc", "cdp"), Report: b.onCDP, Metrics: b.metrics}); err != nil {
		return fmt.Errorf("making the ear for CDP: %w", err)
	}
	return nil
}

func (b *Box) makeServices(p plan) error {
	log := func(name string) *slog.Logger { return b.log.With("svc", name) }
	var err error
	if b.provision, err = provision.New(p.provision, provision.Deps{
		Dir: filepath.Join(b.opt.Data, "tftp"), Observer: observer{b}, Guard: guard{b}, Guide: guide{b}, Facts: b.facts,
		Room: b.room, Log: log("provision"), Released: b.released, Now: b.clock.Now,
	}); err != nil {
		return fmt.Errorf("opening the phones' files: %w", err)
	}
	if b.dhcp, err = dhcp.New(p.dhcp, dhcp.Deps{
		Clock: b.clock, Store: b.store, Wire: b.wire, Log: log("dhcp"), Report: b.onDHCP, Metrics: b.metrics,
		NotAnswered: b.onDHCPUnanswered,
	}); err != nil {
		return fmt.Errorf("making dhcp: %w", err)
	}
	if b.tftp, err = tftp.New(p.tftp, tftp.Deps{
		Files: tftpFiles{b}, Log: log("tftp"), Report: b.onTFTP, Metrics: b.metrics, Settling: b.wire.Settling,
	}); err != nil {
		return fmt.Errorf("making tftp: %w", err)
	}
	if b.sntp, err = sntp.New(p.sntp, sntp.Deps{Clock: b.clock, Log: log("sntp"), Report: b.onSNTP, Metrics: b.metrics}); err != nil {
		return fmt.Errorf("making sntp: %w", err)
	}
	if b.dns, err = dns.New(p.dns, dns.Deps{
		Names: names{b}, Log: log("dns"), Report: b.onDNS, Metrics: b.metrics, Changes: b.nameChanges.Load, Now: b.clock.Now,
		Time: b.certificateTime,
	}); err != nil {
		return fmt.Errorf("making dns: %w", err)
	}
	if b.sip, err = sip.New(p.sip, sip.Deps{
		Targets: targets{b}, Log: log("sip"), Report: b.onSIP, Metrics: b.metrics, Resolver: b.dns.Resolver(),
	}); err != nil {
		return fmt.Errorf("making sip: %w", err)
	}
	if err := b.makePage(p, log("web")); err != nil {
		return err
	}
	b.sup = newSupervisor(b.log)
	for name, svc := range map[string]service{
		"dhcp": b.dhcp, "tftp": b.tftp, "sntp": b.sntp, "dns": b.dns, "sip": b.sip, "web": b.web,
	} {
		b.sup.add(name, svc)
	}
	return nil
}

// makePage makes the page and what it stands on.
func (b *Box) makePage(p plan, log *slog.Logger) error {
	if err := os.RemoveAll(filepath.Join(b.opt.Data, importDir)); err != nil {
		b.log.Warn("uploads of the last run not removed", "err", err)
	}
	b.shop, b.keeper = newShop(b), newKeeper(b)
	b.activity, b.proxy = newActivity(b), &proxyWatch{b: b}
	var err error
	if b.desk, err = newDesk(b); err != nil {
		return err
	}
	if b.web, err = web.New(p.web, web.Deps{
		Box: page{b}, Shop: b.shop, Files: phoneFiles{b}, Secrets: secrets{b.store}, Now: b.clock.Now, Log: log,
		Metrics: b.metrics, Registerer: b.metrics, Report: b.onWeb,
		Start:     b.starter,
		Activity:  b.activity,
		Fleet:     fleet{b},
		Desk:      b.desk,
		Converter: converter{b.shop},
		Editors:   editors{b},
		Forms:     siteForms{b},
		Names:     b.namesOfPeople,
		System:    b.keeper,
	}); err != nil {
		return fmt.Errorf("making the page: %w", err)
	}
	return nil
}

// planOf translates a site with what the command line overrides.
func (b *Box) planOf(s *site.Site) plan {
	b.mu.Lock()
	http := b.http
	b.mu.Unlock()
	if !http.IsValid() {
		http = netip.AddrPortFrom(s.Network.Address.Addr(), portHTTP)
	}
	p := makePlan(s, b.opt, http)
	p.web.Names = b.localNames()
	p.mdns.Last = *b.label.Load()
	if s == b.bare {
		for name := range p.enabled {
			p.enabled[name] = name == "web"
		}
	}
	return p
}

// current returns the site that is in force.
func (b *Box) current() applied {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cur
}

// record puts an event into the journal, and what follows from it on the card, before it returns. See [recorder].
func (b *Box) record(e journal.Event) { b.recorder.atOnce(b, e) }

// later puts an event into the journal soon.
func (b *Box) later(e journal.Event) {
	if !e.MAC.IsZero() {
		b.recorder.push(fromElsewhere, false, (*made)(&e))
	}
}

// settle returns when all that was reported is in the journal.
func (b *Box) settle() { b.recorder.settle(b) }
