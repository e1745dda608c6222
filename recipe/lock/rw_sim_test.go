package lock_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// both is a process with a read-write lock.
type both struct {
	*lock.RW
	s      *stage
	name   string
	host   *zktest.Host
	client *session.Client
}

func (s *stage) both(name string, cfg ...lock.Config) *both {
	s.t.Helper()
	b := &both{s: s, name: name, host: s.Host(name), client: s.client(name)}
	c := append(cfg, lock.Config{})[0]
	c.ID, c.Logger = name, logger(name)
	var err error
	if b.RW, err = lock.NewRW(b.client, stagePath, c); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// begin acquires in the background, and returns when it stands in line.
func (b *both) begin(read bool) <-chan *lock.Held {
	b.s.t.Helper()
	n := len(b.s.inLine())
	got := b.start(read)
	b.s.eventually("place", func() bool { return len(b.s.inLine()) > n })
	return got
}

// start acquires in the background.
func (b *both) start(read bool) <-chan *lock.Held {
	l := b.Write()
	if read {
		l = b.Read()
	}
	got := make(chan *lock.Held, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		h, err := l.Acquire(ctx)
		if err != nil {
			b.s.t.Errorf("%s: %v", b.name, err)
			close(got)
			return
		}
		b.s.check(b.name, h, read)
		got <- h
	}()
	return got
}

func (b *both) acquire(read bool) *lock.Held { b.s.t.Helper(); return <-b.start(read) }

const reading, writing = true, false

// soon is when something needs no lease to lapse.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > stageD/4 {
		t.Errorf("%s took %v", what, took)
	}
}

// Whatever the order in which six come: each block of readers, and each writer, comes in its turn,
// when all before it have left, and at once.
func TestReadersAndWritersTakeTurns(t *testing.T) {
	for order := range 1 << 6 {
		if testing.Short() && order%5 > 0 {
			continue
		}
		t.Run(fmt.Sprintf("%06b", order), func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				holder := s.both("holder")
				first := holder.acquire(writing)
				var waiting []<-chan *lock.Held
				var kinds []bool
				for i := range 6 {
					read := order>>i&1 == 1
					b := s.both(fmt.Sprint(i))
					waiting, kinds = append(waiting, b.begin(read)), append(kinds, read)
				}
				time.Sleep(stageD / 4)
				release(t, first)
				for i := 0; i < len(waiting); {
					n := 1
					for kinds[i] && i+n < len(kinds) && kinds[i+n] {
						n++
					}
					var block []*lock.Held
					for _, w := range waiting[i : i+n] {
						soon(t, "a turn", func() { block = append(block, <-w) })
					}
					time.Sleep(time.Second)
					if i+n < len(waiting) && len(waiting[i+n]) > 0 {
						t.Fatalf("number %d holds it before its turn", i+n)
					}
					for j := range block { // not in the order in which they came
						release(t, block[(j+1)%len(block)])
					}
					i += n
				}
			})
		})
	}
}

// Readers leave in any order. The one that comes next knows that they have left.
func TestReadersThatLeaveInAnyOrderDelayNobody(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		var helds []*lock.Held
		for i := range 8 {
			helds = append(helds, s.both(fmt.Sprint(i)).acquire(reading))
		}
		w := s.both("w")
		for _, i := range []int{3, 0, 7, 5, 1} {
			release(t, helds[i])
		}
		var late *lock.Held
		soon(t, "a reader that comes then", func() { late = s.both("late").acquire(reading) })
		next := w.begin(writing)
		for _, i := range []int{6, 2, 4} {
			release(t, helds[i])
		}
		time.Sleep(time.Second)
		if len(next) > 0 {
			t.Fatal("a writer beside a reader")
		}
		soon(t, "the writer", func() { release(t, late); release(t, <-next) })
		soon(t, "who comes after it", func() { release(t, w.acquire(writing)) })
	})
}

// Many readers of one process leave at the same time, and write the same record.
func TestReadersThatLeaveTogetherDelayNobody(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, w := s.both("a"), s.both("w")
		var helds []*lock.Held
		for range 20 {
			helds = append(helds, a.acquire(reading))
		}
		next := w.begin(writing)
		for _, h := range helds {
			go h.Release(context.Background())
		}
		soon(t, "the writer", func() { release(t, <-next) })
		soon(t, "who comes after it", func() { release(t, w.acquire(writing)) })
	})
}

// A writer waits for the lease of a reader that has vanished, wherever it was among others.
func TestAWriterWaitsForReadersThatVanish(t *testing.T) {
	for name, i := range map[string]int{"first": 0, "middle": 1, "last": 2} {
		for how, waits := range map[string]bool{"writer waits": true, "writer comes later": false} {
			t.Run(name+", "+how, func(t *testing.T) {
				onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
					var helds []*lock.Held
					for j := range 3 {
						helds = append(helds, s.both(fmt.Sprint(j)).acquire(reading))
					}
					w := s.both("w")
					var next <-chan *lock.Held
					if waits {
						next = w.begin(writing)
					}
					time.Sleep(stageD)
					s.Host(fmt.Sprint(i)).Hold() // it does not hear of it
					if err := s.admin().Delete(t.Context(), helds[i].Node(), -1); err != nil {
						t.Fatal(err)
					}
					for j, h := range helds {
						if j != i {
							release(t, h)
						}
					}
					if !waits {
						next = w.begin(writing)
					}
					release(t, <-next) // the stage compares
				})
			})
		}
	}
}

// A reader that joins after one has vanished does not know that it was no writer.
func TestAReaderDoesNotJoinAVanishedWriter(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, r := s.both("a"), s.both("r")
		h := a.acquire(writing)
		time.Sleep(stageD)
		a.host.Hold()
		if err := s.admin().Delete(t.Context(), h.Node(), -1); err != nil {
			t.Fatal(err)
		}
		release(t, r.acquire(reading)) // the stage compares
	})
}

// Who is silent is replaced after its lease: a reader by the writer behind, a writer by readers.
func TestSilentHoldersOfARWAreReplaced(t *testing.T) {
	for name, c := range map[string]struct{ silent, next bool }{
		"a reader, by a writer": {reading, writing}, "a writer, by readers": {writing, reading}, "a writer, by a writer": {writing, writing},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				s.cfg.Timeout, s.cfg.Lease = 4*stageT, stageD
				a := s.both("a")
				a.acquire(c.silent)
				first, second := s.both("b").begin(c.next), s.both("c").begin(c.next)
				time.Sleep(2 * stageD)
				begun := time.Now()
				a.host.Hold()
				h := <-first
				if took := time.Since(begun); took > 2*stageD {
					t.Errorf("it took %v", took)
				}
				if c.next == writing {
					release(t, h)
				}
				release(t, <-second)
				if took := time.Since(begun); took > 3*stageD {
					t.Errorf("both took %v", took)
				}
			})
		})
	}
}

// Waiting ones that nobody may listen to are not taken for dead, whatever else their sessions have
// done.
func TestNobodyWhoOnlyWaitsIsTakenForSilent(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.cfg.Timeout, s.cfg.Lease = 8*stageT, stageD
		var all []*both
		for i := range 8 {
			b := s.both(fmt.Sprint(i))
			release(t, b.acquire(writing)) // its heartbeat has a version
			all = append(all, b)
		}
		kinds := []bool{reading, reading, writing, reading, writing, writing, reading, reading}
		var waiting []<-chan *lock.Held
		for i, b := range all {
			waiting = append(waiting, b.begin(kinds[i]))
		}
		time.Sleep(20 * stageD)
		for _, b := range all {
			if err := sessionOf(t, b.client).Err(); err != nil || len(s.inLine()) != 8 {
				t.Fatalf("%s: %v", b.name, err)
			}
		}
		for _, w := range waiting {
			h := <-w
			time.Sleep(3 * stageD)
			release(t, h)
		}
	})
}

func TestAnUpgradeIsRefusedAtOnce(t *testing.T) {
	for name, reentrant := range map[string]bool{"plain": false, "reentrant": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				a := s.both("a", lock.Config{Reentrant: reentrant})
				h := a.acquire(reading)
				_, err := a.Write().Acquire(h.Context())
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

// A writer becomes a reader: readers behind it come at once, no writer gets in between.
func TestADowngrade(t *testing.T) {
	for _, style := range []lock.Style{lock.StyleCurator, lock.StyleKazoo} {
		for lost, effect := range map[string]zktest.Effect{"": {}, "reply lost": zktest.LoseReply, "request lost": zktest.LoseRequest} {
			t.Run(string(style)+" "+lost, func(t *testing.T) {
				onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
					cfg := lock.Config{Style: style}
					a, r, w := s.both("a", cfg), s.both("r", cfg), s.both("w", cfg)
					h := a.acquire(writing)
					readers, writer := r.begin(reading), w.begin(writing)
					time.Sleep(stageD / 2)
					if lost != "" {
						s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: stagePath + "/*", Nth: 1}, effect)
					}
					reader, err := h.Downgrade(t.Context())
					if lost == "request lost" && err != nil {
						release(t, <-readers) // nothing was done, and the place was left
						release(t, <-writer)
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					s.held("a", reader, reading)
					if h.Valid() || !reader.Valid() || reader.Token() != h.Token() {
						t.Errorf("valid %v and %v, tokens %d and %d", h.Valid(), reader.Valid(), h.Token(), reader.Token())
					}
					want(t, context.Cause(h.Context()), recipe.ReasonReleased)
					soon(t, "the other reader", func() { release(t, <-readers) })
					time.Sleep(stageD)
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

// The downgrade of Curator: a reader with the writer's number is there before the writer goes.
func TestADowngradeOfCuratorsIsSeen(t *testing.T) {
	for name, between := range map[string]bool{"next in line": false, "another between": true} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				admin := s.admin()
				if err := admin.EnsurePath(t.Context(), stagePath, nil); err != nil {
					t.Fatal(err)
				}
				const guid = "_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-"
				writer, err := admin.Create(t.Context(), stagePath+"/"+guid+"__WRIT__", nil, zk.FlagEphemeralSequential, nil)
				if err != nil {
					t.Fatal(err)
				}
				number := writer[strings.Index(writer, "__WRIT__")+8:]
				var middle <-chan *lock.Held
				m, w, r := s.both("m"), s.both("w"), s.both("r")
				if between {
					middle = m.begin(reading)
				}
				next := w.begin(writing)
				time.Sleep(stageD)
				reader, err := admin.Create(t.Context(), stagePath+"/"+guid+"__READ__"+number, nil, zk.FlagEphemeral, nil)
				if err != nil {
					t.Fatal(err)
				}
				last := r.begin(reading)
				if err := admin.Delete(t.Context(), writer, -1); err != nil {
					t.Fatal(err)
				}
				if between {
					soon(t, "the reader between", func() { release(t, <-middle) })
				}
				time.Sleep(2 * stageT)
				if len(next) > 0 || len(last) > 0 {
					t.Error("a writer beside the reader of another library, or a reader before its turn")
				}
				if err := admin.Delete(t.Context(), reader, -1); err != nil {
					t.Fatal(err)
				}
				soon(t, "the writer", func() { release(t, <-next) })
				release(t, <-last)
			})
		})
	}
}

// A waiting reader whose znode is deleted enters the line again.
func TestAWaitingReaderThatIsDeletedComesAgain(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, r := s.both("a"), s.both("r")
		h := a.acquire(writing)
		next := r.begin(reading)
		for _, n := range s.inLine() {
			if n.Path != h.Node() {
				if err := s.admin().Delete(t.Context(), n.Path, -1); err != nil {
					t.Fatal(err)
				}
			}
		}
		s.eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		release(t, h)
		release(t, <-next)
	})
}

// Readers that come and go for ever do not keep a writer waiting. Writers do not keep a reader waiting either.
func TestNobodyStarves(t *testing.T) {
	for name, kind := range map[string]bool{"readers": reading, "writers": writing} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan struct{}, 4)
				for i := range 4 {
					b := s.both(fmt.Sprint(i))
					l := b.Write()
					if kind == reading {
						l = b.Read()
					}
					go func() {
						for ctx.Err() == nil {
							l.Do(ctx, func(context.Context, *lock.Held) error { time.Sleep(100 * time.Millisecond); return nil })
						}
						done <- struct{}{}
					}()
				}
				time.Sleep(time.Second)
				other := s.both("other")
				for range 5 {
					begun := time.Now()
					release(t, other.acquire(!kind))
					if took := time.Since(begun); took > time.Second {
						t.Errorf("it took %v", took)
					}
				}
				stop()
				for range 4 {
					<-done
				}
			})
		})
	}
}

// Plain locks, elections and all others that stand in the line without a kind are writers.
func TestAPlainLockIsAWriter(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		r, w, p := s.both("r"), s.both("w"), s.person("p")
		h := r.acquire(reading)
		if _, err := p.TryAcquire(t.Context()); err == nil {
			t.Error("a plain lock beside a reader")
		}
		if _, err := w.Write().TryAcquire(t.Context()); err == nil {
			t.Error("a writer beside a reader")
		}
		next := p.begin()
		s.eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		if _, err := w.Read().TryAcquire(t.Context()); err == nil {
			t.Error("a reader overtook a plain lock")
		}
		release(t, h)
		release(t, <-next)
		all, err := r.Read().Contenders(t.Context())
		if err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

// The create of the reader's znode uses up a number. Nobody takes that for a holder that vanished.
func TestWhoComesAfterADowngradeDoesNotWait(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a, r, w := s.both("a"), s.both("r"), s.both("w")
		h, err := a.acquire(writing).Downgrade(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		soon(t, "a reader that comes then", func() { release(t, r.acquire(reading)) })
		release(t, h)
		soon(t, "a writer that comes then", func() { release(t, w.acquire(writing)) })
	})
}

// A reader does not know whether another that has vanished unseen may hold still.
func TestReadersDoNotDeleteThePath(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.both("a", lock.Config{Cleanup: true})
		release(t, a.acquire(reading))
		if _, ok, err := s.admin().Exists(t.Context(), stagePath); err != nil || !ok {
			t.Errorf("the path is there: %v, %v", ok, err)
		}
		release(t, a.acquire(writing))
		if _, ok, err := s.admin().Exists(t.Context(), stagePath); err != nil || ok {
			t.Errorf("the path is there: %v, %v", ok, err)
		}
	})
}
