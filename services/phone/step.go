package phone

import "time"

// Step says how far a phone has come in its boot; the words are part of the HTTP API. The rules stand in the design
// under "Steps of a phone"; journal applies them to what the box sees, phonesim to what the phone does.
type Step string

// The steps, in the order in which a phone takes them; Stuck can follow each.
const (
	Seen       Step = "seen"       // any packet
	Addressed  Step = "addressed"  // our ACK, or a first request from a static address
	Loading    Step = "loading"    // any read request since
	Upgrading  Step = "upgrading"  // a firmware transfer runs, or ended less than UpgradeGrace ago
	Configured Step = "configured" // the last block of SIP<MAC>.cnf was acknowledged
	Ready      Step = "ready"      // the application runs and no file is open
	Stuck      Step = "stuck"      // longer in one step than the phone itself needs
)

// How long a phone may stay in what it does (phones.md a.5, a.7, c.6); the journal calls it stuck after these plus half.
const (
	LoaderHunt   = 171 * time.Second // one cycle of the universal loader
	PollInterval = 31 * time.Second  // a SIP application without a usable SIP<MAC>.cnf
	FlashTime    = 10 * time.Minute  // writing an image
	UpgradeGrace = 120 * time.Second // after the last firmware block
	QuietTime    = 60 * time.Second  // an SCCP phone that no longer hunts
)

// Protocol is what a phone's application speaks; the words are part of the HTTP API.
type Protocol string

// The protocols, and what is said while nothing is known.
const (
	ProtocolUnknown Protocol = ""
	SCCP            Protocol = "sccp"
	SIP             Protocol = "sip"
	MGCP            Protocol = "mgcp"
)
