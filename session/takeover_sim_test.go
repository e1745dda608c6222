package session_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// taking has a session with many places that has become silent, and an heir that stands behind each
// of them.
type taking struct {
	*bubble
	h    *heir
	held []string // the places of the silent session
	own  []string // those of the heir
}

// takeMany runs f in a bubble with n places that can be taken over.
func takeMany(t *testing.T, n int, f func(t *testing.T, k *taking)) {
	inBubble(t, func(t *testing.T, b *bubble) {
		k := &taking{bubble: b, h: b.heir()}
		defer k.h.client.Close()
		for i := range n {
			dir := fmt.Sprintf("/%d", i)
			p := hold(t, b.s, dir)
			p.lease(t)
			own, err := k.h.s.CreatePlace(t.Context(), dir, "latch-", nil, nil)
			must(t, err)
			k.held, k.own = append(k.held, p.path), append(k.own, own)
		}
		b.host.Hold()
		k.h.await(t, session.HeartbeatSilent, simT)
		f(t, k)
	})
}

// begin begins to take over each place from the first on, with what has been heard so far.
func (k *taking) begin(t *testing.T, first int) (errs []chan error) {
	heard := k.h.l.Heartbeat()
	for i := range k.held[first:] {
		done := make(chan error, 1)
		errs = append(errs, done)
		go func() { done <- k.h.l.TakeOver(t.Context(), heard, k.held[first+i], k.own[first+i]) }()
	}
	return errs
}

// insist takes over a place as recipes do: when the heartbeat was not as it was heard, it decides
// again.
func (k *taking) insist(t *testing.T, i int) error {
	for {
		await.Until(t, "silence", func() bool { return k.h.l.Heartbeat().State >= session.HeartbeatSilent })
		if err := k.h.l.TakeOver(t.Context(), k.h.l.Heartbeat(), k.held[i], k.own[i]); !errors.Is(err, zk.ErrBadVersion) {
			return err
		}
	}
}

// there returns how many places of the silent session are still there.
func (k *taking) there() (n int) {
	for _, path := range k.held {
		if _, ok := k.node(path); ok {
			n++
		}
	}
	return n
}

// After the crash of a session with many places, a few transactions take over from it.
func TestManyTakeoversNeedAFewRequests(t *testing.T) {
	takeMany(t, 100, func(t *testing.T, k *taking) {
		k.Commits.Reset()
		for _, err := range k.begin(t, 0) {
			must(t, <-err)
		}
		takeovers := 0
		for _, c := range k.Commits.All() {
			if c.Session == k.h.s.ID() && slices.ContainsFunc(c.Changes, func(ch zktest.Change) bool { return ch.Op == zktest.OpDelete }) {
				takeovers++
			}
		}
		if n := k.there(); n > 0 || takeovers == 0 || takeovers > 3 {
			t.Errorf("%d transactions for %d places; %d are left", takeovers, len(k.held), n)
		}
		k.host.Heal()
		if err := k.ended(); !errors.Is(err, session.ErrRevoked) {
			t.Errorf("the session that was silent: %v", err)
		}
	})
}

// While one place is taken over, the others wait. Then somebody sets the heartbeat by hand.
func TestABatchOfTakeoversNeedsTheHeartbeatAsItWasHeard(t *testing.T) {
	takeMany(t, 10, func(t *testing.T, k *taking) {
		admin := k.Admin()
		k.h.host.Hold(zktest.ToClient)
		first := make(chan error, 1)
		heard := k.h.l.Heartbeat()
		go func() { first <- k.h.l.TakeOver(t.Context(), heard, k.held[0], k.own[0]) }()
		await.Until(t, "takeover", func() bool { return k.there() == 9 })
		rest := k.begin(t, 1)
		synctest.Wait() // they wait for the first
		_, err := admin.Set(t.Context(), heard.Path, []byte("4s"), -1)
		must(t, err)
		k.h.host.Heal()
		must(t, <-first)
		for _, err := range rest {
			if err := <-err; !errors.Is(err, zk.ErrBadVersion) {
				t.Errorf("error %v", err)
			}
		}
		if n := k.there(); n != 9 {
			t.Errorf("%d places are left", n)
		}
	})
}

// The first takeover is refused and so has revoked nothing. The others do not go together: somebody
// has made the heartbeat again by hand, and only the answer to a revocation tells that.
func TestNoTakeoversGoTogetherBeforeTheHeartbeatIsRevoked(t *testing.T) {
	takeMany(t, 10, func(t *testing.T, k *taking) {
		admin, heard := k.Admin(), k.h.l.Heartbeat()
		must(t, admin.Delete(t.Context(), k.own[0], -1))
		k.h.host.Hold(zktest.ToClient)
		first := make(chan error, 1)
		k.Commits.Reset()
		go func() { first <- k.h.l.TakeOver(t.Context(), heard, k.held[0], k.own[0]) }()
		await.Until(t, "refusal", func() bool {
			for _, c := range k.Commits.All() {
				if c.Session == k.h.s.ID() && c.Err != zktest.CodeOK {
					return true
				}
			}
			return false
		})
		rest := k.begin(t, 1)
		synctest.Wait() // they wait for the first
		n, _ := k.node(heard.Path)
		_, err := admin.Multi(t.Context(), &zk.DeleteRequest{Path: heard.Path, Version: -1}, &zk.CreateRequest{Path: heard.Path})
		must(t, err)
		for range heard.Version {
			_, err := admin.Set(t.Context(), heard.Path, n.Data, -1)
			must(t, err)
		}
		k.h.host.Heal()
		if err := <-first; !errors.Is(err, session.ErrOwnGone) {
			t.Errorf("the first: %v", err)
		}
		for _, err := range rest {
			if <-err == nil {
				t.Error("taken over, by a heartbeat of another")
			}
		}
	})
}

// If one takeover is refused, the others succeed, at once or when they try again.
func TestATakeoverThatIsRefusedFailsAlone(t *testing.T) {
	takeMany(t, 10, func(t *testing.T, k *taking) {
		admin := k.Admin()
		must(t, admin.Delete(t.Context(), k.own[4], -1))
		must(t, admin.Delete(t.Context(), k.held[5], -1))
		errs := make([]chan error, len(k.held))
		for i := range errs {
			errs[i] = make(chan error, 1)
			go func() { errs[i] <- k.insist(t, i) }()
		}
		for i, err := range errs {
			err := <-err
			if gone := errors.Is(err, session.ErrOwnGone); gone != (i == 4) || errors.Is(err, zk.ErrNoNode) != (i == 4 || i == 5) {
				t.Errorf("takeover %d: %v", i, err)
			}
		}
		if n := k.there(); n != 1 {
			t.Errorf("%d places are left", n)
		}
	})
}

// A heartbeat that somebody has made by hand can have the version that was heard. It proves nothing
// about the session's own.
func TestATakeoverByAHeartbeatOfAnotherProvesNothing(t *testing.T) {
	takeMany(t, 1, func(t *testing.T, k *taking) {
		admin, heard := k.Admin(), k.h.l.Heartbeat()
		n, _ := k.node(heard.Path)
		_, err := admin.Multi(t.Context(), &zk.DeleteRequest{Path: heard.Path, Version: -1}, &zk.CreateRequest{Path: heard.Path})
		must(t, err)
		for range heard.Version {
			_, err := admin.Set(t.Context(), heard.Path, n.Data, -1)
			must(t, err)
		}
		if err := k.h.l.TakeOver(t.Context(), heard, k.held[0], k.own[0]); !errors.Is(err, session.ErrUnproved) {
			t.Errorf("error %v", err)
		}
		if k.there() != 0 || k.h.l.Heartbeat().State == session.HeartbeatRevoked {
			t.Errorf("%d places, heard %v", k.there(), k.h.l.Heartbeat().State)
		}
	})
}

// A server refuses all takeovers. Those who take over do not try as fast as it answers.
func TestATakeoverThatIsRefusedIsTriedAtTheNextReadOfTheHeartbeat(t *testing.T) {
	takeMany(t, 1, func(t *testing.T, k *taking) {
		refused := k.On(zktest.Match{Op: zktest.OpMulti, Host: "heir"}, zktest.Fail(zktest.CodeMarshallingError))
		D, over := k.s.LeaseTime(), time.After(k.s.LeaseTime())
		for trying := true; trying && refused.Hits() <= 10; {
			if heard := k.h.l.Heartbeat(); heard.State >= session.HeartbeatSilent {
				if k.h.l.TakeOver(t.Context(), heard, k.held[0], k.own[0]) == nil {
					t.Fatal("it has succeeded")
				}
				continue
			}
			select {
			case <-k.h.wake:
			case <-over:
				trying = false
			}
		}
		if n := refused.Hits(); n < 2 || n > 10 {
			t.Errorf("%d times in %v; want one for each of 8 reads of the heartbeat", n, D)
		}
	})
}

// Nobody takes over from a session that beats.
func TestATakeoverFromASessionThatBeatsIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		h := b.heir()
		defer h.client.Close()
		p, _ := held(t, b.s)
		for _, state := range []session.HeartbeatState{session.HeartbeatUnseen, session.HeartbeatBeating} {
			heard := h.l.Heartbeat()
			heard.State = state
			if err := h.l.TakeOver(t.Context(), heard, p.path); !errors.Is(err, zk.ErrBadArguments) || session.OutcomeOf(err) != session.OutcomeNotDone {
				t.Errorf("%v: %v", state, err)
			}
		}
		heard := session.Heartbeat{State: session.HeartbeatGone, Path: h.s.HeartbeatPath(1)} // of another session
		if err := h.l.TakeOver(t.Context(), heard, p.path); !errors.Is(err, zk.ErrBadArguments) {
			t.Errorf("by the heartbeat of another: %v", err)
		}
		p.lease(t)
	})
}
