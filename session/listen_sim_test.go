package session_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/internal/rounds"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// An heir listens to the session of a bubble, and has a session of its own.
type heir struct {
	client *session.Client
	s      *session.Session
	host   *zktest.Host
	l      *session.Listener
	wake   chan struct{}
}

func (b *bubble) heir() *heir {
	b.T.Helper()
	h := &heir{host: b.Host("heir"), wake: make(chan struct{}, 1)}
	h.client = open(b.T, b.ConnectString(), session.Config{Timeout: simT, Dial: h.host.Dial})
	h.s = established(b.T, h.client)
	h.l = h.s.Listen(b.s.ID(), h.wake)
	return h
}

// await waits until the heir sees a state, for at most the given time.
func (h *heir) await(t *testing.T, want session.HeartbeatState, within time.Duration) time.Duration {
	t.Helper()
	begin, limit := time.Now(), time.After(within)
	for h.l.Heartbeat().State != want {
		select {
		case <-h.wake:
		case <-limit:
			t.Fatalf("%v, want %v within %v", h.l.Heartbeat().State, want, within)
		}
	}
	return time.Since(begin)
}

func TestAnHeirHearsEachEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		h := b.heir()
		defer h.client.Close()
		if h.l.Heartbeat().State != session.HeartbeatUnseen {
			t.Error("a state before the first read")
		}
		p, l := held(t, b.s)
		D := b.s.LeaseTime()
		h.await(t, session.HeartbeatBeating, D)
		if heard := h.l.Heartbeat(); heard.LeaseTime != D || heard.Path != b.s.HeartbeatPath(b.s.ID()) || heard.Err != nil {
			t.Errorf("%+v", heard)
		}
		await.Sleep(3 * D)
		b.host.Hold()
		took := h.await(t, session.HeartbeatSilent, 2*D)
		if l.Valid() || took > session.Outlast(D)+D/8 {
			t.Errorf("silent after %v; its lease runs: %v", took, l.Valid())
		}
		silent := h.l.Heartbeat()
		must(t, h.l.TakeOver(t.Context(), silent, p.path))
		h.l.Restart(silent) // as if another takeover by what was heard then had failed
		// Another listener reads it.
		second := h.s.Listen(b.s.ID(), make(chan struct{}, 1))
		defer second.Stop()
		if second.Heartbeat().State != session.HeartbeatRevoked {
			t.Errorf("another listener of the session hears: %v", second.Heartbeat().State)
		}
		third := b.heir()
		defer third.client.Close()
		third.await(t, session.HeartbeatRevoked, D)
		if err := third.l.TakeOver(t.Context(), third.l.Heartbeat(), p.path); !errors.Is(err, zk.ErrNoNode) {
			t.Errorf("the place was deleted twice: %v", err)
		}
		b.host.Heal()
		if err := b.ended(); !errors.Is(err, session.ErrRevoked) {
			t.Errorf("the session that was silent: %v", err)
		}
		h.await(t, session.HeartbeatGone, 3*D)
	})
}

// A beat may arrive after a listener has concluded that there are no beats. Then the beat keeps its
// session alive.
func TestNobodyTakesOverAfterABeatThatWasNotHeard(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		h := b.heir()
		defer h.client.Close()
		p, _ := held(t, b.s)
		await.Sleep(simT)
		b.host.Hold()
		h.await(t, session.HeartbeatSilent, simT)
		heard := h.l.Heartbeat()
		b.host.Heal()
		p.lease(t)
		if err := h.l.TakeOver(t.Context(), heard, p.path); !errors.Is(err, zk.ErrBadVersion) {
			t.Errorf("taken over: %v", err)
		}
		p.lease(t)
	})
}

// A session that begins to listen again listens for a whole lease before it concludes anything.
func TestANewListenerConcludesNothingAtOnce(t *testing.T) {
	inBubbleWith(t, session.Config{Timeout: simT, Lease: simT / 16}, func(t *testing.T, b *bubble) {
		h := b.heir()
		defer h.client.Close()
		held(t, b.s)
		D := b.s.LeaseTime()
		await.Sleep(D)
		b.host.Hold()
		h.await(t, session.HeartbeatSilent, 2*D)
		h.l.Restart(h.l.Heartbeat())
		if took := h.await(t, session.HeartbeatSilent, 2*D); took < session.Outlast(D) {
			t.Errorf("silent again after %v", took)
		}
		h.l.Stop()
		h.l.Stop()
		h.l = h.s.Listen(b.s.ID(), h.wake)
		if took := h.await(t, session.HeartbeatSilent, 2*D); took < session.Outlast(D) {
			t.Errorf("silent for another one after %v", took)
		}
	})
}

// Two Listeners to one session share the reads, eight in a lease. Without a Listener there are no
// reads.
func TestWhatListeningCosts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		h := b.heir()
		defer h.client.Close()
		held(t, b.s)
		await.Sleep(simT)
		second := h.s.Listen(b.s.ID(), make(chan struct{}, 1))
		reads := func() int {
			before := b.Counts().Requests[zktest.OpGetData]
			await.Sleep(10 * b.s.LeaseTime())
			return b.Counts().Requests[zktest.OpGetData] - before
		}
		if n := reads(); n < 75 || n > 81 {
			t.Errorf("%d reads in ten leases", n)
		}
		second.Stop()
		if n := reads(); n < 75 || n > 81 {
			t.Errorf("%d reads in ten leases for the other one", n)
		}
		h.l.Stop()
		if n := reads(); n > 1 {
			t.Errorf("%d reads for nobody", n)
		}
	})
}

func TestAListenerEndsWithItsSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		h := b.heir()
		held(t, b.s)
		h.await(t, session.HeartbeatBeating, simT)
		h.client.Close() // the bubble finds a goroutine that is left
		h.l.Stop()
		late := h.s.Listen(b.s.ID(), h.wake)
		late.Stop()
		if late.Heartbeat().State != session.HeartbeatUnseen {
			t.Error("a state without a session")
		}
	})
}

// A fault stops the beats of a holder, or prevents the heir from reading them.
type fault struct {
	begin  func(b *bubble, h *heir) (end func())
	silent bool // the holder can be taken over from
}

var faults = map[string]fault{
	"held":      {func(b *bubble, h *heir) func() { b.host.Hold(); return b.host.Heal }, true},
	"to server": {func(b *bubble, h *heir) func() { b.host.Hold(zktest.ToServer); return b.host.Heal }, true},
	"to client": {func(b *bubble, h *heir) func() { b.host.Hold(zktest.ToClient); return b.host.Heal }, true},
	"isolated": {func(b *bubble, h *heir) func() {
		at := b.Server(b.ConnOf(b.s.ID()).Server())
		at.Isolate()
		b.host.Hold(zktest.ToServer)
		return func() { at.Rejoin(); b.host.Heal() }
	}, true},
	"heir cut, too": {func(b *bubble, h *heir) func() {
		h.host.Hold()
		b.host.Hold()
		return func() { h.host.Heal(); b.host.Heal() }
	}, false},
	"both slow": {func(b *bubble, h *heir) func() {
		h.host.Delay(simT / 8)
		b.host.Delay(simT / 8)
		return func() { h.host.Heal(); b.host.Heal() }
	}, false},
	"restarted": {func(b *bubble, h *heir) func() {
		for _, s := range b.Servers() {
			s.Kill()
		}
		return func() {
			for _, s := range b.Servers() {
				s.Start()
			}
		}
	}, false},
	"lost answers": {func(b *bubble, h *heir) func() {
		return b.On(zktest.Match{Op: zktest.OpMulti, Host: "a"}, zktest.LoseReply).Remove
	}, false},
}

// When a holder can be taken over from, it does not hold any more. It does not matter what stopped
// its beats.
func TestNobodyHoldsWhatWasTakenOver(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			tookOver := 0
			for seed := uint64(0); seed < 20; seed += uint64(rounds.Stride(4)) {
				inBubble(t, func(t *testing.T, b *bubble) {
					if b.survives(fault, rand.New(rand.NewPCG(3, seed))) {
						return
					}
					tookOver++
				})
			}
			if fault.silent && tookOver < 5/rounds.Stride(4) {
				t.Errorf("taken over %d times", tookOver)
			}
		})
	}
}

// survives reports whether a place is not taken over during a fault that lasts for a while. If it
// is taken over, nobody may hold it any more.
func (b *bubble) survives(f fault, rng *rand.Rand) bool {
	h := b.heir()
	defer h.client.Close()
	p, l := held(b.T, b.s)
	await.Sleep(b.s.LeaseTime() + time.Duration(rng.Int64N(int64(simT))))
	end := f.begin(b, h)
	var ending sync.WaitGroup
	defer ending.Wait()
	lasting := time.Duration(rng.Int64N(int64(2 * simT)))
	ending.Go(func() { time.Sleep(lasting); end() })
	for limit := time.After(2 * simT); ; {
		select {
		case <-h.wake:
		case <-limit:
			return true
		}
		heard := h.l.Heartbeat()
		if heard.State != session.HeartbeatSilent {
			continue
		}
		if h.l.TakeOver(b.T.Context(), heard, p.path) != nil {
			continue
		}
		if p.hold.Lease() != nil || l.Valid() {
			b.T.Errorf("taken over while the lease runs for %v", l.Remaining())
		}
		return false
	}
}
