//go:build linux

package compose

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listing reads an image: what each name in it is.
func listing(t *testing.T, image io.Reader) map[string]string {
	t.Helper()
	found := map[string]string{}
	for in := tar.NewReader(image); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if before, twice := found[h.Name]; twice {
			t.Errorf("%s is there twice, first as %s", h.Name, before)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = string(h.Typeflag) + h.Linkname + string(text)
	}
}

func TestAnImageHasWhatWasPutIntoItOnceAndByItsTrueName(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"true/skipped", "true/empty"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"true/a": "one", "true/skipped/b": "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("true", filepath.Join(dir, "link")), os.Symlink("a", filepath.Join(dir, "true/c"))); err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	r := newRootfs(&image)
	r.tree(filepath.Join(dir, "true"), "/tree", func(name string) bool { return name == "skipped" })
	r.copy(filepath.Join(dir, "link/a"), filepath.Join(dir, "link/a")) // as dpkg lists /bin/sh
	r.copy(filepath.Join(dir, "missing"), "/missing")
	r.file("/tree/a", 0o644, "another")
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	found := listing(t, &image)
	under := strings.TrimPrefix(dir, "/")
	for name, want := range map[string]string{
		"tree/a": "0one", "tree/c": "2a", "tree/empty": "5", under + "/true/a": "0one", "tmp": "5",
		"tree/skipped": "", "tree/skipped/b": "", "missing": "", under + "/link/a": "",
	} {
		if found[name] != want {
			t.Errorf("%s is %q; want %q", name, found[name], want)
		}
	}
}

func TestAnImageThatCannotBeMadeIsAnError(t *testing.T) {
	r := newRootfs(io.Discard)
	r.tree(filepath.Join(t.TempDir(), "missing"), "/x", nil)
	if err := r.close(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v; want that it does not exist", err)
	}
}
