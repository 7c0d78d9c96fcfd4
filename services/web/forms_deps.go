package web

import (
	"context"

	"phonebox/services/phone"
	"phonebox/services/phone/pbx"
)

// SiteForms is what the forms of the settings need beyond [Settings].
type SiteForms interface {
	// Form returns every key of the site but those of phones, contacts and dialling rules, and the etag that a change of
	// them is based on. Secrets are masked.
	Form() (SiteForm, string)
	// Check says what it would do to save values, by their keys and in the notation of [Field]; a table's own key has the
	// number of its entries. It is the check of saving itself, and changes nothing.
	Check(ctx context.Context, values map[string]string) SiteCheck
	// CheckText does the same for the whole of the settings as TOML; masked secrets stand for those that are set.
	CheckText(ctx context.Context, text []byte) SiteCheck
	// Lines returns the lines of all listed phones that register at the site's own telephone system, their passwords
	// masked unless secrets are asked for, and how many lines have a telephone system of their own.
	Lines(secrets bool) (office pbx.Office, others int)
}

// SiteForm is the site as forms show it.
type SiteForm struct {
	Fields []Field
	Tables []SiteTable
}

// SiteTable is a list of tables of the site.
type SiteTable struct {
	Key, Label, Help string
	Entries          [][]Field // with keys such as dhcp.subnet[0].name
	Blank            []Field   // a new entry, with keys such as name
}

// SiteCheck says what it would do to save settings.
type SiteCheck struct {
	Faults   []Fault      `json:"faults"`   // with one of them nothing is saved
	Warnings []Fault      `json:"warnings"` // they refuse nothing
	Changes  []KeyChange  `json:"changes"`
	Effects  []SiteEffect `json:"effects"`
	// Moves is the address of the page afterwards; "" = it stays where it is.
	Moves string `json:"moves,omitempty"`
}

// SiteEffect is what a change does.
type SiteEffect struct {
	Text    string      `json:"text"`             // a sentence
	Phones  []phone.MAC `json:"phones,omitempty"` // the listed phones that it concerns; none = it is about no single phone
	Restart bool        `json:"restart"`          // these phones do it once they start again
	Grave   bool        `json:"grave"`            // somebody may regret it
}
