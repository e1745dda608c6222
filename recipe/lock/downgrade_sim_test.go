package lock_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A writer that becomes a reader announces the number that its znode has used up. Meanwhile an
// administrator deletes the znode, and the path is deleted with the last place and made again.
// There the number is another's, whose departure nobody has announced.
func TestADowngradeAnnouncesNothingInAnotherPath(t *testing.T) {
	var renames atomic.Int32
	var renaming chan struct{}
	cfg := zktest.Config{Latency: time.Millisecond, OnRequest: func(r zktest.Request) {
		if r.Host == "w" && r.Op == zktest.OpMulti && strings.Contains(r.Path, "READ") && renames.Add(1) == 1 {
			close(renaming)
		}
	}}
	onStage(t, cfg, func(t *testing.T, s *stage) {
		renaming = make(chan struct{})
		s.Config = session.Config{Timeout: 30 * time.Second, Lease: 2 * time.Second}
		clean := lock.Config{Cleanup: true}
		w := s.rw("w", clean)
		admin := s.Admin()
		q, p0, p1, p2 := s.rw("q", clean), s.rw("p0", clean), s.rw("p1", clean), s.rw("p2", clean)
		held := <-w.start(false)
		go held.Downgrade(t.Context())
		<-renaming
		w.host.Hold(zktest.ToServer)
		await.Sleep(10 * time.Millisecond)
		if line := s.inLine(); len(line) != 1 || !strings.Contains(line[0].Path, "READ") {
			t.Fatalf("%+v", line)
		}
		if err := admin.Delete(t.Context(), s.inLine()[0].Path, -1); err != nil {
			t.Fatal(err)
		}
		release(t, <-q.start(false)) // the path goes with it
		for _, n := range s.Nodes() {
			if n.Path == stagePath {
				t.Fatalf("the path is there: %q", n.Data)
			}
		}
		first := <-p0.start(false)
		one := p1.begin(false)
		two := p2.begin(false)
		w.host.Heal()
		await.Sleep(time.Second)
		release(t, first)
		got := <-one
		p1.host.Hold()
		for _, n := range s.inLine() {
			if n.Path == got.Node() {
				if err := admin.Delete(t.Context(), n.Path, -1); err != nil {
					t.Fatal(err)
				}
			}
		}
		<-two // which looks at all others
	})
}

// If the numbers have run out, the age of a znode tells its place. A reader that was a writer has a
// younger znode than those that wait for the writer, but it stands before them.
func TestADowngradeKeepsItsPlaceWhenTheNumbersRunOut(t *testing.T) {
	for name, wraps := range map[string]bool{"they wrap": true, "they stick": false} {
		t.Run(name, func(t *testing.T) {
			for range 150 { // the one that waits lists the line before the downgrade, after it, or both
				onStage(t, zktest.Config{SequenceWraps: wraps}, func(t *testing.T, s *stage) {
					if err := s.Admin().EnsurePath(t.Context(), stagePath, nil); err != nil {
						t.Fatal(err)
					}
					s.StartSequence(stagePath, math.MaxInt32-1)
					held := s.rw("w").acquire(writing)
					waiting := s.rw("x").begin(writing)
					reader, err := held.Downgrade(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					s.turns.Add("w", reader, reading)
					await.Sleep(5 * stageD)
					if !reader.Valid() {
						t.Error("the reader has lost its place")
					}
					release(t, reader)
					release(t, <-waiting)
				})
			}
		})
	}
}

// A contender that comes while a writer becomes a reader misses the number that this uses up. It
// learns soon that nobody has that number.
func TestWhoComesDuringADowngradeDoesNotWaitForALease(t *testing.T) {
	for round := range 6 { // in one the moment may be missed
		reads := round%2 == 1
		for off := -4 * time.Millisecond; off <= 12*time.Millisecond; off += time.Millisecond {
			onStage(t, zktest.Config{Latency: time.Millisecond}, func(t *testing.T, s *stage) {
				w, other := s.rw("w"), s.rw("other")
				release(t, other.acquire(reads)) // its session is there
				held := w.acquire(writing)
				await.Sleep(stageD)
				var got <-chan *lock.Held
				come := func() { got = other.start(reads) }
				if off <= 0 {
					come()
				}
				await.Sleep(max(off, -off))
				down := make(chan *lock.Held, 1)
				go func() {
					h, err := held.Downgrade(t.Context())
					if err != nil {
						t.Error(err)
					}
					down <- h
				}()
				if off > 0 {
					await.Sleep(off)
					come()
				}
				reader := <-down
				if !reads {
					await.Sleep(100 * time.Millisecond)
					release(t, reader)
				}
				soon(t, fmt.Sprintf("a contender that came %v after the call, to read: %v", off, reads), func() { release(t, <-got) })
				if reads {
					release(t, reader)
				}
			})
		}
	}
}

// The client is closed at any moment of a downgrade. The place is left with an announcement, so the
// next writer has the lock at once, and Close does not wait for a Release that nobody calls.
func TestACloseDuringADowngradeDelaysNobody(t *testing.T) {
	for after := range 12 {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			a, w := s.rw("a"), s.rw("w")
			held := a.acquire(writing)
			next := w.begin(writing)
			await.Sleep(stageD)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if reader, err := held.Downgrade(t.Context()); err == nil {
					release(t, reader)
				}
			}()
			await.Sleep(time.Duration(after) * time.Millisecond)
			begun := time.Now()
			a.client.Close()
			release(t, <-next)
			if took := time.Since(begun); took > stageD/4 {
				t.Errorf("closed after %d ms: it took %v", after, took)
			}
			<-done
		})
	}
}

// One that has ended because the client is closed is not held for the work that was to stop before
// the Downgrade.
func TestADowngradeThatIsTooLateReleases(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.rw("a")
		held := a.acquire(writing)
		begun := time.Now()
		closed := make(chan struct{})
		go func() { a.client.Close(); close(closed) }()
		<-held.Context().Done()
		_, err := held.Downgrade(t.Context())
		want(t, err, recipe.ErrNotHeld)
		<-closed
		if took := time.Since(begun); took > stageD {
			t.Errorf("Close took %v", took)
		}
	})
}

// No server answers any more when a downgrade is under way. Close takes no longer than it says.
func TestACloseDuringADowngradeThatIsNotAnsweredIsBounded(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		const T, D = 15 * time.Second, 4 * time.Second
		s.Config = session.Config{Timeout: T, Lease: D}
		a := s.rw("a")
		held := a.acquire(writing)
		a.host.Hold()
		done := make(chan error, 1)
		go func() { _, err := held.Downgrade(t.Context()); done <- err }()
		await.Sleep(10 * time.Millisecond)
		begun := time.Now()
		a.client.Close()
		if took := time.Since(begun); took > D*3/4+T/3 {
			t.Errorf("Close took %v", took)
		}
		if err := <-done; err == nil {
			t.Error("Downgrade returned no error")
		}
	})
}

// A client is closed while it acquires, downgrades and releases a lock in several goroutines. All
// of them leave together, and write the record at the same time. Nothing that they announce is
// lost, so the next one has the lock at once.
func TestACloseAmongManyThatLeaveLosesNoAnnouncement(t *testing.T) {
	for seed := int64(0); seed < 400; seed += int64(rounds.Stride(4)) {
		onStage(t, zktest.Config{Seed: seed}, func(t *testing.T, s *stage) {
			a, next := s.rw("a"), s.rw("next")
			for range 4 {
				go func() {
					for {
						h, err := a.Write().Acquire(context.Background())
						if err != nil {
							return
						}
						if h, err = h.Downgrade(context.Background()); err == nil {
							h.Release(context.Background())
						}
					}
				}()
			}
			await.Sleep(200*time.Millisecond + time.Duration(seed)*173*time.Microsecond)
			a.client.Close()
			soon(t, "the next one", func() { release(t, next.acquire(writing)) })
		})
	}
}
