package web_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"phonebox/services/phone"
	"phonebox/services/web"
)

// fakeEditors is the box behind the editors, in memory; what it was asked to do stands in done.
type fakeEditors struct {
	mu     sync.Mutex
	lines  []web.Contact
	users  map[string][]string
	sounds map[string][]byte
	logo   []byte
	before []byte
	done   []string
}

func newFakeEditors() *fakeEditors {
	sound := make([]byte, 8160)
	for i := range sound {
		sound[i] = 0xff
		if i/240%2 == 0 {
			sound[i] = byte(0x80 + i%0x40) // a saw
		}
	}
	return &fakeEditors{
		lines:  []web.Contact{{Name: "Reception", Number: "208"}, {Name: "Warehouse", Number: "209"}},
		users:  map[string][]string{},
		sounds: map[string][]byte{"OldStyle.raw": sound, "bell.raw": sound[:2400]},
		logo:   phone.WriteLogo("Harbour Street office"),
	}
}

func (f *fakeEditors) did(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, fmt.Sprintf(format, args...))
	return nil
}

func (f *fakeEditors) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.done)
}

func (f *fakeEditors) SiteName() string { return "Harbour Street office" }

func (f *fakeEditors) DirectoryLines() []web.Contact { return f.lines }

func (f *fakeEditors) DirectoryXML(contacts []web.Contact, page int) ([]byte, int) {
	var entries []phone.Entry
	for _, c := range slices.Concat(f.lines, contacts) {
		entries = append(entries, phone.Entry(c))
	}
	slices.SortStableFunc(entries, func(a, b phone.Entry) int { return strings.Compare(a.Name, b.Name) })
	return phone.WriteDirectory(f.SiteName(), entries, page)
}

func (f *fakeEditors) CheckContacts(contacts []web.Contact) []web.Fault {
	var out []web.Fault
	for i, c := range contacts {
		if c.Name == "" {
			out = append(out, web.Fault{Key: fmt.Sprintf("contacts[%d].name", i), Found: `""`, Allowed: "a text of 1 to 64 characters"})
		}
		if c.Number == "" || strings.Contains(c.Number, ";") {
			out = append(out, web.Fault{Key: fmt.Sprintf("contacts[%d].number", i), Found: fmt.Sprintf("%q", c.Number), Allowed: "a number without ;"})
		}
	}
	return out
}

func (f *fakeEditors) RingList() []byte { return []byte("Old Style\tOldStyle.raw\n") }

func (f *fakeEditors) RingSound(file string) ([]byte, bool) {
	raw, ok := f.sounds[file]
	return raw, ok
}

func (f *fakeEditors) NameRing(_ context.Context, file, name string) error {
	return f.did("name %s %s", file, name)
}

func (f *fakeEditors) OrderRings(_ context.Context, files []string) error {
	return f.did("order %s", strings.Join(files, " "))
}

func (f *fakeEditors) RingUsers(file string) []string { return f.users[file] }

func (f *fakeEditors) LogoBMP() ([]byte, bool) { return f.logo, true }

func (f *fakeEditors) LogoBefore() ([]byte, bool) { return f.before, f.before != nil }

func (f *fakeEditors) RestoreLogo(context.Context) error { return f.did("restore logo") }
