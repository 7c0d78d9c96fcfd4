package web

import (
	"runtime"
	"testing"
)

// TestACatalogueIsReadWhenItIsAskedFor: a box that is read in one language holds one catalogue, and one that is read in English
// none. How much a catalogue takes is bounded: its texts are parts of the file.
func TestACatalogueIsReadWhenItIsAskedFor(t *testing.T) {
	before := inUse()
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	heads := inUse() - before
	c := languages.catalogue("de")
	if c == nil || languages.catalogue("de") != c || languages.catalogue("xx") != nil {
		t.Fatal("want German, the same each time, and nothing for a language that there is not")
	}
	one := inUse() - before
	t.Logf("the names of the languages take %d KB, German takes %d KB", heads>>10, one>>10)
	if heads > 64<<10 {
		t.Errorf("the names of the languages take %d KB, want none of their texts", heads>>10)
	}
	if one > 1000<<10 {
		t.Errorf("German takes %d KB, want little more than its file", one>>10)
	}
	runtime.KeepAlive(languages)
}

// inUse is how much of the memory is in use, in bytes.
func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
