package session_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// A bed is a session in a bubble, with what it has sent and what was committed.
type bed struct {
	*zktest.Ensemble
	t      *testing.T
	host   *zktest.Host
	client *session.Client
	s      *session.Session

	mu      sync.Mutex // guards what follows
	commits []zktest.Commit
	hook    func(zktest.Commit) // if it is set: called with each; must not call the ensemble
}

// inBed plays f in a bubble with an ensemble and a session, of which D is half of T = simT.
func inBed(t *testing.T, f func(t *testing.T, b *bed)) {
	t.Helper()
	inBedWith(t, session.Config{Timeout: simT}, f)
}

func inBedWith(t *testing.T, cfg session.Config, f func(t *testing.T, b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t}
		b.Ensemble = zktest.Start(t, zktest.Config{Servers: 3, InMemory: true, Tick: simT / 2, Latency: time.Millisecond,
			Logf: func(string, ...any) {}, OnCommit: b.committed})
		b.host = b.Host("a")
		cfg.Dial = b.host.Dial
		b.client = open(t, b.ConnectString(), cfg)
		b.s = established(t, b.client)
		f(t, b)
		b.client.Close()
	})
}

func (b *bed) committed(c zktest.Commit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits = append(b.commits, c)
	if b.hook != nil {
		b.hook(c)
	}
}

// onCommit has f called with each commit from now on.
func (b *bed) onCommit(f func(zktest.Commit)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = f
}

// admin returns another client's session.
func (b *bed) admin() (s *session.Session, done func()) {
	b.t.Helper()
	client := open(b.t, b.ConnectString(), session.Config{Timeout: 10 * simT, Lease: simT, Dial: b.Host("admin").Dial})
	return established(b.t, client), func() { client.Close() }
}

// beats returns how often the session's heartbeat was set, and in all those writes how many
// places were checked.
func (b *bed) beats() (beats, checks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.commits {
		if c.Session != b.s.ID() || c.Err != zktest.CodeOK {
			continue
		}
		for _, ch := range c.Changes {
			switch {
			case ch.Op == zktest.OpSetData && ch.Path == b.s.Heartbeat(b.s.ID()):
				beats++
			case ch.Op == zktest.OpCheck:
				checks++
			}
		}
	}
	return beats, checks
}

func (b *bed) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits = nil
}

// node returns a znode as the ensemble has it.
func (b *bed) node(path string) (n zktest.Node, ok bool) {
	for _, n := range b.Nodes() {
		if n.Path == path {
			return n, true
		}
	}
	return n, false
}

// ended waits for the end of the session and returns the reason.
func (b *bed) ended() error {
	b.t.Helper()
	return over(b.t, b.s)
}

func TestALeaseCountsFromTheBeginningOfItsBeat(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		for _, slow := range []time.Duration{0, simT / 16} {
			p := hold(t, b.s, "/e")
			l := p.lease(t)
			b.host.Delay(slow)
			time.Sleep(simT)
			var longest time.Duration
			for range 1000 {
				longest = max(longest, l.Remaining())
				time.Sleep(time.Millisecond)
			}
			// It is slow by that both ways.
			if want := b.s.LeaseTime() - 2*slow; longest > want || longest < want-20*time.Millisecond {
				t.Errorf("with a network slow by %v a lease of %v at most, want %v", slow, longest, want)
			}
			p.release()
		}
	})
}

func TestManyPlacesCostOneBeatPerQuarterOfALease(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		const n = 1000
		var all []*place
		for i := range n {
			all = append(all, hold(t, b.s, fmt.Sprintf("/%d", i)))
		}
		for _, p := range all {
			p.lease(t)
		}
		b.forget()
		time.Sleep(10 * b.s.LeaseTime())
		if beats, checks := b.beats(); beats < 38 || beats > 41 || checks != 0 {
			t.Errorf("%d beats and %d checks in ten leases; want 40 and none", beats, checks)
		}
		// A reconnect, and all of them are checked, in several beats.
		b.forget()
		b.host.Cut()
		time.Sleep(b.s.LeaseTime() / 4)
		for _, p := range all {
			if l := p.hold.Lease(); l == nil || l.Remaining() < b.s.LeaseTime()/2 {
				t.Fatal("a place is not held again soon after a reconnect")
			}
		}
		if beats, checks := b.beats(); beats < 2 || beats > 5 || checks != n {
			t.Errorf("%d beats and %d checks after a reconnect, want at least 2 and %d", beats, checks, n)
		}
		// None when nothing is held.
		for _, p := range all {
			p.release()
		}
		time.Sleep(b.s.LeaseTime())
		b.forget()
		time.Sleep(10 * b.s.LeaseTime())
		if beats, _ := b.beats(); beats != 0 {
			t.Errorf("%d beats for nothing", beats)
		}
	})
}

// A request has its limit, and the paths of many places are long.
func TestManyPlacesWithLongPathsAreHeld(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		var all []*place
		for i := range 400 {
			dir := fmt.Sprintf("/%s%d", strings.Repeat("x", 4000), i)
			all = append(all, hold(t, b.s, dir))
		}
		for _, p := range all {
			p.lease(t)
		}
		b.host.Cut()
		time.Sleep(2 * b.s.LeaseTime())
		for _, p := range all {
			if p.hold.Lease() == nil {
				t.Fatalf("not held after a reconnect: %v", p.hold.Err())
			}
		}
	})
}

func TestRenewGivesASignalAtOnce(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		p, l := held(t, b.s)
		p.release() // the place's loop would take the signals
		wake := make(chan struct{}, 1)
		own := b.s.Watch(p.path, wake)
		h := b.s.Hold(own, wake)
		_, _, err := own.Get(t.Context())
		must(t, err)
		<-wake // a lease begins
		time.Sleep(b.s.LeaseTime())
		select {
		case <-wake:
			t.Error("a signal that nobody asked for")
		default:
		}
		h.Renew()
		begun := time.Now()
		<-wake
		if took := time.Since(begun); took > 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		if rest := h.Lease().Remaining(); rest < b.s.LeaseTime()-10*time.Millisecond {
			t.Errorf("the lease runs for %v", rest)
		}
		if l.Valid() {
			t.Error("the lease of a Hold that was released was extended")
		}
	})
}

func TestASilentServerIsLeftWithinAQuarterOfALease(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		_, l := held(t, b.s)
		for range 20 {
			before := b.client.Status().Counts.Reconnects
			b.ConnOf(b.s.ID()).Drop()
			time.Sleep(b.s.LeaseTime() * 5 / 8) // until the next beat, then D/4, then the handshake
			if after := b.client.Status().Counts.Reconnects; after != before+1 {
				t.Errorf("%d reconnects", after-before)
			}
			if !l.Valid() {
				t.Fatal("the lease has lapsed")
			}
		}
	})
}

func TestTheLeaseIsCutToHalfOfTheTimeoutThatIsGranted(t *testing.T) {
	inBedWith(t, session.Config{Timeout: time.Hour, Lease: 20 * time.Minute}, func(t *testing.T, b *bed) {
		granted := 20 * simT / 2
		if b.s.Timeout() != granted || b.s.LeaseTime() != granted/2 || b.client.Status().LeaseTime != granted/2 {
			t.Errorf("T = %v, D = %v", b.s.Timeout(), b.s.LeaseTime())
		}
		_, l := held(t, b.s)
		if rest := l.Remaining(); rest > granted/2 || rest < granted/2-time.Second {
			t.Errorf("a lease of %v", rest)
		}
		if n, _ := b.node(b.s.Heartbeat(b.s.ID())); string(n.Data) != (granted / 2).String() {
			t.Errorf("others are told %q", n.Data)
		}
	})
}

// What becomes of the session and its places when its heartbeat, or a beat, is interfered with.
func TestInterferenceWithTheHeartbeat(t *testing.T) {
	revoke := func(t *testing.T, b *bed, admin *session.Session, with ...any) {
		l := admin.Listen(b.s.ID(), make(chan struct{}, 1))
		defer l.Stop()
		for {
			time.Sleep(simT / 64)
			h := l.Heartbeat()
			if _, err := admin.Multi(t.Context(), append(with, h.Revoke())...); err == nil {
				return
			} else if !errors.Is(err, zk.ErrBadVersion) && !errors.Is(err, zk.ErrNoNode) {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, b *bed, admin *session.Session)
		want error // of the session
	}{
		"deleted": {func(t *testing.T, b *bed, admin *session.Session) {
			must(t, admin.Delete(t.Context(), b.s.Heartbeat(b.s.ID()), -1))
		}, session.ErrNoHeartbeat},
		"deleted and created by another": {func(t *testing.T, b *bed, admin *session.Session) {
			beat := b.s.Heartbeat(b.s.ID())
			n, _ := b.node(beat)
			_, err := admin.Multi(t.Context(), &zk.DeleteRequest{Path: beat, Version: -1}, &zk.CreateRequest{Path: beat})
			must(t, err)
			for range n.Stat.Version {
				admin.Set(t.Context(), beat, n.Data, -1) // to the very version that is known
			}
		}, session.ErrNoHeartbeat},
		"revoked": {func(t *testing.T, b *bed, admin *session.Session) { revoke(t, b, admin) }, session.ErrRevoked},
		"set by hand": {func(t *testing.T, b *bed, admin *session.Session) {
			_, err := admin.Set(t.Context(), b.s.Heartbeat(b.s.ID()), []byte("hello"), -1)
			must(t, err)
		}, nil},
		"set by hand to a lease": {func(t *testing.T, b *bed, admin *session.Session) {
			_, err := admin.Set(t.Context(), b.s.Heartbeat(b.s.ID()), []byte("1h"), -1)
			must(t, err)
		}, nil},
		"a beat's answer is lost": {func(t *testing.T, b *bed, admin *session.Session) {
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseReply).Fired()
		}, nil},
		"a beat is lost": {func(t *testing.T, b *bed, admin *session.Session) {
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseRequest).Fired()
		}, nil},
		"a beat is refused for no reason": {func(t *testing.T, b *bed, admin *session.Session) {
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.Fail(zktest.CodeBadVersion)).Fired()
		}, nil},
		"the reading afterwards is lost, too": {func(t *testing.T, b *bed, admin *session.Session) {
			read := b.On(zktest.Match{Op: zktest.OpGetData, Path: "/zkrecipe/*", Host: "a", Nth: 1}, zktest.LoseReply)
			<-b.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Nth: 1}, zktest.LoseReply).Fired()
			<-read.Fired()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, func(t *testing.T, b *bed) {
				admin, done := b.admin()
				defer done()
				p, l := held(t, b.s)
				time.Sleep(simT)
				c.do(t, b, admin)
				time.Sleep(simT)
				if c.want != nil {
					if err := b.ended(); !errors.Is(err, c.want) {
						t.Errorf("the session ended with %v", err)
					}
					if l.Valid() {
						t.Error("the lease outlives its session")
					}
					if next := established(t, b.client); next.ID() == b.s.ID() {
						t.Error("the session is still there")
					}
					return
				}
				if b.s.Err() != nil || !l.Valid() || p.hold.Lease() != l {
					t.Errorf("the session: %v, the lease: %v, the hold: %v", b.s.Err(), l.Valid(), p.hold.Err())
				}
				if n, _ := b.node(b.s.Heartbeat(b.s.ID())); string(n.Data) != b.s.LeaseTime().String() {
					t.Errorf("the heartbeat says %q", n.Data)
				}
			})
		})
	}
}

// A beat that was on its way for long, and is committed when its session has moved on, is the
// session's own.
func TestALateBeatOfOnesOwnEndsNothing(t *testing.T) {
	inBed(t, func(t *testing.T, b *bed) {
		p, _ := held(t, b.s)
		for range 10 {
			at := b.Server(b.ConnOf(b.s.ID()).Server())
			at.Slow(simT / 4)
			time.Sleep(simT / 2)
			at.Slow(0)
			time.Sleep(simT / 4)
		}
		p.lease(t)
		if b.s.Err() != nil {
			t.Error(b.s.Err())
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		late := slices.ContainsFunc(b.commits, func(c zktest.Commit) bool { return c.Err == zktest.CodeBadVersion })
		t.Log("a beat had the wrong version:", late)
	})
}
