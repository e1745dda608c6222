package docs

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/recipe"
)

// operations is the document for those who run services.
func operations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "recipe/docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEachLogLineIsExplained finds what the session and the recipes write to their logs, above
// debug, in the table of operations.md, at least up to the first colon or semicolon.
func TestEachLogLineIsExplained(t *testing.T) {
	text, n := operations(t), 0
	eachFile(t, ".go", func(file string, source []byte) {
		dir := filepath.ToSlash(filepath.Dir(file))
		if dir != "session" && path.Dir(dir) != "recipe" || strings.HasSuffix(file, "_test.go") {
			return
		}
		ast.Inspect(parse(t, token.NewFileSet(), file, source), func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if msg := logged(call); msg != "" {
				n++
				if i := strings.IndexAny(msg, ":;"); i >= 0 {
					msg = msg[:i]
				}
				if !strings.Contains(text, "`"+msg) {
					t.Errorf("%s: %q is not explained in operations.md", file, msg)
				}
			}
			return true
		})
	})
	if n < 25 {
		t.Errorf("only %d log lines were found", n)
	}
}

// logged is the message that a call logs at info or above.
func logged(call *ast.CallExpr) string {
	fn, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	at := 0
	switch fn.Sel.Name {
	case "Info", "Warn", "Error":
	case "note":
		at = 1
		if level, ok := call.Args[0].(*ast.SelectorExpr); !ok || level.Sel.Name == "LevelDebug" {
			return ""
		}
	default:
		return ""
	}
	if len(call.Args) <= at {
		return ""
	}
	literal, ok := call.Args[at].(*ast.BasicLit)
	if !ok {
		return ""
	}
	msg, _ := strconv.Unquote(literal.Value)
	return msg
}

func TestEachReasonIsExplained(t *testing.T) {
	text := operations(t)
	for r := recipe.ReasonReleased; r <= recipe.ReasonNodeDeleted; r++ {
		if !strings.Contains(text, "`"+r.String()+"`") {
			t.Errorf("%q is not explained in operations.md", r.String())
		}
	}
}

// TestTheMetricsNamedInTheDocumentsExist takes recipeprom's documentation for what there is; its
// own tests compare that with what it collects.
func TestTheMetricsNamedInTheDocumentsExist(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "recipe/recipeprom/doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	metric, n := regexp.MustCompile(`zkrecipe_[a-z_]+`), 0
	known := map[string]bool{}
	for _, name := range metric.FindAllString(string(doc), -1) {
		known[name] = true
	}
	eachFile(t, ".md", func(file string, text []byte) {
		for _, name := range metric.FindAllString(string(text), -1) {
			n++
			if !known[name] {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	})
	if n < 5 {
		t.Errorf("only %d names were found", n)
	}
}
