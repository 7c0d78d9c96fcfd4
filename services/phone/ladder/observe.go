package ladder

import (
	"time"

	"phonebox/services/phone"
)

// Class reads DHCP option 60 (phones.md b).
func Class(option60 string, at time.Time) (Clue, bool) { return Clue{}, false }

// Agent reads the User-Agent or Server of an answer to SIP OPTIONS (phones.md f.2).
func Agent(userAgent string, at time.Time) (Clue, bool) { return Clue{}, false }

// CDP reads the platform and the version of a CDP announcement.
func CDP(platform, version string, at time.Time) (Clue, bool) { return Clue{}, false }

// Stated is what a person said that the phone runs. at is when the person said it; zero where that is not known:
// whatever the phone shows then counts for more.
func Stated(load string, at time.Time) (Clue, bool) { return Clue{}, false }

// Asked reads a name that a phone asked for; first tells that it was the first file of a boot.
func Asked(file phone.FileName, first bool, at time.Time) (Clue, bool) { return Clue{}, false }

// ToldNot: it was told load and went on without asking for it, so it runs it.
func ToldNot(load string, at time.Time) Clue { return Clue{} }

// Fetched: it fetched every image of load and started again; before is what ran until then, "" where that is not known.
func Fetched(load, before string, at time.Time) Clue { return Clue{} }
