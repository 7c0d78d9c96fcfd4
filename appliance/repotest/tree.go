package repotest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Module is the path of our module.
const Module = "phonebox"

// File is one Go file of the checkout.
type File struct {
	Path    string // relative to the checkout, with slashes
	Package string // folder, relative to the checkout: services/dhcp
	Name    string // name in the package clause
	Test    bool
	Doc     string // the comment of the package clause
	Imports []string
	Source  string
	Syntax  *ast.File
}

// Tree reads every Go file of the checkout that dir lies in. It does not follow links, as the go command does not.
func Tree(dir string) (root string, files []File, err error) {
	if root, err = findRoot(dir); err != nil {
		return "", nil, err
	}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && strings.HasSuffix(p, ".go") {
			f, err := readFile(root, p)
			if err != nil {
				return err
			}
			files = append(files, f)
		}
		return nil
	})
	return root, files, err
}

func findRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("finding the checkout: no go.mod in %s or above", dir)
		}
	}
}

func readFile(root, p string) (File, error) {
	src, err := os.ReadFile(p)
	if err != nil {
		return File{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ParseComments)
	if err != nil {
		return File{}, err
	}
	rel, err := filepath.Rel(root, p)
	if err != nil {
		return File{}, err
	}
	f := File{
		Path: filepath.ToSlash(rel), Name: syntax.Name.Name, Test: strings.HasSuffix(p, "_test.go"),
		Doc: syntax.Doc.Text(), Source: string(src), Syntax: syntax,
	}
	f.Package = path.Dir(f.Path)
	for _, i := range syntax.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return File{}, err
		}
		f.Imports = append(f.Imports, name)
	}
	return f, nil
}
