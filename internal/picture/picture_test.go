package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// A failover is run and drawn, with short times. It takes some seconds.
func TestAPictureIsDrawnFromARun(t *testing.T) {
	dir := t.TempDir()
	svg, readme := filepath.Join(dir, "a.svg"), filepath.Join(dir, "README.md")
	if err := os.WriteFile(readme, []byte("before\n"+begin+end[1:]+"after\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(5*time.Second, 2*time.Second, svg, readme, root+"/recipe/docs/performance.md"); err != nil {
		t.Fatal(err)
	}
	picture := read(t, svg)
	wellFormed(t, picture)
	for _, part := range []string{"kill -9", "takes over: ", "session expires: ", "leads, token "} {
		if !strings.Contains(picture, part) {
			t.Errorf("the picture has no %q", part)
		}
	}
	if beats := strings.Count(picture, `<path class="b"`); beats < 5 {
		t.Errorf("the picture shows %d beats", beats)
	}
	for range 2 { // the sentences are replaced, not added
		text := read(t, readme)
		if !regexp.MustCompile(`^before\n` + begin + `A leader is killed (.|\n)*` + end + `after\n$`).MatchString(text) {
			t.Errorf("the README is %q", text)
		}
		text = caption.ReplaceAllLiteralString(text, begin+"A leader is killed again"+end)
		if err := os.WriteFile(readme, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The sentence below the picture has the picture's numbers.
func TestTheREADMEShowsThePicture(t *testing.T) {
	const name = "recipe/docs/failover.svg"
	readme, picture := read(t, root+"/README.md"), read(t, root+"/"+name)
	wellFormed(t, picture)
	if len(picture) > 10_000 {
		t.Errorf("the picture has %d bytes", len(picture))
	}
	if !strings.Contains(readme, "]("+name+")") {
		t.Error("the README does not show it")
	}
	numbers := regexp.MustCompile(`bob leads after (\S+) s, session expired after (\S+) s`).FindStringSubmatch(picture)
	sentence := caption.FindStringSubmatch(readme)
	if numbers == nil || sentence == nil {
		t.Fatalf("no numbers in %q, or none in the README", numbers)
	}
	for _, n := range numbers[1:] {
		if !strings.Contains(strings.Join(strings.Fields(sentence[1]), " "), " after "+n+" s") {
			t.Errorf("the README's sentence has no %s s; run make picture", n)
		}
	}
}

// The numbers below the picture are those of the page of performance.
func TestTheREADMEShowsTheNumbersOfTheLastBenchmark(t *testing.T) {
	want, err := numbers(read(t, root+"/recipe/docs/performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, root+"/README.md"), "\n"+want+"\n") {
		t.Errorf("the README has other numbers; run make picture, or write there:\n%s", want)
	}
}

func TestTheNumbersComeFromTheirTables(t *testing.T) {
	const page = `
## Graceful failover

Text.

| candidates | who | p50 | p95 | p99 | p50/floor |
| --- | --- | --- | --- | --- | --- |
| 3 | floor | 2 | 2 | 2 | 1.00 |
| 3 | zkrecipe | 2 | 2 | 2 | 1.17 |
| 3 | zkrecipe, back to back | 2 | 2 | 2 | 9.00 |
| 3 | zk.Lock | 2 | 2 | 2 | 1.45 |
| 10 | zkrecipe | 2 | 2 | 2 | 1.09 |
| 10 | zk.Lock | 2 | 2 | 2 | 2.26 |

| 3 | zkrecipe | 2 | 2 | 2 | 8.00 |

## Crash, and frozen servers

| lease D | times | p50, x D | p95, x D | max, x D | p50, ms |
| --- | --- | --- | --- | --- | --- |
| 1s | 30 | 1.00 | 1.12 | 1.13 | 998.85 |
| 4s | 30 | 0.98 | 1.11 | 1.12 | 3918.90 |
`
	got, err := numbers(page)
	for _, want := range []string{"takes 1.09 to 1.17 times", "takes 1.45 to 2.26 times", "(medians, 3 to 10 candidates)", "after 0.98 D (median of 30), or 1.12 D", "D = 4s"} {
		if !strings.Contains(strings.ReplaceAll(got, "\n", " "), want) {
			t.Errorf("no %q in %q, %v", want, got, err)
		}
	}
	if got, err := numbers(strings.ReplaceAll(page, "zk.Lock", "others")); err == nil {
		t.Errorf("without zk.Lock: %q", got)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wellFormed(t *testing.T, picture string) {
	t.Helper()
	for in := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := in.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
