package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestWhoSaysAnotherSizeIsRefused(t *testing.T) {
	for seed := range int64(20) {
		onStage(t, 10, zktest.Config{Seed: seed, Jitter: 3 * time.Millisecond}, func(t *testing.T, s *stage) {
			errs, held := make(chan error, 2), make(chan *semaphore.Permit, 2)
			for i, size := range []int{10, 20} { // on a fresh path, at the same time
				sem, err := semaphore.New(s.Client(fmt.Sprint(i)), stagePath, size, semaphore.Config{})
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					p, err := sem.Acquire(context.Background())
					if err == nil {
						held <- p
					}
					errs <- err
				}()
			}
			var refused error
			for range 2 {
				if err := <-errs; err != nil {
					if refused != nil {
						t.Errorf("both are refused: %v, %v", refused, err)
					}
					refused = err
				}
			}
			var size *semaphore.SizeError
			if !errors.As(refused, &size) || size.Size+size.Want != 30 || !strings.Contains(refused.Error(), "10") || !strings.Contains(refused.Error(), "20") || !strings.Contains(refused.Error(), "New") {
				t.Errorf("refused: %v; want it to tell of both sizes and of New", refused)
			}
			s.release(<-held)
		})
	}
}

func TestASizeOfZeroIsThatOfThePath(t *testing.T) {
	onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
		any, err := semaphore.New(s.Client("any"), stagePath, 0, semaphore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var size *semaphore.SizeError
		if _, err := any.Acquire(t.Context()); !errors.As(err, &size) || size.Size != 0 {
			t.Errorf("without a path: %v", err)
		}
		s.release(s.process("a").acquire())
		p, err := any.Acquire(t.Context())
		if err != nil || any.Size() != 3 {
			t.Fatalf("size %d, %v", any.Size(), err)
		}
		s.release(p)
	})
}

func TestResizeWakesThoseWhoWaitInOrder(t *testing.T) {
	onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		held := []*semaphore.Permit{a.acquire(), a.acquire(), a.acquire()}
		var waiting []<-chan *semaphore.Permit
		for i := range 4 {
			waiting = append(waiting, s.process(fmt.Sprint("w", i)).queue())
		}
		await.Sleep(stageD)
		if err := a.Resize(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		s.release(held[0])
		s.release(held[1])
		if !waits(waiting[0], 5*stageT) {
			t.Fatal("admitted although one of one is held")
		}
		s.size = 5
		if err := s.process("b").Resize(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			held = append(held, <-waiting[i])
		}
		if got := fmt.Sprint(s.order[3:]); got != "[w0 w1 w2 w3]" {
			t.Errorf("order %v", got)
		}
		if err := a.Resize(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		last := s.process("last")
		// The error is about the size that New was given, not about the 2 permits.
		if _, err := last.AcquireN(t.Context(), 2); !isA[*semaphore.SizeError](err) || !strings.Contains(err.Error(), "New was given") {
			t.Errorf("two of one: %v", err)
		}
		for _, p := range held[2:] {
			s.release(p)
		}
	})
}

// An AcquireN of two would wait for ever when the size becomes one, and so would all behind it.
func TestWhoWaitsForMoreThanThereAreIsToldSo(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b, c := s.process("a"), s.process("b"), s.process("c")
		held := a.acquire()
		got := make(chan error, 1)
		go func() {
			_, err := b.AcquireN(context.Background(), 2)
			got <- err
		}()
		s.Eventually("place in line", func() bool { return b.count(semaphore.EventJoined) == 1 })
		waiting := c.queue()
		if err := a.Resize(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		var size *semaphore.SizeError
		if err := <-got; !errors.As(err, &size) || size.Size != 1 || size.Want != 2 || !strings.Contains(err.Error(), "has 1 permits, and 2 were asked for") {
			t.Errorf("error %v", err)
		}
		s.release(held)
		s.release(<-waiting)
	})
}

func TestNonsenseInPlaceOfTheSizeIsATypedErrorAndDoesNoHarm(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a"), s.process("b")
		held := a.acquire()
		other := a.acquire()
		got := make(chan error, 1)
		go func() {
			_, err := b.Acquire(context.Background())
			got <- err
		}()
		await.Sleep(stageD)
		admin := s.Admin()
		good, _, err := admin.Get(t.Context(), stagePath+"/leases")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.Set(t.Context(), stagePath+"/leases", []byte("10.0.0.1"), -1); err != nil {
			t.Fatal(err)
		}
		var data *semaphore.DataError
		if err := <-got; !errors.As(err, &data) || data.Path != stagePath+"/leases" {
			t.Errorf("who waits: %v", err)
		}
		if _, err := a.TryAcquire(t.Context()); !isA[*semaphore.DataError](err) {
			t.Errorf("try: %v", err)
		}
		if err := a.Resize(t.Context(), 7); !isA[*semaphore.DataError](err) {
			t.Errorf("resize: %v", err)
		}
		if !held.Valid() || a.Size() != 2 {
			t.Errorf("valid %v, size %d", held.Valid(), a.Size())
		}
		s.release(other) // cannot announce itself
		if _, err := admin.Set(t.Context(), stagePath+"/leases", good, -1); err != nil {
			t.Fatal(err)
		}
		s.release(b.acquire())
		s.release(held)
	})
}

// An empty path, as Curator makes it, gets a record; a lease that is longer than the record's is
// refused.
func TestAPathThatAnotherLibraryHasMade(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		admin := s.Admin()
		for _, dir := range []string{"locks", "leases"} {
			if err := admin.EnsurePath(t.Context(), stagePath+"/"+dir, nil); err != nil {
				t.Fatal(err)
			}
		}
		theirs, err := admin.Create(t.Context(), stagePath+"/leases/_c_0f3b1c9e-7a52-4e1d-9a6b-2c8d4f5e6a7b-lease-", nil, zk.FlagEphemeral|zk.FlagSequence, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := s.process("a").queue()
		if !waits(a, 3*stageT) {
			t.Fatal("two of one")
		}
		begun := time.Now()
		if err := admin.Delete(t.Context(), theirs, -1); err != nil {
			t.Fatal(err)
		}
		s.release(<-a)
		if took := time.Since(begun); took > stageD/4 {
			t.Errorf("waited for %v for a permit that has no lease", took)
		}
		s.Config.Timeout, s.Config.Lease = 4*session.DefaultLease, 2*session.DefaultLease
		var lease *recipe.LeaseError
		if _, err := s.process("b").Acquire(t.Context()); !errors.As(err, &lease) {
			t.Errorf("a lease that is too long: %v", err)
		}
	})
}

// Somebody has copied the path from another ensemble, with its record. Here the numbers begin anew,
// and none of the numbers in that record is over.
func TestARecordThatWasCopiedTellsNothing(t *testing.T) {
	for _, settled := range []int{1, 2, 1234} {
		onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
			admin := s.Admin()
			if err := admin.EnsurePath(t.Context(), stagePath+"/locks", nil); err != nil {
				t.Fatal(err)
			}
			record := fmt.Appendf(nil, "zkrecipe semaphore 1\nsize 2\nlease 4s\npath 500000012-18b3d2a4c10\nsettled %d\nslots 0:0\n", settled)
			if err := admin.EnsureNode(t.Context(), stagePath+"/leases", record, nil); err != nil {
				t.Fatal(err)
			}
			slots := semaphore.Config{Slots: true}
			held := <-s.process("a", slots).begin(2)
			for _, n := range []int{1, 2} {
				next := s.process(fmt.Sprint("for ", n), slots).begin(n)
				await.Sleep(5 * stageD)
				if !held.Valid() {
					t.Errorf("%d settled: the permit is lost", settled)
				}
				s.release(held)
				held = <-next
			}
			s.release(held)
		})
	}
}

// The number of a permit that has not looked yet is over in a record that somebody has copied.
func TestARecordThatWasCopiedHidesNobody(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		admin, late := s.Admin(), s.process("b")
		if err := admin.EnsurePath(t.Context(), stagePath+"/locks", nil); err != nil {
			t.Fatal(err)
		}
		record := []byte("zkrecipe semaphore 1\nsize 1\nlease 4s\npath 500000012-18b3d2a4c10\nsettled 1\nslots\n")
		if err := admin.EnsureNode(t.Context(), stagePath+"/leases", record, nil); err != nil {
			t.Fatal(err)
		}
		s.Session(late.client)
		// It has created its znode, and reads it.
		s.Trap.Set(func(r zktest.Request) bool {
			if r.Host != "b" || r.Op != zktest.OpGetData || !strings.HasPrefix(r.Path, stagePath+"/leases/") {
				return false
			}
			go late.host.Hold(zktest.ToServer)
			return true
		})
		first := late.begin(1)
		await.Sleep(50 * time.Millisecond)
		second := s.process("c").begin(1)
		await.Sleep(stageD)
		late.host.Heal()
		s.release(<-first) // which looks at all others
		s.release(<-second)
	})
}
