package peers

import (
	"context"
	"strings"
	"testing"
)

// strangers are pairs whose names differ in style, so that the peer does not see ours.
var strangers = []struct{ peer, ours Kind }{
	{LeaderLatch, OursLock},
	{LeaderSelector, OursLatch},
	{Kazoo, OursLatch},
}

// As recipe/docs/mixing.md warns, a peer behind ours in another style leads at once. Ours waits
// behind a peer in another style.
func TestAPeerLeadsBesideOursOfAnotherStyle(t *testing.T) {
	for _, pair := range strangers {
		t.Run(string(pair.peer), func(t *testing.T) {
			t.Parallel()
			f := newField(t, pair.peer, pair.ours)
			ours := f.join(pair.ours)
			f.leads(ours)
			peer := f.join(pair.peer)
			f.leads(peer)
			f.beatsOn(ours)
			if f.overlap() == 0 {
				t.Errorf("no two leaders at once: %+v", f.terms())
			}
			f.send(ours, "quit")
			f.wait(ours, "left")

			behind := f.join(pair.ours)
			f.beatsOn(peer)
			f.send(peer, "quit")
			f.leads(behind)
			terms := f.terms()
			if last := len(terms) - 1; terms[last-1].last >= terms[last].first {
				t.Errorf("ours did not wait for the peer: %+v", terms)
			}
		})
	}
}

// Lock of zk cannot read the names of a LeaderLatch: it fails, and it leaves its znode in the line
// until its session ends.
func TestZkLockBreaksALineOfLatches(t *testing.T) {
	t.Parallel()
	f := newField(t, ZkLock, OursLatch)
	first := f.join(OursLatch)
	f.leads(first)
	lock := f.start(ZkLock, Config{})
	if l := f.wait(lock, "error"); !strings.Contains(l.Error, "invalid syntax") {
		t.Errorf("error: %+v", l)
	}
	second := f.join(OursLatch)
	f.send(first, "quit")
	f.wait(first, "left")
	children, _, err := f.caughtUp().Children(f.ctx, f.path)
	if err != nil {
		t.Fatal(err)
	}
	if orphans := strings.Count(strings.Join(children, " "), "-lock-"); orphans == 0 {
		t.Errorf("no znode of zk.Lock is left in line: %v", children)
	}
	if n := strings.Count(story(second.Lines()), "elected"); n > 0 {
		t.Error("ours does not wait for the znode that zk.Lock has left")
	}
	lock.Kill()
	f.leads(second)
}

// Ours honours its own styles in any mixture, so that a fleet can change its style.
func TestStylesOfOursCanBeChangedOneByOne(t *testing.T) {
	t.Parallel()
	f := newField(t, OursKazoo)
	kinds := []Kind{OursKazoo, OursLatch, OursLock, OursLatch}
	for _, k := range kinds {
		f.join(k)
	}
	for _, p := range f.all {
		f.leads(p)
		f.send(p, "quit")
	}
	f.oneLeaderAtATime()
}

func TestUnknownKindsAreRefused(t *testing.T) {
	if p, err := hosts.Start(context.Background(), "raft", Config{}); err == nil {
		p.Kill()
		t.Error("a candidate of no kind has started")
	}
}
