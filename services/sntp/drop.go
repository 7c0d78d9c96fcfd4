package sntp

// dropCode is the reason of phonebox_sntp_dropped_total.
type dropCode uint8

// The reasons; answered is none.
const (
	answered dropCode = iota
	dropShort
	dropMode
	dropAnswer
	dropBroadcast
	dropControl
	dropVersion
	dropPort
	dropDestination
	dropOwn
	dropInterface
	dropRate
	dropCodes // how many there are
)

var dropWords = [dropCodes]struct{ label, sentence string }{
	dropShort:       {"short", "it is shorter than the 48 bytes of an NTP packet"},
	dropMode:        {"mode", "it is no request of a client: its mode is neither 3 nor 1"},
	dropAnswer:      {"answer", "it is an answer, and the box asked nothing from this port"},
	dropBroadcast:   {"broadcast", "it is the broadcast of another time server"},
	dropControl:     {"control", "control and monitoring (modes 6 and 7, ntpq and ntpdc) are not served"},
	dropVersion:     {"version", "its NTP version is not 1 to 4"},
	dropPort:        {"source_port", "it came from port 0, which cannot be answered"},
	dropDestination: {"destination", "it was sent neither to the box nor to an address of everybody"},
	dropOwn:         {"own", "it is the box's own packet"},
	dropInterface:   {"interface", "it came in on an interface that is not served"},
	dropRate:        {"rate", "this address asks too often"},
}

// label is the reason in the metrics.
func (c dropCode) label() string { return dropWords[c].label }

// sentence says the reason to people.
func (c dropCode) sentence() string { return dropWords[c].sentence }
