package docs

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// unshown are exported names that no example uses, each with the reason.
var unshown = map[string]string{
	"recipe.EndedError.Unwrap":           "called by package errors",
	"recipe.PermanentError.Unwrap":       "called by package errors",
	"recipe/value.UnknownError.Unwrap":   "called by package errors",
	"recipe/recipehttp.Page.ServeHTTP":   "called by net/http",
	"recipe/recipeprom.Metrics.Collect":  "called by Prometheus",
	"recipe/recipeprom.Metrics.Describe": "called by Prometheus",
	"recipe/semaphore.DataError.Unwrap":  "called by package errors",
	"session.Auth.GoString":              "called by package fmt",
	"session.Error.Unwrap":               "called by package errors",
	"session.ServerError":                "no server in use answers with one that zk has no error for",
}

// TestEverythingExportedHasADocComment looks at types, functions, methods, constants, variables and
// options of the packages that others can import. A comment may be a whole group's. Other structs'
// fields may be left to the comment on their type.
func TestEverythingExportedHasADocComment(t *testing.T) {
	n := 0
	for dir, p := range public(t) {
		for _, x := range p.exported {
			n++
			if !x.documented && (x.kind != "field" || strings.HasSuffix(x.of, "Config")) {
				t.Errorf("%s: %s has no doc comment", dir, x)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d names were found", n)
	}
}

// TestEverythingExportedIsUsedInAnExample holds that what people can call they can also see at
// work: in an Example function, in a program of examples/, or in a Go block of a document. Names
// are compared, not objects, and methods by name alone. Constants, and errors, that are declared
// together are shown when one of them is; a type, when it is what something shown takes or returns;
// a field, by its comment.
func TestEverythingExportedIsUsedInAnExample(t *testing.T) {
	used := uses(t)
	packages := public(t)
	needless := map[string]bool{}
	for name := range unshown {
		needless[name] = true
	}
	for dir, p := range packages {
		for _, x := range p.exported {
			full := dir + "." + x.String()
			if p.shown(x, dir, used) {
				continue
			}
			delete(needless, full)
			if unshown[full] == "" {
				t.Errorf("%s is used in no example", full)
			}
		}
	}
	for name := range needless {
		t.Errorf("%s needs no exception: an example uses it, or it is gone", name)
	}
}

// TestTheCheckOfExamplesNoticesWhatIsMissing breaks the two rules above.
func TestTheCheckOfExamplesNoticesWhatIsMissing(t *testing.T) {
	const source = `package p
// T is shown, by being the result of F.
type T struct { Bare int }
// F is shown.
func F() T { return T{} }
// M is not.
func (T) M() {}
func Bare() {}
const (
	// A is documented.
	A = 1
	B = 2
)
// These are.
const (
	C = 1
	D = 2
)`
	set := token.NewFileSet()
	p := exportedOf(t, "p", set, []*ast.File{parse(t, set, "p.go", []byte(source))})
	used := map[string]bool{"p.F": true}
	var bare, alone []string
	for _, x := range p.exported {
		if !x.documented {
			bare = append(bare, x.String())
		}
		if !p.shown(x, "p", used) {
			alone = append(alone, x.String())
		}
	}
	sort.Strings(bare)
	sort.Strings(alone)
	if got := strings.Join(bare, " "); got != "B Bare T.Bare" {
		t.Errorf("without a comment: %s", got)
	}
	if got := strings.Join(alone, " "); got != "A B Bare C D T.M" {
		t.Errorf("without a use: %s", got)
	}
}

// name is something exported: of is the type that it belongs to, if any.
type name struct {
	of, name   string
	kind       string // type, func, method, field or value
	documented bool
	group      string          // of a value: the first that is declared with it
	mentions   map[string]bool // names in its signature
}

func (x name) String() string {
	if x.of != "" {
		return x.of + "." + x.name
	}
	return x.name
}

// exports is what a package exports.
type exports struct{ exported []name }

// shown reports whether an example uses x, or what x is a part of.
func (p exports) shown(x name, dir string, used map[string]bool) bool {
	switch x.kind {
	case "field":
		return true
	case "method":
		return used["."+x.name]
	}
	if used[dir+"."+x.name] {
		return true
	}
	for _, y := range p.exported {
		together := x.kind == "value" && y.kind == "value" && x.group == y.group && used[dir+"."+y.name]
		mentioned := x.kind == "type" && y.kind != "type" && y.mentions[x.name] && (used[dir+"."+y.name] || used["."+y.name])
		if together || mentioned {
			return true
		}
	}
	return false
}

// public parses the packages that others can import, by their directories.
func public(t *testing.T) map[string]exports {
	t.Helper()
	set, files := token.NewFileSet(), map[string][]*ast.File{}
	eachFile(t, ".go", func(file string, text []byte) {
		dir := filepath.ToSlash(filepath.Dir(file))
		if strings.HasSuffix(file, "_test.go") || strings.Contains("/"+dir+"/", "/internal/") ||
			strings.Contains(dir, "testdata") || strings.HasPrefix(dir, "examples") {
			return
		}
		files[dir] = append(files[dir], parse(t, set, file, text))
	})
	packages := map[string]exports{}
	for dir, fs := range files {
		packages[dir] = exportedOf(t, dir, set, fs)
	}
	return packages
}

func parse(t *testing.T, set *token.FileSet, file string, text []byte) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(set, file, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// exportedOf lists what go doc would show of a package, and the fields of its structs.
func exportedOf(t *testing.T, dir string, set *token.FileSet, files []*ast.File) (p exports) {
	t.Helper()
	d, err := doc.NewFromFiles(set, files, module+"/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	add := func(x name, signature ast.Node) {
		if ast.IsExported(x.name) {
			x.mentions = identifiers(signature)
			p.exported = append(p.exported, x)
		}
	}
	values := func(groups ...[]*doc.Value) {
		for _, group := range groups {
			for _, v := range group {
				for _, spec := range v.Decl.Specs {
					s := spec.(*ast.ValueSpec)
					own := s.Doc != nil || s.Comment != nil || v.Doc != ""
					for _, id := range s.Names {
						group := v.Decl.Specs[0].(*ast.ValueSpec).Names[0].Name
						add(name{name: id.Name, kind: "value", documented: own, group: group}, s.Type)
					}
				}
			}
		}
	}
	funcs := func(of, kind string, list []*doc.Func) {
		for _, f := range list {
			add(name{of: of, name: f.Name, kind: kind, documented: f.Doc != ""}, f.Decl.Type)
		}
	}
	values(d.Consts, d.Vars)
	funcs("", "func", d.Funcs)
	for _, typ := range d.Types {
		spec := typ.Decl.Specs[0].(*ast.TypeSpec)
		add(name{name: typ.Name, kind: "type", documented: typ.Doc != ""}, nil)
		values(typ.Consts, typ.Vars)
		funcs("", "func", typ.Funcs)
		funcs(typ.Name, "method", typ.Methods)
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range s.Fields.List {
				for _, id := range field.Names {
					documented := field.Doc != nil || field.Comment != nil
					add(name{of: typ.Name, name: id.Name, kind: "field", documented: documented}, field.Type)
				}
			}
		}
	}
	return p
}

// identifiers collects the names in a signature.
func identifiers(n ast.Node) map[string]bool {
	found := map[string]bool{}
	if n == nil {
		return found
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			found[id.Name] = true
		}
		return true
	})
	return found
}

// uses collects what the examples use: "session.Open" for a name of a package, by its directory,
// and ".Close" for methods and fields.
func uses(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	eachFile(t, ".go", func(file string, text []byte) {
		f := parse(t, token.NewFileSet(), file, text)
		base := path.Base(filepath.ToSlash(file))
		switch test := strings.HasSuffix(file, "_test.go"); {
		case test && strings.HasPrefix(base, "example"): // with its helpers
		case test:
			f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
				fn, ok := d.(*ast.FuncDecl)
				return !ok || !strings.HasPrefix(fn.Name.Name, "Example")
			})
		case !strings.HasPrefix(file, "examples"):
			return
		}
		usesIn(f, used)
	})
	eachFile(t, ".md", func(file string, text []byte) {
		for _, block := range goBlock.FindAllSubmatch(text, -1) {
			if whole(block[1]) { // the others stand in examples
				usesIn(parse(t, token.NewFileSet(), file, block[1]), used)
			}
		}
	})
	return used
}

// usesIn adds the uses in a file that imports a package of this module.
func usesIn(f *ast.File, used map[string]bool) {
	imported := map[string]string{}
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if dir, ok := strings.CutPrefix(p, module+"/"); ok {
			id := path.Base(dir)
			if spec.Name != nil {
				id = spec.Name.Name
			}
			imported[id] = dir
		}
	}
	if len(imported) == 0 {
		return
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && imported[x.Name] != "" {
				used[imported[x.Name]+"."+n.Sel.Name] = true
			} else {
				used["."+n.Sel.Name] = true
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				used["."+key.Name] = true
			}
		}
		return true
	})
}
