package gather

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// word is one of people's language, and not a key or a code; capital is one that begins a label.
var (
	word    = regexp.MustCompile(`^[A-Za-z][a-z]+$`)
	capital = regexp.MustCompile(`^[A-Z][a-z]+$`)
)

// shown are fields of views: what is assigned to them is shown.
var shown = map[string]bool{
	"Word": true, "Words": true, "Text": true, "Title": true, "Label": true, "Button": true, "Said": true, "What": true, "Verdict": true, "State": true,
}

// counting are functions that get a word to count with, or the name of a field.
var counting = map[string]bool{"about": true, "count": true, "plural": true, "countOf": true}

// labels returns the labels of one word that a node holds: words with a capital letter in lists and tables, whatever is given
// to a field that is shown, and what the counting functions get.
func labels(n ast.Node) (out []string) {
	add := func(e ast.Expr, like *regexp.Regexp) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if s, err := strconv.Unquote(lit.Value); err == nil && like.MatchString(s) {
			out = append(out, s)
		}
	}
	switch n := n.(type) {
	case *ast.CompositeLit:
		for _, e := range n.Elts {
			add(e, capital)
		}
	case *ast.KeyValueExpr:
		add(n.Value, capital)
		if key, ok := n.Key.(*ast.Ident); ok && shown[key.Name] {
			add(n.Value, word)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if sel, ok := left.(*ast.SelectorExpr); ok && shown[sel.Sel.Name] && len(n.Rhs) == len(n.Lhs) {
				add(n.Rhs[i], word)
			}
		}
	case *ast.ValueSpec: // stageWords
		if lit, ok := first(n.Values).(*ast.CompositeLit); ok && strings.HasSuffix(n.Names[0].Name, "Words") {
			for _, e := range lit.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					add(kv.Value, word)
				}
			}
		}
	case *ast.FuncDecl: // phaseWords
		if n.Body != nil && strings.HasSuffix(n.Name.Name, "Words") {
			ast.Inspect(n.Body, func(n ast.Node) bool {
				if r, ok := n.(*ast.ReturnStmt); ok {
					add(first(r.Results), word)
				}
				return true
			})
		}
	case *ast.CallExpr:
		name := functionOf(n)
		if !counting[name] {
			return out
		}
		for _, a := range n.Args {
			add(a, word)
		}
		if name == "count" || name == "plural" {
			for _, one := range out {
				out = append(out, one+"s")
			}
		}
	}
	return out
}

// functionOf is the name of the function that a call is of; "" = it has none.
func functionOf(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func first(list []ast.Expr) ast.Expr {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
