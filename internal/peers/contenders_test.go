package peers

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/internal/need"
)

// stay is what beats prove of one acquisition.
type stay struct {
	who         string
	read        bool
	first, last int64
}

// pause is the time from SIGSTOP to the end, of a peer that keeps no promise then: what it believes
// after a pause that was longer than its session is not judged.
type pause struct {
	who      string
	from, to int64 // before SIGSTOP was sent, and after
}

func staysOf(p *Peer) (all []stay) {
	open := false
	for _, l := range p.Lines() {
		switch l.Event {
		case "acquired", "elected", "released", "deposed", "lost":
			open = false
		case "beat":
			if !open {
				all = append(all, stay{p.ID, strings.Contains(strings.ToLower(string(p.Kind)), "read") &&
					!strings.Contains(string(p.Kind), "write"), l.T, l.T})
			}
			open = true
			all[len(all)-1].last = l.T
		}
	}
	return all
}

// crowds returns every moment at which more held than may: a writer beside anybody, or more than
// size.
func crowds(all []stay, size int) (bad []string) {
	for _, a := range all { // a crowd is complete when its last member comes
		beside, writer := 0, !a.read
		for _, b := range all {
			if b.who != a.who && b.first <= a.first && a.first <= b.last {
				beside++
				writer = writer || !b.read
			}
		}
		if writer && beside >= size {
			bad = append(bad, fmt.Sprintf("%s holds beside %d others at %d", a.who, beside, a.first))
		}
	}
	return bad
}

// excuse cuts off the stay of a paused peer at its last moment before the pause, or, if it began in
// that moment, at its beginning.
func excuse(all []stay, p pause) []stay {
	for i, s := range all {
		if s.who == p.who && s.first <= p.to && p.from < s.last {
			all[i].last = max(s.first, p.from)
		}
	}
	return all
}

func TestCrowdsAreSeen(t *testing.T) {
	r := func(who string, from, to int64) stay { return stay{who, true, from, to} }
	w := func(who string, from, to int64) stay { return stay{who, false, from, to} }
	for name, c := range map[string]struct {
		all  []stay
		size int
		bad  bool
	}{
		"one after another":       {[]stay{w("a", 1, 2), w("b", 3, 4)}, 1, false},
		"two writers":             {[]stay{w("a", 1, 3), w("b", 3, 4)}, 1, true},
		"two readers":             {[]stay{r("a", 1, 3), r("b", 2, 4)}, 1, false},
		"a writer beside readers": {[]stay{r("a", 1, 5), r("b", 2, 5), w("c", 4, 6)}, 1, true},
		"a reader beside writer":  {[]stay{w("a", 1, 5), r("b", 2, 6)}, 1, true},
		"two permits of two":      {[]stay{w("a", 1, 5), w("b", 2, 6)}, 2, false},
		"three permits of two":    {[]stay{w("a", 1, 5), w("b", 2, 6), w("c", 4, 4)}, 2, true},
	} {
		if got := crowds(c.all, c.size); (len(got) > 0) != c.bad {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := crowds(excuse([]stay{w("a", 1, 5), w("b", 4, 6)}, pause{"a", 2, 2}), 1); len(got) > 0 {
		t.Errorf("a paused peer is not excused: %v", got)
	}
}

// mixture is a line with two contenders of each kind, or more: one is killed, and one is stopped.
type mixture struct {
	size  int // how many may hold together
	kinds []LockKind
}

// Locks of all libraries that share a layout share a path. Of each kind one process is killed, and
// one stopped for longer than its session, while it holds the lock; no two of the others ever hold
// it together, and everybody alive comes again. Debian's releases have a downgrade and a reader
// that do not keep this promise: see lockRelease. So each line is tried with the newest releases,
// too.
func TestMixedLocksExclude(t *testing.T) {
	releases := map[string]func(LockKind) LockKind{"": lockRelease}
	if !newestOnly() {
		releases[" newest"] = LockKind.Newest
	}
	our := OurLock
	for name, m := range map[string]mixture{
		"mutex curator": {1, []LockKind{CuratorMutex, our("lock", "curator"), GoLock}},
		"mutex kazoo":   {1, []LockKind{our("lock", "kazoo"), KazooLock, GoLock}},
		"rw curator":    {1, []LockKind{our("write", "curator"), CuratorWrite, CuratorRead, our("read", "curator"), CuratorDowngrade}},
		"rw kazoo":      {1, []LockKind{KazooWrite, our("write", "kazoo"), KazooRead, our("read", "kazoo")}},
		"semaphore":     {2, []LockKind{our("semaphore", "curator"), CuratorSemaphore}},
	} {
		for release, of := range releases {
			line := mixture{size: m.size}
			for _, k := range m.kinds {
				line.kinds = append(line.kinds, of(k))
			}
			t.Run(name+release, line.excludes)
		}
	}
}

func (m mixture) excludes(t *testing.T) {
	prepare(t, m.kinds...)
	t.Parallel()
	f := newField(t)
	n := len(m.kinds)
	for i := range 2*n + max(0, m.size-1) {
		f.contend(m.kinds[i%n], m.size)
	}
	f.acquire(f.all, 0)
	for i, p := range f.all[:n] {
		f.beatsAfter(p, history.Now())
		p.Kill()
		f.acquire(f.all[i+1:], history.Now())
	}
	alive := f.all[n:]
	var pauses []pause
	for i, p := range alive[:n] {
		f.beatsAfter(p, history.Now())
		since := pause{who: p.ID, from: history.Now()}
		f.signal(p, syscall.SIGSTOP)
		since.to = history.Now()
		f.acquire(slices.Delete(slices.Clone(alive), i, i+1), since.from+int64(2*usual)) // its session has ended by then
		f.signal(p, syscall.SIGCONT)
		f.acquire(alive, history.Now())
		if !strings.HasPrefix(string(p.Kind), "ours") {
			pauses = append(pauses, since)
		}
	}
	all := f.stays()
	for _, since := range pauses {
		all = excuse(all, since)
	}
	if bad := crowds(all, m.size); len(bad) > 0 {
		t.Errorf("%d crowds: %s", len(bad), strings.Join(bad[:min(5, len(bad))], "\n"))
	}
	t.Logf("%d acquisitions", len(all))
}

func lockRelease(k LockKind) LockKind {
	switch {
	case newestOnly():
		return k.Newest()
	case k == CuratorDowngrade:
		return CuratorWrite // 5.4.0's lets a writer in beside the reader: CURATOR-621
	case k == KazooRead:
		return OurLock("read", "kazoo") // 2.8.0's waits for writers behind it, which wait for it
	}
	return k
}

// prepare builds the programs, so that the patience of no test is spent on that.
func prepare(t *testing.T, kinds ...LockKind) {
	t.Helper()
	for _, k := range kinds {
		k = lockRelease(k)
		need.That(t, func() error { return LockAvailable(t.Context(), k) })
		if _, err := hosts.ContendCommand(t.Context(), k, Config{}, Contention{}); err != nil {
			t.Fatal(err)
		}
	}
}

// stays returns those of all contenders.
func (f *field) stays() (all []stay) {
	for _, p := range f.all {
		all = append(all, staysOf(p)...)
	}
	return all
}

// Curator does not see kazoo's znodes: the judge sees that, too.
func TestLocksOfDifferentLayoutsDoNotExclude(t *testing.T) {
	prepare(t, CuratorMutex, KazooLock)
	t.Parallel()
	f := newField(t)
	f.contend(CuratorMutex, 1)
	f.contend(KazooLock, 1)
	for len(crowds(f.stays(), 1)) == 0 {
		f.beatsAfter(f.all[0], history.Now())
	}
}

// contend starts a contender with times of its own.
func (f *field) contend(k LockKind, size int) {
	f.t.Helper()
	f.contendAs(k, Config{}, Contention{Hold: time.Duration(20+rand.IntN(100)) * time.Millisecond,
		Rest: time.Duration(rand.IntN(60)) * time.Millisecond, Size: size})
}

// contendAs starts a contender, which is killed at the end of the test.
func (f *field) contendAs(k LockKind, cfg Config, c Contention) *Peer {
	f.t.Helper()
	k = lockRelease(k)
	var p *Peer
	ready := make(chan struct{})
	cfg.Connect, cfg.Timeout = cmp.Or(cfg.Connect, f.e.ConnectString()), cmp.Or(cfg.Timeout, usual)
	cfg.Path, cfg.ID, cfg.Beat = cmp.Or(cfg.Path, f.path), fmt.Sprintf("%s %d", k, len(f.all)), 2*time.Millisecond
	if k == GoLock { // its host waits to be told
		cfg.OnLine = func(l Line) {
			if l.Event == "elected" {
				<-ready
				time.AfterFunc(c.Hold, func() { p.Send("resign") })
			}
		}
	}
	p, err := hosts.Contend(f.ctx, k, cfg, c)
	if err != nil {
		f.t.Fatal(err)
	}
	close(ready)
	f.all = append(f.all, p)
	f.t.Cleanup(func() {
		p.Kill()
		if f.t.Failed() {
			lines := p.Lines()
			f.t.Logf("%s\n%s%s", p.ID, story(lines[max(0, len(lines)-500):]), p.Stderr())
		}
	})
	return p
}

// acquire waits until each of them has acquired the lock after t.
func (f *field) acquire(all []*Peer, t int64) {
	f.t.Helper()
	for _, p := range all {
		f.acquired(p, t)
	}
}

// acquired waits until it has acquired the lock after t, and returns when it has.
func (f *field) acquired(p *Peer, t int64) int64 {
	f.t.Helper()
	return f.after(p, inWordsOf(p, "acquired"), t)
}

// inWordsOf returns what a contender calls an event: that of zk.Lock calls it as a candidate does.
func inWordsOf(p *Peer, event string) string {
	if p.Kind == ZkLock {
		return map[string]string{"acquired": "elected", "lost": "deposed"}[event]
	}
	return event
}

func (f *field) beatsAfter(p *Peer, t int64) {
	f.t.Helper()
	f.after(p, "beat", t)
}

// after waits for an event after t, and returns when it was.
func (f *field) after(p *Peer, event string, t int64) int64 {
	f.t.Helper()
	for {
		if at := f.wait(p, event).T; at > t {
			return at
		}
	}
}
