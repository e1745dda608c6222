package variant

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Chosen is the environment variable that names the variant at work in a program compiled from what
// Together writes. Without it the program is not broken.
const Chosen = "ZKRECIPE_VARIANT"

// Together writes one version of the module that has many variants in it, because compiling takes
// most of the time. Each function that a variant changes first asks whether that variant is chosen.
// Together returns the file for the go command's flag -overlay, and the names of the variants that
// change more than bodies of functions. Each of those has to be compiled by itself.
func Together(root, dir string, all map[string]Variant) (overlay string, alone []string, err error) {
	choices := map[string][]choice{} // by file
	for _, name := range slices.Sorted(maps.Keys(all)) {
		bodies, err := all[name].bodies(root)
		if err != nil {
			return "", nil, fmt.Errorf("%s: %w", name, err)
		}
		if bodies == nil {
			alone = append(alone, name)
		}
		for file, of := range bodies {
			choices[file] = append(choices[file], choice{name, of})
		}
	}
	texts := map[string]string{}
	for file, chosen := range choices {
		source, err := parse(file, nil)
		if err != nil {
			return "", nil, err
		}
		texts[file] = source.with(chosen)
		texts[filepath.Join(filepath.Dir(file), "chosen_variant.go")] = fmt.Sprintf(
			"package %s\n\nimport \"os\"\n\nvar chosenVariant = os.Getenv(%q)\n", source.syntax.Name.Name, Chosen)
	}
	overlay, err = writeOverlay(dir, texts)
	return overlay, alone, err
}

// choice is what a variant puts in place of the bodies of a file's functions, by the place of the
// declaration.
type choice struct {
	variant string
	bodies  map[int]string
}

// bodies returns, for each file, the bodies of functions that the variant changes. It returns nil
// if the variant changes anything else.
func (v Variant) bodies(root string) (map[string]map[int]string, error) {
	texts, err := v.apply(root)
	if err != nil {
		return nil, err
	}
	bodies := map[string]map[int]string{}
	for file, text := range texts {
		if bodies[file], err = changedBodies(file, text); err != nil || bodies[file] == nil {
			return nil, err
		}
	}
	return bodies, nil
}

// changedBodies returns the bodies of the file's functions that text changes, by the place of the
// declaration. It returns nil if text changes anything else.
func changedBodies(file, text string) (map[int]string, error) {
	was, err := parse(file, nil)
	if err != nil {
		return nil, err
	}
	is, err := parse(file, text)
	if err != nil {
		return nil, err
	}
	if len(is.decls) != len(was.decls) || !was.imports(is) {
		return nil, nil
	}
	bodies := map[int]string{}
	for i := range is.decls {
		if was.textOf(was.decls[i]) == is.textOf(is.decls[i]) {
			continue
		}
		before, _ := was.decls[i].(*ast.FuncDecl)
		after, _ := is.decls[i].(*ast.FuncDecl)
		if before == nil || after == nil || was.head(before) != is.head(after) {
			return nil, nil
		}
		bodies[i] = is.textOf(after.Body)
	}
	return bodies, nil
}

// with returns the text with the choices in it.
func (s *source) with(choices []choice) string {
	var out strings.Builder
	written := 0
	for i, decl := range s.decls {
		var cases strings.Builder
		for _, c := range choices {
			if body, changed := c.bodies[i]; changed {
				fmt.Fprintf(&cases, "case %q:\n%s\n", c.variant, s.call(decl.(*ast.FuncDecl), body))
			}
		}
		if cases.Len() == 0 {
			continue
		}
		begin := s.offset(decl.(*ast.FuncDecl).Body.Lbrace) + 1
		fmt.Fprintf(&out, "%s\nswitch chosenVariant {\n%s}\n", s.text[written:begin], cases.String())
		written = begin
	}
	out.WriteString(s.text[written:])
	return out.String()
}

// call returns statements that do what the function would do with this body, and return. The body
// becomes a function of its own, so that its parameters and results are in the same scope as what
// it declares.
func (s *source) call(f *ast.FuncDecl, body string) string {
	var parameters, arguments []string
	for _, field := range f.Type.Params.List {
		kind := strings.Replace(s.textOf(field.Type), "...", "[]", 1)
		for _, name := range field.Names {
			if name.Name != "_" {
				parameters = append(parameters, name.Name+" "+kind)
				arguments = append(arguments, name.Name)
			}
		}
	}
	results := ""
	if f.Type.Results != nil {
		results = s.textOf(f.Type.Results)
	}
	call := fmt.Sprintf("func(%s) %s %s(%s)", strings.Join(parameters, ", "), results, body, strings.Join(arguments, ", "))
	if results == "" {
		return call + "\nreturn"
	}
	return "return " + call
}

// source is a file of Go.
type source struct {
	text   string
	files  *token.FileSet
	syntax *ast.File
	decls  []ast.Decl // without imports
}

// parse reads a file, or text in its place.
func parse(file string, text any) (*source, error) {
	if text == nil {
		read, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text = string(read)
	}
	s := &source{text: text.(string), files: token.NewFileSet()}
	var err error
	s.syntax, err = parser.ParseFile(s.files, file, s.text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range s.syntax.Decls {
		if general, is := decl.(*ast.GenDecl); !is || general.Tok != token.IMPORT {
			s.decls = append(s.decls, decl)
		}
	}
	return s, nil
}

// imports reports whether the file imports all that the other does.
func (s *source) imports(other *source) bool {
	for _, spec := range other.syntax.Imports {
		same := func(of *ast.ImportSpec) bool { return s.textOf(of) == other.textOf(spec) }
		if !slices.ContainsFunc(s.syntax.Imports, same) {
			return false
		}
	}
	return true
}

// head is what stands before the function's body.
func (s *source) head(f *ast.FuncDecl) string {
	return s.text[s.offset(f.Pos()):s.offset(f.Body.Lbrace)]
}

func (s *source) textOf(n ast.Node) string { return s.text[s.offset(n.Pos()):s.offset(n.End())] }

func (s *source) offset(p token.Pos) int { return s.files.Position(p).Offset }
