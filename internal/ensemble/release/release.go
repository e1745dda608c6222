// Package release provides the servers of one release of Apache ZooKeeper. Maven fetches them once,
// from its configured repository, and they are kept in the user's cache. The file releases.sum has
// their checksums in the format of sha256sum. They are compared when a process first asks for a
// release.
package release

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Newest is the release that tests ask for when they mean the servers of today.
const Newest = "3.9.5"

// ErrUnavailable says that a release cannot be had here: no Maven, nothing to fetch from, or no
// such release.
var ErrUnavailable = errors.New("this release of ZooKeeper cannot be had here")

var (
	//go:embed pom.xml
	pom []byte
	//go:embed releases.sum
	sums string
)

// fetchFor bounds one run of Maven, which fetches itself a good part of the first time.
const fetchFor = 5 * time.Minute

// have remembers what Jars has found in this process.
var have struct {
	mu        sync.Mutex // guards byVersion; held while Maven runs, so that it runs once
	byVersion map[string]func() ([]string, error)
}

// Jars returns the jars of a release, the class path of its servers. They are fetched if they are
// not in the cache.
func Jars(version string) ([]string, error) {
	have.mu.Lock()
	defer have.mu.Unlock()
	if have.byVersion == nil {
		have.byVersion = make(map[string]func() ([]string, error))
	}
	if have.byVersion[version] == nil {
		have.byVersion[version] = sync.OnceValues(func() ([]string, error) { return jars(version) })
	}
	return have.byVersion[version]()
}

func jars(version string) ([]string, error) {
	want := checksums(version)
	if len(want) == 0 {
		return nil, fmt.Errorf("%w: releases.sum says nothing about %q", ErrUnavailable, version)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	dir := filepath.Join(cache, "zkrecipe", "zookeeper", version)
	if _, err := os.Stat(dir); err != nil {
		if err := fetchTo(dir, version, want); err != nil {
			return nil, err
		}
	} else if err := verify(dir, want); err != nil {
		return nil, fmt.Errorf("%w; remove %s to have it fetched again", err, dir)
	}
	var list []string
	for name := range want {
		list = append(list, filepath.Join(dir, name))
	}
	slices.Sort(list)
	return list, nil
}

// fetchTo makes dir appear in one step, with what belongs into it: another process may do the same
// at this time.
func fetchTo(dir, version string, want map[string]string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "."+version+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := fetch(fresh, version); err != nil {
		return err
	}
	if err := verify(fresh, want); err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return verify(dir, want) // another process was first
	}
	return nil
}

// fetch lets Maven copy the jars of a release into dir.
func fetch(dir, version string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w: there is no mvn to fetch %s with", ErrUnavailable, version)
	}
	work, err := os.MkdirTemp("", "zookeeper-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	project := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(project, pom, 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchFor)
	defer cancel()
	out, err := exec.CommandContext(ctx, mvn, "-q", "-B", "-ntp", "-f", project, "-Dversion="+version,
		"dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: mvn: %w: %s", ErrUnavailable, errors.Join(err, ctx.Err()), firstLines(string(out), 3))
	}
	return nil
}

func firstLines(text string, n int) string {
	lines := strings.SplitN(strings.TrimSpace(text), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}

// checksums returns what releases.sum says about a release: the checksum of each jar, by its name.
func checksums(version string) map[string]string {
	want := make(map[string]string)
	for line := range strings.Lines(sums) {
		sum, path, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if of, name, _ := strings.Cut(path, "/"); of == version {
			want[name] = sum
		}
	}
	return want
}

// verify compares the jars in dir with what they have to be: those, all of them, and no others.
func verify(dir string, want map[string]string) error {
	got, err := hash(dir)
	if err != nil {
		return err
	}
	for name, sum := range want {
		if got[name] != sum {
			return fmt.Errorf("release: %s: its checksum is %q, want %q", filepath.Join(dir, name), got[name], sum)
		}
	}
	for name := range got {
		if want[name] == "" {
			return fmt.Errorf("release: %s: releases.sum does not name it", filepath.Join(dir, name))
		}
	}
	return nil
}

// hash returns the checksums of all jars in dir.
func hash(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		return nil, err
	}
	got := make(map[string]string)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		got[filepath.Base(path)] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return got, nil
}

// Known lists the releases that releases.sum names, oldest first.
func Known() []string {
	var list []string
	for line := range strings.Lines(sums) {
		if _, path, ok := strings.Cut(line, "  "); ok {
			of, _, _ := strings.Cut(path, "/")
			list = append(list, of)
		}
	}
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// compare orders numbers of releases: 3.5.9 is before 3.5.10.
func compare(a, b string) int {
	return slices.Compare(parts(a), parts(b))
}

func parts(version string) []int {
	var list []int
	for _, part := range strings.Split(version, ".") {
		n := 0
		fmt.Sscan(part, &n)
		list = append(list, n)
	}
	return list
}
