package site

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The kinds of keys, as the form shows them.
const (
	KindText   = "text"
	KindNumber = "number"
	KindBool   = "bool"
	KindList   = "list"
	KindChoice = "choice"
	KindMap    = "map"
)

// entry is the text of a value, of one item of a list, or of one pair of a map.
type entry struct {
	name string // maps: the pair's name
	text string
	line int
	// wrongType words a value that is no text at all; text is then impossible.
	wrongType string
}

// key describes one key of a table: how its texts become the value and back, and what people are told.
type key[T any] struct {
	name    string // within its table; a key of the site carries its table: network.address
	kind    string
	label   string
	help    string
	allowed string // what is allowed, for a sentence: "allowed is ..."
	choices []string
	words   []string // what each of choices means; nil = they speak for themselves
	unit    string   // in what the value is counted, for a sentence; "" = in nothing
	example string   // a value that is allowed
	// catalogue says that the names of a map are parameters of the phones' catalogue.
	catalogue bool
	secret    bool
	get       func(*T) []entry
	// set stores the value and returns the indexes of the entries that are not allowed.
	set  func(*T, []entry) []int
	hint func(string) string // what may have been meant; "" = no idea
	// names says whether a pair's name may stand in a map.
	names        func(string) bool
	allowedNames string
}

// about fills in what people are told.
func (k key[T]) about(label, allowed, help string) key[T] {
	k.label, k.allowed, k.help = label, allowed, help
	return k
}

// such adds a value that is allowed, for people who learn by examples.
func (k key[T]) such(example string) key[T] {
	k.example = example
	return k
}

// in adds the unit of the value.
func (k key[T]) in(unit string) key[T] {
	k.unit = unit
	return k
}

// means adds what each choice means.
func (k key[T]) means(words ...string) key[T] {
	k.words = words
	return k
}

// scalar is a key with one value.
func scalar[T, V any](name, kind string, at func(*T) *V, parse func(string) (V, bool), format func(V) string) key[T] {
	return key[T]{
		name: name, kind: kind,
		get: func(t *T) []entry { return []entry{{text: format(*at(t))}} },
		set: func(t *T, in []entry) []int {
			v, ok := parse(in[0].text)
			if !ok {
				return []int{0}
			}
			*at(t) = v
			return nil
		},
	}
}

func text[T any](name string, at func(*T) *string, parse func(string) (string, bool)) key[T] {
	return scalar(name, KindText, at, parse, same)
}

func boolean[T any](name string, at func(*T) *bool) key[T] {
	return scalar(name, KindBool, at, parseBool, strconv.FormatBool)
}

func choice[T any](name string, at func(*T) *string, choices ...string) key[T] {
	k := scalar(name, KindChoice, at, oneOf(choices...), same)
	k.choices = choices
	return k
}

// list is a key with any number of values. An entry that is not allowed keeps its place with the zero value, so that later
// checks count the entries as the file does.
func list[T, V any](name string, at func(*T) *[]V, parse func(string) (V, bool), format func(V) string) key[T] {
	return key[T]{
		name: name, kind: KindList,
		get: func(t *T) []entry {
			var out []entry
			for _, v := range *at(t) {
				out = append(out, entry{text: format(v)})
			}
			return out
		},
		set: func(t *T, in []entry) (bad []int) {
			var out []V
			for i, e := range in {
				v, ok := parse(e.text)
				if !ok {
					bad = append(bad, i)
					v = *new(V)
				}
				out = append(out, v)
			}
			*at(t) = out
			return bad
		},
	}
}

// dict is a key with named values.
func dict[T, V any](name string, at func(*T) *map[string]V, parse func(string) (V, bool), format func(V) string) key[T] {
	return key[T]{
		name: name, kind: KindMap,
		get: func(t *T) []entry {
			var out []entry
			m := *at(t)
			for _, n := range slices.Sorted(maps.Keys(m)) {
				out = append(out, entry{name: n, text: format(m[n])})
			}
			return out
		},
		set: func(t *T, in []entry) (bad []int) {
			var out map[string]V
			for i, e := range in {
				v, ok := parse(e.text)
				if !ok {
					bad = append(bad, i)
					continue
				}
				if out == nil {
					out = map[string]V{}
				}
				out[e.name] = v
			}
			*at(t) = out
			return bad
		},
	}
}

// path writes the path of an entry of this key.
func (k *key[T]) path(prefix string, i int, e entry) string {
	p := join(prefix, k.name)
	switch k.kind {
	case KindList:
		return fmt.Sprintf("%s[%d]", p, i)
	case KindMap:
		return join(p, e.name)
	}
	return p
}

// isSecret reports whether an entry's text must not be shown: passwords of lines, and parameters that hold one.
func (k *key[T]) isSecret(e entry) bool {
	return k.secret || k.kind == KindMap && SecretParameter(e.name)
}

// store sets the value from texts and returns a fault for each text that is not allowed.
func (k *key[T]) store(into *T, prefix string, in []entry) (faults []Fault) {
	kept := in
	if k.kind == KindMap {
		kept = nil
		for _, e := range in {
			if !k.names(e.name) {
				faults = append(faults, Fault{Line: e.line, Key: k.path(prefix, 0, e), Found: "the name " + quote(e.name), Allowed: k.allowedNames})
				continue
			}
			kept = append(kept, e)
		}
	}
	for _, i := range k.set(into, kept) {
		e := kept[i]
		faults = append(faults, Fault{Line: e.line, Key: k.path(prefix, i, e), Found: k.found(e), Allowed: k.allowedFor(e)})
	}
	return faults
}

// allowedFor is the sentence of what is allowed, with what may have been meant.
func (k *key[T]) allowedFor(e entry) string {
	if k.hint != nil {
		if meant := k.hint(e.text); meant != "" {
			return k.allowed + " (did you mean " + quote(meant) + "?)"
		}
	}
	return k.allowed
}

// found words what stands there, without showing a secret.
func (k *key[T]) found(e entry) string {
	secret := k.isSecret(e)
	switch {
	case e.wrongType != "" && secret:
		return "a value that is no text (not shown)"
	case e.wrongType != "":
		return e.wrongType
	}
	return shown(e.text, secret)
}

// shown words a text for a fault; a secret by its length only.
func shown(text string, secret bool) string {
	switch {
	case text == "":
		return "an empty text"
	case secret:
		return fmt.Sprintf("a password of %d characters", utf8.RuneCountInString(text))
	}
	return quote(text)
}

// quote writes a text from outside, cut to what a person needs to recognise it.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return strconv.Quote(string(r[:most])) + "..."
	}
	return strconv.Quote(s)
}
