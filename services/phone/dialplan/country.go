package dialplan

import (
	"slices"
	"strings"
)

// CountryName is a country that has a ready-made plan.
type CountryName struct{ Code, Name string }

// Countries returns the countries with a ready-made plan, by code.
func Countries() []CountryName {
	out := make([]CountryName, len(countries))
	for i, c := range countries {
		out[i] = CountryName{c.code, c.name}
	}
	return out
}

// Country returns the ready-made plan of a country (BE, nl, UK; GB is UK): emergency numbers at once, whole national and
// mobile numbers at once where their length is known, international and others some seconds after the last digit,
// extensions of two to four digits after 4 s. There is no prefix for an outside line, and no extension may begin with an
// emergency number.
//
// Emergency rules have no Route: a phone whose proxy_emergency is empty may not get through with the route Emergency.
func Country(code string) (Plan, bool) {
	c, ok := find(code)
	if !ok {
		return Plan{}, false
	}
	plan := Plan{}
	for i, n := range c.emergency {
		r := Rule{Match: n, Timeout: "0"}
		if i == 0 {
			r.Comment = c.name + ": emergency numbers, at once"
		}
		plan.Rules = append(plan.Rules, r)
	}
	for _, row := range append(slices.Clone(c.rows), common...) {
		plan.Rules = append(plan.Rules, Rule{Match: row.match, Timeout: row.timeout, Comment: row.comment})
	}
	return plan, true
}

// Emergency returns the emergency numbers of a country's plan, for [Lint]; nil for other countries.
func Emergency(code string) []string {
	c, _ := find(code)
	return slices.Clone(c.emergency)
}

func find(code string) (country, bool) {
	code = strings.ToUpper(strings.TrimSpace(code))
	if code == "GB" {
		code = "UK"
	}
	i := slices.IndexFunc(countries, func(c country) bool { return c.code == code })
	if i < 0 {
		return country{}, false
	}
	return countries[i], true
}

// country is what a ready-made plan is made of, after the public national numbering plans. Timeouts: 0 only where no
// longer number begins the same; 4 where one may.
type country struct {
	code, name string
	emergency  []string
	rows       []row
}

type row struct{ match, timeout, comment string }

// common ends every plan. The rules have no literal digit, so any other that fits so far holds them back.
var common = []row{
	{"..", "4", "extensions"},
	{"...", "4", "extensions and short service numbers"},
	{"....", "4", ""},
	{"*", "5", "all else"},
}

// international is the same in every country with the prefix 00; numbers have no fixed length there.
var international = row{"00*", "5", "international"}

// harmonised are the European services of social value: 116000, 116117, 116123.
var harmonised = row{"116...", "0", "European service numbers"}

var countries = []country{
	{"AT", "Austria", []string{"112", "122", "133", "140", "144"}, []row{
		{"0*", "5", "national and mobile, of any length"},
		international, harmonised,
		{"118...", "0", "directory enquiries"},
	}},
	{"BE", "Belgium", []string{"112", "100", "101"}, []row{
		{"0........", "0", "national, 070, 078, 0800, 090x: nine digits"},
		{"045.......", "0", "mobile: ten digits; 042 and 043 are Liege"},
		{"046.......", "0", ""},
		{"047.......", "0", ""},
		{"048.......", "0", ""},
		{"049.......", "0", ""},
		international, harmonised,
	}},
	{"CH", "Switzerland", []string{"112", "117", "118", "144", "145", "1414"}, []row{
		{"0.........", "0", "national, mobile, 0800, 0900: ten digits"},
		international, harmonised,
	}},
	{"DE", "Germany", []string{"112", "110"}, []row{
		{"0*", "5", "national, of any length"},
		{"01*", "4", "mobile, 0180 and other services"},
		international, harmonised,
		{"118..", "4", "directory enquiries: five or six digits"},
	}},
	{"ES", "Spain", []string{"112", "061", "062", "080", "085", "091", "092"}, []row{
		{".........", "0", "national, mobile, 800, 900: nine digits"},
		{"0..", "4", "public services: 010, 012, 016, 060"},
		international, harmonised,
		{"118..", "0", "directory enquiries"},
	}},
	{"FR", "France", []string{"112", "15", "17", "18", "114"}, []row{
		{"0.........", "0", "national, mobile, 08: ten digits"},
		international, harmonised,
		{"118...", "0", "directory enquiries"},
	}},
	{"IE", "Ireland", []string{"112", "999"}, []row{
		{"0*", "4", "national, of eight to ten digits"},
		{"01.......", "0", "Dublin: nine digits"},
		{"08........", "4", "mobile and 0818: ten digits, eleven to a mailbox"},
		{"1800......", "0", "services: ten digits"},
		{"1850......", "0", ""},
		{"1890......", "0", ""},
		international, harmonised,
		{"118..", "0", "directory enquiries"},
	}},
	{"IT", "Italy", []string{"112", "113", "115", "118"}, []row{
		{"0*", "5", "national, of any length"},
		{"..........", "0", "mobile: ten digits"},
		{".........", "4", "800, 199 and older mobile numbers: nine digits"},
		international, harmonised,
	}},
	{"NL", "Netherlands", []string{"112"}, []row{
		{"0.........", "0", "national, mobile, 085, 088: ten digits"},
		{"0800....", "4", "0800 and 0900 have eight or eleven digits"},
		{"0800.......", "0", ""},
		{"0900....", "4", ""},
		{"0900.......", "0", ""},
		{"0906....", "4", ""},
		{"0906.......", "0", ""},
		{"0909....", "4", ""},
		{"0909.......", "0", ""},
		{"097.........", "0", "machines: twelve digits"},
		international, harmonised,
		{"140..", "4", "municipalities: 14 and the area code"},
		{"140...", "4", ""},
	}},
	{"UK", "United Kingdom", []string{"999", "112"}, []row{
		{"01.........", "0", "national: eleven digits, a few areas ten"},
		{"01........", "4", ""},
		{"02.........", "0", ""},
		{"03.........", "0", ""},
		{"05.........", "0", ""},
		{"07.........", "0", "mobile"},
		{"08.........", "0", "0800 and others; 0800 has ten digits too, and 0800 1111"},
		{"0800......", "4", ""},
		{"08001111", "4", ""},
		{"09.........", "0", ""},
		international, harmonised,
		{"118...", "0", "directory enquiries"},
	}},
	{"US", "United States", []string{"911"}, []row{
		{"1..........", "0", "long distance"},
		{"..........", "0", "ten digits"},
		{".......", "4", "local: seven digits"},
		{"0*", "4", "operator"},
		{"0", "4", ""},
		{"011*", "5", "international"},
		{"1.", "4", "extensions that begin with 1 do not wait for a long distance number"},
		{"1..", "4", ""},
		{"1...", "4", ""},
	}},
}
