//go:build linux

package compose

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

func TestAnEngineThatDoesNotComeUpIsAnError(t *testing.T) {
	need.That(t, func() error {
		if os.Getuid() != 0 {
			return errors.New("only root starts engines")
		}
		return nil
	})
	bin, temp := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "dockerd"), []byte("#!/bin/sh\necho no cgroups here >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", temp)
	if _, err := start(t.Context()); err == nil || !strings.Contains(err.Error(), "no cgroups here") {
		t.Errorf("%v; want what the engine said", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
