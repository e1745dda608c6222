// Package variant makes deliberately broken versions of this module, for tests that show that
// something finds bugs.
//
// A variant is a text file: "key: value" lines that say what is broken, then edits, each of which
// replaces a text that occurs once in a file of the module:
//
//	what: an heir that takes over allows nothing for clocks of different rates
//	=== session/listen.go
//	--- old
//	return d + d/16
//	--- new
//	return d
//
// Nothing is changed in place: the go command takes the broken files from an overlay.
package variant

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Variant is a broken version of the module.
type Variant struct {
	Head  map[string]string // what the lines before the first edit say
	edits []edit
}

type edit struct{ file, before, after string }

// Read reads a variant.
func Read(file string) (Variant, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Variant{}, err
	}
	v := Variant{Head: map[string]string{}}
	head, rest, _ := strings.Cut(string(text), "=== ")
	for line := range strings.Lines(head) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			return Variant{}, fmt.Errorf("%s: what is %q?", file, line)
		}
		v.Head[key] = value
	}
	for _, part := range strings.Split(rest, "=== ") {
		name, body, _ := strings.Cut(part, "\n--- old\n")
		before, after, ok := strings.Cut(body, "\n--- new\n")
		if !ok {
			return Variant{}, fmt.Errorf("%s: an edit of %s without old or new", file, name)
		}
		v.edits = append(v.edits, edit{name, before, strings.TrimSuffix(after, "\n")})
	}
	return v, nil
}

// Overlay writes the broken files into dir and returns the file for the go command's flag -overlay.
// The module is at root. It is an error if the module has changed so that an edit does not apply.
func (v Variant) Overlay(root, dir string) (file string, err error) {
	texts, err := v.apply(root)
	if err != nil {
		return "", err
	}
	return writeOverlay(dir, texts)
}

// apply returns the texts of the broken files.
func (v Variant) apply(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range v.edits {
		file, err := filepath.Abs(filepath.Join(root, e.file))
		if err != nil {
			return nil, err
		}
		if _, again := texts[file]; !again {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			texts[file] = string(text)
		}
		if n := strings.Count(texts[file], e.before); n != 1 {
			return nil, fmt.Errorf("the variant no longer applies: %s has this %d times, want once:\n%s", e.file, n, e.before)
		}
		texts[file] = strings.Replace(texts[file], e.before, e.after, 1)
	}
	return texts, nil
}

// writeOverlay writes these texts into dir, and the file for the go command's flag -overlay that
// puts them in place of files of the module, or beside them.
func writeOverlay(dir string, texts map[string]string) (file string, err error) {
	replaced := map[string]string{}
	for i, source := range slices.Sorted(maps.Keys(texts)) {
		replaced[source] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(replaced[source], []byte(texts[source]), 0o644); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, overlay, 0o644)
}
