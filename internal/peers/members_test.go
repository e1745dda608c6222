package peers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/need"
	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

// curatorMember is a member by Curator's GroupMember, in a process of its own.
type curatorMember struct {
	in    io.Closer // the member leaves when it is closed
	lines chan string
	done  <-chan error
}

func startCuratorMember(ctx context.Context, t *testing.T, k Kind, connect, path, id, data string) *curatorMember {
	t.Helper()
	jars, err := k.jars(ctx)
	must(t, err)
	dir := "debian"
	if _, fetched := k.recipe(); fetched {
		dir = "curator-" + curatorRelease
	}
	classpath, err := hosts.compile(ctx, "Members", dir, jars)
	must(t, err)
	cmd := exec.CommandContext(ctx, "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
		"-cp", classpath, "Members", connect, path, id, data)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	done := make(chan error, 1)
	m := &curatorMember{in: in, lines: make(chan string, 1000), done: done}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			m.lines <- lines.Text()
		}
		close(m.lines)
		done <- cmd.Wait()
	}()
	return m
}

// sees waits until it counts exactly these members: "id=data" in order of the ids.
func (m *curatorMember) sees(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	var last string
	for {
		select {
		case line, ok := <-m.lines:
			if !ok {
				t.Fatalf("Curator's member has ended; it saw %q last", last)
			}
			if last = line; line == want {
				return
			}
		case <-ctx.Done():
			t.Fatalf("Curator's member sees %q, want %q", last, want)
		}
	}
}

// Members of both libraries in one group see each other join and leave, with their data.
func TestMembersOfCuratorAndOursSeeEachOther(t *testing.T) {
	for _, k := range []Kind{LeaderLatch, LeaderLatchNew} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			ctx := bounded(t)
			need.That(t, func() error { return Available(ctx, k) })
			connect, path := shared(t).ConnectString(), fmt.Sprintf("/members-%x", time.Now().UnixNano())
			client, err := session.Open(connect, session.Config{Timeout: unhurried})
			must(t, err)
			defer client.Close()
			ours, err := group.New(client, path, group.Config{ID: "ours", Data: []byte("one")})
			must(t, err)
			list := ours.Watch()
			defer list.Close()
			sees := func(want string) {
				t.Helper()
				for {
					now, err := list.Next(ctx)
					var got []string
					for _, e := range now.Members {
						got = append(got, e.ID+"="+string(e.Data))
					}
					if err != nil {
						t.Fatalf("%v; want %q", err, want)
					}
					if strings.Join(got, " ") == want { // in the order in which they have joined
						return
					}
				}
			}
			theirs := startCuratorMember(ctx, t, k, connect, path, "theirs", "x")
			sees("theirs=x")
			m, err := ours.Join(ctx)
			must(t, err)
			sees("theirs=x ours=one")
			theirs.sees(ctx, t, "ours=one theirs=x")
			must(t, m.Set(ctx, []byte("two")))
			theirs.sees(ctx, t, "ours=two theirs=x")
			must(t, m.Leave(ctx))
			theirs.sees(ctx, t, "theirs=x")
			_, err = ours.Join(ctx)
			must(t, err)
			theirs.sees(ctx, t, "ours=one theirs=x")
			must(t, theirs.in.Close())
			sees("ours=one")
			if err := <-theirs.done; err != nil {
				t.Error(err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
