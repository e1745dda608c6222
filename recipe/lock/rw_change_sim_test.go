package lock_test

import (
	"context"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestAnUpgradeIsRefusedAtOnce(t *testing.T) {
	for name, reentrant := range map[string]bool{"plain": false, "reentrant": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.rw("a", lock.Config{Reentrant: reentrant})
				h := a.acquire(reading)
				_, err := a.Write().Acquire(h.Context())
				want(t, err, lock.ErrUpgrade)
				_, err = lock.All(h.Context(), a.Write())
				want(t, err, lock.ErrUpgrade)
				_, err = h.Downgrade(t.Context())
				if err == nil {
					t.Error("a reader was downgraded")
				}
				again, err := a.Read().Acquire(h.Context())
				if reentrant != (err == nil) {
					t.Errorf("reading again: %v", err)
				}
				if again != nil {
					release(t, again)
				}
				release(t, h)
				h = a.acquire(writing)
				inner, err := a.Read().Acquire(h.Context())
				if reentrant != (err == nil) {
					t.Errorf("reading while writing: %v", err)
				}
				if inner != nil {
					if _, err := h.Downgrade(t.Context()); err == nil {
						t.Error("downgraded while it is held twice")
					}
					release(t, inner)
				}
				release(t, h)
			})
		})
	}
}

// The request of a downgrade is lost, or its answer. The writer becomes a reader, or nothing is
// held.
func TestADowngradeWithALostMessage(t *testing.T) {
	for _, style := range []lock.Style{lock.StyleCurator, lock.StyleKazoo} {
		for lost, effect := range map[string]zktest.Effect{"reply lost": zktest.LoseReply, "request lost": zktest.LoseRequest} {
			t.Run(string(style)+" "+lost, func(t *testing.T) {
				onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
					cfg := lock.Config{Style: style}
					a, r, w := s.rw("a", cfg), s.rw("r", cfg), s.rw("w", cfg)
					h := a.acquire(writing)
					readers, writer := r.begin(reading), w.begin(writing)
					await.Sleep(stageD / 2)
					s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: stagePath + "/*", Nth: 1}, effect)
					reader, err := h.Downgrade(t.Context())
					if lost == "request lost" && err != nil {
						release(t, <-readers) // nothing was done, and the place was left
						release(t, <-writer)
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					s.turns.Add("a", reader, reading)
					if h.Valid() || !reader.Valid() || reader.Token() != h.Token() {
						t.Errorf("valid %v and %v, tokens %d and %d", h.Valid(), reader.Valid(), h.Token(), reader.Token())
					}
					want(t, context.Cause(h.Context()), recipe.ReasonReleased)
					soon(t, "the other reader", func() { release(t, <-readers) })
					await.Sleep(stageD)
					if len(writer) > 0 {
						t.Error("a writer beside the reader")
					}
					release(t, h) // does nothing
					soon(t, "the writer", func() { release(t, reader); release(t, <-writer) })
					if n := len(s.inLine()); n != 0 {
						t.Errorf("%d left in line", n)
					}
				})
			})
		}
	}
}

// A writer has become a reader. It leaves after the next writer has read the record, and before
// that one lists the line again to look for it. Its departure was announced, so nobody waits.
func TestAReaderThatWasAWriterAndLeavesMeanwhileIsNotWaitedFor(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, r, w := s.rw("a"), s.rw("r"), s.rw("w")
		h := a.acquire(writing)
		other, next := r.begin(reading), w.begin(writing)
		reader, err := h.Downgrade(t.Context())
		shared.Must(t, err)
		s.turns.Add("a", reader, reading)
		between := <-other
		await.Sleep(stageD / 4)
		left := make(chan struct{})
		s.Trap.Next("w", zktest.OpGetData, stagePath, func() {
			release(t, reader)
			close(left)
		})
		w.host.Delay(stageD/8, zktest.ToServer) // the list comes later than that
		release(t, between)
		<-left
		w.host.Heal()
		soon(t, "the writer", func() { release(t, <-next) })
	})
}
