package lock_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// After -1, a server before 3.6 gives the number 0. The contender with -1 stands before the other.
func TestReadersAndWritersKeepTheirOrderWhenTheNumbersBeginAgain(t *testing.T) {
	for name, c := range map[string]struct{ first, second bool }{
		"a reader after a writer": {writing, reading},
		"a writer after a reader": {reading, writing},
		"a writer after a writer": {writing, writing},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{SequenceWraps: true}, func(t *testing.T, s *stage) {
				shared.Must(t, s.Admin().EnsurePath(t.Context(), stagePath, nil))
				s.StartSequence(stagePath, -1)
				h := s.rw("a").acquire(c.first)
				next := s.rw("b").begin(c.second)
				await.Sleep(5 * stageD)
				select {
				case <-next:
					t.Fatal("both hold")
				default:
				}
				release(t, h)
				release(t, <-next)
			})
		})
	}
}

// The numbers have run out. While others come behind the heir and give up, a list is never what the
// line is a moment later. The heir waits for a lease all the same, and not for longer.
func TestThoseWhoGiveUpBehindTheHeirDoNotHoldItUp(t *testing.T) {
	for name, c := range map[string]struct{ wraps, heirReads, othersRead bool }{
		"writers":              {},
		"readers come":         {othersRead: true},
		"the heir reads":       {heirReads: true},
		"negative numbers":     {wraps: true},
		"negative, heir reads": {wraps: true, heirReads: true},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{Latency: time.Millisecond, SequenceWraps: c.wraps}, func(t *testing.T, s *stage) {
				shared.Must(t, s.Admin().EnsurePath(t.Context(), stagePath, nil))
				s.StartSequence(stagePath, math.MaxInt32)
				h := s.rw("holds").acquire(writing)
				heir := s.rw("heir").begin(c.heirReads)
				s.Eventually("place", func() bool { return len(s.inLine()) > 1 })
				busy, stop := context.WithCancel(t.Context())
				var others sync.WaitGroup
				for i := range 24 {
					at := s.rw("others" + string(rune('a'+i%4)))
					l := map[bool]*lock.Lock{reading: at.Read(), writing: at.Write()}[c.othersRead]
					others.Go(func() {
						for await.Sleep(time.Duration(i) * 3 * time.Millisecond); busy.Err() == nil; {
							brief, cancel := context.WithTimeout(busy, 60*time.Millisecond)
							if h, err := l.Acquire(brief); err == nil {
								_ = h.Release(busy)
							}
							cancel()
						}
					})
				}
				await.Sleep(time.Second)
				begun := time.Now()
				release(t, h)
				next := <-heir
				want := session.Outlast(session.DefaultLease) // that of a line without a record
				if took := time.Since(begun); took > want+stageD/4 {
					t.Errorf("the heir waited for %v; want %v", took, want)
				}
				stop()
				others.Wait()
				release(t, next)
			})
		})
	}
}

// The holder has had number 0 since the path was made, and now the numbers have run out. Newer
// servers give the last number to all, and now and then a negative one.
func TestTheFirstOfAllNumbersStaysFirst(t *testing.T) {
	for name, c := range map[string]struct{ first, others bool }{
		"readers come": {writing, reading}, "writers come": {writing, writing}, "a reader holds": {reading, writing},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
				h := s.rw("first").acquire(c.first)
				s.StartSequence(stagePath, math.MaxInt32)
				at := s.rw("others")
				l := map[bool]*lock.Lock{reading: at.Read(), writing: at.Write()}[c.others]
				ctx, stop := context.WithTimeout(t.Context(), 5*stageT)
				defer stop()
				var others sync.WaitGroup
				for range 8 {
					others.Go(func() {
						if _, err := l.Acquire(ctx); err == nil {
							t.Error("another holds beside the first")
						}
					})
				}
				others.Wait()
				release(t, h)
			})
		})
	}
}

// A contender that we may not read stands behind us, and has no number of its own. We may not wait
// for it, because it waits for us.
func TestOneThatHidesBehindUsIsNotAhead(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		release(t, s.rw("before").acquire(writing)) // makes the path
		s.StartSequence(stagePath, math.MaxInt32-2)
		at := s.rw("first")
		h := at.acquire(writing)
		next := s.rw("next").begin(writing)
		s.Eventually("place", func() bool { return len(s.inLine()) == 2 })
		hides := shared.Open(t, s.ConnectString(), session.Config{Dial: s.Host("hides").Dial, Auth: []session.Auth{session.Digest("u", "p")}})
		hidden, err := hides.Session(t.Context())
		shared.Must(t, err)
		_, err = hidden.Create(t.Context(), stagePath+"/_c_a0000000-0000-4000-8000-000000000000-__WRIT__", nil,
			zk.FlagEphemeral|zk.FlagSequence, zk.DigestACL(zk.PermAll, "u", "p"))
		shared.Must(t, err)
		reader, err := h.Downgrade(t.Context())
		shared.Must(t, err)
		release(t, reader)
		release(t, <-next)
	})
}
