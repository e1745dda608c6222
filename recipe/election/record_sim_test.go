package election_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkrecipe/zkrecipe/internal/await"
	"github.com/zkrecipe/zkrecipe/recipe/election"
	"github.com/zkrecipe/zkrecipe/session"
	"github.com/zkrecipe/zkrecipe/session/zktest"
)

// log keeps what reaches the servers and what is committed.
type wireLog struct {
	mu       sync.Mutex // guards what follows
	requests []zktest.Request
	deleted  bool // a place in the line, since reset
}

func (l *wireLog) config(seed int64) zktest.Config {
	return zktest.Config{Seed: seed, OnRequest: func(r zktest.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.deleted && r.Op != zktest.OpPing && r.Op != zktest.OpMulti && !strings.HasPrefix(r.Path, beats) { // multis are beats
			l.requests = append(l.requests, r)
		}
	}, OnCommit: func(c zktest.Commit) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, ch := range c.Changes {
			l.deleted = l.deleted || ch.Op == zktest.OpDelete && strings.HasPrefix(ch.Path, stagePath+"/")
		}
	}}
}

// by returns what a host asked since the first departure.
func (l *wireLog) by(host string) (all []zktest.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.requests {
		if r.Host == host {
			all = append(all, r)
		}
	}
	return all
}

func TestTheHeirReadsNothingBetweenAnAnnouncedDepartureAndItsCallback(t *testing.T) {
	chores := 0
	for seed := range int64(30) {
		var l wireLog
		onStage(t, l.config(seed), func(t *testing.T, s *stage) {
			all, first := s.lineUp("a", "b")
			await.Sleep(time.Duration(seed+1) * stageT / 30) // the heir watches the leader's znode by then
			first.Resign()
			all[1].term()
			for _, r := range l.by("b") {
				if r.Op != zktest.OpExists { // a re-check that was under way
					t.Errorf("seed %d: asked for %v %s", seed, r.Op, r.Path)
				}
				chores++
			}
			if all[1].events.count(election.EventWithheld) != 0 {
				t.Errorf("seed %d: events:\n%v", seed, all[1].events)
			}
		})
	}
	if chores > 3 {
		t.Errorf("%d re-checks between the departures and the callbacks", chores)
	}
}

// One that joins does not know of a leader that has vanished just before, unless the record tells
// that all before it are over.
func TestWhoJoinsInDoubtWaitsForALease(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		admin := s.Admin()
		a := s.enter("a")
		first := a.term()
		await.Sleep(stageD)
		a.host.Hold(zktest.ToClient) // it does not hear of the deletion
		if err := admin.Delete(t.Context(), first.Node(), -1); err != nil {
			t.Fatal(err)
		}
		b := s.enter("b")
		if ev := b.events.wait(election.EventJoined, 1); ev.Position != 0 {
			t.Fatalf("joined with %d ahead", ev.Position)
		}
		joined := time.Now()
		b.term() // the stage compares it with the first
		if took := time.Since(joined); took < stageD {
			t.Errorf("it leads after %v", took)
		}
		b.events.wait(election.EventWithheld, 1)
	})
}

func TestWhoJoinsWhenAllBeforeAreOverLeadsAtOnce(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		for _, name := range []string{"a", "b", "c"} {
			entered := time.Now()
			x := s.enter(name)
			x.term()
			if took := time.Since(entered); took > stageD/8 {
				t.Errorf("%s leads after %v", name, took)
			}
			if n := x.events.count(election.EventWithheld); n != 0 {
				t.Errorf("%s was withheld", name)
			}
			x.stop()
		}
	})
}

// Candidates that give up waiting say so, and leave no gap behind which a leader could be.
func TestWhoJoinsAfterWaitersHaveLeftDoesNotWaitForThem(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b", "c", "d", "e")
		for _, i := range []int{2, 1, 4} { // from the middle, the heir, the last
			all[i].stop()
		}
		f := s.enter("f")
		f.events.wait(election.EventJoined, 1)
		first.Resign()
		all[3].term().Resign()
		resigned := time.Now()
		f.term()
		if took := time.Since(resigned); took > stageD/8 {
			t.Errorf("it leads after %v", took)
		}
		if n := f.events.count(election.EventWithheld); n != 0 {
			t.Errorf("withheld; events:\n%v", f.events)
		}
	})
}

// The path holds data of somebody else: nothing is announced there, and nothing is unsafe.
func TestForeignDataInThePathMakeAHandOverSlowerAndNoCandidateWritesThem(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		admin := s.Admin()
		if err := admin.EnsureNode(t.Context(), stagePath, []byte("somebody's"), nil); err != nil {
			t.Fatal(err)
		}
		all, first := s.lineUp("a", "b", "c")
		if err := all[1].events.wait(election.EventImpaired, 1).Err; !strings.Contains(err.Error(), stagePath) || all[1].Status().Impaired == nil {
			t.Errorf("impaired: %v, status %v", err, all[1].Status().Impaired)
		}
		first.Resign()
		resigned := time.Now()
		all[1].term()
		// Nobody knows how long the others' leases are: the default is the longest allowed.
		if took := time.Since(resigned); took < stageD || took > session.DefaultLease*17/16+stageD/8 {
			t.Errorf("the next leads after %v", took)
		}
		await.Sleep(stageD)
		all[1].host.Drop()
		crash := time.Now()
		all[2].term() // a crash is heard of by the heartbeat
		if took := time.Since(crash); took > stageD*135/100 {
			t.Errorf("the next leads %v after a crash", took)
		}
		data, _, err := admin.Get(t.Context(), stagePath)
		if err != nil || string(data) != "somebody's" {
			t.Errorf("the path holds %q (%v)", data, err)
		}
	})
}

// A re-check, or a beat, that nobody answers must not delay a leadership.
func TestARecheckUnderWayDoesNotDelayALeadership(t *testing.T) {
	for _, op := range []zktest.Op{zktest.OpExists, zktest.OpMulti} { // multis are beats
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			all, first := s.lineUp("a", "b")
			await.Sleep(stageD) // the heir has a lease by then
			held := s.On(zktest.Match{Op: op, Host: "b", Nth: 1}, zktest.DropReply)
			<-held.Fired()
			first.Resign()
			resigned := time.Now()
			all[1].term()
			if took := time.Since(resigned); took > stageD/16 {
				t.Errorf("with an %v unanswered it leads after %v", op, took)
			}
		})
	}
}

// Somebody has copied the path from another ensemble, with its record. Here the numbers begin anew,
// and none of those that the record tells of is over.
func TestARecordThatWasCopiedTellsNothing(t *testing.T) {
	for _, settled := range []int{2, 1234} {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			s.copied(settled, zk.PermAll)
			all, first := s.lineUp("a", "b", "c")
			await.Sleep(stageD)
			all[1].stop()
			await.Sleep(5 * stageD)
			if !first.Valid() || len(s.begun()) != 1 {
				t.Errorf("%d settled: %d terms, the first valid: %v", settled, len(s.begun()), first.Valid())
			}
			first.Resign()
			all[2].term()
		})
	}
}

// Somebody has copied a record to this path. In that record, the number of a candidate that has not
// read the list yet is over.
func TestARecordThatWasCopiedHidesNobody(t *testing.T) {
	var brake atomic.Pointer[zktest.Host]
	onRequest := func(r zktest.Request) { // "a" has created its znode, and reads it
		if r.Host == "a" && r.Op == zktest.OpGetData && strings.HasPrefix(r.Path, stagePath+"/") {
			if host := brake.Swap(nil); host != nil {
				go host.Hold(zktest.ToServer)
			}
		}
	}
	onStage(t, zktest.Config{OnRequest: onRequest}, func(t *testing.T, s *stage) {
		s.Config.Timeout, s.Config.Lease = 5*stageT, stageD
		s.copied(1, zk.PermAll)
		brake.Store(s.Host("a"))
		a := s.enter("a")
		s.Eventually("znode of a", func() bool { return len(s.inLine()) == 1 })
		b := s.enter("b")
		b.events.wait(election.EventJoined, 1)
		c := s.enter("c")
		c.events.wait(election.EventJoined, 1)
		b.stop()
		await.Sleep(50 * time.Millisecond)
		a.host.Heal()
		term := a.term() // the checker compares it with all others
		await.Sleep(stageD)
		term.Resign()
		c.term()
	})
}

// The record of another path tells nothing even if candidates have no permission to write it. That
// is so, too, when the numbers here have reached those of the record.
func TestACopiedRecordThatMustNotBeWrittenTellsNothing(t *testing.T) {
	for _, settled := range []int{2, 1234} {
		onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
			s.copied(settled, zk.PermAll&^zk.PermWrite)
			all, first := s.lineUp("a", "b", "c")
			first.Resign()
			s.vanish(all[1], all[1].term())
			all[2].term() // the checker compares it with all others
		})
	}
}

// A candidate that has read the record of another path does not write back its numbers, which do
// not exist here yet.
func TestWhatACopiedRecordTellsIsNotWrittenBack(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		s.copied(0, zk.PermAll, 2)
		all, first := s.lineUp("a", "b", "c", "d")
		all[1].stop()
		first.Resign()
		s.vanish(all[2], all[2].term())
		all[3].term() // the checker compares it with all others
	})
}

// Somebody overwrites the record with that of another path. Then the leader's znode is deleted. The
// next candidate still waits for the lease.
func TestARecordThatIsCopiedLaterTellsNothing(t *testing.T) {
	onStage(t, zktest.Config{}, func(t *testing.T, s *stage) {
		all, first := s.lineUp("a", "b")
		if _, err := s.Admin().Set(t.Context(), stagePath, copiedRecord(1), -1); err != nil {
			t.Fatal(err)
		}
		await.Sleep(5 * stageD)
		s.vanish(all[0], first)
		all[1].term() // the checker compares it with the first
	})
}

// vanish deletes a leader's znode. The leader does not hear of it.
func (s *stage) vanish(a *candidate, term *election.Term) {
	s.T.Helper()
	await.Sleep(stageD)
	a.host.Hold(zktest.ToClient)
	if err := s.Admin().Delete(s.T.Context(), term.Node(), -1); err != nil {
		s.T.Fatal(err)
	}
}

// copiedRecord is the record of another path, in which these numbers have left.
func copiedRecord(settled int, left ...int) []byte {
	record := fmt.Appendf(nil, "zkrecipe line 1\nlease 400ms\npath 500000012-18b3d2a4c10\nsettled %d\nleft", settled)
	for _, n := range append(left, 1240) {
		record = fmt.Appendf(record, " %d", n)
	}
	return append(record, '\n')
}

// copied makes the path with such a record.
func (s *stage) copied(settled int, perms int32, left ...int) {
	s.T.Helper()
	if _, err := s.Admin().Create(s.T.Context(), stagePath, copiedRecord(settled, left...), 0, zk.WorldACL(perms)); err != nil {
		s.T.Fatal(err)
	}
}
