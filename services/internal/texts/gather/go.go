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

// Go returns the texts for people in the Go files of a folder, tests left out: string constants of more than one word,
// with what is added to them or formatted into them as values. What goes to the log, errors and struct tags is left out, and so
// is what skip says.
func Go(fsys fs.FS, skip func(file, text string) bool) ([]string, error) {
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
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec, *ast.Field:
				_, isTagged := n.(*ast.Field)
				return isTagged && n.(*ast.Field).Tag == nil
			case *ast.CallExpr:
				return !silent(n)
			case *ast.KeyValueExpr:
				key, _ := n.Key.(*ast.Ident)
				return key == nil || key.Name != "Help" // of a metric; fields of a form say theirs with a function
			case *ast.BinaryExpr, *ast.BasicLit:
				text, ok := constant(n.(ast.Expr))
				if text = number(text); ok && wordy(text) && !skip(name, text) {
					out = append(out, text)
				}
				return !ok
			}
			return true
		})
	}
	return out, nil
}

// silent reports whether the arguments of a call are for no person at the page.
func silent(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		id, isName := call.Fun.(*ast.Ident)
		return isName && id.Name == "panic"
	}
	switch sel.Sel.Name {
	case "Debug", "Info", "Warn", "Error", "Errorf", "New", "MustCompile", "WithLabelValues", "Parse", "NewDesc":
		return true
	}
	return false
}

// constant joins what is added up to one text; values take the places of what is not constant. ok is false when nothing is.
func constant(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(e.Value)
		return verbs.ReplaceAllString(s, value), err == nil
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

// verbs are those of package fmt that this house uses.
var verbs = regexp.MustCompile(`%[-+# 0]*[0-9]*(\.[0-9]+)?[a-zA-Z]`)

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

// wordy reports whether a text has at least two words of people's language.
func wordy(text string) bool {
	if strings.ContainsAny(text, "<>\x01") || !strings.Contains(text, " ") {
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
