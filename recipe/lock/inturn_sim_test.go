package lock_test

import (
	"context"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// takenInTurn calls InTurn in the background.
func takenInTurn(ctx context.Context, all []*lock.Lock) <-chan inTurn {
	got := make(chan inTurn, 1)
	go func() {
		set, err := lock.InTurn(ctx, all...)
		got <- inTurn{set, err}
	}()
	return got
}

// inTurn is what a call of InTurn has returned.
type inTurn struct {
	set *lock.Set
	err error
}

// Another takes the same locks one by one, as Curator's InterProcessMultiLock does. It holds the
// first when InTurn is called. Then it gets the second, too, and InTurn gets both afterwards.
func TestInTurnLetsOneThatTakesLocksOneByOneFinish(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		theirs, ours := locks(t, s.Client("other"), "/x", "/y"), locks(t, s.Client("ours"), "/x", "/y")
		x, err := theirs[0].Acquire(t.Context())
		shared.Must(t, err)
		got := takenInTurn(t.Context(), ours)
		s.Eventually("place in the first line", func() bool { return s.left("/x") == 2 })
		await.Sleep(time.Second)
		y, err := theirs[1].Acquire(s.Within(stageT))
		shared.Must(t, err)
		release(t, x)
		await.Sleep(time.Second)
		if len(got) > 0 {
			t.Error("both are held while another holds the second")
		}
		release(t, y)
		taken := <-got
		shared.Must(t, taken.err)
		set := taken.set
		if !set.Valid() || set.Held()[0].Node()[:3] != "/x/" || set.Held()[1].Node()[:3] != "/y/" {
			t.Errorf("valid: %v, held: %v, %v", set.Valid(), set.Held()[0].Node(), set.Held()[1].Node())
		}
		shared.Must(t, set.Release(t.Context()))
	})
}

// The first lock is lost while it waits for the second. It begins again, and returns only what is
// held.
func TestInTurnBeginsAgainWhenOneIsLostMeanwhile(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		other, ours := locks(t, s.Client("other"), "/x", "/y"), locks(t, s.Client("ours"), "/x", "/y")
		y, err := other[1].Acquire(t.Context())
		shared.Must(t, err)
		got := takenInTurn(t.Context(), ours)
		s.Eventually("place in the second line", func() bool { return s.left("/y") == 2 })
		first := s.Below("/x")[0].Path
		behind := s.begin("other", other[0].Acquire, false)
		s.Eventually("place behind it", func() bool { return s.left("/x") == 2 })
		shared.Must(t, s.Admin().Delete(t.Context(), first, -1))
		x := <-behind
		release(t, y)
		await.Sleep(stageT)
		if len(got) > 0 {
			t.Fatal("the first lock is another's")
		}
		release(t, x)
		taken := <-got
		shared.Must(t, taken.err)
		set := taken.set
		if !set.Valid() {
			t.Error("it is over")
		}
		shared.Must(t, set.Release(t.Context()))
		if n := s.left("/x") + s.left("/y"); n != 0 {
			t.Errorf("%d left", n)
		}
	})
}

// Its context ends, or the client is closed, while it holds the first lock and waits for the
// second. Nothing is left.
func TestInTurnGivesUpWithAllThatItHolds(t *testing.T) {
	for _, closes := range []bool{false, true} {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			client := s.Client("ours")
			other, ours := locks(t, s.Client("other"), "/y"), locks(t, client, "/x", "/y")
			y, err := other[0].Acquire(t.Context())
			shared.Must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			got := takenInTurn(ctx, ours)
			s.Eventually("place in the second line", func() bool { return s.left("/y") == 2 })
			begun := time.Now()
			if closes {
				client.Close()
			} else {
				cancel()
			}
			if err := (<-got).err; err == nil || time.Since(begun) > stageD {
				t.Errorf("error %v after %v", err, time.Since(begun))
			} else if !closes {
				want(t, err, context.Canceled)
			}
			s.Eventually("end of its places", func() bool { return s.left("/x") == 0 && s.left("/y") == 1 })
			cancel()
			release(t, y)
		})
	}
}
