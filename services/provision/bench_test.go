package provision_test

import (
	"testing"

	"phonebox/services/provision"
)

func BenchmarkAnswer(b *testing.B) {
	w := newWorld()
	p, err := provision.New(office(), provision.Deps{Dir: b.TempDir(), Observer: w, Guard: w, Log: discard, Released: func(provision.Release) {}})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"SIPDefault.cnf", "SIP0006D7AA2A2E.cnf", "SEP0006D7AA2A2E.cnf.xml", "P0S3-8-12-00.loads"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p.Answer(b.Context(), provision.Query{Name: name, From: receptionAt})
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	w := newWorld()
	p, err := provision.New(office(), provision.Deps{Dir: b.TempDir(), Observer: w, Guard: w, Log: discard, Released: func(provision.Release) {}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := p.Apply(office()); err != nil {
			b.Fatal(err)
		}
	}
}
