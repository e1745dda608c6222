package peers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/history"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
)

// pair is a field whose contenders take two locks: Curator's by a multi-lock, ours by InTurn or All.
type pair struct {
	*field
	x, y string // in the order in which a multi-lock takes them

	mu    sync.Mutex // guards taken
	taken []stay     // by ours
}

func newPair(t *testing.T, k LockKind) *pair {
	t.Helper()
	prepare(t, k, CuratorMutex)
	t.Parallel()
	f := newField(t)
	return &pair{field: f, x: f.path + "/x", y: f.path + "/y"}
}

// multi starts a multi-lock of Curator.
func (p *pair) multi(k LockKind, c Contention) *Peer {
	p.t.Helper()
	return p.contendAs(k, Config{Path: p.x + "," + p.y, Timeout: unhurried}, c)
}

// ours makes our locks at both paths, on a client of their own.
func (p *pair) ours(style lock.Style) []*lock.Lock {
	p.t.Helper()
	client, err := session.Open(p.e.ConnectString(), session.Config{Timeout: unhurried})
	must(p.t, err)
	p.t.Cleanup(func() { client.Close() })
	x, err := lock.New(client, p.x, lock.Config{Style: style})
	must(p.t, err)
	y, err := lock.New(client, p.y, lock.Config{Style: style})
	must(p.t, err)
	return []*lock.Lock{x, y}
}

// placesAt tells how many stand at a path.
func (p *pair) placesAt(path string) int {
	all, _, err := p.caughtUp().Children(p.ctx, path)
	if !errors.Is(err, zk.ErrNoNode) { // y may not be there yet
		must(p.t, err)
	}
	return len(all)
}

// stand waits until so many stand at each of the paths.
func (p *pair) stand(atX, atY int) {
	p.t.Helper()
	await.Until(p.t, fmt.Sprintf("%d places at x and %d at y", atX, atY), func() bool {
		return p.placesAt(p.x) == atX && p.placesAt(p.y) == atY
	})
}

// together is how ours take both locks.
type together func(context.Context, ...*lock.Lock) (*lock.Set, error)

// take is one turn of ours. It notes a time for which it held both: a set that is valid now was
// valid all the time since it was acquired.
func (p *pair) take(who string, both together, all []*lock.Lock, during func()) error {
	set, err := both(p.ctx, all...)
	if err != nil {
		return err
	}
	defer set.Release(context.WithoutCancel(p.ctx))
	s := stay{who: who, first: history.Now()}
	if !set.Valid() {
		return nil
	}
	s.last = s.first
	during()
	if now := history.Now(); set.Valid() {
		s.last = now
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, s)
	return nil
}

// lasting returns a function that only waits.
func lasting(d time.Duration) func() { return func() { time.Sleep(d) } }

// crowds judges what both libraries' contenders have held.
func (p *pair) crowds() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return crowds(append(p.stays(), p.taken...), 1)
}

// exclude fails the test if two have held at once, or if one library has held nothing.
func (p *pair) exclude() {
	p.t.Helper()
	p.mu.Lock()
	ours, theirs := len(p.taken), len(p.stays())
	p.mu.Unlock()
	if ours == 0 || theirs == 0 {
		p.t.Errorf("ours held both %d times, Curator's held %d times", ours, theirs)
	}
	if bad := p.crowds(); len(bad) > 0 {
		p.t.Errorf("%d crowds: %s", len(bad), strings.Join(bad[:min(5, len(bad))], "\n"))
	}
}

// multis are the releases of Curator that have a multi-lock.
var multis = []LockKind{CuratorMulti, CuratorMulti.Newest()}

// Multi-locks of Curator and ours take the same two locks again and again, and a mutex takes the
// second alone. No two hold it together, and everybody has its turns.
func TestMultiLocksAndInTurnExclude(t *testing.T) {
	const rounds = 5
	const hold = 20 * time.Millisecond
	for _, k := range multis {
		t.Run(string(k), func(t *testing.T) {
			p := newPair(t, k)
			for _, rest := range []time.Duration{0, 10 * time.Millisecond} {
				p.multi(k, Contention{Hold: hold, Rest: rest})
			}
			p.contendAs(CuratorMutex, Config{Path: p.y, Timeout: unhurried}, Contention{Hold: hold})
			p.acquire(p.all, 0)
			var turns sync.WaitGroup
			for i := range 2 {
				all, who := p.ours(lock.StyleCurator), fmt.Sprintf("ours %d", i)
				turns.Go(func() {
					for range rounds {
						if err := p.take(who, lock.InTurn, all, lasting(hold)); err != nil {
							t.Errorf("%s: %v", who, err)
							return
						}
					}
				})
			}
			turns.Wait()
			p.acquire(p.all, history.Now())
			p.exclude()
		})
	}
}

// All holds both when a multi-lock comes to x, and joins both lines when that one holds both. So
// none of them stands at y alone, and they do not wait for each other.
func TestMultiLocksAndAllExclude(t *testing.T) {
	const rounds = 3
	for _, k := range multis {
		t.Run(string(k), func(t *testing.T) {
			p := newPair(t, k)
			all := p.ours(lock.StyleCurator)
			for range rounds {
				var theirs *Peer
				must(t, p.take("ours", lock.All, all, func() {
					theirs = p.multi(k, Contention{Hold: 100 * time.Millisecond, Rest: time.Hour})
					p.stand(2, 1)
				}))
				p.beatsAfter(theirs, p.acquired(theirs, 0))
			}
			must(t, p.take("ours", lock.All, all, lasting(0)))
			p.exclude()
		})
	}
}

// Curator does not see names in kazoo's style, so both hold at once. The judge of the tests above
// finds that.
func TestAMultiLockDoesNotWaitForKazoosNames(t *testing.T) {
	p := newPair(t, CuratorMulti)
	theirs := p.multi(CuratorMulti, Contention{Hold: 20 * time.Millisecond})
	all := p.ours(lock.StyleKazoo)
	for len(p.crowds()) == 0 {
		must(t, p.take("ours", lock.InTurn, all, lasting(20*time.Millisecond)))
		p.beatsAfter(theirs, 0)
	}
}

// The multi-lock waits for x, and ours join behind it. With InTurn ours are not at y before they
// hold x, so the multi-lock gets both, and then ours.
func TestAMultiLockAndInTurnDoNotWaitForEachOther(t *testing.T) {
	behindMulti(t, lock.InTurn, func(p *pair, theirs *Peer, first *lock.Held, ours <-chan held, _ func()) {
		p.stand(3, 0)
		first.Release(p.ctx) // on a busy machine it may be lost by now, which is as good
		released := p.after(theirs, "released", p.acquired(theirs, 0))
		got := <-ours
		must(p.t, got.err)
		if got.at < released {
			p.t.Errorf("ours hold both at %d, before the multi-lock releases them at %d", got.at, released)
		}
		got.set.Release(p.ctx)
	})
}

// All joins both lines at once. So ours have y and wait for x, and the multi-lock has x and waits
// for y, until All gives up.
func TestAMultiLockAndAllWaitForEachOther(t *testing.T) {
	behindMulti(t, lock.All, func(p *pair, theirs *Peer, first *lock.Held, ours <-chan held, giveUp func()) {
		p.stand(3, 1)
		first.Release(p.ctx) // on a busy machine it may be lost by now, which is as good
		p.stand(2, 2)        // the multi-lock has x, and is behind ours at y
		if told := story(theirs.Lines()); len(ours) > 0 || strings.Contains(told, "acquired") {
			p.t.Errorf("somebody holds both: ours %d, of the multi-lock\n%s", len(ours), told)
		}
		giveUp()
		if got := <-ours; !errors.Is(got.err, context.Canceled) {
			p.t.Errorf("ours: %v; want that they have given up", got.err)
		}
		p.acquired(theirs, 0)
	})
}

// held is what ours got, and when.
type held struct {
	set *lock.Set
	err error
	at  int64
}

// behindMulti lets one of ours hold x, a multi-lock wait for it, and ours take both behind that.
func behindMulti(t *testing.T, both together, then func(p *pair, theirs *Peer, first *lock.Held, ours <-chan held, giveUp func())) {
	for _, k := range multis {
		t.Run(string(k), func(t *testing.T) {
			p := newPair(t, k)
			first, err := p.ours(lock.StyleCurator)[0].Acquire(p.ctx)
			must(t, err)
			theirs := p.multi(k, Contention{Hold: 20 * time.Millisecond, Rest: time.Hour})
			p.stand(2, 0)
			all, got := p.ours(lock.StyleCurator), make(chan held, 1)
			var taking sync.WaitGroup
			defer taking.Wait()
			ctx, giveUp := context.WithCancel(p.ctx)
			defer giveUp()
			taking.Go(func() {
				set, err := both(ctx, all...)
				got <- held{set, err, history.Now()}
			})
			then(p, theirs, first, got, giveUp)
		})
	}
}
