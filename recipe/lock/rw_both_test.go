package lock_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
)

// Six contenders come, in any order of readers and writers. Each block of readers, and each writer,
// holds the lock in its turn: at once when all before it have left. Real servers see a few of these
// orders.
func TestReadersAndWritersTakeTurns(t *testing.T) {
	for order := range 1 << 6 {
		on := onSimulated
		if order == 0b010110 || order == 0b101001 {
			on = onBoth
		} else if testing.Short() && order%5 > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%06b", order), func(t *testing.T) {
			on(t, func(t *testing.T, x *contest) {
				first := x.rw("holder").write.acquire()
				var waiting []<-chan *lock.Held
				var kinds []bool
				for i := range 6 {
					read := order>>i&1 == 1
					waiting, kinds = append(waiting, x.rw(fmt.Sprint(i)).side(read).queue()), append(kinds, read)
				}
				x.Pass(contestD / 4)
				release(t, first)
				for i := 0; i < len(waiting); {
					n := 1
					for kinds[i] && i+n < len(kinds) && kinds[i+n] {
						n++
					}
					var block []*lock.Held
					for _, w := range waiting[i : i+n] {
						x.Soon("a turn", func() { block = append(block, <-w) })
					}
					x.Pass(time.Second)
					if i+n < len(waiting) && len(waiting[i+n]) > 0 {
						t.Fatalf("number %d holds it before its turn", i+n)
					}
					for j := range block { // not in the order in which they came
						release(t, block[(j+1)%len(block)])
					}
					i += n
				}
				x.nobodyWaited()
			})
		})
	}
}

// Readers leave in any order. The one that comes next knows that they have left.
func TestReadersThatLeaveInAnyOrderDelayNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		var helds []*lock.Held
		for i := range 8 {
			helds = append(helds, x.rw(fmt.Sprint(i)).read.acquire())
		}
		w := x.rw("w").write
		for _, i := range []int{3, 0, 7, 5, 1} {
			release(t, helds[i])
		}
		var late *lock.Held
		x.Soon("a reader that comes then", func() { late = x.rw("late").read.acquire() })
		next := w.queue()
		for _, i := range []int{6, 2, 4} {
			release(t, helds[i])
		}
		x.Pass(time.Second)
		if len(next) > 0 {
			t.Fatal("a writer beside a reader")
		}
		x.Soon("the writer", func() { release(t, late); release(t, <-next) })
		x.Soon("who comes after it", func() { release(t, w.acquire()) })
		x.nobodyWaited()
	})
}

// Many readers of one process leave at the same time, and write the same record.
func TestReadersThatLeaveTogetherDelayNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, w := x.rw("a").read, x.rw("w").write
		var helds []*lock.Held
		for range 20 {
			helds = append(helds, a.acquire())
		}
		next := w.queue()
		for _, h := range helds {
			go h.Release(context.Background())
		}
		x.Soon("the writer", func() { release(t, <-next) })
		x.Soon("who comes after it", func() { release(t, w.acquire()) })
		x.nobodyWaited()
	})
}

// Plain locks, elections and all others that stand in the line without a kind are writers.
func TestAPlainLockIsAWriter(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		r, w, p := x.rw("r"), x.rw("w"), x.contender("p")
		busy := func(c *contender) {
			t.Helper()
			_, err := c.TryAcquire(await.Context(t))
			want(t, err, lock.ErrBusy)
		}
		h := r.read.acquire()
		busy(p)
		busy(w.write)
		next := p.queue()
		busy(w.read) // it must not overtake a plain lock
		release(t, h)
		release(t, <-next)
		x.CaughtUp(r.read.client)
		all, err := r.Read().Contenders(t.Context())
		if err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

// A reader does not know whether another that has vanished unseen may hold still.
func TestReadersDoNotDeleteThePath(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a := x.rw("a", lock.Config{Cleanup: true})
		release(t, a.read.acquire())
		if !x.Exists(x.path) {
			t.Error("a reader has deleted the path")
		}
		release(t, a.write.acquire())
		if x.Exists(x.path) {
			t.Error("the path is there after a writer")
		}
	})
}

// A writer becomes a reader: readers behind it come at once, no writer gets in between.
func TestADowngrade(t *testing.T) {
	for _, style := range []lock.Style{lock.StyleCurator, lock.StyleKazoo} {
		t.Run(string(style), func(t *testing.T) {
			onBoth(t, func(t *testing.T, x *contest) {
				cfg := lock.Config{Style: style}
				a, r, w := x.rw("a", cfg).write, x.rw("r", cfg).read, x.rw("w", cfg).write
				h := a.acquire()
				readers := r.queue()
				writer := w.queue()
				x.Pass(contestD / 2)
				reader, err := h.Downgrade(t.Context())
				shared.Must(t, err)
				x.turns.Add("a", reader, reading)
				if h.Valid() || !reader.Valid() || reader.Token() != h.Token() {
					t.Errorf("valid %v and %v, tokens %d and %d", h.Valid(), reader.Valid(), h.Token(), reader.Token())
				}
				want(t, context.Cause(h.Context()), recipe.ReasonReleased)
				x.Soon("the other reader", func() { release(t, <-readers) })
				x.Pass(contestD)
				if len(writer) > 0 {
					t.Error("a writer beside the reader")
				}
				release(t, h) // does nothing
				x.Soon("the writer", func() { release(t, reader); release(t, <-writer) })
				if left := x.inLine(); len(left) != 0 {
					t.Errorf("left in line: %v", left)
				}
				x.nobodyWaited()
			})
		})
	}
}

// The downgrade of Curator: a reader with the writer's number is there before the writer goes.
func TestADowngradeOfCuratorsIsSeen(t *testing.T) {
	for name, between := range map[string]bool{"next in line": false, "another between": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, x *contest) {
				x.Make(x.path)
				const guid = "/_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-"
				writer, err := x.Admin.Create(t.Context(), x.path+guid+"__WRIT__", nil, zk.FlagEphemeralSequential, nil)
				shared.Must(t, err)
				number := writer[strings.Index(writer, "__WRIT__")+8:]
				var middle <-chan *lock.Held
				m, w, r := x.rw("m").read, x.rw("w").write, x.rw("r").read
				if between {
					middle = m.queue()
				}
				next := w.queue()
				x.Pass(contestD)
				reader, err := x.Admin.Create(t.Context(), x.path+guid+"__READ__"+number, nil, zk.FlagEphemeral, nil)
				shared.Must(t, err)
				last := r.queue()
				x.Delete(writer)
				if between {
					x.Soon("the reader between", func() { release(t, <-middle) })
				}
				x.Pass(2 * contestT)
				if len(next) > 0 || len(last) > 0 {
					t.Error("a writer beside the reader of another library, or a reader before its turn")
				}
				x.Delete(reader)
				x.Soon("the writer", func() { release(t, <-next) })
				// The last one waits for a lease now: the create has used up a number.
			})
		})
	}
}

// The create of the reader's znode uses up a number. Nobody takes that for a holder that vanished.
func TestWhoComesAfterADowngradeDoesNotWait(t *testing.T) {
	onBoth(t, func(t *testing.T, x *contest) {
		a, r, w := x.rw("a").write, x.rw("r").read, x.rw("w").write
		h, err := a.acquire().Downgrade(t.Context())
		shared.Must(t, err)
		_, err = w.TryAcquire(await.Context(t))
		want(t, err, lock.ErrBusy)
		x.Soon("a reader that comes then", func() { release(t, r.acquire()) })
		release(t, h)
		x.Soon("a writer that comes then", func() { release(t, w.acquire()) })
		x.nobodyWaited()
	})
}
