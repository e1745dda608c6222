package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/cache"
)

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestTheServiceHearsOfEachChangeWithoutFlags(t *testing.T) {
	var out strings.Builder
	p := newProgram()
	if err := p.Run(within(t), func(ctx context.Context) error { return run(ctx, p, &out) }); err != nil {
		t.Fatal(err, "\n", out.String())
	}
	rest := out.String()
	for _, line := range []string{
		`created   /example-config = "v1"`, `created   /example-config/color = "blue"`, `created   /example-config/limits = ""`,
		`created   /example-config/limits/rate = "100"`, `changed   /example-config/limits/rate = "200"`,
		`deleted   /example-config/color`, `created   /example-config/limits/burst = "20"`, "4 znodes, proved to be at most ",
	} {
		before, after, ok := strings.Cut(rest, line)
		if !ok || before != "" && before != "\n" {
			t.Fatalf("want %s where there is\n%s", line, rest)
		}
		rest = after
	}
}

func TestOnServersOfYourOwnItFollowsUntilItIsTold(t *testing.T) {
	yours, p := newProgram(), newProgram()
	err := yours.Run(within(t), func(ctx context.Context) error {
		w, err := newWriter(ctx, yours)
		if err != nil {
			return err
		}
		defer w.close()
		var out strings.Builder
		n := 0
		if err := serve(ctx, w.client, yours.Path, &out, func(cache.Change) bool { n++; return n < 4 }); err != nil || n != 4 {
			t.Errorf("%d changes, %v", n, err)
		}
		if err := p.Parse([]string{"-zk", yours.Connect}); err != nil {
			return err
		}
		ended, cancel := context.WithCancel(ctx)
		stopper := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
		return p.Run(ended, func(ctx context.Context) error { return run(ctx, p, stopper) })
	})
	if err != nil {
		t.Errorf("%v, although it was told to end", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
