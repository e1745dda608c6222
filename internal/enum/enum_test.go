package enum_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/enum"
)

type color int

func TestAValueWithoutANameIsCalledByItsNumber(t *testing.T) {
	names := []string{"red", "", "blue"}
	for value, want := range map[color]string{0: "red", 1: "enum_test.color(1)", 2: "blue", 3: "enum_test.color(3)", -1: "enum_test.color(-1)"} {
		if got := enum.Name(value, names); got != want {
			t.Errorf("%d is called %q; want %q", int(value), got, want)
		}
	}
}

// TestNoStringMethodTrustsItsReceiver looks for String methods that use their receiver as an index
// without asking whether there is such an element.
func TestNoStringMethodTrustsItsReceiver(t *testing.T) {
	seen := 0
	eachFile(t, func(set *token.FileSet, f *ast.File) {
		n, trusts := stringMethods(f)
		seen += n
		for _, at := range trusts {
			t.Errorf("%v: the receiver may have no name; use enum.Name", set.Position(at))
		}
	})
	if seen < 10 {
		t.Errorf("only %d String methods were found", seen)
	}
}

// TestNoArrayEndsWithTheLastConstant looks for arrays that have an element for each value up to one
// constant. The value that is added next has none.
func TestNoArrayEndsWithTheLastConstant(t *testing.T) {
	eachFile(t, func(set *token.FileSet, f *ast.File) {
		for _, at := range lastPlusOne(f) {
			t.Errorf("%v: a value that is added later has no element; use a map", set.Position(at))
		}
	})
}

// eachFile calls do with all Go files that are no tests.
func eachFile(t *testing.T, do func(*token.FileSet, *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		do(set, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lastPlusOne returns where an array's length is a name and one.
func lastPlusOne(f *ast.File) (found []token.Pos) {
	ast.Inspect(f, func(node ast.Node) bool {
		array, ok := node.(*ast.ArrayType)
		if !ok {
			return true
		}
		if sum, ok := array.Len.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
			_, number := sum.X.(*ast.BasicLit)
			one, ok := sum.Y.(*ast.BasicLit)
			if ok && one.Value == "1" && !number {
				found = append(found, array.Pos())
			}
		}
		return true
	})
	return found
}

func TestAnArrayThatEndsWithTheLastConstantIsFound(t *testing.T) {
	for source, sound := range map[string]bool{
		`func f() { var n [recipe.ClaimEnding + 1]int; _ = n }`: false,
		`var n = [last + 1]string{}`:                            false,
		`type t struct{ n [int(last) + 1]int }`:                 false,
		`var n [last]int`:                                       true,
		`var n [header + 16]byte`:                               true,
		`var n = []int{last: 1}`:                                true,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if found := lastPlusOne(f); (len(found) == 0) != sound {
			t.Errorf("%s: found %d", source, len(found))
		}
	}
}

// stringMethods returns how many String methods there are, and where one of them trusts its
// receiver.
func stringMethods(f *ast.File) (n int, trusts []token.Pos) {
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Recv == nil || fn.Name.Name != "String" || len(fn.Recv.List[0].Names) == 0 {
			continue
		}
		n++
		receiver, asked := fn.Recv.List[0].Names[0].Name, map[ast.Node]bool{}
		ast.Inspect(fn.Body, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.AssignStmt: // value, ok := names[receiver]
				asked[node.Rhs[0]] = len(node.Lhs) == 2
			case *ast.IndexExpr:
				index, ok := node.Index.(*ast.Ident)
				if ok && index.Name == receiver && !asked[node] {
					trusts = append(trusts, node.Pos())
				}
			}
			return true
		})
	}
	return n, trusts
}

func TestAStringMethodThatTrustsItsReceiverIsFound(t *testing.T) {
	for source, sound := range map[string]bool{
		`func (c color) String() string { return names[c] }`:                                  false,
		`func (c color) String() string { return [...]string{"red"}[c] }`:                     false,
		`func (c color) String() string { s, ok := names[c]; if ok { return s }; return "" }`: true,
		`func (c color) String() string { return names[0] }`:                                  true,
		`func (c color) Other() string { return names[c] }`:                                   true,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, trusts := stringMethods(f); (len(trusts) == 0) != sound {
			t.Errorf("%s: found %d", source, len(trusts))
		}
	}
}
