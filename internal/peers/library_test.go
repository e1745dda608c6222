package peers

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/need"
)

func TestALibraryThatIsNotWhatItShouldBeIsRefused(t *testing.T) {
	need.Program(t, "mvn", "maven")
	jars, err := CuratorJars(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	if err := os.CopyFS(filepath.Join(cache, "zkrecipe", "curator-"+curatorRelease), os.DirFS(filepath.Dir(jars[0]))); err != nil {
		t.Fatal(err)
	}
	if _, err := CuratorJars(t.Context()); err != nil {
		t.Fatalf("a copy: %v", err)
	}
	changed := filepath.Join(cache, "zkrecipe", "curator-"+curatorRelease, filepath.Base(jars[0]))
	if err := os.WriteFile(changed, []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := CuratorJars(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("with another %s: %v; want that it is unavailable", changed, err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", "")
	if _, err := CuratorJars(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without Maven: %v; want that it is unavailable", err)
	}
}
