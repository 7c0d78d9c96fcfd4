package convert

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"phonebox/services/phone"
	"phonebox/services/phone/ladder"
)

// Config is what the site wants; Apply replaces it as a whole.
type Config struct {
	Target   string // load that listed phones should run; "" = leave each on what it runs
	Unlisted bool   // firmware.convert_unlisted
	Parallel int    // how many phones may be in a step at once; default 8
	Phones   []Phone
}

// Phone is what the site says of a listed phone's firmware.
type Phone struct {
	MAC   phone.MAC
	Model string // "" = learn it
	// Load pins the phone: "" = Config.Target, Stay = leave it on what it runs, else the load that this phone should run.
	Load string
	Runs string // the load that a person says it runs; "" = nobody said
}

// Stay is the word that pins a phone to what it runs.
const Stay = "stay"

// Order is what a technician tells one phone's conversion.
type Order string

// The orders. They last over a restart of the box, until another order.
const (
	Go   Order = "go"   // go on, from now; forgets failed tries
	Skip Order = "skip" // leave this phone out: it is told what it runs, and takes no one's place
	Stop Order = "stop" // at once: no load is named to it and no image sent
	Next Order = "next" // before all that wait
	// After lets the phone end the step that it takes and leaves it out then; one that takes none is left out at once.
	After Order = "after"
)

// Phase says where a phone's conversion stands; the words are part of the HTTP API.
type Phase string

// The phases.
const (
	Arrived Phase = "arrived" // it runs what it should, or it should run nothing else
	Waiting Phase = "waiting" // for its turn, for the phone to ask, or to learn what it runs: Text says which
	Going   Phase = "going"   // a step is offered or taken
	Blocked Phase = "blocked" // no safe step: Text says why, and what to do
	Failed  Phase = "failed"  // three tries failed
	Skipped Phase = "skipped"
	Stopped Phase = "stopped"
)

// State is the conversion of one phone as people see it.
type State struct {
	MAC      phone.MAC     `json:"mac"`
	Belief   ladder.Belief `json:"belief"`
	Target   string        `json:"target"` // "" = none
	Phase    Phase         `json:"phase"`
	Text     string        `json:"text"`     // a sentence: what it does or waits for, and what to do
	Path     ladder.Path   `json:"path"`     // from now on; Steps[0] is the step that is taken or comes next
	Done     int           `json:"done"`     // steps that it took since it set out
	Attempts int           `json:"attempts"` // tries of the step so far
	// Unplug is false while a cut of the phone's power could damage it: an image is being sent or written.
	Unplug  bool      `json:"unplug"`
	Set     time.Time `json:"set,omitzero"`     // when it set out
	Changed time.Time `json:"changed,omitzero"` // of Phase or step

	Start  string  `json:"start,omitempty"`   // what it ran when it set out, in words where the load was not known
	Taken  []Taken `json:"taken,omitempty"`   // the steps that it took since, the last ones of many
	ByHand bool    `json:"by_hand,omitempty"` // it goes on only when a person cuts its power for a moment, which is safe
	Order  Order   `json:"order,omitempty"`   // Skip, Stop or After while it holds; "" = go on
	Pinned bool    `json:"pinned,omitempty"`  // the site names a load for this phone alone, or leaves it on what it runs
	Back   string  `json:"back,omitempty"`    // the load that it came from, where a safe way back is known and all files are there

	File    string        `json:"file,omitempty"`    // the image that is being sent to it, or that it writes; "" = none
	Sent    int64         `json:"sent,omitempty"`    // bytes of it
	Size    int64         `json:"size,omitempty"`    // 0 = not known
	Sending bool          `json:"sending,omitempty"` // File is on its way; false while Unplug is: it is being written
	Left    time.Duration `json:"left,omitempty"`    // how long its steps will take from now on, without waiting for a turn
}

// Taken is a step that a phone took.
type Taken struct {
	From string    `json:"from"` // the load, or in words what it was believed to run
	To   string    `json:"to"`
	At   time.Time `json:"at"`
}

// Deps are what the director needs from outside; all but Waits and Metrics are required. None of them may call the
// director, but for Report, Waits and Restart.
type Deps struct {
	// Belief returns what the box believes that a phone runs, and when it last heard of it; the journal knows.
	Belief func(mac phone.MAC) (b ladder.Belief, heard time.Time)
	// Shelf returns the firmware that is there now.
	Shelf func() ladder.Shelf
	// Restart makes a phone whose SIP application runs read its files anew (check-sync); an error says why it can't.
	Restart func(ctx context.Context, mac phone.MAC) error
	// Report puts a sentence into the phone's timeline; it must not block.
	Report func(mac phone.MAC, text string)
	// Waits says what a phone's conversion does or waits for; "" when nothing. It must not block.
	Waits   func(mac phone.MAC, text string)
	Store   Store
	Now     func() time.Time
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Store is where conversions last over a power cut of the box.
type Store interface {
	Value(ctx context.Context, key string) ([]byte, error) // nil where there is none
	SetValue(ctx context.Context, key string, value []byte) error
}
