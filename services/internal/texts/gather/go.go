// Package gather finds the texts that a catalogue must have: in templates, and in Go code.
package gather

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// placeholder is a value in a text of the catalogue.
var placeholder = regexp.MustCompile(`\{[1-9]\}`)

// value stands for a value until the values of a text are numbered.
const value = "\x01"

// Folder says what of a folder is for people.
type Folder struct {
	// Errors reports whether the errors of a file are shown to people, not only logged; nil = never.
	Errors func(file string) bool
	// Words: labels of one word count, too. Elsewhere a word may be anything. A label is what words.go says.
	Words bool
	// Silent reports what is for no person although it looks like a text; nil = nothing.
	Silent func(file, text string) bool
}

// Go returns the texts for people in the Go files of a folder, tests left out: string constants of more than one word,
// with what is added to them or formatted into them as values. What goes to the log, to metrics and into struct tags is left out,
// and so are errors unless the folder shows them.
func (d Folder) Go(fsys fs.FS) ([]string, error) {
	files, err := fs.Glob(fsys, "*.go")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(f, d.visit(name, &out))
	}
	return out, nil
}

// visit looks at the nodes of a file and adds its texts to out.
func (d Folder) visit(file string, out *[]string) func(ast.Node) bool {
	return func(n ast.Node) bool {
		if d.Words {
			for _, word := range labels(n) {
				if d.Silent == nil || !d.Silent(file, word) {
					*out = append(*out, word)
				}
			}
		}
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			_, isTagged := n.(*ast.Field)
			return isTagged && n.(*ast.Field).Tag == nil
		case *ast.CallExpr:
			return !silent(n) && (!makesError(n) || d.Errors != nil && d.Errors(file))
		case *ast.KeyValueExpr:
			key, _ := n.Key.(*ast.Ident)
			return key == nil || key.Name != "Help" && key.Name != "help" // of a metric; fields of a form say theirs with a function
		case *ast.BinaryExpr, *ast.BasicLit:
			text, ok := constant(n.(ast.Expr))
			if text = number(text); ok && wordy(text) && (d.Silent == nil || !d.Silent(file, text)) {
				*out = append(*out, text)
			}
			return !ok
		}
		return true
	}
}

// silent reports whether the arguments of a call are for no person at the page.
func silent(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		switch f.Name {
		case "panic", "counter", "gauge", "vec", "vector": // the last four make metrics
			return true
		}
	case *ast.SelectorExpr:
		switch f.Sel.Name {
		case "Debug", "Info", "Warn", "Error", "MustCompile", "WithLabelValues", "Parse", "NewDesc":
			return true
		case "warn":
			return logs(call)
		}
	}
	return false
}

// makesError reports whether a call is errors.New or fmt.Errorf.
func makesError(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (sel.Sel.Name == "Errorf" || sel.Sel.Name == "New")
}

// logs reports whether a call has a message and then keys and values, as those of log/slog.
func logs(call *ast.CallExpr) bool {
	if len(call.Args) < 2 {
		return false
	}
	key, ok := call.Args[1].(*ast.BasicLit)
	return ok && logKey.MatchString(key.Value)
}

var logKey = regexp.MustCompile(`^"[a-z_]+"$`)

// constant joins what is added up to one text; values take the places of what is not constant. ok is false when nothing is.
func constant(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return unformat(s), err == nil
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, okLeft := constant(e.X)
		right, okRight := constant(e.Y)
		if !okLeft {
			left = value
		}
		if !okRight {
			right = value
		}
		return left + right, okLeft || okRight
	case *ast.ParenExpr:
		return constant(e.X)
	}
	return "", false
}

// verbs are those of package fmt that this house uses. A blank is no flag of theirs: 61 % of it is a text.
var verbs = regexp.MustCompile(`%%|%[-+#0]*(\[[0-9]\])?([0-9]+|\*)?(\.([0-9]+|\*))?[a-zA-Z]`)

// unformat puts values in the places of the verbs of a format, and the sign in that of %%. The error that another one wraps to
// be told apart is cut off before it is shown.
func unformat(format string) string {
	format = strings.TrimPrefix(format, "%w: ")
	return verbs.ReplaceAllStringFunc(format, func(verb string) string {
		if verb == "%%" {
			return "%"
		}
		return value
	})
}

// number gives the values of a text their names.
func number(text string) string {
	for strings.Contains(text, value+value) {
		text = strings.ReplaceAll(text, value+value, value)
	}
	text = strings.Join(strings.Fields(text), " ")
	for i := 1; i < 10 && strings.Contains(text, value); i++ {
		text = strings.Replace(text, value, "{"+strconv.Itoa(i)+"}", 1)
	}
	return text
}

// angled is what stands for a value in a name: SIP<MAC>.cnf.
var angled = regexp.MustCompile(`<[A-Z]+>`)

// wordy reports whether a text has at least two words of people's language.
func wordy(text string) bool {
	if strings.ContainsAny(angled.ReplaceAllString(text, ""), "<>\x01") || !strings.Contains(text, " ") {
		return false
	}
	words := 0
	for w := range strings.FieldsSeq(placeholder.ReplaceAllString(text, "")) {
		w = strings.Trim(w, ".,:;!?()\"'…")
		if len(w) > 1 && strings.IndexFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '-' }) < 0 {
			words++
		}
	}
	return words >= 2
}
