package adopt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"phonebox/services/phone"
)

// zonesOf lists time zones where people are, by the name that the phones have for their standard time (phones.md d.2).
var zonesOf = map[string][]string{
	"AHST": {"Pacific/Honolulu"},
	"YST":  {"America/Anchorage"},
	"PST":  {"America/Los_Angeles", "America/Vancouver"},
	"MST":  {"America/Denver", "America/Phoenix", "America/Edmonton"},
	"CST":  {"America/Chicago", "America/Winnipeg", "America/Mexico_City", "America/Costa_Rica"},
	"EST":  {"America/New_York", "America/Toronto", "America/Bogota", "America/Lima", "America/Panama"},
	"AST":  {"America/Halifax", "America/Puerto_Rico", "America/Caracas", "America/Santiago"},
	"NST":  {"America/St_Johns"},
	"BST":  {"America/Sao_Paulo", "America/Argentina/Buenos_Aires"},
	"WAT":  {"Atlantic/Azores", "Atlantic/Cape_Verde"},
	"GMT":  {"Europe/London", "Europe/Dublin", "Europe/Lisbon", "UTC", "Atlantic/Reykjavik", "Africa/Accra"},
	"CET": {
		"Europe/Brussels", "Europe/Amsterdam", "Europe/Berlin", "Europe/Paris", "Europe/Luxembourg", "Europe/Zurich", "Europe/Vienna",
		"Europe/Rome", "Europe/Madrid", "Europe/Copenhagen", "Europe/Oslo", "Europe/Stockholm", "Europe/Warsaw", "Europe/Prague",
		"Europe/Budapest", "Africa/Lagos", "Africa/Tunis",
	},
	"EET":  {"Europe/Helsinki", "Europe/Athens", "Europe/Bucharest", "Europe/Sofia", "Europe/Vilnius", "Africa/Johannesburg", "Africa/Maputo"},
	"BT":   {"Europe/Moscow", "Europe/Istanbul", "Asia/Riyadh", "Africa/Nairobi"},
	"IT":   {"Asia/Tehran"},
	"ZP4":  {"Asia/Dubai", "Asia/Tbilisi"},
	"AFG":  {"Asia/Kabul"},
	"ZP5":  {"Asia/Karachi", "Asia/Tashkent"},
	"IST":  {"Asia/Kolkata"},
	"ZP6":  {"Asia/Dhaka"},
	"SUM":  {"Asia/Yangon"},
	"WAST": {"Asia/Bangkok", "Asia/Jakarta", "Asia/Ho_Chi_Minh"},
	"HST":  {"Asia/Singapore", "Asia/Hong_Kong", "Asia/Shanghai", "Asia/Manila", "Australia/Perth"},
	"JST":  {"Asia/Tokyo", "Asia/Seoul"},
	"CAST": {"Australia/Darwin", "Australia/Adelaide"},
	"EAST": {"Australia/Sydney", "Australia/Melbourne", "Australia/Brisbane", "Pacific/Guam"},
	"EADT": {"Pacific/Noumea"},
	"NZST": {"Pacific/Auckland", "Pacific/Fiji"},
}

// timeRule is what a file says of the clock, as far as zones differ in it.
type timeRule struct {
	zone        string // CET
	dst         bool
	start, stop string // "March week 8 Sunday"; the hour is left out, because guides disagree on it
}

// ruleOf reads the rule of a file; what it does not say is as the phones' factory has it.
func ruleOf(value func(name string) string) timeRule {
	get := func(name string) string {
		if v := value(name); !isEmpty(v) {
			return v
		}
		p, _ := phone.LookUpParameter(name)
		return p.Default
	}
	r := timeRule{zone: strings.ToUpper(get("time_zone")), dst: get("dst_auto_adjust") != "0"}
	if r.dst {
		r.start, r.stop = changeOf(get, "dst_start_"), changeOf(get, "dst_stop_")
	}
	return r
}

func changeOf(get func(string) string, prefix string) string {
	month := shortName(get(prefix+"month"), 12, func(n int) string { return time.Month(n).String() })
	if day := strings.TrimLeft(get(prefix+"day"), "0"); day != "" {
		return month + " " + day
	}
	weekday := shortName(get(prefix+"day_of_week"), 7, func(n int) string { return time.Weekday(n - 1).String() })
	return month + " week " + get(prefix+"week_of_month") + " " + weekday
}

// shortName makes the ways to write a month or a weekday equal: three letters, in lower case.
func shortName(s string, most int, name func(int) string) string {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= most {
		s = name(n)
	}
	return strings.ToLower(s[:min(3, len(s))])
}

// suggestZone looks for the time zones that follow the rule of SIPDefault.cnf.
func (a *adoption) suggestZone(v *Verdict) {
	if _, ok := a.defaults.find("time_zone"); !ok {
		return
	}
	rule := ruleOf(a.defaults.text)
	now, _, err := phone.ZoneFor(a.site.Time.Zone, time.Time{})
	if err != nil {
		return
	}
	settings := now.Settings()
	if ruleOf(func(name string) string { return settings[name] }) == rule {
		return
	}
	if a.site.Time.Zone != "UTC" {
		v.warn("the file has the clock of %s; the site's time.zone is %s, and that decides", rule.zone, a.site.Time.Zone)
		return
	}
	zones, exact := zonesFor(rule)
	if len(zones) == 0 {
		v.warn("the file has time_zone %s, for which no usual time zone is known; set time.zone by hand, it is still UTC", shown(rule.zone))
		return
	}
	a.plan.Zones = zones
	how := "which is the clock of"
	if !exact {
		how = "with a rule for summer time that no zone has now; nearest is the clock of"
	}
	v.warn("time.zone is still UTC: the file says %s, %s %s; check which of them it is and set it", rule.zone, how, orWords(zones))
}

// zonesFor returns the zones that follow a rule, and whether they do so exactly; else those of the same standard time
// that have summer time where the rule has it.
func zonesFor(rule timeRule) (zones []string, exact bool) {
	var near []string
	for _, name := range zonesOf[rule.zone] {
		z, _, err := phone.ZoneFor(name, time.Time{})
		if err != nil || z.Name != rule.zone {
			continue
		}
		settings := z.Settings()
		has := ruleOf(func(name string) string { return settings[name] })
		switch {
		case has == rule:
			zones = append(zones, name)
		case has.dst == rule.dst:
			near = append(near, name)
		}
	}
	if len(zones) > 0 {
		return zones, true
	}
	if len(near) == 0 {
		near = slices.Clone(zonesOf[rule.zone])
	}
	return near, false
}

// orWords joins candidates for a sentence: "a, b or c".
func orWords(list []string) string {
	const most = 8
	if len(list) > most {
		list = append(slices.Clone(list[:most]), fmt.Sprintf("one of %d others", len(list)-most))
	}
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " or " + list[n-1]
	}
	return strings.Join(list, "")
}
