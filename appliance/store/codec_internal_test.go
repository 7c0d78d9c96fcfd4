package store

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"phonebox/services/dhcp/lease"
)

func fullLease() lease.Record {
	return lease.Record{
		Key: "\x00\x06\xd7\xaa*.", HType: 1, HWAddr: []byte("\x00\x06\xd7\xaa*."), ClientID: []byte{1, 0, 255},
		Address: netip.MustParseAddr("10.77.1.2"), State: lease.Bound, Start: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		End: time.Date(1969, 1, 2, 3, 4, 5, 999999999, time.UTC), Duration: 8 * time.Hour, Trusted: true,
		Hostname: "SEP\xff", VendorClass: "Cisco\x00",
	}
}

func encoded(t testing.TB, r lease.Record) (key, content []byte) {
	t.Helper()
	b, _, err := logLease(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	var l logged
	l.locate(b)
	return l.key, l.value[sealSize:]
}

// TestEveryFieldIsKept sets each field of a record alone, and all of them: one that the codec does not know would be lost.
func TestEveryFieldIsKept(t *testing.T) {
	full := reflect.ValueOf(fullLease())
	records := []lease.Record{fullLease()}
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Errorf("fullLease leaves out %s", full.Type().Field(i).Name)
		}
		r := lease.Record{Address: fullLease().Address}
		reflect.ValueOf(&r).Elem().Field(i).Set(full.Field(i))
		records = append(records, r)
	}
	other := fullLease()
	other.HWAddr, other.State, other.Address = []byte{1, 2}, "something new", netip.MustParseAddr("fd00::1")
	for _, r := range append(records, other) {
		got, err := decodeLease(encoded(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("a record (-stored +read):\n%s", d)
		}
	}
}

// TestRecordsOfTheFirstVersion: what an older phonebox wrote as JSON is read as it was.
func TestRecordsOfTheFirstVersion(t *testing.T) {
	r := fullLease()
	content, err := json.Marshal(jsonLease{Record: r, Key: []byte(r.Key), Hostname: []byte(r.Hostname), VendorClass: []byte(r.VendorClass)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeLease(leaseKey(r.Address), content)
	if d := cmp.Diff(r, got, cmpopts.EquateComparable(netip.Addr{})); d != "" || err != nil {
		t.Errorf("%v (-stored +read):\n%s", err, d)
	}
	if _, err := decodeLease(leaseKey(netip.MustParseAddr("10.77.1.3")), content); err == nil {
		t.Error("a record under the key of another address was taken")
	}
}

func TestUnknownFieldIsPassedOver(t *testing.T) {
	key, content := encoded(t, fullLease())
	content = append(content[:1:1], append([]byte{200, 3, 1, 2, 3}, content[1:]...)...)
	got, err := decodeLease(key, content)
	if err != nil || got.Hostname != fullLease().Hostname {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzDecodeLease: what decodes encodes to the same record again.
func FuzzDecodeLease(f *testing.F) {
	f.Add([]byte("L\x0a\x4d\x00\x01"), []byte(`{"address":"10.77.0.1","key":"AAbX","start":"2026-01-01T00:00:00Z","end":"2026-01-01T08:00:00Z"}`))
	key, content := encoded(f, fullLease())
	f.Add(key, content)
	f.Fuzz(func(t *testing.T, key, content []byte) {
		r, err := decodeLease(key, content)
		if err != nil {
			return
		}
		b, _, err := logLease(nil, &r)
		if err != nil {
			return // a year, or names, beyond the bounds
		}
		var l logged
		l.locate(b)
		r2, err := decodeLease(l.key, l.value[sealSize:])
		if d := cmp.Diff(r, r2, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Fatalf("%v\n%s", err, d)
		}
	})
}
