package assemble

import (
	"errors"
	"strings"
	"testing"

	"phonebox/appliance/site"
	"phonebox/services/phone"
	"phonebox/services/web"
)

// A pallet in the settings of a real box: rows are pasted, lines go to phones, many change at once, and a refusal changes nothing.
func TestManyPhonesChangeInTheSettings(t *testing.T) {
	b := open(t, t.TempDir(), map[string]string{site.FileName: goodSite})
	run(t, b)
	f := fleet{b}
	report, err := f.ReadRows(t.Context(), "Name\tExtension\tPassword\tMAC\nAttic\t230\tsecret-230\t\nCellar\t231\tsecret-231\t\nDoor\t232\tsecret-232\t000b.0000.0001\n")
	if err != nil || report.Summary != "1 phone added, 2 lines wait for a phone." || strings.Contains(report.Site, "secret-") {
		t.Fatalf("pasted: %+v, %v", report, err)
	}
	if lines, _ := f.WaitingLines(); len(lines) != 0 {
		t.Error("lines wait before the yes")
	}
	if report, err = b.shop.Decide(t.Context(), report.ID, true); err != nil {
		t.Fatal(err)
	}
	lines, etag := f.WaitingLines()
	if len(lines) != 2 || lines[0].Label != "Attic" || lines[0].Password != web.Mask {
		t.Fatalf("there wait %+v", lines)
	}
	added := phone.MAC{0, 0x0b, 0, 0, 0, 2}
	given := web.PhonesChange{Put: []web.PhoneEntry{{MAC: added.String(), Label: lines[0].Label, Lines: []web.LineEntry{lines[0].LineEntry}}}}
	if err := f.ChangePhones(t.Context(), given, etag); err != nil {
		t.Fatal(err)
	}
	p, _ := page{b}.Phone(added)
	if lines, _ := f.WaitingLines(); len(lines) != 1 || !p.Known || p.Lines != "230" || b.index.Load().byMAC[added].Lines[0].Password != "secret-230" {
		t.Errorf("the phone is %+v, and there wait %+v", p, lines)
	}
	if err := f.ChangePhones(t.Context(), given, etag); !errors.As(err, &web.StaleError{}) {
		t.Errorf("with an old etag: %v", err)
	}

	_, etag = f.WaitingLines()
	first, _, _ := page{b}.Settings().Phone(b.current().site.Phones[0].MAC)
	second, _, _ := page{b}.Settings().Phone(added)
	first.Load, second.Load = "stay", "no load"
	before := string(b.current().site.TOML(true))
	var refused *web.Refused
	err = f.ChangePhones(t.Context(), web.PhonesChange{Put: []web.PhoneEntry{first, second}}, etag)
	if !errors.As(err, &refused) || len(refused.Faults) != 1 || refused.Faults[0].Key != "phones[00:0B:00:00:00:02].load" {
		t.Errorf("refused with %+v", err)
	}
	if after := string(b.current().site.TOML(true)); after != before {
		t.Error("a refused change changed the settings")
	}
	second.Load = "stay"
	if err := f.ChangePhones(t.Context(), web.PhonesChange{Put: []web.PhoneEntry{first, second}}, etag); err != nil {
		t.Fatal(err)
	}
	if got := b.current().site.Phones; got[0].Load != "stay" || got[0].Lines[0].Password != "geheim" || got[2].Load != "stay" {
		t.Errorf("the phones are %+v", got)
	}

	csv, name, _, err := f.ExportSome("csv", true, []phone.MAC{added})
	if err != nil || name != "phones.csv" || !strings.Contains(string(csv), "secret-230") || strings.Contains(string(csv), "geheim") || strings.Contains(string(csv), "231") {
		t.Errorf("exported: %q, %v", csv, err)
	}
	if csv, _, _, err = f.ExportSome("csv", false, []phone.MAC{added}); err != nil || strings.Contains(string(csv), "secret-") {
		t.Errorf("without passwords: %q, %v", csv, err)
	}
	_, etag = f.WaitingLines()
	if err := f.ChangePhones(t.Context(), web.PhonesChange{Remove: []phone.MAC{added}, Wait: lines[:1], Front: true}, etag); err != nil {
		t.Fatal(err)
	}
	if got := b.current().site.Lines; len(got) != 2 || got[0].Name != "230" || got[0].Password != "secret-230" {
		t.Errorf("taken back, there wait %+v", got)
	}
	if _, err := f.ReadRows(t.Context(), "Dear all,\nthe phones come on Monday.\n"); err == nil || !strings.Contains(err.Error(), "no column") {
		t.Errorf("prose was read: %v", err)
	}
}
