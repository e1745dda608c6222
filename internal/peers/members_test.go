package peers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/recipe/group"
	"github.com/zkrecipe/zkrecipe/session"
)

// curatorMember is a member by Curator's GroupMember. It leaves when its input ends.
type curatorMember struct{ *program }

// sees waits until it counts exactly these members: "id=data" in order of the ids.
func (m curatorMember) sees(ctx context.Context, t *testing.T, want string) {
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
	bothCurators(t, func(ctx context.Context, t *testing.T, k Kind) {
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
		theirs := curatorMember{startJava(ctx, t, k, "Members", connect, path, "theirs", "x")}
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
