package semaphore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/zkrecipe/zkrecipe/internal/await"
	shared "github.com/zkrecipe/zkrecipe/internal/stage"
	"github.com/zkrecipe/zkrecipe/recipe/semaphore"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

var slotted = semaphore.Config{Slots: true}

// The slot of a holder that is cut off, or whose session is ended, or whose znode is deleted, is
// not used again before its lease is over, although there are permits enough.
func TestASlotIsNotUsedAgainBeforeTheOldLeaseIsOver(t *testing.T) {
	for name, end := range map[string]func(s *stage, a *process, p *semaphore.Permit){
		"session expired": func(s *stage, a *process, p *semaphore.Permit) {
			a.host.Drop()
			s.ExpireSession(s.Session(a.client).ID())
		},
		"znode deleted": func(s *stage, a *process, p *semaphore.Permit) {
			a.host.Drop()
			if err := s.Admin().Delete(s.T.Context(), p.Node(), -1); err != nil {
				s.T.Error(err)
			}
		},
	} {
		onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
			a := s.process("a", slotted)
			old := a.acquire()
			begun := time.Now()
			end(s, a, old)
			for i := range 3 { // the old one counts for none of three, where it is gone
				p := s.process(fmt.Sprint("b", i), slotted).acquire()
				if p.Slot().Number() == 0 && time.Since(begun) < stageD {
					t.Errorf("%s: slot 0 again after %v", name, time.Since(begun))
				}
			}
			if took := time.Since(begun); took > 2*stageT {
				t.Errorf("%s: it took %v", name, took)
			}
		})
	}
}

// A takeover proves that the silent holder is over, so its slot is free at once.
func TestTheSlotOfASilentHolderIsFreeWithItsPermit(t *testing.T) {
	for name, cfg := range map[string]semaphore.Config{"without slots": {}, "with slots": slotted} {
		onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
			a, b, c := s.process("a", cfg), s.process("b", cfg), s.process("c", cfg)
			old, other := a.acquire(), b.acquire()
			waiting := c.queue()
			await.Sleep(2 * stageD)
			a.host.Hold()
			a.host.Cut()
			begun := time.Now()
			p := <-waiting
			if took := time.Since(begun); took > stageD*3/2 {
				t.Errorf("%s: it took %v at a lease of %v", name, took, stageD)
			}
			if old.Valid() {
				t.Errorf("%s: the old permit is valid", name)
			}
			s.release(other)
			s.release(p)
		})
	}
}

// A holder's session expires while another waits. Its lease is waited for once, for the permit and
// the slot.
func TestTheSlotOfAHolderWhoseSessionExpiresIsFreeWithItsPermit(t *testing.T) {
	onStage(t, 1, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a", slotted), s.process("b", slotted)
		old := a.acquire()
		waiting := b.queue()
		await.Sleep(2 * stageD)
		a.host.Drop()
		begun := time.Now()
		s.ExpireSession(s.Session(a.client).ID())
		p := <-waiting
		if took := time.Since(begun); took > stageD*3/2 {
			t.Errorf("it took %v at a lease of %v", took, stageD)
		}
		if old.Valid() {
			t.Error("the old permit is valid")
		}
		s.release(p)
	})
}

// One that waits for the lease of a permit that vanished before it came is admitted while another
// permit, which has vanished since, may still be valid. It must not get the slot of that one.
func TestTheSlotOfOneThatMayStillBeValidIsNotTaken(t *testing.T) {
	onStage(t, 3, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b, c := s.process("a", slotted), s.process("b", slotted), s.process("c", slotted)
		first, second, third := a.acquire(), b.acquire(), c.acquire()
		vanish := func(p *process) {
			id := s.Session(p.client).ID()
			p.host.Drop()
			s.ExpireSession(id)
		}
		vanish(b)
		s.Eventually("end of a permit", func() bool { return len(s.below("leases")) == 2 })
		d := s.process("d", slotted).begin(1)
		await.Sleep(stageD / 2)
		vanish(a)
		got := <-d // which the check compares with the first
		if got.Slot().Number() != 1 || !third.Valid() {
			t.Errorf("slot %d; those of the others were %d, %d, %d", got.Slot().Number(), first.Slot().Number(), second.Slot().Number(), third.Slot().Number())
		}
	})
}

// One is slow to take its slot. A younger permit takes one meanwhile, the size is reduced to one,
// and the younger permit vanishes. So the older one is admitted at once, but it must not get that
// slot while the younger permit may be valid.
func TestTheSlotOfAYoungerPermitThatMayStillBeValidIsNotTaken(t *testing.T) {
	onStage(t, 2, zktest.Config{}, func(t *testing.T, s *stage) {
		a, b := s.process("a", slotted), s.process("b", slotted)
		both := <-s.process("c", slotted).begin(2)
		older := a.queue()
		s.Eventually("permit that waits", func() bool { return len(s.below("leases")) == 3 })
		await.Sleep(2 * stageD) // longer than it waits for those that had vanished when it came
		// Otherwise the younger one would wait in that line.
		for _, n := range s.below("locks") {
			shared.Must(t, s.Admin().Delete(t.Context(), n.Path, -1))
		}
		slow := s.On(zktest.Match{Op: zktest.OpMulti, Host: "a", Path: stagePath + "/leases", Nth: 1}, zktest.DropRequest)
		s.release(both)
		<-slow.Fired()
		younger := b.acquire()
		shared.Must(t, b.Resize(t.Context(), 1))
		id := s.Session(b.client).ID()
		b.host.Drop()
		s.ExpireSession(id)
		s.Eventually("end of the younger permit", func() bool { return len(s.below("leases")) == 1 })
		a.host.Cut()   // it does not wait for the answer any longer
		got := <-older // which the check compares with the younger one
		if got.Slot().Number() != 0 || younger.Slot().Number() != 0 {
			t.Errorf("slot %d after %d", got.Slot().Number(), younger.Slot().Number())
		}
		s.release(got)
	})
}

// Members issue ids all the time, made of the time and the number of their slot. One is cut off for
// two session timeouts, so it needs another session. A fifth gets its slot meanwhile.
func TestNoIDIsIssuedTwiceWhileAMemberIsCutOff(t *testing.T) {
	const size = 4
	type id struct {
		at   time.Time
		slot int
	}
	onStage(t, size, zktest.Config{}, func(t *testing.T, s *stage) {
		var mu sync.Mutex // guards issued
		issued := map[id]string{}
		issue := func(who string, p *semaphore.Permit) *semaphore.Permit {
			go func() {
				for ; t.Context().Err() == nil; time.Sleep(10 * time.Millisecond) {
					mu.Lock()
					if slot := p.Slot(); slot.Valid() {
						now := id{time.Now().Truncate(10 * time.Millisecond), slot.Number()}
						if other := issued[now]; other != "" && other != who {
							t.Errorf("%s and %s issue %v", other, who, now)
						}
						issued[now] = who
					}
					mu.Unlock()
				}
			}()
			return p
		}
		cut := s.process("a", slotted)
		old := issue("a", cut.acquire())
		others := []*semaphore.Permit{}
		for _, name := range []string{"b", "c", "d"} {
			others = append(others, issue(name, s.process(name, slotted).acquire()))
		}
		session := s.Session(cut.client).ID()
		fifth, got := s.process("e", slotted).queue(), make(chan *semaphore.Permit, 1)
		go func() { got <- issue("e", <-fifth) }()
		await.Sleep(2 * stageD)
		cut.host.Hold()
		cut.host.Cut()
		await.Sleep(2 * stageT)
		if slot := (<-got).Slot().Number(); slot != old.Slot().Number() {
			t.Errorf("slot %d is taken; want %d", slot, old.Slot().Number())
		}
		cut.host.Heal()
		again := cut.begin(1)
		await.Sleep(stageT)
		if now := s.Session(cut.client).ID(); now == session {
			t.Error("the session has survived")
		}
		s.release(others[0])
		issue("a", <-again)
		await.Sleep(stageT)
	})
}
