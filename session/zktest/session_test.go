package zktest

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever the phase, a session ends no sooner than its timeout after the last touch and no later
// than one tick after that.
func TestASessionExpiresWithinOneTickOfItsTimeout(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		tick := time.Duration(1+rng.IntN(5000)) * time.Millisecond
		tr := tracker{tick: tick, phase: time.Duration(rng.Int64N(int64(tick))), sessions: map[int64]*session{}}
		now := time.Duration(rng.Int64N(int64(time.Hour)))
		timeout := time.Duration(1+rng.IntN(60000)) * time.Millisecond
		tr.track(1, timeout, now)
		if !tr.touch(1, timeout, now) {
			t.Fatal("a new session can not be touched")
		}
		expires := tr.sessions[1].expires
		if expires <= now+timeout-1 || expires > now+timeout+tick {
			t.Fatalf("tick %v, timeout %v: expires after %v", tick, timeout, expires-now)
		}
		if (expires+tr.phase)%tick != 0 {
			t.Fatalf("expires at %v, which is not the end of a bucket", expires)
		}
		tr.next = expires
		if tr.take(expires-1) || !tr.take(expires) || len(tr.taken) != 1 {
			t.Fatal("not taken at the end of its bucket")
		}
	}
}

// As in 3.5.0: a touch moves a session to any bucket, and none is taken twice.
func TestABucketThatIsFilledAgainIsNeverTaken(t *testing.T) {
	const back = -time.Hour - 300*time.Millisecond
	tr := tracker{tick: time.Second, sessions: map[int64]*session{}}
	tr.next = tr.bucket(0)
	tr.track(1, time.Second, back)
	if s := tr.sessions[1]; s.expires != -59*time.Minute-59*time.Second {
		t.Errorf("expires at %v, want -59m59s, the end of the bucket of -59m59.3s", s.expires)
	}
	for tr.take(time.Hour) {
	}
	if len(tr.taken) != 0 {
		t.Error("it has been taken")
	}
	tr.touch(1, time.Second, tr.next)
	for tr.take(2 * time.Hour) {
	}
	if len(tr.taken) != 1 {
		t.Error("a touch has not brought it back")
	}
}

func TestAClosingSessionCanNotBeTouched(t *testing.T) {
	tr := tracker{tick: time.Second, sessions: map[int64]*session{}}
	tr.track(1, time.Second, 0)
	tr.setClosing(1)
	if tr.touch(1, time.Second, 0) || tr.touch(2, time.Second, 0) {
		t.Error("touched a session that is over")
	}
	for tr.take(time.Hour) {
	}
	if len(tr.taken) != 0 {
		t.Error("a closing session expires again")
	}
	for _, id := range []int64{1, 2} {
		if code := tr.check(id, "x"); code != CodeSessionExpired {
			t.Errorf("session %d: code %d", id, code)
		}
	}
}

func TestASessionBelongsToWhereItWasLastHeardOf(t *testing.T) {
	tr := tracker{tick: time.Second, sessions: map[int64]*session{}}
	tr.track(1, time.Second, 0)
	for _, step := range []struct {
		owner string
		want  Code
	}{{"first", CodeOK}, {"first", CodeOK}, {"second", CodeSessionMoved}} {
		if code := tr.check(1, step.owner); code != step.want {
			t.Errorf("%s: code %d, want %d", step.owner, code, step.want)
		}
	}
	tr.setOwner(1, "second")
	if code := tr.check(1, "first"); code != CodeSessionMoved {
		t.Errorf("the old owner: code %d", code)
	}
}

// Events never share an instant, and run in the order of their instants.
func TestEveryEventHasAnInstantOfItsOwn(t *testing.T) {
	var l loop
	l.init()
	l.mu.Lock()
	var order []int
	for i := range 5 {
		l.at(time.Hour, func() { order = append(order, i) })
	}
	l.at(time.Minute, func() { order = append(order, -1) })
	l.at(time.Hour, func() { t.Error("a cancelled event ran") }).cancel()
	seen := map[time.Duration]bool{}
	for _, ev := range l.later {
		if seen[ev.at] {
			t.Errorf("two events at %v", ev.at)
		}
		seen[ev.at] = true
	}
	l.now = 2 * time.Hour
	l.drain()
	l.mu.Unlock()
	want := []int{-1, 0, 1, 2, 3, 4}
	for i := range want {
		if i >= len(order) || order[i] != want[i] {
			t.Fatalf("order %v, want %v", order, want)
		}
	}
}
