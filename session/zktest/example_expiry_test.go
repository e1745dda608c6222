package zktest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// The tests in this file show servers that end sessions although their clients are heard of, as
// real ones do. Then a client is wrong if it concludes from an accepted request how long its
// session is going to live.

// writeUntilOver writes until the session is over, and returns for how long that went on.
func writeUntilOver(t *testing.T, s *session.Session) time.Duration {
	t.Helper()
	begun := time.Now()
	for s.Err() == nil {
		if _, err := s.Set(t.Context(), "/x", nil, -1); err != nil && s.Err() == nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !errors.Is(s.Err(), session.ErrExpired) {
		t.Errorf("the session's end: %v", s.Err())
	}
	return time.Since(begun)
}

// While the leader sends no pings it does not hear of its followers' clients.
func TestALeaderWhosePingLoopStandsStillEndsSessionsThatWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		s := client(t, e.Host("a"), e.Followers()[0].Addr())
		set(t, s, "")
		e.Leader().StopPings()
		defer e.Leader().ResumePings()
		if took := writeUntilOver(t, s); took > 2*s.Timeout() {
			t.Errorf("it lived for %v, T is %v", took, s.Timeout())
		}
	})
}

// A slow tracker closes sessions that came back meanwhile. A tracker whose clock jumps takes them
// early.
func TestATrackerThatIsLateClosesSessionsThatWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		s := client(t, e.Host("a"), e.Followers()[0].Addr())
		set(t, s, "")
		e.Leader().DelayExpiry(s.Timeout() / 4)
		e.Leader().StepClock(time.Minute)
		if took := writeUntilOver(t, s); took > s.Timeout() {
			t.Errorf("it lived for %v, T is %v", took, s.Timeout())
		}
	})
}

// A follower that does not tell the leader of a client, on a slow network.
func TestATouchIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := simulated(t)
		e.SetLatency(time.Millisecond, time.Millisecond)
		s := client(t, e.Host("a"), e.Followers()[0].Addr())
		set(t, s, "")
		lost := e.On(zktest.Match{Op: zktest.OpSetData, Session: s.ID()}, zktest.LoseTouch)
		defer lost.Remove()
		set(t, s, "answered all the same")
		if lost.Hits() != 1 {
			t.Errorf("%d touches were lost", lost.Hits())
		}
	})
}

// Newer servers tell only those who may read a znode that it exists.
func TestAServerThatDoesNotTellWhatExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for release, want := range map[zktest.Release]error{zktest.Release380: nil, zktest.Release395: zk.ErrNoAuth} {
			e := zktest.Start(t, zktest.Config{InMemory: true, Release: release})
			s := client(t, e.Host("a"), e.ConnectString())
			if _, err := s.Create(t.Context(), "/hidden", nil, 0, zk.WorldACL(zk.PermWrite)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Exists(t.Context(), "/hidden"); !errors.Is(err, want) {
				t.Errorf("release %s: %v, want %v", release, err, want)
			}
		}
	})
}
