package peers

import (
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/faultproxy"
	"github.com/zkrecipe/zkrecipe/internal/history"
)

// A holder lives on, but nothing passes between it and the servers until its session has expired.
// The next one in the line gets the lock then, and the one behind it gets it after that. The holder
// cannot know when its session expires. What it can know is that no server answers: its library
// tells it so in time, and it does not hold beside the next one. Later it comes back.
func TestTheNextOneGetsTheLockOfALiveHolderWhoseSessionExpires(t *testing.T) {
	our := OurLock
	for name, c := range map[string]struct {
		size       int
		peer, ours LockKind
	}{
		"curator mutex":     {1, CuratorMutex, our("lock", "curator")},
		"curator writer":    {1, CuratorWrite, our("read", "curator")},
		"curator reader":    {1, CuratorRead, our("write", "curator")},
		"curator semaphore": {2, CuratorSemaphore, our("semaphore", "curator")},
		"kazoo lock":        {1, KazooLock, our("lock", "kazoo")},
		"kazoo writer":      {1, KazooWrite, our("read", "kazoo")},
		// The names of 2.8.0 are the same, but its reader waits for the last writer of the line, also
		// for one behind it: it looks for its own name among those of writers, to stop there. That
		// writer waits for the reader in turn, and neither gets the lock.
		"kazoo reader": {1, KazooRead.Newest(), our("write", "kazoo")},
		"zk.Lock":      {1, GoLock, our("lock", "curator")},
	} {
		t.Run(name+" holds", func(t *testing.T) { silence(t, c.peer, c.ours, c.size) })
		t.Run(name+" is next", func(t *testing.T) { silence(t, c.ours, c.peer, c.size) })
	}
}

// silence lets one of the first kind hold the lock, then one of the second kind wait for it, and
// behind that one of the first kind. Of a semaphore others of the second kind hold all permits but
// one for the whole time.
func silence(t *testing.T, holds, waits LockKind, size int) {
	prepare(t, holds, waits)
	t.Parallel()
	f := newField(t)
	proxy := faultproxy.ForTest(t, f.e.Addrs()[0])
	unending := Contention{Hold: time.Hour, Size: size}
	brief := Contention{Hold: 50 * time.Millisecond, Rest: 50 * time.Millisecond, Size: size}
	// A busy machine must not delay by a third of the timeout what the holder does after two thirds.
	holder := f.contendAs(holds, Config{Connect: proxy.Addr(), Timeout: unhurried}, unending)
	f.acquired(holder, 0)
	for range size - 1 {
		f.acquired(f.contendAs(waits, Config{Timeout: unhurried}, unending), 0)
	}
	f.stand(size, 0)
	next := f.contendAs(waits, Config{Timeout: unhurried}, brief)
	f.stand(size, 1)
	last := f.contendAs(holds, Config{Timeout: unhurried}, brief)
	f.stand(size, 2)

	f.beatsAfter(holder, history.Now())
	silent := history.Now()
	proxy.Drop(faultproxy.Both, true)
	f.after(holder, inWordsOf(holder, "lost"), silent) // it hears nothing, and so it knows
	if first, second := f.acquired(next, silent), f.acquired(last, silent); first > second {
		t.Errorf("%s has the lock before %s, which was ahead of it in the line", last.ID, next.ID)
	}
	proxy.Drop(faultproxy.Both, false)
	f.beatsAfter(holder, f.acquired(holder, history.Now()))
	all := f.stays()
	if bad := crowds(all, size); len(bad) > 0 {
		t.Errorf("%d crowds: %s", len(bad), strings.Join(bad[:min(5, len(bad))], "\n"))
	}
}

// stand waits until the path has the znodes of all who hold, and of so many who wait. The first who
// waits for a semaphore stands in the line and at the permits, and the others in the line alone.
func (f *field) stand(size, waiting int) {
	f.t.Helper()
	want := map[string]int{f.path: size + waiting}
	if size > 1 {
		want = map[string]int{f.path + "/locks": waiting, f.path + "/leases": size + min(waiting, 1)}
	}
	await.Until(f.t, "place of everybody", func() bool {
		for path, n := range want {
			if children, _, err := f.caughtUp().Children(f.ctx, path); err != nil || len(children) != n {
				return false
			}
		}
		return true
	})
}
