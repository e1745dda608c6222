package semaphore_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

func TestTheStatusTellsWhatIsHeldAndWhatWaits(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a", semaphore.Config{Slots: true})
		var kinds []semaphore.EventKind
		defer a.Subscribe(func(ev semaphore.Event) { kinds = append(kinds, ev.Kind) })()
		p := a.acquire()
		next := a.begin(1)
		await.Sleep(time.Second)
		synctest.Wait()
		st := a.Status()
		if st.Path != a.Path() || st.ID != "a" || st.Size != 1 || len(st.Claims) != 2 {
			t.Fatalf("%+v", st)
		}
		holds, waits := st.Claims[0], st.Claims[1]
		if holds.State != recipe.ClaimHeld || holds.Token != p.Token() || holds.LeaseRemaining <= 0 || holds.Permits != 1 || len(holds.Slots) != 1 {
			t.Errorf("what is held: %+v", holds)
		}
		if waits.State != recipe.ClaimWaiting || waits.Position != 1 || waits.Node == "" || !waits.TryingSince.IsZero() {
			t.Errorf("what waits: %+v", waits)
		}
		if _, err := a.TryAcquire(t.Context()); !errors.Is(err, semaphore.ErrBusy) {
			t.Error(err)
		}
		s.release(p)
		s.release(<-next)
		synctest.Wait()
		st = a.Status()
		if c := st.Counts; len(st.Claims) != 0 || c.Waited.Count != 2 || c.Ended[recipe.ReasonReleased] != 2 || c.Busy != 1 || c.Held.Count != 2 {
			t.Errorf("at the end: %+v", st)
		}
		if len(kinds) < 6 || kinds[0] != semaphore.EventAcquired {
			t.Errorf("a subscriber was told of %v", kinds)
		}
	})
}

func TestASubscriberThatBlocksHoldsUpNothing(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		never := make(chan struct{})
		defer close(never)
		defer a.Subscribe(func(semaphore.Event) { <-never })()
		p := a.acquire()
		await.Sleep(time.Minute)
		if !p.Valid() {
			t.Error("it was lost")
		}
		s.release(p)
		for range 400 {
			s.release(a.acquire())
		}
		if st := a.Status(); st.EventsDropped == 0 {
			t.Error("no event was dropped, of 1200")
		}
		a.client.Close()
	})
}
