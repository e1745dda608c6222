package lock_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A contender gives up after its create has been sent. Then the connection is lost, and the server
// never gets the create. Nobody wants the znode any more.
func TestWhoHasGivenUpCreatesNothingMore(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		p, host := s.process("a"), s.Host("a")
		release(t, p.acquire())
		await.Sleep(stageT)
		host.Hold()
		_, err := p.Acquire(s.Within(20 * time.Millisecond))
		want(t, err, context.DeadlineExceeded)
		host.Cut()
		host.Heal()
		created := s.Commits.Len()
		await.Sleep(stageT)
		for _, c := range s.Commits.All()[created:] {
			for _, change := range c.Changes {
				if strings.HasPrefix(change.Path, stagePath+"/") {
					t.Errorf("%+v", change)
				}
			}
		}
	})
}

// Contenders give up at each step of joining. Each has announced its departure when its client is
// closed. So a contender that joins then waits only for the holder.
func TestWhoGivesUpWhileItJoinsDelaysNobody(t *testing.T) {
	const other = "/other"
	for name, contend := range map[string]func(s *stage, who string) (*session.Client, func(context.Context) error){
		"the first place of its session": func(s *stage, who string) (*session.Client, func(context.Context) error) {
			p := s.process(who)
			return p.client, func(ctx context.Context) error { _, err := p.Acquire(ctx); return err }
		},
		"another place of its session": func(s *stage, who string) (*session.Client, func(context.Context) error) {
			p := s.process(who)
			_, err := p.Acquire(s.Within(time.Second))
			want(s.T, err, context.DeadlineExceeded)
			return p.client, func(ctx context.Context) error { _, err := p.Acquire(ctx); return err }
		},
		"a reader": func(s *stage, who string) (*session.Client, func(context.Context) error) {
			p := s.rw(who)
			return p.client, func(ctx context.Context) error { _, err := p.Read().Acquire(ctx); return err }
		},
		"several locks": func(s *stage, who string) (*session.Client, func(context.Context) error) {
			c := s.Client(who)
			all := locks(s.T, c, other, stagePath)
			return c, func(ctx context.Context) error { _, err := lock.All(ctx, all...); return err }
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a, b := s.process("a"), s.process("b")
				besides := locks(t, a.client, other)[0]
				held := a.acquire()
				for ms := 1; ms <= 14; ms++ {
					client, acquire := contend(s, fmt.Sprint("gives up ", ms))
					s.Session(client)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(ms)*time.Millisecond)
					want(t, acquire(ctx), context.DeadlineExceeded)
					cancel()
					client.Close()
					next := b.begin()
					s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
					after := fmt.Sprintf(" after one that gave up within %d ms", ms)
					soon(t, "the next holder"+after, func() {
						release(t, held)
						held = <-next
					})
					soon(t, "the other lock"+after, func() {
						h, err := besides.Acquire(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						release(t, h)
					})
					a, b = b, a
				}
				release(t, held)
			})
		})
	}
}

// The error of a contender that gives up tells what it has waited for.
func TestWhoGivesUpTellsWhoWasAhead(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		held := s.process("a").acquire()
		_, err := s.process("b").Acquire(s.Within(time.Second))
		want(t, err, context.DeadlineExceeded)
		if !strings.Contains(err.Error(), " 1 ahead, the nearest is "+held.Node()[len(stagePath)+1:]) {
			t.Errorf("the error is %q", err)
		}
		release(t, held)
	})
}

// Many contenders give up at the same time. Each writes into the record that it has left, and all
// but one of them find that another has written there meanwhile. Real servers that are busy may
// take longer for that than a departure waits.
func TestManyThatGiveUpTogetherDelayNobody(t *testing.T) {
	onSimulated(t, func(t *testing.T, x *contest) {
		const n = 30
		held := x.contender("holder").acquire()
		ctx, cancel := context.WithCancel(t.Context())
		var all []*contender
		given := make(chan error, n)
		for i := range n {
			c := x.contender(fmt.Sprint(i))
			go func() { _, err := c.Acquire(ctx); given <- err }()
			all = append(all, c)
		}
		for _, c := range all {
			c.next(lock.EventJoined, 1)
		}
		cancel()
		for range n {
			want(t, <-given, context.Canceled)
		}
		for _, c := range all {
			c.next(lock.EventLeft, 1)
		}
		next := x.contender("next").queue()
		x.Soon("the next holder", func() {
			release(t, held)
			release(t, <-next)
		})
		x.nobodyWaited()
	})
}
