package site

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// nodeKind says what a value of the document is, before anything is known about the keys.
type nodeKind uint8

const (
	nodeString nodeKind = iota
	nodeInteger
	nodeBool
	nodeOther // a float, a date or a time: no key of ours takes one
	nodeArray
	nodeTable
)

// node is one value of the document with the line on which its key (or, in a list, the value itself) stands.
type node struct {
	kind   nodeKind
	text   string // scalars: strings decoded, everything else as written
	line   int
	items  []*node
	fields map[string]*node
	order  []string
	header bool // opened by a [header] of its own, so a second one is a fault
	closed bool // written as a value (inline, or by dotted keys): headers cannot add to it
	many   bool // written with [[ ]]
}

func newTable(line int) *node {
	return &node{kind: nodeTable, line: line, fields: map[string]*node{}}
}

func (n *node) put(name string, v *node) {
	n.fields[name] = v
	n.order = append(n.order, name)
}

// maxSyntaxFaults bounds the work on a file that is no TOML at all.
const maxSyntaxFaults = 50

// tree reads the document into nodes. A fault of the syntax does not end the reading: it goes on at the next line that
// looks like a key or a header, so that one run names every fault.
type tree struct {
	text   []byte
	base   int   // offset of what the parser reads now
	lines  []int // offset of each line's start
	root   *node
	table  *node // what keys are added to; nil behind a broken header
	prefix string
	faults []Fault
	parser unstable.Parser
}

// readTree returns the document's root table and the faults of its syntax.
func readTree(text []byte) (*node, []Fault) {
	t := &tree{text: text, lines: lineStarts(text), root: newTable(1)}
	t.table = t.root
	for len(t.faults) < maxSyntaxFaults {
		// The parser finds offsets by the capacity of the slice.
		t.parser.Reset(slices.Clip(t.text[t.base:]))
		for t.parser.NextExpression() {
			t.expression(t.parser.Expression())
		}
		if t.parser.Error() == nil || !t.skipFault() {
			break
		}
	}
	return t.root, t.faults
}

func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// lineAt returns the 1-based line of an offset of the whole document.
func (t *tree) lineAt(offset int) int {
	return sort.SearchInts(t.lines, offset+1)
}

func (t *tree) lineOf(r unstable.Range) int { return t.lineAt(t.base + int(r.Offset)) }

// lineText returns a 1-based line without its end.
func (t *tree) lineText(line int) []byte {
	start, end := t.lines[line-1], len(t.text)
	if line < len(t.lines) {
		end = t.lines[line]
	}
	return bytes.TrimRight(t.text[start:end], "\r\n")
}

func (t *tree) fault(line int, key, found, allowed string) {
	t.faults = append(t.faults, Fault{Line: line, Key: key, Found: found, Allowed: allowed})
}

// expression adds one header or one key with its value.
func (t *tree) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.Table, unstable.ArrayTable:
		t.open(n)
	case unstable.KeyValue:
		if t.table != nil {
			t.keyValue(t.table, t.prefix, n)
		}
	}
}

// keyParts returns the parts of a dotted key and the line of its first part.
func (t *tree) keyParts(n *unstable.Node) (parts []string, line int) {
	for it := n.Key(); it.Next(); {
		if line == 0 {
			line = t.lineOf(it.Node().Raw)
		}
		parts = append(parts, string(it.Node().Data))
	}
	return parts, line
}

// open makes the table of a [header] or an entry of a [[header]] the one that keys are added to.
func (t *tree) open(n *unstable.Node) {
	parts, line := t.keyParts(n)
	many := n.Kind == unstable.ArrayTable
	name := strings.Join(parts, ".")
	t.table = nil
	at, path := t.root, ""
	for _, part := range parts[:len(parts)-1] {
		next, ok := at.fields[part]
		if !ok {
			next = newTable(line)
			at.put(part, next)
		}
		path = join(path, part)
		if next.kind == nodeArray && next.many {
			path = fmt.Sprintf("%s[%d]", path, len(next.items)-1)
			next = next.items[len(next.items)-1]
		}
		if next.kind != nodeTable || next.closed {
			t.fault(line, name, "a table under "+path+" of line "+fmt.Sprint(next.line), "a value written once, in one way")
			return
		}
		at = next
	}
	last := parts[len(parts)-1]
	if entry := t.enter(at, last, line, many); entry != nil {
		t.table, t.prefix = entry, join(path, last)
		if many {
			t.prefix = fmt.Sprintf("%s[%d]", t.prefix, len(at.fields[last].items)-1)
		}
		return
	}
	t.fault(line, join(path, last), fmt.Sprintf("written again (first on line %d)", at.fields[last].line), onceOrMany(at.fields[last]))
}

// enter returns the table of a header's last part, or nil when what is there already forbids it.
func (t *tree) enter(at *node, name string, line int, many bool) *node {
	old, ok := at.fields[name]
	switch {
	case many:
		if !ok {
			old = &node{kind: nodeArray, line: line, many: true}
			at.put(name, old)
		}
		if old.kind != nodeArray || !old.many {
			return nil
		}
		entry := newTable(line)
		entry.header = true
		old.items = append(old.items, entry)
		return entry
	case !ok:
		entry := newTable(line)
		entry.header = true
		at.put(name, entry)
		return entry
	case old.kind != nodeTable || old.header || old.closed:
		return nil
	}
	old.header, old.line = true, line
	return old
}

func onceOrMany(n *node) string {
	if n.many {
		return "two brackets on both sides for each entry"
	}
	return "each key and table once"
}

// keyValue adds "a.b = value" to a table.
func (t *tree) keyValue(at *node, prefix string, n *unstable.Node) {
	parts, line := t.keyParts(n)
	path := prefix
	for _, part := range parts[:len(parts)-1] {
		path = join(path, part)
		next, ok := at.fields[part]
		if !ok {
			next = newTable(line)
			next.closed = true
			at.put(part, next)
		}
		// Dotted keys may add to a table that dotted keys made, and to no other.
		if next.kind != nodeTable || next.header || !next.closed {
			t.fault(line, path, fmt.Sprintf("written again (first on line %d)", next.line), onceOrMany(next))
			return
		}
		at = next
	}
	last := parts[len(parts)-1]
	path = join(path, last)
	if old, ok := at.fields[last]; ok {
		t.fault(line, path, fmt.Sprintf("written again (first on line %d)", old.line), onceOrMany(old))
		return
	}
	at.put(last, t.value(n.Value(), path, line))
}

// value turns the parser's node into ours.
func (t *tree) value(n *unstable.Node, path string, line int) *node {
	switch n.Kind {
	case unstable.String:
		return &node{kind: nodeString, text: string(n.Data), line: line}
	case unstable.Integer:
		return &node{kind: nodeInteger, text: string(n.Data), line: line}
	case unstable.Bool:
		return &node{kind: nodeBool, text: string(n.Data), line: line}
	case unstable.Array:
		out := &node{kind: nodeArray, line: line}
		for it := n.Children(); it.Next(); {
			itemLine := line
			if raw := it.Node().Raw; raw.Length > 0 {
				itemLine = t.lineOf(raw)
			}
			itemPath := fmt.Sprintf("%s[%d]", path, len(out.items))
			out.items = append(out.items, t.value(it.Node(), itemPath, itemLine))
		}
		return out
	case unstable.InlineTable:
		out := newTable(line)
		for it := n.Children(); it.Next(); {
			t.keyValue(out, path, it.Node())
		}
		out.close()
		return out
	default:
		return &node{kind: nodeOther, text: string(n.Data), line: line}
	}
}

// close forbids headers and dotted keys to add to an inline table.
func (n *node) close() {
	n.closed, n.header = true, true
	for _, name := range n.order {
		if n.fields[name].kind == nodeTable {
			n.fields[name].close()
		}
	}
}

// skipFault records the parser's fault and moves the reading behind it; false when nothing is left to read.
func (t *tree) skipFault() bool {
	perr, ok := t.parser.Error().(*unstable.ParserError) //nolint:errorlint // the parser documents the type
	if !ok {
		t.fault(0, "", "text that cannot be read", "TOML")
		return false
	}
	// The highlight is a part of the text up to whose end its capacity reaches; it may lie behind the last byte.
	line := t.lineAt(min(len(t.text)-cap(perr.Highlight), len(t.text)-1))
	text := t.lineText(line)
	t.fault(line, "", syntaxFound(text, perr.Message), "TOML: a [table], or a key = value with texts in quotes")
	header := bytes.HasPrefix(bytes.TrimLeft(text, " \t"), []byte("["))
	if header {
		t.table = nil
	}
	for next := line + 1; next <= len(t.lines); next++ {
		if startsHeader(t.lineText(next)) || (!header && startsKey(t.lineText(next))) {
			t.base = t.lines[next-1]
			return true
		}
	}
	return false
}

// syntaxFound words the parser's message. It may quote a character, which on a line with a password is one too many.
func syntaxFound(line []byte, message string) string {
	if bytes.Contains(bytes.ToLower(line), []byte("pass")) {
		return "a line that is not TOML"
	}
	return "a line that is not TOML (" + message + ")"
}

// startsHeader reports whether a line looks like [name] or [[name]].
func startsHeader(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	rest := bytes.TrimLeft(line, "[")
	return len(rest) < len(line) && len(rest) > 0 && bareKey(rest[0]) && bytes.IndexByte(rest, ']') > 0
}

// startsKey reports whether a line looks like name = ...
func startsKey(line []byte) bool {
	name, _, ok := bytes.Cut(bytes.TrimLeft(line, " \t"), []byte("="))
	name = bytes.TrimRight(name, " \t")
	return ok && len(name) > 0 && !bytes.ContainsFunc(name, func(r rune) bool {
		return r > 0x7f || !(bareKey(byte(r)) || r == '.' || r == '"')
	})
}

func bareKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// join writes the path of a key within a table; either may be empty.
func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}
