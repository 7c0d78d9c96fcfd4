package ladder

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// Class reads DHCP option 60, NUL bytes and all (phones.md b). ok is false for other makes and models, and where it says
// nothing.
func Class(option60 string, at time.Time) (Clue, bool) {
	model, cisco, withModel := phone.Class(option60)
	switch {
	case !cisco:
		return Clue{}, false
	case !withModel:
		return Clue{
			Source: FromClass, Confidence: Likely, At: at, Loader: No,
			Text: "its DHCP class names no model, as images from before the universal loader do",
		}, true
	case !isOurs(model):
		return Clue{Source: FromClass, Confidence: Sure, At: at, Model: model, Text: "its DHCP class says that it is a " + model}, true
	}
	return Clue{
		Source: FromClass, Confidence: Likely, At: at, Model: model, Loader: Yes,
		Text: "its DHCP class names the model " + model + ", as the universal loader and newer images do",
	}, true
}

// isOurs reports whether a model takes the loads that this package knows.
func isOurs(model string) bool { return model == "7940" || model == "7960" }

var (
	// agent8 is what 8.x says (phones.md f.2): 8.0 whichever 8.x it is.
	agent8 = regexp.MustCompile(`^Cisco-CP(79[46]0)G?/(\d{1,2})\.`)
	// agentCSCO was seen in public traces of 7960s with 4.x to 7.x; phones.md does not list it.
	agentCSCO = regexp.MustCompile(`^CSCO/(\d{1,2})(?:\D|$)`)
	// agentOld is unconfirmed: general knowledge of 2.x and 3.x.
	agentOld = regexp.MustCompile(`^Cisco-SIPIPPhone/(\d{1,2})(?:\D|$)`)
)

// Agent reads the User-Agent or Server of an answer to SIP OPTIONS (phones.md f.2). ok is false for one that is not known.
func Agent(userAgent string, at time.Time) (Clue, bool) {
	c := Clue{Source: FromAgent, Confidence: Sure, At: at, Protocol: phone.SIP}
	userAgent = strings.TrimSpace(userAgent)
	digits := ""
	if m := agent8.FindStringSubmatch(userAgent); m != nil {
		c.Model, digits = m[1], m[2]
	} else if m := agentCSCO.FindStringSubmatch(userAgent); m != nil {
		digits = m[1]
	} else if m := agentOld.FindStringSubmatch(userAgent); m != nil {
		digits, c.Confidence = m[1], Guess
	}
	c.Major, _ = strconv.Atoi(digits)
	if c.Major < 1 || c.Major > lastMajor {
		return Clue{}, false
	}
	if c.Confidence >= Likely {
		c.Loader, c.Signed = answer(c.Major >= 7), answer(c.Major >= 5)
	}
	c.Text = fmt.Sprintf("it answers SIP as %s, which is SIP %d.x", userAgent[:min(len(userAgent), 40)], c.Major)
	return c, true
}

// answer says yes or no.
func answer(b bool) Answer {
	if b {
		return Yes
	}
	return No
}

// cdpPlatform is how the phones name themselves, with and without the letter of the second series.
var cdpPlatform = regexp.MustCompile(`^Cisco IP Phone (\d{4})G?$`)

// CDP reads the platform ("Cisco IP Phone 7960") and the version (a load's name: "P00308000500") of a CDP announcement.
// ok is false for what is no phone. A load is only Likely: any device of the VLAN can send such a frame in the name of
// another, and no phone may be flashed for that alone.
func CDP(platform, version string, at time.Time) (Clue, bool) {
	m := cdpPlatform.FindStringSubmatch(strings.Trim(platform, "\x00 "))
	if m == nil {
		return Clue{}, false
	}
	c := Clue{Source: FromCDP, Confidence: Sure, At: at, Model: m[1], Text: "its CDP announcement says that it is a " + m[1]}
	if load, ok := phone.ParseLoad(strings.Trim(version, "\x00 ")); ok && isOurs(c.Model) {
		c.tell(load)
		c.Confidence = Likely
		c.Text += " and runs " + load.Name
	}
	return c, true
}

// tell fills in what a load says.
func (c *Clue) tell(load phone.LoadName) {
	c.Load = load.Name
	c.Loader, c.Signed = answer(load.Universal() || load.Loader), answer(load.Signed())
	if !load.Loader { // the loader alone says nothing of an application
		c.Protocol, c.Major = load.Protocol, load.Version[0]
	}
}

// exact makes a clue to a load. A name of other models is kept, because it is an answer too: no way leads on from there.
func exact(source Source, confidence Confidence, name string, at time.Time, text string) Clue {
	c := Clue{Source: source, Confidence: confidence, At: at, Load: name, Text: text}
	if load, ok := phone.ParseLoad(name); ok {
		c.tell(load)
	}
	return c
}

// Stated is what a person said that the phone runs. at is when it was said, zero where that is not known: whatever the
// phone shows afterwards counts for more, so at must not be the time of asking. ok is false for what is no load of a
// 7940 or 7960.
func Stated(load string, at time.Time) (Clue, bool) {
	l, ok := phone.ParseLoad(strings.TrimSpace(load))
	if !ok || l.Loader {
		return Clue{}, false
	}
	return exact(FromPerson, Likely, l.Name, at, "the site says that it runs "+l.Name), true
}

// ToldNot is a phone that was told a load and went on without asking for it: it runs it (phones.md a, common first steps).
func ToldNot(load string, at time.Time) Clue {
	return exact(FromToldNot, Sure, load, at, "it was told "+load+" and did not ask for it")
}

// Fetched is a phone that fetched all images of a load and started again; before is what ran until then, "" where that is
// not known. The name of a loader (P003-8-12-00) stands for a loader whose application is still to come.
func Fetched(load, before string, at time.Time) Clue {
	c := exact(FromFetched, Likely, load, at, "it fetched "+load+" whole and started again")
	c.Before = before
	return c
}

// Asked reads a name that a phone asked for; first tells that it was the first file of a boot (phones.md a.1 to a.4). ok is
// false where the name says nothing of what runs.
func Asked(file phone.FileName, first bool, at time.Time) (Clue, bool) {
	c := Clue{Source: FromNames, Confidence: Likely, At: at}
	switch file.Kind {
	case phone.KindOS79XX:
		c.Loader, c.Text = No, "it asks for OS79XX.TXT, as images without the universal loader do"
	case phone.KindTrustList:
		if !first {
			return Clue{}, false
		}
		c.Loader, c.Text = Yes, "it asks for "+file.Clean+" first, as the universal loader does" // and maybe SCCP 5.x: a.1
	case phone.KindSEP, phone.KindXMLDefault:
		c.XML, c.Text = Yes, "it asks for "+file.Clean+", so it reads XML"
	case phone.KindSEPOld:
		c.Protocol, c.Loader, c.XML = phone.SCCP, No, No
		c.Text = "it asks for " + file.Clean + ", as SCCP does that is too old for XML"
	case phone.KindSIPDefault, phone.KindRingList, phone.KindDialPlan, phone.KindSyncInfo:
		c.Confidence, c.Protocol, c.Text = Sure, phone.SIP, "it asks for "+file.Clean+", so its SIP application runs"
	case phone.KindLocale:
		c.Confidence, c.Protocol, c.Text = Sure, phone.SCCP, "it asks for "+file.Clean+", so its SCCP application runs"
	case phone.KindLoads, phone.KindLoader, phone.KindApplication:
		c.Confidence = Sure
		return c, c.askedImage(file)
	case phone.KindSIP, phone.KindMGC, phone.KindRing, phone.KindOther: // loader and applications ask for these alike
		return Clue{}, false
	}
	return c, true
}

// askedImage reads the suffix of a firmware file: it is the phone that adds it, to a name that never has one.
func (c *Clue) askedImage(file phone.FileName) bool {
	suffix := strings.ToLower(file.Clean[len(file.Clean)-min(len(file.Clean), len(".loads")):])
	switch {
	case strings.HasSuffix(suffix, ".bin"):
		c.Loader, c.Signed, c.NotLoad = No, No, file.Load
		c.Text = "it asks for " + file.Clean + ", so it takes unsigned images: from before 5.0"
	case strings.HasSuffix(suffix, ".sbn"):
		c.Signed = Yes
		c.Text = "it asks for " + file.Clean + ", so it takes signed images: 5.0 or later"
		load, ok := phone.ParseLoad(file.Load)
		switch {
		case !ok || load.Loader: // the loader asks for its own update, an older image for the loader
		case !load.Universal():
			c.NotLoad = file.Load
		case load.Protocol == phone.SIP: // SIP bundles have no such file, so no .loads list led there
			c.Loader = No
			c.Text += ", and without the universal loader"
		}
	case strings.HasSuffix(suffix, ".sb2"):
		c.Loader, c.Signed, c.NotLoad = Yes, Yes, file.Load
		c.Text = "it asks for " + file.Clean + ", so it has the universal loader"
	case file.Kind == phone.KindLoads:
		c.Loader, c.Signed = Yes, Yes
		c.Text = "it asks for " + file.Clean + ", so it has the universal loader"
	default:
		return false
	}
	return true
}
