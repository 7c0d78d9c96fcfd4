package phone_test

import (
	"testing"

	"phonebox/services/phone"
)

func TestNearestLatin1(t *testing.T) {
	for in, want := range map[string]string{
		"Büro Zoë – 2. Stock": "Büro Zoë - 2. Stock",
		"Łukasz Dvořák":       "Lukasz Dvorák",
		"Şahin, İnci, ığdır":  "Sahin, Inci, igdir",
		"“Bar”, l’hôtel …":    `"Bar", l'hôtel ...`,
		"cœur 5 €":            "coeur 5 EUR",
		"Empfang ☎️":          "Empfang ?",
		"Zoe\u0308":           "Zoë", // one letter and an accent
		"narrow\u202fspace":   "narrow space",
		"Нина":                "????",
		"plain":               "plain",
	} {
		if got := phone.NearestLatin1(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
