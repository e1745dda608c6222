package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/cache"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// verdicts are codes that a server may answer with, and whether one of them ends a cache that has
// not loaded yet.
var verdicts = map[zktest.Code]struct {
	ends bool
	says string
}{
	-1: {false, "error -1"}, -2: {false, "error -2"}, -3: {false, "error -3"}, -5: {false, "error -5"}, -9999: {false, "error -9999"},
	-6:   {true, "ZooKeeper 3.4 or newer is needed"},
	-8:   {true, "use another path"},
	-114: {true, "use a scheme that the servers know"},
	-115: {true, "check Config.Auth and Config.SASL"},
	-124: {true, "enforce.auth.schemes and sessionRequireClientSASLAuth, and Config.SASL or Config.Auth"},
}

// everyCode runs f with each code, as the answer to each kind of request that a load makes.
func everyCode(t *testing.T, f func(b *bubble, code zktest.Code, refused zktest.Match)) {
	t.Helper()
	for name, op := range map[string]zktest.Op{"proof": zktest.OpMulti, "data": zktest.OpGetData, "list": zktest.OpGetChildren2} {
		for code := range verdicts {
			t.Run(fmt.Sprint(name, int32(code)), func(t *testing.T) {
				inBubbleOn(t, zktest.Release380, 1, func(b *bubble) {
					b.create("/a", "1")
					b.create("/a/b", "2")
					f(b, code, zktest.Match{Op: op, Host: "cache"})
				})
			})
		}
	}
}

// What no retry can cure ends a cache before its first complete state. Anything else is told by the
// error of those who give up waiting, and by the status, until it is over.
func TestAnErrorCodeThatComesAgainAndAgainIsSaid(t *testing.T) {
	everyCode(t, func(b *bubble, code zktest.Code, refused zktest.Match) {
		want := verdicts[code]
		rule := b.On(refused, zktest.Fail(code))
		c := b.cache("/a", cache.Config{})
		ctx, cancel := context.WithTimeout(b.ctx, 3*T)
		defer cancel()
		err := c.Wait(ctx)
		var permanent *recipe.PermanentError
		if errors.As(err, &permanent) != want.ends || errors.Is(err, context.DeadlineExceeded) == want.ends {
			b.t.Errorf("Wait: %v; want a PermanentError: %v", err, want.ends)
		}
		st := c.Status()
		if c.Err() != st.Over || (st.Over != nil) != want.ends {
			b.t.Errorf("Err: %v, %+v", c.Err(), st)
		}
		for _, err := range []error{err, st.Err} {
			if err == nil || !strings.Contains(err.Error(), want.says) {
				b.t.Errorf("it says %v; want %q", err, want.says)
			}
		}
		if want.ends && permanent.Path != "/a" {
			b.t.Errorf("of %s", permanent.Path)
		}
		if rule.Remove(); !want.ends {
			b.want(c, "/a")
			if err := c.Status().Err; err != nil {
				b.t.Errorf("still said: %v", err)
			}
		}
	})
}

// Once there has been a complete state, the servers may refuse for a while what they did not refuse
// before: the cache tells it, and goes on.
func TestARefusalAfterTheFirstCompleteStateEndsNothing(t *testing.T) {
	everyCode(t, func(b *bubble, code zktest.Code, refused zktest.Match) {
		says := verdicts[code].says
		c := b.cache("/a", cache.Config{Recheck: -1})
		b.must(c.Fresh(b.ctx))
		rule := b.On(refused, zktest.Fail(code))
		b.ExpireSession(b.client.Status().Session) // the next session begins with a proof
		b.set("/a", "3")
		b.create("/a/b/c", "4")
		for range 2 {
			ctx, cancel := context.WithTimeout(b.ctx, 2*T)
			err := c.Fresh(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), says) {
				b.t.Errorf("Fresh: %v; want a deadline, and %q", err, says)
			}
		}
		if st := c.Status(); st.Over != nil || st.Err == nil || !strings.Contains(st.Err.Error(), says) {
			b.t.Errorf("%+v; want %q", st, says)
		}
		if _, ok, err := c.Get(b.ctx, "/a/b"); !ok || err != nil {
			b.t.Errorf("what it holds is not told: %v", err)
		}
		rule.Remove()
		b.want(c, "/a")
		if err := c.Status().Err; err != nil {
			b.t.Errorf("still said: %v", err)
		}
	})
}

// A server that refuses the request for watches is not asked without a pause.
func TestWatchesThatAreRefusedAreNotAskedForWithoutAPause(t *testing.T) {
	for _, code := range []zktest.Code{-1, -8, -102, -115, -9999} {
		inBubbleOn(t, zktest.Release380, 1, func(b *bubble) {
			b.create("/a", "1")
			c := b.cache("/a", cache.Config{Recheck: -1, Depth: cache.DepthNode})
			b.must(c.Fresh(b.ctx))
			b.SetLatency(10*time.Millisecond, 0) // a request takes time
			refused := b.On(zktest.Match{Op: zktest.OpSetWatches, Host: "cache"}, zktest.Fail(code))
			b.offline(func() { b.set("/a", "2") })
			await.Sleep(10 * T)
			if n := refused.Hits(); n == 0 || n > 20 {
				b.t.Errorf("code %d: asked %d times in %v", code, n, 10*T)
			}
			b.want(c, "/a")
		})
	}
}

// A refusal that goes on for an hour is said in the log, but not each time.
func TestARefusalIsSaidInTheLogNowAndThen(t *testing.T) {
	inBubbleOn(t, zktest.Release380, 1, func(b *bubble) {
		b.create("/a", "1")
		var lines await.List[string]
		logger := slog.New(slog.NewTextHandler(writer(func(line string) { lines.Add(line) }), nil))
		client, err := session.Open(b.ConnectString(), session.Config{Timeout: T, Dial: b.host.Dial, Logger: logger})
		b.must(err)
		defer client.Close()
		c, err := cache.New(client, "/a", cache.Config{})
		b.must(err)
		defer c.Close()
		b.must(c.Fresh(b.ctx))
		said := func(line string) bool {
			return strings.Contains(line, "cannot follow") && strings.Contains(line, "cache=/a") && strings.Contains(line, "enforce.auth.schemes")
		}
		if n := lines.Count(said); n != 0 {
			b.t.Errorf("said %d times before it was so", n)
		}
		refused := b.On(zktest.Match{Op: zktest.OpMulti, Host: "cache"}, zktest.Fail(saslRequired))
		ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
		defer cancel()
		if err := c.Fresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("Fresh: %v", err)
		}
		if n := lines.Count(said); n == 0 || n > refused.Hits() || n > 40 {
			b.t.Errorf("said %d times in a minute, of %d refusals", n, refused.Hits())
		}
	})
}

// writer takes lines of a log.
type writer func(line string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }
