package release

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

func TestAReleaseIsFetchedOnceAndLookedAtEachTime(t *testing.T) {
	need.Program(t, "mvn", "maven")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	list, err := jars(Newest)
	if errors.Is(err, ErrUnavailable) { // Maven may find no network, or no home
		need.That(t, func() error { return err })
	}
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(list, func(path string) bool { return filepath.Base(path) == "zookeeper-"+Newest+".jar" }) {
		t.Errorf("no jar of ZooKeeper in %v", list)
	}
	t.Setenv("PATH", t.TempDir()) // from now on there is no Maven
	if _, err := jars(Newest); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if err := os.WriteFile(list[0], []byte("something else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := jars(Newest); err == nil || !strings.Contains(err.Error(), list[0]) {
		t.Errorf("a jar that was changed: %v", err)
	}
	if err := os.Remove(list[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := jars(Newest); err == nil || !strings.Contains(err.Error(), list[0]) {
		t.Errorf("a jar that is missing: %v", err)
	}
}

func TestAJarTooManyIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "guest.jar"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := verify(dir, nil); err == nil || !strings.Contains(err.Error(), "guest.jar") {
		t.Errorf("%v", err)
	}
}

func TestWhatCannotBeHadIsSaid(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := jars("3.0.99"); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "3.0.99") {
		t.Errorf("a release that is not known: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := jars(Newest); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "mvn") {
		t.Errorf("without Maven: %v", err)
	}
}

func TestReleasesAreListedInOrder(t *testing.T) {
	list := Known()
	if !slices.IsSortedFunc(list, compare) || list[len(list)-1] != Newest {
		t.Errorf("%v", list)
	}
	if compare("3.5.9", "3.5.10") >= 0 || compare("3.9.5", "3.9.5") != 0 {
		t.Error("numbers are compared as text")
	}
}
