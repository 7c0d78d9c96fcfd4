package dialplan

import (
	"fmt"
	"strings"
	"testing"
)

// numbers are real-shaped numbers of each country: what is dialled, and after how many seconds it is sent.
var numbers = map[string]map[string]int{
	"AT": {
		"112": 0, "122": 0, "133": 0, "144": 0, "140": 0, "01 5123456": 5, "0662 8044": 5, "0664 1234567": 5, "0800 123456": 5,
		"0049 30 1234567": 5, "116117": 0, "118877": 0, "21": 4, "208": 4, "2080": 4, "1484": 4, "*21": 4, "512345": 5,
	},
	"BE": {
		"112": 0, "100": 0, "101": 0, "02/345 67 89": 0, "010 12 34 56": 0, "04 222 33 44": 0, "0477 12 34 56": 0, "0455 12 34 56": 0,
		"0468 12 34 56": 0, "0487 12 34 56": 0, "0499 12 34 56": 0, "078 15 20 20": 0, "0800 12 345": 0, "0032 2 345 67 89": 5,
		"0031 6 12345678": 5, "116000": 0, "1207": 4, "1733": 4, "107": 4, "20": 4, "208": 4, "2080": 4, "*72": 4,
	},
	"CH": {
		"112": 0, "117": 0, "118": 0, "144": 0, "145": 0, "1414": 0, "044 123 45 67": 0, "079 123 45 67": 0, "0800 123 456": 0,
		"0900 123 456": 0, "0049 30 1234567": 5, "143": 4, "20": 4, "208": 4, "2080": 4, "116117": 0,
	},
	"DE": {
		"112": 0, "110": 0, "030 1234567": 5, "089 12345678": 5, "04131 1234": 5, "0171 1234567": 4, "0151 12345678": 4,
		"0176 12345678": 4, "0800 1234567": 5, "0180 5123456": 4, "0033 1 23 45 67 89": 5, "116117": 0, "11833": 4, "115": 4,
		"20": 4, "208": 4, "2080": 4, "1234567": 5, "118000": 5,
	},
	"ES": {
		"112": 0, "061": 0, "062": 0, "080": 0, "085": 0, "091": 0, "092": 0, "91 123 45 67": 0, "912 345 678": 0, "612 345 678": 0,
		"712 345 678": 0, "900 123 456": 0, "016": 4, "11818": 0, "0034 912 345 678": 5, "116111": 0, "20": 4, "208": 4, "6080": 4, "1004": 4,
	},
	"FR": {
		"112": 0, "15": 0, "17": 0, "18": 0, "114": 0, "01 23 45 67 89": 0, "06 12 34 56 78": 0, "07 12 34 56 78": 0, "0800 123 456": 0,
		"09 12 34 56 78": 0, "0032 2 345 67 89": 5, "3631": 4, "1023": 4, "115": 4, "118218": 0, "116006": 0, "20": 4, "208": 4, "2080": 4,
	},
	"IE": {
		"112": 0, "999": 0, "01 234 5678": 0, "021 123 4567": 4, "0404 12345": 4, "087 123 4567": 4, "087 5 123 4567": 4, "0818 123 456": 4,
		"1800 123 456": 0, "1850 123 456": 0, "0044 20 7946 0018": 5, "11811": 0, "20": 4, "208": 4, "2080": 4,
	},
	"IT": {
		"112": 0, "113": 0, "115": 0, "118": 0, "06 12345678": 5, "02 1234567": 5, "347 123 4567": 0, "335 123 456": 4, "800 123 456": 4,
		"892424": 5, "0033 1 23 45 67 89": 5, "116117": 0, "1530": 4, "20": 4, "308": 4, "2080": 4,
	},
	"NL": {
		"112": 0, "020 123 4567": 0, "0111 123456": 0, "06 1234 5678": 0, "088 123 4567": 0, "085 123 4567": 0, "0800 1234": 4,
		"0800 123 4567": 0, "0900 8844": 4, "0900 123 4567": 0, "0906 1234": 4, "097 123 456 789": 0, "0032 2 345 67 89": 5,
		"14 020": 4, "14 0111": 4, "1888": 4, "116123": 0, "20": 4, "208": 4, "2080": 4,
	},
	"UK": {
		"999": 0, "112": 0, "020 7946 0018": 0, "0161 496 0018": 0, "01632 960018": 0, "016977 2345": 4, "07700 900123": 0, "0800 496 0123": 0,
		"0808 157 0123": 0, "0800 123 456": 4, "0800 1111": 4, "0345 123 4567": 0, "0906 123 4567": 0, "055 1234 5678": 0,
		"0033 1 23 45 67 89": 5, "101": 4, "111": 4, "123": 4, "118500": 0, "116123": 0, "20": 4, "208": 4, "2080": 4, "496018": 5,
	},
	"US": {
		"911": 0, "1 212 555 0123": 0, "212 555 0123": 0, "555 0123": 4, "1 800 555 0199": 0, "011 44 20 7946 0018": 5, "411": 4, "988": 4,
		"0": 4, "0 212 555 0123": 4, "20": 4, "208": 4, "2080": 4, "101": 4, "1010": 4, "*67": 4,
	},
}

func TestReadyMadePlans(t *testing.T) {
	t.Parallel()
	if len(Countries()) != len(numbers) {
		t.Errorf("%d countries, tried are %d", len(Countries()), len(numbers))
	}
	for _, c := range Countries() {
		t.Run(c.Code, func(t *testing.T) {
			t.Parallel()
			plan, ok := Country(strings.ToLower(c.Code))
			if !ok {
				t.Fatal("there is no plan")
			}
			if said := Lint(plan, Emergency(c.Code)...); len(said) > 0 {
				t.Errorf("Lint: %s", strings.Join(said, "\n"))
			}
			content, err := Write(plan)
			if err != nil {
				t.Fatal(err)
			}
			if back, warnings, err := Read(content); err != nil || len(warnings) > 0 || fmt.Sprint(back) != fmt.Sprint(plan) {
				t.Errorf("read back: %v %v %v", back, warnings, err)
			}
			for _, n := range Emergency(c.Code) {
				if wait, ok := numbers[c.Code][n]; !ok || wait != 0 {
					t.Errorf("the emergency number %s is not tried", n)
				}
			}
			for number, wait := range numbers[c.Code] {
				tryNumber(t, plan, number, wait)
			}
		})
	}
}

// tryNumber dials with both readings of phones.md g.3: what is sent must be the same, emergency numbers at once.
func tryNumber(t *testing.T, plan Plan, number string, wait int) {
	t.Helper()
	digits, _ := dialled(number)
	for _, strict := range []bool{false, true} {
		r := dial(plan, number, strict)
		if r.Fault != "" || r.Sent != digits || r.Rest != "" || r.Route != "Default" || r.User != "" {
			t.Errorf("%s, strict %v: %+v", number, strict, r)
		}
		got := int(r.After.Seconds())
		if !strict && (got != wait || r.Rule == 0) || strict && wait == 0 && got != 0 {
			t.Errorf("%s, strict %v: sent after %d s by rule %d, wanted %d s\n%s", number, strict, got, r.Rule, wait, strings.Join(r.Trace, "\n"))
		}
	}
}

func TestCountryCodes(t *testing.T) {
	t.Parallel()
	if _, ok := Country("XX"); ok || Emergency("XX") != nil {
		t.Error("there is a plan for XX")
	}
	gb, ok := Country(" gb ")
	uk, _ := Country("UK")
	if !ok || fmt.Sprint(gb) != fmt.Sprint(uk) {
		t.Error("GB is not UK")
	}
}
