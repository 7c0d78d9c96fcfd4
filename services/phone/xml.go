package phone

import (
	"fmt"
	"strings"
)

// The XML that phones read is written as plain ASCII, without a declaration: the parser of the 7940/7960 is simple, and
// its character set is ISO-8859-1 at best (phones.md e). Other Latin-1 characters become references such as &#233;, so
// no declaration is ever needed; what is beyond them becomes a question mark.

// escape writes text for an element or an attribute.
func escape(s string) string {
	var b strings.Builder
	for _, r := range NearestLatin1(s) {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&apos;")
		case r < 0x20, r >= 0x7f && r < 0xa0:
			b.WriteByte(' ')
		case r > 0x7e:
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// clip cuts text to limit characters.
func clip(s string, limit int) string {
	if r := []rune(NearestLatin1(s)); len(r) > limit {
		return string(r[:limit])
	}
	return s
}

// WriteSEP writes SEP<MAC>.cnf.xml: the protocol and the load that the universal loader shall start (phones.md a.4).
func WriteSEP(protocol Protocol, load string) []byte {
	return fmt.Appendf(nil, "<device>\n<deviceProtocol>%s</deviceProtocol>\n<loadInformation>%s</loadInformation>\n</device>\n",
		escape(strings.ToUpper(string(protocol))), escape(load))
}

// WriteXMLDefault writes XMLDefault.cnf.xml, which names a load for the 7940 and the 7960 alike (phones.md a.6); it is
// made for one phone, whatever its model. callManager must not be empty: SCCP wants a name there.
func WriteXMLDefault(load, callManager string) []byte {
	return fmt.Appendf(nil, `<Default>
<callManagerGroup><members><member priority="0"><callManager>
<ports><ethernetPhonePort>2000</ethernetPhonePort></ports>
<processNodeName>%s</processNodeName>
</callManager></member></members></callManagerGroup>
<loadInformation8 model="IP Phone 7940">%[2]s</loadInformation8>
<loadInformation7 model="IP Phone 7960">%[2]s</loadInformation7>
<authenticationURL></authenticationURL>
<directoryURL></directoryURL>
<idleURL></idleURL>
<informationURL></informationURL>
<messagesURL></messagesURL>
<servicesURL></servicesURL>
</Default>
`, escape(callManager), escape(load))
}

// The values by which check-sync restarts a phone (phones.md f.1): the phone compares what syncinfo.xml says with the
// sync of its .cnf files, and restarts when they differ. Here they always do.
const (
	syncOfCnf      = "1"
	syncOfSyncInfo = "restart"
)

// WriteSyncInfo writes syncinfo.xml so that every phone that reads it after a check-sync restarts.
func WriteSyncInfo() []byte {
	return []byte("<SYNCINFO>\n<IMAGE VERSION=\"*\" SYNC=\"" + syncOfSyncInfo + "\"/>\n</SYNCINFO>\n")
}

// WriteDialPlan writes the dial plan that works everywhere: whatever is dialled is sent 5 s after the last digit.
func WriteDialPlan() []byte {
	return []byte("<DIALTEMPLATE>\n<TEMPLATE MATCH=\"*\" Timeout=\"5\"/>\n</DIALTEMPLATE>\n")
}

// Entry is an entry of a directory.
type Entry struct{ Name, Number string }

// DirectoryPage is how many entries a phone takes on one page (phones.md e).
const DirectoryPage = 32

// WriteDirectory writes one page of a directory, the first being 1; a page beyond the last is the last. next is the
// number of the page that follows, 0 on the last one.
func WriteDirectory(title string, entries []Entry, page int) (content []byte, next int) {
	pages := max(1, (len(entries)+DirectoryPage-1)/DirectoryPage)
	page = min(max(page, 1), pages)
	var b strings.Builder
	fmt.Fprintf(&b, "<CiscoIPPhoneDirectory>\n<Title>%s</Title>\n<Prompt>%s</Prompt>\n", escape(clip(title, 32)), escape(directoryPrompt(page, pages)))
	first := (page - 1) * DirectoryPage
	for _, e := range entries[first:min(first+DirectoryPage, len(entries))] {
		fmt.Fprintf(&b, "<DirectoryEntry><Name>%s</Name><Telephone>%s</Telephone></DirectoryEntry>\n", escape(clip(e.Name, 32)), escape(e.Number))
	}
	b.WriteString("</CiscoIPPhoneDirectory>\n")
	if page < pages {
		next = page + 1
	}
	return []byte(b.String()), next
}

func directoryPrompt(page, pages int) string {
	if pages == 1 {
		return "Select an entry"
	}
	return fmt.Sprintf("Page %d of %d", page, pages)
}

// MenuItem is an item of a menu.
type MenuItem struct{ Name, URL string }

// maxMenu is how many items a phone takes (phones.md e).
const maxMenu = 100

// WriteMenu writes a menu of at most 100 items.
func WriteMenu(title string, items []MenuItem) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<CiscoIPPhoneMenu>\n<Title>%s</Title>\n<Prompt>Select a service</Prompt>\n", escape(clip(title, 32)))
	for _, i := range items[:min(len(items), maxMenu)] {
		fmt.Fprintf(&b, "<MenuItem><Name>%s</Name><URL>%s</URL></MenuItem>\n", escape(clip(i.Name, 64)), escape(i.URL))
	}
	b.WriteString("</CiscoIPPhoneMenu>\n")
	return []byte(b.String())
}
