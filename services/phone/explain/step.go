package explain

import (
	"fmt"
	"time"

	"phonebox/services/phone"
)

// Step says of a step what the phone waits for, for how long that is normal, and what comes next; a sentence or two each.
func Step(step phone.Step, now Now) (waits, long, next string) {
	switch step {
	case phone.Seen:
		return "It waits for an address.",
			"A few seconds after it was plugged in; a switch port that is slow to start takes up to a minute.",
			"It takes the address and asks for its first file" + firstFile(now) + "."
	case phone.Addressed:
		return "It has an address and is about to ask for its first file" + firstFile(now) + ".",
			"A few seconds.",
			"It asks for its files one after the other."
	case phone.Loading:
		return loading(now)
	case phone.Upgrading:
		return upgrading(now)
	case phone.Configured:
		return "It has its configuration and starts its application: it fetches the list of rings and the dial plan.",
			"1 to 2 seconds after its configuration.",
			"It registers its lines and is ready."
	case phone.Ready:
		return "It waits for nothing.",
			"As long as it has power.",
			"When it is restarted, it asks for all its files again."
	case phone.Stuck:
		return "It does not come further: what is written beside it says what it lacks.",
			fmt.Sprintf("It has been longer in this step than it needs: a search for a load takes %s, a pause between two questions for its configuration %s, "+
				"writing firmware at most %s; half of that is added before it counts as stuck.", span(phone.LoaderHunt), span(phone.PollInterval), span(phone.FlashTime)),
			"When the cause is gone, it goes on by itself; a restart makes that quicker."
	}
	return "", "", ""
}

// firstFile names the file with which its boot begins.
func firstFile(now Now) string {
	switch now.Loader {
	case Yes:
		return " (CTLSEP<MAC>.tlv)"
	case No:
		return " (OS79XX.TXT)"
	}
	return ""
}

func loading(now Now) (waits, long, next string) {
	if now.Protocol == phone.SIP && !now.HasTarget {
		return "It reads its files and waits for its configuration, SIP<MAC>.cnf.",
			fmt.Sprintf("About half a minute after it was switched on; without a usable SIP<MAC>.cnf it asks for it every %s.", span(phone.PollInterval)),
			"It takes its configuration, then the list of rings and the dial plan."
	}
	waits = "It searches for the file that names its load."
	long = fmt.Sprintf("Seconds, when each file is answered; a search without answers takes %s and begins again.", span(phone.LoaderHunt))
	if now.Loader == No {
		long = "Seconds, when each file is answered."
	}
	switch {
	case now.HasTarget && now.Named != "":
		next = "It fetches " + now.Named + " and writes it."
	case now.HasTarget:
		next = "It fetches the firmware that is named to it, and writes it."
	case now.Protocol == phone.SCCP:
		next = fmt.Sprintf("It starts the load that it has; after %s without a further search it counts as ready.", span(phone.QuietTime))
	default:
		next = "It starts the load that the file names, or fetches it first."
	}
	return waits, long, next
}

// upgrading: what must not be interrupted (phones.md a.4, a.8).
func upgrading(now Now) (waits, long, next string) {
	const power = "Do not unplug it while its lamps flash."
	if now.Loader == No {
		return "It fetches a firmware image and writes it. " + power,
			fmt.Sprintf("About a minute or two; %s at most.", span(phone.FlashTime)),
			"It restarts by itself, and asks for its files again with the new firmware."
	}
	return "It fetches firmware and writes it. " + power,
		fmt.Sprintf("A conversion takes three boots and 60 to 100 s: the first writes the loader (25 to 37 s), the second the application (45 to 69 s), "+
			"the third starts it. Up to %s can be normal.", span(phone.FlashTime)),
		fmt.Sprintf("It restarts by itself after each image, and then reads its configuration; %s after the last image the step ends if it shows nothing.", span(phone.UpgradeGrace))
}

// span writes a duration as people say it: 171 s, 10 minutes.
func span(d time.Duration) string {
	if d >= 5*time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
