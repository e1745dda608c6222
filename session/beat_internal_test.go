package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A beat may be made for one connection and go out on the next, where the events of the znodes'
// own watches never come.
func TestABeatThatWentOutOnAnotherConnectionCountsForNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: time.Second, Logf: func(string, ...any) {}})
		host := e.Host("a")
		client, err := Open(e.ConnectString(), Config{Timeout: 4 * time.Second, Dial: host.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s, err := client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.EnsurePath(t.Context(), "/e", nil)
		path, err := s.CreatePlace(t.Context(), "/e", "n-", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		wake := make(chan struct{}, 1)
		own := s.Watch(path, wake)
		h := s.Hold(own, wake)
		own.Get(t.Context())
		time.Sleep(s.LeaseTime() / 4)
		l := h.Lease()
		if l == nil {
			t.Fatal("no lease")
		}
		before := s.connection
		host.Cut()
		for s.connection == before {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(s.LeaseTime() / 16)
		left, beats := l.Remaining(), client.Status().Counts.Beats
		s.beatOnce(before)
		if client.Status().Counts.Beats != beats+1 {
			t.Fatal("the beat was not answered")
		}
		if rest := l.Remaining(); rest > left {
			t.Errorf("the lease was extended: %v left, %v before", rest, left)
		}
	})
}
