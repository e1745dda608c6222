package value_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	gopath "path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
	"github.com/zkrecipe/zkrecipe/watch"
)

func TestAnUndisturbedAdditionIsOneWrite(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		_, err := n.Add(within(t), 1)
		must(t, err)
		before := s.Counts().Requests
		for range 10 {
			_, err := n.Add(within(t), 1)
			must(t, err)
		}
		after := s.Counts().Requests
		for op, count := range after {
			want := 0
			if op == zktest.OpMulti {
				want = 10
			}
			if op != zktest.OpPing && count-before[op] != want {
				t.Errorf("ten additions took %d requests %v; want %d", count-before[op], op, want)
			}
		}
	})
}

func TestAdditionsOfManyGoroutinesGoTogether(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		_, err := n.Add(within(t), 1)
		must(t, err)
		var mu sync.Mutex
		var got []int64
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				sum, err := n.Add(within(t), 1)
				mu.Lock()
				defer mu.Unlock()
				if got = append(got, sum); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		slices.Sort(got)
		for i, sum := range got {
			if sum != int64(i+2) {
				t.Fatalf("sums are %v; want 2 to 101", got)
			}
		}
		if c := n.Counts(); c.Changes != 101 || c.Writes > 4 {
			t.Errorf("counts: %+v; want 101 changes in a few writes", c)
		}
	})
}

func TestReservedNumbersAreNobodyElses(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		seen := map[int64]bool{}
		a, b := s.counter("a", value.CounterConfig{}), s.counter("b", value.CounterConfig{})
		for _, n := range []*value.Counter{a, b, a, a, b} {
			first, err := n.Reserve(within(t), 10)
			must(t, err)
			for i := range int64(10) {
				if seen[first+i] {
					t.Errorf("%d was reserved twice", first+i)
				}
				seen[first+i] = true
			}
		}
		if !seen[1] || !seen[50] {
			t.Errorf("reserved: %v; want 1 to 50", seen)
		}
		if _, err := a.Reserve(within(t), 0); err == nil {
			t.Error("Reserve of 0 numbers is no error")
		}
	})
}

func TestCompareAndSetOfACounter(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		a, b := s.counter("a", value.CounterConfig{}), s.counter("b", value.CounterConfig{})
		must(t, a.CompareAndSet(within(t), 0, 7))
		must(t, b.CompareAndSet(within(t), 7, 8))
		if c := conflict(a.CompareAndSet(within(t), 7, 9)); c == nil || c.Count != 8 || string(c.Now.Data) != "8" {
			t.Errorf("a conflict with %v; want 8", c)
		}
	})
}

func TestUpdatesOfManyAreAllThere(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		var group sync.WaitGroup
		for i := range 4 {
			v := s.value(fmt.Sprint(i), value.Config{})
			group.Go(func() {
				for j := range 10 {
					_, err := v.Update(within(t), func(old []byte) ([]byte, error) {
						return append(old[:len(old):len(old)], fmt.Sprintf("%d.%d ", i, j)...), nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		all := strings.Fields(s.data())
		if slices.Sort(all); len(slices.Compact(all)) != 40 {
			t.Errorf("%d updates are there: %v", len(all), all)
		}
	})
}

func TestAnUpdateThatIsNotWanted(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		unwanted := errors.New("unwanted")
		now, err := s.value("a", value.Config{}).Update(within(t), func([]byte) ([]byte, error) { return nil, unwanted })
		if !errors.Is(err, unwanted) || string(now.Data) != "5" || s.data() != "5" {
			t.Errorf("Update = %s, %v; the znode holds %s", now.Data, err, s.data())
		}
	})
}

// A reconnect and the end of a session do not disturb a counter that is used afterwards.
func TestACounterOutlivesItsSession(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		for i, disturb := range []func(){
			func() {},
			s.Host("a").Cut,
			func() { s.ExpireSession(s.owner("a")) },
			func() { s.Host("a").Hold(); await.Sleep(3 * stageT); s.Host("a").Heal() },
		} {
			disturb()
			if got, err := n.Add(within(t), 1); got != int64(i+1) || err != nil {
				t.Errorf("%d: Add = %d, %v", i, got, err)
			}
		}
		await.Sleep(3 * stageT)
		if left := s.journals(); len(left) != 1 {
			t.Errorf("%v are left; want the journal of the living session", left)
		}
	})
}

// An administrator deletes the journal.
func TestAJournalThatIsDeletedByHand(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		n := s.counter("a", value.CounterConfig{})
		for want := int64(1); want <= 3; want++ {
			if got, err := n.Add(within(t), 1); got != want || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, want)
			}
			s.deleteJournals()
		}
	})
}

// He does it while an answer is lost: of the first addition in a session, or of a later one.
func TestAnAdditionIsUnknownWhereItsJournalIsDeleted(t *testing.T) {
	for before := range int64(2) {
		onStage(t, 1, func(t *testing.T, s *stage) {
			s.put("0")
			n := s.counter("a", value.CounterConfig{})
			for range before {
				_, err := n.Add(within(t), 1)
				must(t, err)
			}
			rule := s.On(zktest.Match{Op: zktest.OpMulti, Path: journals, Host: "a", Nth: 1}, zktest.LoseReply)
			done := make(chan error, 1)
			go func() { _, err := n.Add(within(t), 1); done <- err }()
			<-rule.Fired()
			s.Host("a").Hold()
			await.Sleep(stageT / 8) // it is carried out
			s.deleteJournals()
			s.Host("a").Heal()
			if err := <-done; !isUnknown(err) {
				t.Errorf("Add: %v; want an UnknownError", err)
			}
			if got, err := n.Add(within(t), 1); got != before+2 || err != nil {
				t.Errorf("Add = %d, %v; want %d", got, err, before+2)
			}
		})
	}
}

// A server that is cut off from the others goes on answering reads for a while; Get must not
// believe it.
func TestGetIsNeverOld(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		s.put("5")
		old := s.Followers()[0]
		a, err := session.Open(old.Addr(), session.Config{Timeout: stageT, Dial: s.Host("a").Dial})
		must(t, err)
		defer a.Close()
		mine, err := value.NewCounter(a, path, value.CounterConfig{})
		must(t, err)
		_, err = mine.Get(within(t))
		must(t, err)
		others := s.counter("b", value.CounterConfig{})
		old.Isolate()
		if got, err := others.Add(within(t), 1); got != 6 || err != nil {
			t.Fatalf("Add = %d, %v", got, err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if got, err := mine.Get(within(t)); got != 6 || err != nil {
				t.Errorf("Get = %d, %v; want 6", got, err)
			}
		}()
		await.Sleep(stageT / 4)
		old.Rejoin()
		<-done
	})
}

// A znode is deleted and created again. A server that was cut off from the others tells what the
// former one held. Both have the same version.
func TestAZnodeThatWasMadeAgainIsNotTakenForTheFormerOne(t *testing.T) {
	for name, get := range map[string]func(t *testing.T, v *value.Value) (value.Versioned, error){
		"get": func(t *testing.T, v *value.Value) (value.Versioned, error) { return v.Get(within(t)) },
		"refusal": func(t *testing.T, v *value.Value) (value.Versioned, error) {
			now, err := v.Update(within(t), func([]byte) ([]byte, error) { return nil, io.EOF })
			if err == io.EOF {
				err = nil
			}
			return now, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, 1, func(t *testing.T, s *stage) {
				admin, old := s.Admin(), s.Followers()[0]
				must(t, admin.EnsurePath(within(t), gopath.Dir(path), nil))
				must(t, admin.EnsureNode(within(t), path, []byte("former"), nil))
				v, err := value.New(s.Client("a", old.Addr()), path, value.Config{})
				must(t, err)
				_, err = v.Get(within(t))
				must(t, err)
				old.Isolate()
				must(t, admin.Delete(within(t), path, -1))
				must(t, admin.EnsureNode(within(t), path, []byte("new"), nil))
				await.Sleep(2 * time.Second) // longer than a value is used without reading it
				done := make(chan struct{})
				go func() {
					defer close(done)
					if got, err := get(t, v); string(got.Data) != "new" || err != nil {
						t.Errorf("%q, %v", got.Data, err)
					}
				}()
				await.Sleep(stageT / 8)
				old.Rejoin()
				<-done
			})
		})
	}
}

// Others hear of a write also if it changes nothing. An Update whose function fails writes nothing.
func TestAnUpdateWritesUnlessItsFunctionFails(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		first, err := v.CompareAndSet(within(t), value.Versioned{}, []byte("x"))
		must(t, err)
		second, err := v.Update(within(t), func(old []byte) ([]byte, error) { return old, nil })
		if err != nil || second.Zxid <= first.Zxid || string(second.Data) != "x" {
			t.Errorf("%+v after %+v, %v", second, first, err)
		}
		why := errors.New("nothing to change")
		if now, err := v.Update(within(t), func([]byte) ([]byte, error) { return nil, why }); err != why || now.Zxid != second.Zxid {
			t.Errorf("%+v, %v; want the value as it was", now, err)
		}
		if now, err := v.Get(within(t)); err != nil || now.Zxid != second.Zxid {
			t.Errorf("%+v, %v; want %+v", now, err, second)
		}
	})
}

// What an Update knows may be a second old.
func TestAnUpdateIsNotRefusedByAnOldValue(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		full := errors.New("full")
		var given []string
		take := func(old []byte) ([]byte, error) {
			if given = append(given, string(old)); string(old) == "full" {
				return nil, full
			}
			return []byte("full"), nil
		}
		a, b := s.value("a", value.Config{}), s.value("b", value.Config{})
		_, err := a.Update(within(t), take)
		must(t, err)
		_, err = b.Update(within(t), func([]byte) ([]byte, error) { return []byte("free"), nil })
		must(t, err)
		given = nil
		if now, err := a.Update(within(t), take); err != nil || string(now.Data) != "full" {
			t.Errorf("Update = %q, %v, with %q given; want it done", now.Data, err, given)
		}
		given = nil
		if now, err := a.Update(within(t), take); err != full || string(now.Data) != "full" || len(given) != 1 {
			t.Errorf("Update = %q, %v, with %q given; want it refused at once", now.Data, err, given)
		}
		s.Host("a").Hold()
		ctx, cancel := context.WithTimeout(t.Context(), stageT/4)
		defer cancel()
		if now, err := a.Update(ctx, take); !errors.Is(err, context.DeadlineExceeded) || session.OutcomeOf(err) != session.OutcomeNotDone {
			t.Errorf("Update = %q, %v; want a deadline, and nothing done", now.Data, err)
		}
		s.Host("a").Heal()
	})
}

// A watcher hears at once of a creation by its own client, also if another Value has made it.
func TestAWatcherHearsOfItsOwnClientsCreateAtOnce(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		client := s.Client("a")
		v, err := value.New(client, path, value.Config{})
		must(t, err)
		other, err := value.New(client, path, value.Config{})
		must(t, err)
		w := v.Watch()
		defer w.Stop()
		_, err = w.Next(within(t))
		must(t, err)
		got := make(chan time.Time, 1)
		go func() {
			_, err := w.Next(within(t))
			if err != nil {
				t.Error(err)
			}
			got <- time.Now()
		}()
		_, err = other.CompareAndSet(within(t), value.Versioned{}, []byte("x"))
		must(t, err)
		created := time.Now()
		if late := (<-got).Sub(created); late > stageT/40 {
			t.Errorf("heard of after %v", late)
		}
	})
}

func TestAWatcherFollowsFromSessionToSession(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		w := v.Watch()
		next := func(want string) {
			t.Helper()
			got, err := w.Next(within(t))
			if string(got.Data) != want || got.Exists() != (want != "") || err != nil {
				t.Fatalf("Next = %q, %v; want %q", got.Data, err, want)
			}
		}
		next("")
		s.put("1")
		next("1")
		s.ExpireSession(s.owner("a"))
		await.Sleep(stageT) // the next session begins, with nothing new to tell
		s.put("2")
		next("2")
		s.Host("a").Cut()
		s.put("3")
		next("3")
		must(t, s.Admin().Delete(within(t), path, -1))
		next("")
		ctx, cancel := context.WithTimeout(t.Context(), stageT)
		defer cancel()
		if _, err := w.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next: %v; want a deadline", err)
		}
		go func() { time.Sleep(stageT); w.Stop() }()
		if _, err := w.Next(within(t)); !errors.Is(err, watch.ErrStopped) || !errors.Is(err, session.ErrClosed) {
			t.Errorf("Next after Stop: %v", err)
		}
	})
}

func TestReturnedDataAreTheCallers(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		v := s.value("a", value.Config{})
		data := []byte("x")
		now, err := v.CompareAndSet(within(t), value.Versioned{}, data)
		must(t, err)
		data[0], now.Data[0] = 'y', 'z'
		got, err := v.Get(within(t))
		must(t, err)
		got.Data[0] = 'z'
		if got, err := v.Get(within(t)); string(got.Data) != "x" || err != nil {
			t.Errorf("Get = %q, %v; want x", got.Data, err)
		}
	})
}

func TestOneSlowWriteDoesNotSlowDownWhatFollows(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		slow := func(d time.Duration) {
			for i := range 3 {
				s.Server(1 + i).Slow(d)
			}
		}
		add := func(n *value.Counter) {
			_, err := n.Add(within(t), 1)
			must(t, err)
		}
		a, b := s.counter("a", value.CounterConfig{}), s.counter("b", value.CounterConfig{})
		add(a)
		add(b)
		var took time.Duration
		for range 8 {
			add(a) // it knows the data now
			slow(100 * time.Millisecond)
			add(a)
			slow(0)
			add(b)
			before := a.Counts().Conflicts
			began := time.Now()
			add(a)
			took += time.Since(began)
			if a.Counts().Conflicts == before {
				t.Error("no conflict: nothing is shown")
			}
		}
		if took > 1500*time.Millisecond {
			t.Errorf("eight additions took %v, each after a slow one and a conflict", took)
		}
	})
}
