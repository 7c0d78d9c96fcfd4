package web

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"phonebox/services/phone"
)

// BenchmarkTranslate is the table of 500 phones in English, and what Dutch adds.
func BenchmarkTranslate(b *testing.B) {
	p, err := parsePages()
	if err != nil {
		b.Fatal(err)
	}
	v := phonesView{Sentence: "500 phones: 500 on the way"}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 500 {
		v.Rows = append(v.Rows, newRow(Phone{
			MAC: phone.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, Label: fmt.Sprintf("Desk %d", i), Model: "7960", Known: true, Step: phone.Loading,
			Address: "10.77.1.5", WaitingFor: fmt.Sprintf("SIP0200000%05X.cnf", i), Updated: now,
		}, now))
	}
	for _, language := range []string{english, "nl"} {
		b.Run(language, func(b *testing.B) {
			for b.Loop() {
				var out bytes.Buffer
				if err := p.part(&out, "phones", "rows", v); err != nil {
					b.Fatal(err)
				}
				if c := p.languages.catalogue(language); c != nil {
					var translated bytes.Buffer
					c.HTML(&translated, out.Bytes())
				}
			}
		})
	}
}
