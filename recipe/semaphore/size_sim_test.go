package semaphore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

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
