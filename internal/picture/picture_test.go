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
	if err := run(5*time.Second, 2*time.Second, svg, readme); err != nil {
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
	for range 2 { // the sentence is replaced, not added
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
		if !strings.Contains(sentence[1], " after "+n+" s") {
			t.Errorf("the README's sentence has no %s s; run make picture", n)
		}
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
