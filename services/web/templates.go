package web

import (
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"text/template/parse"
)

// everywhere are the templates that every page may use.
var everywhere = []string{"templates/layout.html", "templates/parts.html", "templates/part-*.html", "templates/formparts.html"}

// parseTemplates reads all pages into one set. Names that a page's file defines are its own: two pages may both have "rows". (A
// set for each page would hold the shared ones fifty times: 9 MB.)
func parseTemplates(funcs template.FuncMap) (*template.Template, error) {
	set, err := template.New("pages").Funcs(funcs).ParseFS(files, everywhere...)
	if err != nil {
		return nil, fmt.Errorf("parsing the layout: %w", err)
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		page := strings.TrimSuffix(path.Base(file), ".html")
		if set.Lookup(path.Base(file)) != nil { // a shared one
			continue
		}
		own, err := template.New(page).Funcs(funcs).ParseFS(files, file)
		if err != nil {
			return nil, fmt.Errorf("parsing the page %s: %w", page, err)
		}
		for _, t := range own.Templates() {
			if t.Tree == nil {
				continue
			}
			localize(t.Tree.Root, page, own)
			if _, err := set.AddParseTree(local(page, t.Name()), t.Tree); err != nil {
				return nil, fmt.Errorf("the page %s: %w", page, err)
			}
		}
	}
	return set, nil
}

// find returns a template of a page, or one of those that every page may use.
func find(set *template.Template, page, name string) *template.Template {
	if t := set.Lookup(local(page, name)); t != nil {
		return t
	}
	return set.Lookup(name)
}

// local is what a template is called that a page's file defines.
func local(page, name string) string { return page + "/" + name }

// localize lets a page call its own templates by what they are called in the set.
func localize(n parse.Node, page string, own *template.Template) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, one := range n.Nodes {
			localize(one, page, own)
		}
	case *parse.TemplateNode:
		if own.Lookup(n.Name) != nil {
			n.Name = local(page, n.Name)
		}
	case *parse.IfNode:
		localize(n.List, page, own)
		localize(n.ElseList, page, own)
	case *parse.WithNode:
		localize(n.List, page, own)
		localize(n.ElseList, page, own)
	case *parse.RangeNode:
		localize(n.List, page, own)
		localize(n.ElseList, page, own)
	}
}
