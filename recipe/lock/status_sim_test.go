package lock_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe"
	"github.com/zkrecipe/zkrecipe/recipe/lock"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// claims returns the states of a lock's claims.
func claims(l *lock.Lock) (states []recipe.ClaimState) {
	for _, c := range l.Status().Claims {
		states = append(states, c.State)
	}
	return states
}

func TestTheStatusTellsWhatIsHeldAndWhatWaits(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		h := a.acquire()
		next := a.begin() // of the same process
		s.Eventually("line of two", func() bool { return len(s.inLine()) == 2 })
		synctest.Wait()
		st := a.Status()
		if st.Path != stagePath || st.ID != "a" || st.Reader || len(st.Claims) != 2 {
			t.Fatalf("%+v", st)
		}
		holds, waits := st.Claims[0], st.Claims[1]
		if holds.State != recipe.ClaimHeld || holds.Token != h.Token() || holds.Node != h.Node() || holds.LeaseRemaining <= 0 || holds.Permits != 1 {
			t.Errorf("what is held: %+v", holds)
		}
		if waits.State != recipe.ClaimWaiting || waits.Position != 1 || waits.Node == "" || !waits.TryingSince.IsZero() {
			t.Errorf("what waits: %+v", waits)
		}
		if _, err := a.TryAcquire(t.Context()); !errors.Is(err, lock.ErrBusy) {
			t.Error(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Acquire(soon); err == nil {
			t.Error("acquired what is held")
		}
		await.Sleep(time.Second)
		release(t, h)
		release(t, <-next)
		st = a.Status()
		if c := st.Counts; len(st.Claims) != 0 || c.Waited.Count != 2 || c.Held.Count != 2 || c.Ended[recipe.ReasonReleased] != 2 || c.Busy != 1 || c.GaveUp != 1 {
			t.Errorf("at the end: %+v", st)
		}
		if c := st.Counts; c.Held.Sum < 2*time.Second || c.Waited.Sum < 2*time.Second || c.Waited.Within[0] != 0 || c.Waited.Within[13] != 2 {
			t.Errorf("times: %+v", c)
		}
	})
}

// A lock that is lost is told as ending as long as the function of Do runs on: that is what the
// liveness handler asks for.
func TestTheStatusKeepsALossUntilTheWorkHasStopped(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- a.Do(t.Context(), func(context.Context, *lock.Held) error {
				<-stop
				return nil
			})
		}()
		s.Eventually("lock that is held", func() bool { return len(claims(a.Lock)) == 1 && claims(a.Lock)[0] == recipe.ClaimHeld })
		s.ExpireSession(s.Session(a.client).ID())
		await.Sleep(10 * time.Minute)
		st := a.Status()
		if len(st.Claims) != 1 {
			t.Fatalf("%+v", st)
		}
		if c := st.Claims[0]; c.State != recipe.ClaimEnding || !c.Running || c.Reason.Chosen() || c.Node != "" || time.Since(c.Since) < 9*time.Minute {
			t.Errorf("%+v", c)
		}
		close(stop)
		var ended *recipe.EndedError
		if err := <-done; !errors.As(err, &ended) || st.Counts.Ended[ended.Reason] != 1 {
			t.Errorf("%v, counted %v", err, st.Counts.Ended)
		}
		if st := a.Status(); len(st.Claims) != 0 {
			t.Errorf("it is kept: %+v", st.Claims)
		}
	})
}

func TestEachSideOfAReadWriteLockTellsItsOwn(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		rw, err := lock.NewRW(s.Client("a"), stagePath, lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var reads, writes []lock.EventKind
		defer rw.Read().Subscribe(func(ev lock.Event) { reads = append(reads, ev.Kind) })()
		defer rw.Write().Subscribe(func(ev lock.Event) { writes = append(writes, ev.Kind) })()
		w, err := rw.Write().Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r, err := w.Downgrade(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if st := rw.Read().Status(); len(st.Claims) != 1 || st.Claims[0].Token != w.Token() || !st.Reader {
			t.Errorf("the reader: %+v", st)
		}
		release(t, r)
		synctest.Wait()
		want := func(got []lock.EventKind, want ...lock.EventKind) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("%v, want %v", got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%v, want %v", got, want)
				}
			}
		}
		want(writes, lock.EventJoined, lock.EventAcquired, lock.EventEnded)
		want(reads, lock.EventAcquired, lock.EventEnded, lock.EventLeft)
		for _, l := range []*lock.Lock{rw.Read(), rw.Write()} {
			if st := l.Status(); len(st.Claims) != 0 || st.Counts.Waited.Count != 1 || st.Counts.Ended[recipe.ReasonReleased] != 1 {
				t.Errorf("at the end: %+v", st)
			}
		}
	})
}

// All tells of each of its locks. What it held only for a moment counts, too.
func TestTheStatusOfLocksThatAreHeldTogether(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		client := s.Client("a")
		var locks []*lock.Lock
		for _, path := range []string{"/one", "/two"} {
			l, err := lock.New(client, path, lock.Config{})
			if err != nil {
				t.Fatal(err)
			}
			locks = append(locks, l)
		}
		second, err := lock.New(s.Client("b"), "/two", lock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		h, err := second.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := lock.All(soon, locks...); err == nil {
			t.Fatal("both are held")
		}
		await.Sleep(time.Second) // one of them is given away in the background
		for _, l := range locks {
			if st := l.Status(); len(st.Claims) != 0 || st.Counts.GaveUp != 1 {
				t.Errorf("%s: %+v", st.Path, st)
			}
		}
		got := make(chan *lock.Set, 1)
		go func() {
			set, err := lock.All(context.Background(), locks...)
			if err != nil {
				t.Error(err)
			}
			got <- set
		}()
		s.Eventually("lock of the two", func() bool { return locks[0].Status().Counts.Waited.Count == 2 })
		s.ExpireSession(s.Session(client).ID()) // both begin anew in the next session
		await.Sleep(stageT)
		for _, l := range locks {
			if st := l.Status(); len(st.Claims) != 1 {
				t.Errorf("after a lost session %s has the claims %+v", st.Path, st.Claims)
			}
		}
		release(t, h)
		set := <-got
		for i, l := range locks {
			if st := l.Status(); len(st.Claims) != 1 || st.Claims[0].State != recipe.ClaimHeld || st.Claims[0].Token != set.Held()[i].Token() {
				t.Errorf("%s: %+v", st.Path, st)
			}
		}
		set.Release(t.Context())
		for _, l := range locks {
			if st := l.Status(); len(st.Claims) != 0 {
				t.Errorf("%s: %+v", st.Path, st)
			}
		}
	})
}

// A subscriber that never returns delays nothing: not the waiting, not the beats, not the release
// and not the end. What does not reach it is counted.
func TestASubscriberThatBlocksHoldsUpNothing(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		a := s.process("a")
		never := make(chan struct{})
		defer close(never)
		defer a.Subscribe(func(lock.Event) { <-never })()
		h := a.acquire()
		await.Sleep(10 * stageT)
		if !h.Valid() {
			t.Error("it was lost")
		}
		release(t, h)
		for range 400 {
			release(t, a.acquire())
		}
		if st := a.Status(); st.EventsDropped == 0 {
			t.Error("no event was dropped, of 1600")
		}
		a.client.Close()
	})
}

// The same of an OnRevoke.
func TestAnOnRevokeThatBlocksHoldsUpNothing(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		never, revoked := make(chan struct{}), make(chan struct{}, 1)
		defer close(never)
		client, b := s.Client("a"), s.process("b")
		a, err := lock.New(client, stagePath, lock.Config{
			OnRevoke: func(*lock.Held) { <-never },
			OnEvent: func(ev lock.Event) {
				if ev.Kind == lock.EventRevoked {
					revoked <- struct{}{}
				}
			},
		})
		shared.Must(t, err)
		const most, more = 1001, 20 // one is being told, and a thousand wait
		for i := range most + more {
			h, err := a.Acquire(t.Context())
			shared.Must(t, err)
			shared.Must(t, b.Revoke(t.Context()))
			<-revoked
			if i == 0 {
				await.Sleep(10 * stageT)
			}
			if !h.Valid() {
				t.Fatal("it was lost")
			}
			shared.Must(t, h.Release(s.Within(stageD)))
		}
		if st := a.Status(); st.EventsDropped != more {
			t.Errorf("%d were dropped; want %d", st.EventsDropped, more)
		}
		begun := time.Now()
		release(t, b.acquire())
		client.Close()
		if took := time.Since(begun); took > stageD {
			t.Errorf("the next turn and Close took %v", took)
		}
	})
}

// A session that cannot be had is told from the beginning.
func TestTheStatusTellsSinceWhenAClaimTries(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.Host("a").Hold()
		a := s.process("a")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := a.Acquire(ctx); done <- err }()
		await.Sleep(time.Minute)
		st := a.Status()
		if len(st.Claims) != 1 || time.Since(st.Claims[0].TryingSince) != time.Minute || st.Claims[0].Err == nil || st.Counts.Failed == 0 {
			t.Errorf("%+v", st)
		}
		cancel()
		<-done
	})
}
