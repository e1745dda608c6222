package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/examples/internal/zookeeper"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
)

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestTheServiceHearsOfEachChangeWithoutFlags(t *testing.T) {
	var out strings.Builder
	if err := run(within(t), nil, &out); err != nil {
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
	ctx := within(t)
	servers, err := zookeeper.Open("", timeout)
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	w, err := newWriter(ctx, servers, "/c")
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	client, err := session.Open(servers.Connect, session.Config{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var out strings.Builder
	n := 0
	if err := serve(ctx, client, "/c", &out, func(cache.Change) bool { n++; return n < 4 }); err != nil || n != 4 {
		t.Errorf("%d changes, %v", n, err)
	}
	ended, cancel := context.WithCancel(ctx)
	stopper := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if err := run(ended, []string{"-zk", servers.Connect, "-path", "/c"}, stopper); err != nil {
		t.Errorf("%v, although it was told to end", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
