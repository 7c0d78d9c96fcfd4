package site

import (
	"fmt"
	"strings"
)

// ReadContacts returns contacts as they are read from a file, and what is wrong with them: keys are contacts[2].number. One
// with a fault stays as it is.
func ReadContacts(list []Contact) ([]Contact, []Fault) {
	var faults []Fault
	if len(list) > maxContacts {
		faults = append(faults, Fault{Key: "contacts", Found: fmt.Sprintf("%d entries", len(list)), Allowed: fmt.Sprintf("at most %d", maxContacts)})
	}
	out := make([]Contact, len(list))
	for i, c := range list {
		out[i] = c
		texts := map[string]string{"name": c.Name, "number": c.Number}
		for _, k := range contactKeys() {
			bad := k.store(&out[i], fmt.Sprintf("contacts[%d]", i), []entry{{text: strings.TrimSpace(texts[k.name])}})
			faults = append(faults, bad...)
		}
	}
	return out, faults
}
