package cdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"phonebox/services/phone"
)

// Announcement is one CDP frame, understood. Parts that the frame lacks are zero.
type Announcement struct {
	MAC      phone.MAC     // of the device: from its name, else From
	From     phone.MAC     // who sent the frame
	DeviceID string        // SEP0006D7AA2A2E
	Platform string        // Cisco IP Phone 7960
	Version  string        // P00308010200, maybe among other words: see [LoadOf]
	Port     string        // Port 1
	Address  netip.Addr    // the first IPv4 address
	VLAN     uint16        // the native VLAN
	Voice    uint16        // the VLAN that a switch tells phones to use; 0 = it tells none
	Switch   bool          // it says that it forwards for others: a switch, a bridge or a router
	Holds    time.Duration // how long it is good for
}

// maxText bounds each text of an announcement in bytes.
const maxText = 300

// maxFrame bounds what is read as one frame: the longest that Ethernet's 802.3 length can say, and its header.
const maxFrame = 14 + 1536

var errNotCDP = errors.New("no CDP announcement")

// Parse reads a whole Ethernet frame. The error says what it lacks; a frame that is cut off is refused.
func Parse(frame []byte) (a Announcement, err error) {
	// gopacket guards its decoders, but not what we do with what they return.
	defer func() {
		if v := recover(); v != nil {
			a, err = Announcement{}, fmt.Errorf("%w: reading it panicked: %v", errNotCDP, v)
		}
	}()
	if len(frame) > maxFrame {
		return Announcement{}, fmt.Errorf("%w: %d bytes", errNotCDP, len(frame))
	}
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
	ether, ok := p.LinkLayer().(*layers.Ethernet)
	if !ok || len(ether.SrcMAC) != 6 {
		return Announcement{}, fmt.Errorf("%w: no Ethernet frame", errNotCDP)
	}
	// The layer behind it, CiscoDiscoveryInfo, is not looked at: it fails as a whole where one part is odd.
	disc, ok := p.Layer(layers.LayerTypeCiscoDiscovery).(*layers.CiscoDiscovery)
	if !ok {
		if e := p.ErrorLayer(); e != nil {
			return Announcement{}, fmt.Errorf("%w: %s", errNotCDP, clean([]byte(e.Error().Error())))
		}
		return Announcement{}, errNotCDP
	}
	a = Announcement{From: phone.MAC(ether.SrcMAC), Holds: time.Duration(disc.TTL) * time.Second}
	for _, v := range disc.Values {
		a.take(v)
	}
	if a.DeviceID == "" {
		return Announcement{}, fmt.Errorf("%w: it has no device id", errNotCDP)
	}
	a.MAC = a.From
	if mac, ok := macOf(a.DeviceID); ok {
		a.MAC = mac
	}
	return a, nil
}

// take takes one part over; the first of each kind counts.
func (a *Announcement) take(v layers.CiscoDiscoveryValue) {
	text := map[layers.CDPTLVType]*string{
		layers.CDPTLVDevID: &a.DeviceID, layers.CDPTLVPlatform: &a.Platform, layers.CDPTLVVersion: &a.Version, layers.CDPTLVPortID: &a.Port,
	}[v.Type]
	switch {
	case text != nil && *text == "":
		*text = clean(v.Value)
	case v.Type == layers.CDPTLVNativeVLAN && len(v.Value) >= 2 && a.VLAN == 0:
		a.VLAN = binary.BigEndian.Uint16(v.Value)
	case v.Type == layers.CDPTLVVLANReply && len(v.Value) >= 3 && a.Voice == 0:
		a.Voice = binary.BigEndian.Uint16(v.Value[1:])
	case v.Type == layers.CDPTLVCapabilities && len(v.Value) >= 4:
		const router, bridge, sw = 0x01, 0x02, 0x08
		a.Switch = binary.BigEndian.Uint32(v.Value)&(router|bridge|sw) != 0
	case v.Type == layers.CDPTLVAddress && !a.Address.IsValid():
		a.Address = firstIPv4(v.Value)
	}
}

// firstIPv4 finds the first IPv4 address of a list: a count, then for each address the kind of protocol, its length and
// number (1, 1, 0xCC for IPv4), and the address with its length in two bytes.
func firstIPv4(b []byte) netip.Addr {
	if len(b) < 4 {
		return netip.Addr{}
	}
	for b = b[4:]; len(b) >= 2; {
		protocol := 2 + int(b[1])
		if len(b) < protocol+2 {
			break
		}
		end := protocol + 2 + int(binary.BigEndian.Uint16(b[protocol:]))
		if len(b) < end {
			break
		}
		if value := b[protocol+2 : end]; b[0] == 1 && string(b[2:protocol]) == "\xcc" && len(value) == 4 {
			return netip.AddrFrom4([4]byte(value))
		}
		b = b[end:]
	}
	return netip.Addr{}
}

// clean makes a text of what a frame holds: a byte over 127 is taken for ISO-8859-1, control characters become blanks, and
// it is cut at maxText.
func clean(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		r := rune(c)
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			r = ' '
		}
		if s.Len()+utf8.RuneLen(r) > maxText {
			break
		}
		s.WriteRune(r)
	}
	return strings.TrimSpace(s.String())
}

var (
	// A phone is named after its protocol and MAC. SEP is what SCCP loads say; the others are unconfirmed.
	phoneName = regexp.MustCompile(`^(?i:SEP|SIP|MGC)([0-9A-Fa-f]{12})$`)
	// "Cisco IP Phone 7960", "Cisco IP Phone CP-7940G": the model as it may be written.
	phonePlatform = regexp.MustCompile(`(?i)\bIP Phone\b.*?\b(?:CP-?)?(79[0-9]{2})(?:G|\b)`)
)

func macOf(deviceID string) (phone.MAC, bool) {
	m := phoneName.FindStringSubmatch(deviceID)
	if m == nil {
		return phone.MAC{}, false
	}
	mac, err := phone.ParseMAC(m[1])
	return mac, err == nil && !mac.IsZero()
}

// IsPhone reports whether a 79xx phone announces itself: by its name or its platform.
func (a Announcement) IsPhone() bool {
	_, named := macOf(a.DeviceID)
	return named || a.Model() != ""
}

// Model returns the model as the site has it, such as "7960"; "" = not known.
func (a Announcement) Model() string {
	if m := phonePlatform.FindStringSubmatch(a.Platform); m != nil {
		return m[1]
	}
	return ""
}

// Load returns the load that the phone says it runs; "" = it names none that is known.
func (a Announcement) Load() string { return LoadOf(a.Version) }

// LoadOf finds the name of a load among the words of a version: P00308010200, P0S3-8-12-00 or P0S3-8-12-00.sb2. It is
// returned in upper case and without a suffix; "" = there is none.
func LoadOf(version string) string {
	for _, w := range strings.FieldsFunc(version, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '-')
	}) {
		if load, ok := phone.ParseLoad(w); ok {
			return load.Name
		}
	}
	return ""
}
