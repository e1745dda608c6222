package cache_test

import (
	"context"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestADeadlineTellsWhatWasLacking(t *testing.T) {
	inBubbleOn(t, zktest.Release395, 1, func(b *bubble) {
		b.create("/a", "1")
		b.create("/a/b", "2")
		unanswered := b.On(zktest.Match{Op: zktest.OpGetData, Path: "/a/b"}, zktest.DropReply)
		c := b.cache("/a", cache.Config{})
		next := func(ctx context.Context) error { _, err := c.Next(ctx); return err }
		stage.DeadlineSays(b.t, c.Wait, "/a: not loaded yet, znodes to be read: 1: ")
		stage.DeadlineSays(b.t, next, "/a: not loaded yet")
		unanswered.Remove()
		b.host.Cut()
		b.must(c.Wait(b.ctx))
		b.must(next(b.ctx))
		b.must(next(b.ctx))
		stage.DeadlineSays(b.t, next, "/a: no change: ")
		b.On(zktest.Match{Op: zktest.OpMulti, Host: "cache"}, zktest.DropReply)
		stage.DeadlineSays(b.t, c.Fresh, "/a: not known to be fresh yet: ")
	})
}

func TestADeadlineTellsWhatIsWrongWithEachServer(t *testing.T) {
	client, err := session.Open("127.0.0.1:1", session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := cache.New(client, "/c", cache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stage.DeadlineSays(t, c.Wait, "/c: not loaded yet: session: no session with 127.0.0.1:1")
}
