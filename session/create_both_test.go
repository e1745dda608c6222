package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/session"
)

// protected opens a session through the proxies, and makes an empty directory /e.
func (c *cluster) protected(T time.Duration) (*session.Client, *session.Session) {
	c.t.Helper()
	client := c.open(session.Config{Timeout: T})
	s := c.established(client)
	must(c.t, s.EnsurePath(within(c.t, hang), "/e", nil))
	must(c.t, s.EnsureHeartbeat(within(c.t, hang))) // so that the next multi is the create
	return client, s
}

// onlyChild demands that the znode is the only child of /e and the session's own.
func onlyChild(t *testing.T, s *session.Session, path string) {
	t.Helper()
	ctx := within(t, hang)
	must(t, s.Sync(ctx, "/e"))
	names, _, err := s.Children(ctx, "/e")
	must(t, err)
	if len(names) != 1 || "/e/"+names[0] != path {
		t.Fatalf("children %v; want %s alone", names, path)
	}
	if stat, ok, err := s.Exists(ctx, path); err != nil || !ok || stat.EphemeralOwner != s.ID() {
		t.Errorf("owner 0x%x, %v; want 0x%x", stat.EphemeralOwner, err, s.ID())
	}
}

func TestALostCreateReplyLeavesExactlyOneZnode(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(steady)
		lost := c.at(client).LoseReply(faultproxy.OpMulti, 1)
		path, err := s.CreateProtected(within(t, hang), "/e", "latch-", []byte("me"), nil)
		must(t, err)
		must(t, lost.Wait(within(t, hang)))
		onlyChild(t, s, path)
	})
}

func TestALostCreateRequestIsMadeAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(steady)
		lost := c.at(client).LoseRequest(faultproxy.OpMulti, 1)
		path, err := s.CreateProtected(within(t, hang), "/e", "latch-", nil, nil)
		must(t, err)
		must(t, lost.Wait(within(t, hang)))
		onlyChild(t, s, path)
	})
}

func TestALostCreateReplyAndThenALostListLeaveExactlyOneZnode(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(steady)
		lost := c.at(client).LoseReply(faultproxy.OpMulti, 1)
		var lists []*faultproxy.Fault
		c.all(func(p *faultproxy.Proxy) { lists = append(lists, p.LoseReply(faultproxy.OpGetChildren2, 1)) })
		path, err := s.CreateProtected(within(t, hang), "/e", "latch-", nil, nil)
		must(t, err)
		must(t, lost.Wait(within(t, hang)))
		for _, l := range lists {
			l.Cancel()
		}
		onlyChild(t, s, path)
	})
}

func TestAZnodeOfALostSessionIsNotAdopted(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(4 * time.Second)
		c.all(func(p *faultproxy.Proxy) { p.Refuse(true) })
		lost := c.at(client).LoseReply(faultproxy.OpMulti, 1)
		type result struct {
			path string
			err  error
		}
		done := make(chan result, 1)
		go func() {
			path, err := s.CreateProtected(context.Background(), "/e", "latch-", nil, nil)
			done <- result{path, err}
		}()
		must(t, lost.Wait(within(t, hang)))
		// The znode exists until the ensemble notices that the session is gone.
		admin := c.admin()
		for {
			names, _, changed, err := admin.ChildrenW(c.chroot + "/e")
			must(t, err)
			if len(names) == 0 {
				break
			}
			select {
			case <-changed:
			case <-time.After(hang):
				t.Fatal("the session is not over")
			}
		}
		c.all(func(p *faultproxy.Proxy) { p.Refuse(false) })
		r := <-done
		if err := over(t, s); r.err == nil || !errors.Is(r.err, err) || session.OutcomeOf(r.err) != session.OutcomeNotDone {
			t.Errorf("created %q, %v; want the reason %v", r.path, r.err, err)
		}
		next := established(t, client)
		path, err := next.CreateProtected(within(t, hang), "/e", "latch-", nil, nil)
		must(t, err)
		onlyChild(t, next, path)
	})
}

func TestOnlyAZnodeOfThisSessionIsFoundAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		_, s := c.protected(steady)
		const prefix = "_c_00000000-0000-4000-8000-000000000000-latch-"
		admin := c.admin()
		_, err := admin.Create(c.chroot+"/e/"+prefix+"0000000007", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
		must(t, err)
		if path, err := s.FindOwn("/e", prefix); path != "" || err != nil {
			t.Errorf("found %q, %v; it belongs to another session", path, err)
		}
		own, err := s.Create(within(t, hang), "/e/"+prefix, nil, zk.FlagEphemeral|zk.FlagSequence, nil)
		must(t, err)
		if path, err := s.FindOwn("/e", prefix); path != own || err != nil {
			t.Errorf("found %q, %v; want %s", path, err, own)
		}
	})
}

// A session that has no permission to list the directory cannot find out what became of its create.
// So the session is ended, and the znode is deleted with it.
func TestAnUnfindableZnodeEndsTheSession(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(steady)
		acl := []zk.ACL{{Perms: zk.PermAll &^ zk.PermRead, Scheme: "world", ID: "anyone"}}
		must(t, s.EnsurePath(within(t, hang), "/blind", acl))
		lost := c.at(client).LoseReply(faultproxy.OpMulti, 1)
		if path, err := s.CreateProtected(within(t, hang), "/blind", "latch-", nil, nil); err == nil {
			t.Fatalf("created %s", path)
		}
		must(t, lost.Wait(within(t, hang)))
		if err := over(t, s); !errors.Is(err, session.ErrStray) || !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("the session ended with %v", err)
		}
		stat, _, err := established(t, client).Exists(within(t, hang), "/blind")
		if errors.Is(err, zk.ErrNoAuth) {
			return // a newer server does not tell
		}
		if err != nil || stat.NumChildren != 0 {
			t.Errorf("%d children, %v; want none", stat.NumChildren, err)
		}
	})
}

func TestACancelledCreateLeavesNothing(t *testing.T) {
	for _, step := range []struct {
		name string
		lose bool // the create's reply, so that the following steps come
		hold func(p *faultproxy.Proxy) *faultproxy.Fault
	}{
		{"before it reaches the server", false, func(p *faultproxy.Proxy) *faultproxy.Fault { return p.HoldRequest(faultproxy.OpMulti, 1) }},
		{"before its reply", false, func(p *faultproxy.Proxy) *faultproxy.Fault { return p.HoldReply(faultproxy.OpMulti, 1) }},
		{"at the fence's beat", true, func(p *faultproxy.Proxy) *faultproxy.Fault { return p.HoldReply(faultproxy.OpMulti, 2) }},
		{"at the list", true, func(p *faultproxy.Proxy) *faultproxy.Fault { return p.HoldReply(faultproxy.OpGetChildren2, 1) }},
		{"at the owner", true, func(p *faultproxy.Proxy) *faultproxy.Fault { return p.HoldReply(faultproxy.OpExists, 1) }},
	} {
		t.Run(step.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, c *cluster) {
				c.proxies = c.proxies[:1]
				p := c.proxies[0]
				s := established(t, c.open(session.Config{Timeout: steady}))
				must(t, s.EnsurePath(within(t, hang), "/e", nil))
				must(t, s.EnsureHeartbeat(within(t, hang)))
				deleted := make(chan struct{}, 1)
				p.OnFrame(func(f faultproxy.Frame) {
					if f.Op == faultproxy.OpDelete && f.Dir == faultproxy.ToClient {
						deleted <- struct{}{}
					}
				})
				if step.lose {
					p.LoseReply(faultproxy.OpMulti, 1)
				}
				held := step.hold(p)
				ctx, cancel := context.WithCancelCause(within(t, hang))
				why := errors.New("changed my mind")
				done := make(chan error, 1)
				go func() {
					_, err := s.CreateProtected(ctx, "/e", "latch-", nil, nil)
					done <- err
				}()
				must(t, held.Wait(within(t, hang)))
				cancel(why)
				if err := <-done; !errors.Is(err, why) || session.OutcomeOf(err) != session.OutcomeNotDone {
					t.Errorf("err = %v", err)
				}
				held.Release()
				select {
				case <-deleted:
				case <-time.After(hang):
					t.Fatal("nothing was deleted")
				}
				names, _, err := s.Children(within(t, hang), "/e")
				if err != nil || len(names) != 0 {
					t.Errorf("children %v, %v; want none", names, err)
				}
			})
		})
	}
}

func TestACreateThatCannotBeginEndsWithItsContext(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		_, s := c.protected(steady)
		c.all(func(p *faultproxy.Proxy) { p.Refuse(true) })
		mark := c.log.mark()
		c.all(func(p *faultproxy.Proxy) { p.Cut(false) })
		c.log.await(mark, "session suspended")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			if _, err := s.CreateProtected(ctx, "/e", "latch-", nil, nil); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		c.all(func(p *faultproxy.Proxy) { p.Refuse(false) })
		c.log.await(mark, "session connected")
		names, _, err := s.Children(within(t, hang), "/e")
		if err != nil || len(names) != 0 {
			t.Errorf("children %v, %v; want none", names, err)
		}
	})
}

func TestALostDeleteReplyIsNoFailure(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(steady)
		path, err := s.CreateProtected(within(t, hang), "/e", "latch-", nil, nil)
		must(t, err)
		lost := c.at(client).LoseReply(faultproxy.OpDelete, 1)
		must(t, s.EnsureDeleted(within(t, hang), path))
		must(t, lost.Wait(within(t, hang)))
		names, _, err := s.Children(within(t, hang), "/e")
		if err != nil || len(names) != 0 {
			t.Errorf("children %v, %v; want none", names, err)
		}
	})
}

func TestALostReplyToAWriteIsAnUnknownOutcome(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		client, s := c.protected(steady)
		lost := c.at(client).LoseReply(faultproxy.OpSetData, 1)
		_, err := s.Set(within(t, hang), "/e", []byte("x"), -1)
		if session.OutcomeOf(err) != session.OutcomeUnknown {
			t.Errorf("outcome %v of %v", session.OutcomeOf(err), err)
		}
		must(t, lost.Wait(within(t, hang)))
		if data, _, err := s.Get(within(t, hang), "/e"); err != nil || string(data) != "x" {
			t.Errorf("data %q, %v", data, err)
		}
	})
}

func TestEnsurePathNeedsNoPermissionOnWhatIsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		_, s := c.protected(steady)
		ctx := within(t, hang)
		must(t, s.EnsurePath(ctx, "/a/b/c", nil))
		stage.SetACL(t, c.Servers, c.chroot+"/a/b", zk.WorldACL(zk.PermAdmin))
		if err := s.EnsurePath(ctx, "/a/b/c", nil); err != nil {
			t.Errorf("a znode that is there: %v", err)
		}
		if err := s.EnsurePath(ctx, "/a/b/d", nil); !errors.Is(err, zk.ErrNoAuth) {
			t.Errorf("a znode that is not: %v", err)
		}
		must(t, s.EnsurePath(ctx, "/", nil))
	})
}

func TestProtectedZnodesMayStandBelowTheRoot(t *testing.T) {
	onBoth(t, func(t *testing.T, c *cluster) {
		_, s := c.protected(steady)
		path, err := s.CreateProtected(within(t, hang), "/", "latch-", nil, nil)
		if err != nil || strings.Count(path, "/") != 1 {
			t.Fatalf("created %q, %v", path, err)
		}
		must(t, s.EnsureDeleted(within(t, hang), path))
	})
}
