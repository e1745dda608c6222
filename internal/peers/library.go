package peers

import (
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The releases that are fetched, from wherever Maven and pip are set up to fetch from. Debian's are
// Curator 5.4.0 and kazoo 2.8.0.
const (
	curatorRelease = "5.9.0"
	kazooRelease   = "2.11.0"
)

//go:embed libraries/*.sum
var checksums embed.FS

// fetching is held while a release is fetched and looked at.
var fetching sync.Mutex

// fetchFor bounds it: Maven fetches itself a good part of the first time.
const fetchFor = 5 * time.Minute

// CuratorJars returns the jars of the newer Curator.
func CuratorJars(ctx context.Context) ([]string, error) { return listed(ctx, "curator") }

// CuratorTests returns the jars of the tests of the newer Curator, and of all that they need.
func CuratorTests(ctx context.Context) ([]string, error) { return listed(ctx, "curator-tests") }

// listed returns the jars of a list. They are fetched once and kept in the user's cache, and
// compared with their checksums each time.
func listed(ctx context.Context, list string) ([]string, error) {
	sums, err := checksums.ReadFile("libraries/" + list + ".sum")
	if err != nil {
		return nil, err
	}
	want := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		want[name] = sum
	}
	dir, err := cached(ctx, list+"-"+curatorRelease, func(dir string) []string {
		return []string{"mvn", "-q", "-B", "-ntp", "-f", filepath.Join(sources, "libraries", list+".xml"),
			"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=" + dir}
	})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		jar := filepath.Join(dir, name)
		text, err := os.ReadFile(jar)
		if sum := fmt.Sprintf("%x", sha256.Sum256(text)); err != nil || sum != want[name] {
			return nil, fmt.Errorf("%w: %s has the checksum %s, %v; want %s", ErrUnavailable, jar, sum, err, want[name])
		}
		all = append(all, jar)
	}
	return all, nil
}

// KazooPath returns the directory of the newer kazoo. pip compares what it fetches with
// libraries/kazoo.txt.
func KazooPath(ctx context.Context) (string, error) {
	return cached(ctx, "kazoo-"+kazooRelease, func(dir string) []string {
		return []string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes",
			"--target", dir, "--requirement", filepath.Join(sources, "libraries", "kazoo.txt")}
	})
}

// cached returns a directory of the user's cache. If it is not there, a command makes it, which
// appears in one step: another process may be at the same.
func cached(ctx context.Context, name string, fetch func(dir string) (argv []string)) (string, error) {
	fetching.Lock()
	defer fetching.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	dir := filepath.Join(cache, "zkrecipe", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "."+name)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	ctx, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	argv := fetch(fresh)
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s: %w\n%s", ErrUnavailable, argv[0], errors.Join(err, ctx.Err()), out[max(0, len(out)-2000):])
	}
	err = os.Rename(fresh, dir)
	if _, there := os.Stat(dir); there == nil {
		return dir, nil // perhaps another process was first
	}
	return "", err
}
