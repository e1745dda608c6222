package election_test

import (
	"fmt"
	"testing"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
)

func TestFiftyHandOversBetweenCandidatesOfOneClient(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		shared := open(t, e, session.Config{})
		other := open(t, e, session.Config{})
		var all []*candidate
		merged := make(chan *election.Term, 100)
		for i, client := range []*session.Client{shared, shared, shared, other} {
			c := run(t, client, path, fmt.Sprint(i), election.Config{Style: []election.Style{election.StyleLatch, election.StyleLock, election.StyleKazoo}[i%3]})
			all = append(all, c)
			go func() {
				for {
					select {
					case term := <-c.terms:
						merged <- term
					case <-c.done:
						return
					}
				}
			}()
		}
		tokens := map[int64]bool{}
		for range 50 {
			select {
			case term := <-merged:
				if tokens[term.Token()] {
					t.Fatalf("token %d again", term.Token())
				}
				tokens[term.Token()] = true
				term.Resign()
			case <-within(t).Done():
				t.Fatal("nobody leads")
			}
		}
		elected := 0
		for _, c := range all {
			c.stop()
			elected += c.events.count(election.EventElected)
			if n := c.events.count(election.EventDeposed); n != c.events.count(election.EventElected) {
				t.Errorf("%d elected, %d deposed", c.events.count(election.EventElected), n)
			}
		}
		if elected < 50 {
			t.Errorf("%d terms", elected)
		}
		empty(t, shared, path)
	})
}

func TestManyElectionsShareOneClient(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		w := wireTo(t, e)
		client := open(t, w, session.Config{})
		rival := open(t, e, session.Config{})
		const n = 20
		var mine, theirs []*candidate
		for i := range n {
			p := fmt.Sprintf("%s/%d", path, i)
			mine = append(mine, run(t, client, p, "mine", election.Config{}))
		}
		for i := range n {
			mine[i].events.wait(election.EventElected, 1)
			theirs = append(theirs, run(t, rival, fmt.Sprintf("%s/%d", path, i), "theirs", election.Config{}))
			theirs[i].events.wait(election.EventHeir, 1)
		}
		// One term's end is nobody else's.
		mine[7].term().Resign()
		theirs[7].term()
		for i, c := range mine {
			if i != 7 && !c.term().Valid() {
				t.Errorf("election %d has lost its leader", i)
			}
		}
		client.Close()
		for i, c := range theirs {
			if i != 7 {
				c.term()
			}
		}
		w.silence()
	})
}

// Ours may be of any style behind a lock of zk's, but zk.Lock itself cannot read the names of
// latches: it gives up with an error when it finds one in the line.
func TestOneLineWithLocksOfAnotherLibrary(t *testing.T) {
	onBoth(t, func(t *testing.T, e shared.Servers) {
		path := pathFor(t)
		client := open(t, e, session.Config{})
		before := zk.NewLock(shared.RawConn(t, e), path, zk.WorldACL(zk.PermAll))
		if err := before.Lock(); err != nil {
			t.Fatal(err)
		}
		a := run(t, client, path, "a", election.Config{Style: election.StyleLock})
		if ev := a.events.wait(election.EventJoined, 1); ev.Position != 1 {
			t.Errorf("joined with %d ahead of the lock's holder", ev.Position)
		}
		a.events.wait(election.EventHeir, 1)
		after := zk.NewLock(shared.RawConn(t, e), path, zk.WorldACL(zk.PermAll))
		locked := make(chan error, 1)
		go func() { locked <- after.Lock() }()
		await.Until(t, "line of three", func() bool { return len(children(t, client, path)) == 3 })
		b := run(t, client, path, "b", election.Config{Style: election.StyleLock})
		b.events.wait(election.EventJoined, 1)
		if a.events.count(election.EventElected) != 0 {
			t.Error("leads beside the lock's holder")
		}
		if err := before.Unlock(); err != nil {
			t.Fatal(err)
		}
		a.term()
		select {
		case err := <-locked:
			t.Fatalf("locked beside a leader: %v", err)
		default:
		}
		a.stop()
		if err := <-locked; err != nil {
			t.Fatal(err)
		}
		latch := run(t, client, path, "latch", election.Config{Style: election.StyleLatch})
		if ev := latch.events.wait(election.EventJoined, 1); ev.Position != 2 {
			t.Errorf("joined with %d ahead", ev.Position)
		}
		if b.events.count(election.EventElected) != 0 {
			t.Error("leads beside the lock's holder")
		}
		if err := after.Unlock(); err != nil {
			t.Fatal(err)
		}
		b.term()
		b.stop()
		latch.term()
	})
}
