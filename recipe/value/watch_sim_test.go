package value_test

import (
	"errors"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/value"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/watch"
)

// A session has a large buffer. A Watcher that follows a value for weeks sees many sessions.
func TestAWatcherDoesNotKeepTheSessionsThatWereLost(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		client, w, ended := s.follow()
		var lost []weak.Pointer[session.Session]
		for range 6 {
			await.Sleep(stageT) // the watcher has turned to the session
			lost = append(lost, expire(s, client))
		}
		await.Sleep(3 * stageT) // what the sessions had to do is done
		kept := len(lost)
		for range 10 { // one collection need not find all
			runtime.GC()
			kept = 0
			for _, p := range lost {
				if p.Value() != nil {
					kept++
				}
			}
		}
		if kept > 1 { // a goroutine that has ended may show one still
			t.Errorf("%d of %d sessions are kept", kept, len(lost))
		}
		w.Stop()
		if err := <-ended; !errors.Is(err, watch.ErrStopped) {
			t.Errorf("Next: %v", err)
		}
	})
}

// follow returns a client, its Watcher, which has told a value, and what the next call of Next
// returns.
func (s *stage) follow() (*session.Client, *value.Watcher, <-chan error) {
	s.T.Helper()
	s.put("1")
	client := s.Client("a")
	v, err := value.New(client, path, value.Config{})
	must(s.T, err)
	w := v.Watch()
	s.T.Cleanup(w.Stop)
	_, err = w.Next(within(s.T))
	must(s.T, err)
	next := make(chan error, 1)
	go func() {
		_, err := w.Next(s.T.Context())
		next <- err
	}()
	return client, w, next
}

// expire ends the client's session, and returns a pointer that does not keep it.
func expire(s *stage, client *session.Client) weak.Pointer[session.Session] {
	old := s.Session(client)
	s.ExpireSession(old.ID())
	<-old.Done()
	return weak.Make(old)
}

// Losses of the session that are far apart do not add up, though no other value is told in between.
func TestAWatcherIsQuickAfterEachLossOfTheSession(t *testing.T) {
	onStage(t, 1, func(t *testing.T, s *stage) {
		client, _, heard := s.follow()
		for range 20 {
			await.Sleep(10 * stageT)
			expire(s, client)
		}
		s.Session(client)
		begun := time.Now()
		s.put("2")
		must(t, <-heard)
		if took := time.Since(begun); took > stageT/16 {
			t.Errorf("heard after %v", took)
		}
	})
}
